"""Measure the model in the box: `python -m training.evaluate` prints a table and writes a contact sheet.

Nobody judges by eye. Held-out prompts are turned into clips, and `training/checker.py` reads from their pixels which thing is there, in
which colour and which way it moves. The same reader is tried on rendered clips whose truth is known: the columns `reader` and `via VAE`
(after encoding and decoding) say how often it is right there, which is as far as a value can be trusted. PSNR is measured against
held-out rendered clips.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from models.dit import WanDiT
from models.shapes import VideoShape
from models.text_encoder import TextEncoder, load_text_encoder
from models.vae import CausalVideoVAE
from training.checker import Checker, load_checker
from training.measures import Rate, Verdict, first_frame_loss, judge, rates, reader_rates
from training.prompts import Prompt, held_out_prompts, read_prompts
from training.train_dit import read_vae, sample_videos
from training.train_vae import held_out_psnr
from training.verdict_sheet import save_verdicts
from training.world import LANGUAGES

ROOT = Path(__file__).resolve().parent.parent
FILES = {
    "dit": "diffusion_models/spacetime_tiny.safetensors",
    "vae": "vae/spacetime_tiny_vae.safetensors",
    "text encoder": "text_encoders/spacetime_tiny_text.safetensors",
}
TARGETS = {"thing": 0.90, "colour": 0.95, "direction": 0.90, "background": 0.95, "all three": 0.75}
VAE_TARGETS = {"picture_book": 30.0, "collage": 30.0}
FIRST_FRAME_TARGET = 1.0
FRAMES = 17
AT_ONCE = 10  # clips sampled together


@dataclass(frozen=True)
class Models:
    """The three networks."""

    dit: WanDiT
    vae: CausalVideoVAE
    encoder: TextEncoder


@dataclass(frozen=True)
class Row:
    """One line of the table. `target` is the least value wanted, or the most where `at_most`."""

    name: str
    value: float
    unit: str = ""
    count: int | None = None
    target: float | None = None
    at_most: bool = False
    reader: float | None = None
    reader_vae: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


def load_models(weights: Path, dit: Path | None = None) -> Models:
    """Open the weights below a folder; `dit` takes the place of its denoiser.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    paths = {name: weights / file for name, file in FILES.items()}
    paths["dit"] = dit or paths["dit"]
    for name, path in paths.items():
        if not path.is_file():
            raise FileNotFoundError(f"evaluate: expected the {name} at {path}, got no such file; train it or give --weights or --dit")
    with safe_open(paths["dit"], "pt") as file:
        told = json.loads((file.metadata() or {}).get("config", "{}")).get("transformer", {})
        state = {name: file.get_tensor(name).float() for name in file.keys()}
    vae = read_vae(str(paths["vae"]), torch.device("cpu"))
    return Models(WanDiT.from_state_dict(state, told), vae, load_text_encoder(paths["text encoder"]))


def generate(models: Models, prompts: list[Prompt], shape: VideoShape, **sampler: Any) -> tuple[Tensor, float]:
    """A clip for each prompt, seed 0 for the first, 1 for the second and so on: [B, 3, T, H, W] in -1..1, and the seconds it took."""
    clips, started = [], time.monotonic()
    for start in range(0, len(prompts), AT_ONCE):
        texts = [prompt.text for prompt in prompts[start : start + AT_ONCE]]
        clips.append(sample_videos(models.dit, models.vae, models.encoder, texts, shape, seed=start, **sampler))
        _progress(f"{start + len(texts)} of {len(prompts)} clips, {time.monotonic() - started:.0f} s")
    return torch.cat(clips), time.monotonic() - started


def prompt_rows(verdicts: list[Verdict], reader: dict[str, Rate] | None = None, reader_vae: dict[str, Rate] | None = None) -> list[Row]:
    """How often the clips show what their prompts name, beside how often the reader is right where the truth is known."""
    rows = []
    for name, rate in rates(verdicts).items():
        known = [None if other is None or name not in other else other[name].share for other in (reader, reader_vae)]
        rows.append(Row(name, rate.share, "%", rate.count, TARGETS.get(name), reader=known[0], reader_vae=known[1]))
    languages = sorted({verdict.prompt.language for verdict in verdicts})
    for language in languages if len(languages) > 1 else []:
        spoken = rates([verdict for verdict in verdicts if verdict.prompt.language == language]).get("all three")
        if spoken:
            rows.append(Row(f"all three, {language}", spoken.share, "%", spoken.count))
    return rows


