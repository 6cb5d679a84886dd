"""Seconds of a clip of the model in the box, ours beside the stock nodes: `python -m benchmarks.box_speed`.

The same weights, prompt, noise and steps through Spacetime's nodes and through the host's own (UNETLoader, VAELoader, KSampler,
VAEDecode), as it starts by default and with its best flags. Each side runs in processes of its own, in turns; the models are loaded and one
clip is made before any that counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from .host_process import ArmFailed, machine, measure
from .stream import STOCK_BEST, STOCK_DEFAULTS, judge, positive, table

ARMS = "benchmarks.box_speed_arms"
OURS = "ours"
SIDES = {OURS: ("ours", STOCK_DEFAULTS), "stock defaults": ("stock", STOCK_DEFAULTS), "stock best flags": ("stock", STOCK_BEST)}
"""Who -> the arm and the flags that the host is started with."""
PARTS = ("text", "denoise", "decode")
TARGET_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Setting:
    """Steps and guidance of a clip."""

    steps: int
    cfg: float

    @property
    def title(self) -> str:
        """For a heading."""
        return f"{self.steps} steps, " + ("no guidance" if self.cfg == 1 else f"guidance {self.cfg:g}")


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `python -m benchmarks.box_speed`; 1 where a measurement failed."""
    options = _parser().parse_args(arguments)
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)  # of the processes that are started
    numbers: dict[str, Any] = {"machine": machine()}
    numbers["settings"] = {name: vars(options)[name] for name in ("prompt", "size", "frames", "rounds", "clips", "threads")}
    failed = 0
    with tempfile.TemporaryDirectory(prefix="spacetime-bench-") as folder:
        for setting in options.settings:
            try:
                numbers[setting.title] = compare(setting, options, Path(folder))
            except ArmFailed as error:
                failed += 1
                print(f"\n## {setting.title}: not measured\n\n{error}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 1 if failed else 0


def compare(setting: Setting, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All sides at one setting: a table, and what was found of each."""
    runs: dict[str, list[dict[str, Any]]] = {who: [] for who in SIDES}
    frames = str(folder / "ours.pt")
    clip = {"prompt": options.prompt, "size": options.size, "frames": options.frames, "steps": setting.steps, "cfg": setting.cfg}
    for _ in range(options.rounds):
        for who, (arm, flags) in SIDES.items():
            print(f"measuring {who}, {setting.title}", file=sys.stderr, flush=True)
            kept = {"target": frames} if who == OURS else {"reference": frames}
            runs[who].append(measure(f"{ARMS}:{arm}", {"clip": clip, "rounds": options.clips, **kept}, flags, options.timeout))
    found = {who: figures(made) for who, made in runs.items()}
    ours = found[OURS]["seconds"]
    rows = [
        [who, *(f"{result[name]:.3f}" for name in (*PARTS, "seconds")), f"{result['seconds'] / ours:.2f}", _psnr(result)]
        for who, result in found.items()
    ]
    title = f"{options.frames} frames of {options.size}x{options.size}, {setting.title}, {found[OURS]['threads']} threads"
    table(title, ["who", *(f"{name} s" for name in PARTS), "together s", "times ours", "PSNR to ours"], rows)
    judge(f"ours takes {ours:.2f} s", ours <= TARGET_SECONDS, f"at most {TARGET_SECONDS:g} s")
    return found


def figures(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Median seconds over the clips of all runs of one side, of each part and together; PSNR in dB where it was taken."""
    clips = [seconds for run in runs for seconds in run["rounds"]]
    medians = {name: statistics.median(seconds[name] for seconds in clips) for name in PARTS}
    together = [sum(seconds.values()) for seconds in clips]
    spread = {"least": min(together), "most": max(together)}
    return {**medians, "seconds": statistics.median(together), **spread, "clips": clips,
            "psnr": runs[-1].get("psnr"), "threads": runs[-1]["threads"]}  # fmt: skip


def _psnr(result: dict[str, Any]) -> str:
    return "" if result["psnr"] is None else f"{result['psnr']:.1f} dB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.box_speed", description=(__doc__ or "").splitlines()[0])
    default = [Setting(20, 5.0), Setting(4, 1.0)]
    parser.add_argument("--settings", type=_setting, nargs="+", default=default, metavar="STEPS:CFG", help="settings (20:5 4:1)")
    parser.add_argument("--frames", type=positive, default=33, help="frames of the clip, 4n+1 (33: two seconds)")
    parser.add_argument("--size", type=positive, default=128, help="width and height in pixels (128)")
    parser.add_argument("--prompt", default="a red ball rolls to the right across green grass")
    parser.add_argument("--clips", type=positive, default=3, help="clips that count in each process (3)")
    parser.add_argument("--rounds", type=positive, default=3, help="processes of each side, in turns (3)")
    parser.add_argument("--threads", type=positive, help="CPU threads of each process (torch's own number)")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that one process may take")
    return parser


def _setting(text: str) -> Setting:
    steps, _, cfg = text.partition(":")
    return Setting(positive(steps), float(cfg or 1.0))


if __name__ == "__main__":
    sys.exit(main())