def other_rows(models: Models, size: int, count: int, **sampler: Any) -> list[Row]:
    """The VAE, and the first frame of picture to video."""
    precise = CausalVideoVAE.from_state_dict({name: value.float() for name, value in models.vae.state_dict().items()})
    rows = [
        Row(f"VAE, held-out {style.replace('_', ' ')}", value, "dB", count, VAE_TARGETS[style])
        for style, value in held_out_psnr(precise, torch.device("cpu"), count, size).items()
    ]
    _progress("VAE measured")
    kept = first_frame_loss(models.dit, models.vae, models.encoder, max(4, count // 3), size, **sampler)
    note = "PSNR of frame 0 to the VAE's reconstruction of the picture"
    rows.append(Row("first frame kept", kept.to_rebuilt, "dB", kept.count, note=note))
    note = "PSNR to the picture itself: the VAE's reconstruction less the clip's frame 0"
    rows.append(Row("first frame, lost", kept.lost, "dB", kept.count, FIRST_FRAME_TARGET, at_most=True, note=note))
    return rows


def table(rows: list[Row]) -> str:
    """The rows as text."""
    lines = [f"{'measure':<28}{'value':>10}{'of':>6}{'target':>12}{'met':>6}{'reader':>9}{'via VAE':>9}"]
    for row in rows:
        target = "" if row.target is None else ("<= " if row.at_most else ">= ") + _figure(row.target, row.unit)
        met = {None: "", True: "yes", False: "no"}[row.met]
        readers = ["" if value is None else _figure(value, "%") for value in (row.reader, row.reader_vae)]
        count = "" if row.count is None else str(row.count)
        line = f"{row.name:<28}{_figure(row.value, row.unit):>10}{count:>6}{target:>12}{met:>6}{readers[0]:>9}{readers[1]:>9}  {row.note}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def evaluate(arguments: argparse.Namespace) -> None:
    """Measure, print, write."""
    sampler = {"steps": arguments.steps, "guidance": arguments.guidance, "shift": arguments.shift}
    checker, models = load_checker(), load_models(arguments.weights, arguments.dit)
    if arguments.prompts:
        prompts = read_prompts(arguments.prompts)
    else:
        prompts = held_out_prompts(arguments.count, arguments.language or LANGUAGES, arguments.seed)
    shape = VideoShape(FRAMES, arguments.size, arguments.size)
    clips, seconds = generate(models, prompts, shape, **sampler)
    verdicts = judge(checker, prompts, clips)
    save_verdicts(arguments.sheet, verdicts, clips)
    _progress(f"contact sheet: {arguments.sheet}")
    known = 64 if arguments.quick else 256
    rows = prompt_rows(verdicts, *_reader(checker, models.vae, known, arguments.size))
    where = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    note = f"{FRAMES} frames of {arguments.size}x{arguments.size}, {arguments.steps} steps, {AT_ONCE} clips at once, {where}"
    rows.append(Row("seconds a clip", seconds / len(prompts), "s", len(prompts), note=note))
    rows += other_rows(models, arguments.size, 6 if arguments.quick else 24, **sampler)
    print(table(rows))
    if arguments.json:
        settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()}
        figures = [{**asdict(row), "met": row.met} for row in rows]
        report = {"settings": settings, "rows": figures, "prompts": [verdict.as_dict() for verdict in verdicts]}
        arguments.json.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")


def _reader(checker: Checker, vae: CausalVideoVAE, count: int, size: int) -> tuple[dict[str, Rate], dict[str, Rate]]:
    """How often the reader is right on rendered clips, and on a quarter as many that went through the VAE."""
    fresh, through = reader_rates(checker, count, size), reader_rates(checker, count // 4, size, vae)
    _progress("reader measured on rendered truth")
    return fresh, through


def _figure(value: float, unit: str) -> str:
    return f"{100 * value:.1f}%" if unit == "%" else f"{value:.2f} {unit}"


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=ROOT / "weights", help="folder with diffusion_models, vae and text_encoders")
    parser.add_argument("--dit", type=Path, help="another denoiser, for example one that train_dit --export wrote")
    parser.add_argument("--prompts", type=Path, help="file with a prompt on each line, to use instead of held-out ones")
    parser.add_argument("--count", type=int, help="held-out prompts (50, or 16 with --quick)")
    parser.add_argument("--language", action="append", choices=LANGUAGES, help="only prompts in this language")
    parser.add_argument("--size", type=int, default=128, help="width and height of the clips in pixels")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--shift", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0, help="draws other prompts")
    parser.add_argument("--quick", action="store_true", help="smaller samples")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--sheet", type=Path, default=ROOT / "output" / "evaluation.png", help="contact sheet to write")
    parser.add_argument("--threads", type=int, help="CPU threads")
    arguments = parser.parse_args()
    arguments.count = arguments.count or (16 if arguments.quick else 50)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        evaluate(arguments)
    except (FileNotFoundError, ValueError) as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
