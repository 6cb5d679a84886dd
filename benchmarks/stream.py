"""Memory and time of a long video, ours beside the stock graph: `python -m benchmarks.stream`.

Every number comes from a process of its own in which the host is loaded; memory is the peak above that idle process. Both get the same
latents and weights, and the PSNR between their files is printed. Stock is measured at lengths that it can hold and extrapolated by the line
through them; such numbers are marked with a ~.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .host_process import ArmFailed, machine, measure

ARMS = "benchmarks.stream_arms"
STOCK_DEFAULTS = ["--cpu"]
STOCK_BEST = ["--cpu", "--bf16-vae", "--use-pytorch-cross-attention"]
STOCK_SIDES = {"stock defaults": (STOCK_DEFAULTS, 1 / 5), "stock best flags": (STOCK_BEST, 1 / 2)}
"""How stock is started -> the flags, and the share of its time that ours may take."""
FLAT, FILE_LIMIT, OVERHEAD = 1.05, 1.5e9, 0.02


def line_through(points: list[tuple[float, float]]) -> Callable[[float], float]:
    """The least-squares line through (x, y) points; a constant through one."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return lambda x: mean_y + slope * (x - mean_x)


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """A Markdown table on standard output."""
    print(f"\n## {title}\n")
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
    sys.stdout.flush()


class Bench:
    """One run: options, a folder for its files, and the numbers so far."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.numbers: dict[str, Any] = {"machine": machine()}
        self._weights: str | None = None

    def arm(self, name: str, flags: list[str], **options: Any) -> dict[str, Any]:
        """One measurement; what is measured is told on standard error."""
        print(f"measuring {name} {options} {' '.join(flags)}", file=sys.stderr, flush=True)

        def tell(line: str) -> None:
            print(f"  {name}: {line}", file=sys.stderr, flush=True)

        return measure(f"{ARMS}:{name}", options, flags, self.options.timeout, tell)

    def chain(self, name: str, frames: int, flags: list[str], tag: str) -> dict[str, Any]:
        """latents -> decode -> 2x -> mp4 at one length."""
        target = str(self.folder / f"{name}-{tag}-{frames}.mp4")
        weights = None if self.options.no_interpolation else self.weights()
        found = self.arm(
            name, flags, frames=frames, size=self.options.size, target=target, interpolate=weights is not None, weights=weights
        )
        return {**found, "file": target}

    def weights(self) -> str:
        """A RIFE file for both: the one that was given, or random weights."""
        if self._weights is None:
            self._weights = self.options.rife or str(self.folder / "random_rife_4.25.safetensors")
            if not self.options.rife:
                self.arm("write_random_rife", STOCK_DEFAULTS, path=self._weights)
        return self._weights

    def memory(self) -> None:
        """Ours flat, stock's slope beside it."""
        ours = {frames: self.chain("ours", frames, STOCK_DEFAULTS, "memory") for frames in self.options.frames}
        stock = {frames: self.chain("stock", frames, STOCK_DEFAULTS, "memory") for frames in self.options.stock_frames}
        line = line_through([(frames, found["peak_bytes"]) for frames, found in stock.items()])
        rows = []
        for frames, found in ours.items():
            measured = stock.get(frames)
            other = mega(measured["peak_bytes"]) if measured else f"~{mega(max(0.0, line(frames)))}"
            alike = self.arm("compare", STOCK_DEFAULTS, ours=found["file"], stock=measured["file"])["psnr"] if measured else None
            psnr = f"{alike:.1f} dB" if alike else ""
            rows.append([str(frames), mega(found["peak_bytes"]), other, psnr, mega(found["idle_bytes"]), mega(found["latent_bytes"])])
            found["psnr"] = alike
        table(
            f"Peak memory above idle, latents -> decode -> {self._middle()}mp4, {self.options.size}x{self.options.size}",
            ["frames", "ours", "stock", "PSNR between", "idle", "of which latents"], rows,
        )  # fmt: skip
        first, last = min(ours), max(ours)
        growth = ours[last]["peak_bytes"] / ours[first]["peak_bytes"]
        slope = line(1) - line(0)
        judge(f"{last} frames take {growth:.3f} of {first} frames", growth <= FLAT, f"at most {FLAT}")
        more, less = (ours[frames]["peak_bytes"] + ours[frames]["latent_bytes"] for frames in (last, first))
        print(f"- with the latents, which both sides are given and which count as idle, they take {more / less:.3f}")
        print(f"- stock takes {slope / 1e6:.2f} MB for each frame of {self.options.size}x{self.options.size}")
        self.numbers["memory"] = {"ours": ours, "stock": stock, "growth": growth, "stock_bytes_per_frame": slope}

    def time(self) -> None:
        """Ours at one length, stock at shorter ones and extrapolated."""
        frames, counts, runs = self.options.time_frames, self.options.stock_frames, self._timed_runs()
        medians = {key: statistics.median(run["seconds"] for run in found) for key, found in runs.items()}
        ours = medians["ours", frames]
        rows, found = [["ours", f"{ours:.1f} s", ""]], {"ours": {"seconds": ours, "runs": runs["ours", frames]}}
        for name, (_, target) in STOCK_SIDES.items():
            line = line_through([(count, medians[name, count]) for count in counts])
            seconds, mark = (medians[name, frames], "") if frames in counts else (line(frames), "~")
            rows.append([name, f"{mark}{seconds:.1f} s", f"ours takes {ours / seconds:.2f}, target {target:.2f}"])
            points = {count: runs[name, count] for count in counts}
            found[name] = {"points": points, "seconds": seconds, "extrapolated": frames not in counts, "share": ours / seconds}
        table(f"Wall time of {frames} frames, {self._middle()}mp4 included", ["who", "seconds", ""], rows)
        print(f"- stock was measured at {', '.join(map(str, counts))} frames; best flags are {' '.join(STOCK_BEST)}")
        if frames not in counts:
            print(f"- ~ was not measured but is the line through these lengths, at {frames} frames")
        for name, (_, target) in STOCK_SIDES.items():
            judge(f"ours takes {found[name]['share']:.2f} of {name}", found[name]["share"] <= target, f"at most {target:.2f}")
        self.numbers["time"] = found

    def _timed_runs(self) -> dict[tuple[str, int], list[dict[str, Any]]]:
        """(who, frames) -> its measurements; in turns, so that a slow hour of the machine meets all sides."""
        runs: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for _ in range(self.options.rounds):
            frames = self.options.time_frames
            runs.setdefault(("ours", frames), []).append(self.chain("ours", frames, STOCK_DEFAULTS, "time"))
            for name, (flags, _target) in STOCK_SIDES.items():
                for count in self.options.stock_frames:
                    runs.setdefault((name, count), []).append(self.chain("stock", count, flags, name.replace(" ", "-")))
        return runs

    def file(self) -> None:
        """A long file through interpolation in little memory."""
        width, height = self.options.file_size
        source, target = str(self.folder / "source.mp4"), str(self.folder / "doubled.mp4")
        self.arm("make_clip", STOCK_DEFAULTS, target=source, frames=self.options.file_frames, width=width, height=height)
        found = self.arm("from_file", STOCK_DEFAULTS, source=source, target=target)
        stock = self.options.file_frames * 3 * width * height * 12
        table(
            f"{self.options.file_frames} frames of {width}x{height} from a file -> 2x -> mp4, the interpolator in the box",
            ["who", "peak memory", "seconds"],
            [["ours", mega(found["peak_bytes"]), f"{found['seconds']:.0f} s"],
             ["stock", f"~{mega(stock)}", "(its frames, float32, before and after doubling; estimate)"]],
        )  # fmt: skip
        judge(f"peak {mega(found['peak_bytes'])}", found["peak_bytes"] < FILE_LIMIT, f"under {mega(FILE_LIMIT)}")
        self.numbers["file"] = {**found, "stock_bytes_estimate": stock}

    def overhead(self) -> None:
        """What a stage that does nothing costs."""
        stages = 20
        found = self.arm("decode_only", STOCK_DEFAULTS, frames=min(self.options.frames), size=self.options.size, stages=stages, rounds=3)
        share = (found["staged"] - found["alone"]) / found["alone"] / stages
        table(
            "A stage that does nothing",
            ["decode alone", f"through {stages} such stages", "one stage"],
            [[f"{found['alone']:.3f} s", f"{found['staged']:.3f} s", f"{share:.3%} of decode"]],
        )
        judge(f"one stage costs {share:.3%}", share < OVERHEAD, f"under {OVERHEAD:.0%} of decode")
        self.numbers["overhead"] = {**found, "share": share}

    def _middle(self) -> str:
        return "" if self.options.no_interpolation else "2x interpolation -> "


def mega(count: float) -> str:
    """Bytes for a person."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def judge(what: str, held: bool, target: str) -> None:
    """One line: what came out, and whether it is what was wanted."""
    print(f"- {what}: {'holds' if held else 'MISSES'} the target, {target}")


SECTIONS = ("memory", "time", "file", "overhead")


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `python -m benchmarks.stream`; 1 where a measurement failed."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="spacetime-bench-", dir=options.folder) as folder:
        bench = Bench(options, Path(folder))
        failed = 0
        for name in options.only or SECTIONS:
            try:
                getattr(bench, name)()
            except ArmFailed as error:
                failed += 1
                print(f"\n## {name}: not measured\n\n{error}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(bench.numbers, indent=2) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="which tables to make (default: all)")
    parser.add_argument("--frames", type=_length, nargs="+", default=[97, 385, 961], help="lengths of ours, each 4n+1")
    parser.add_argument("--stock-frames", type=_length, nargs="+", default=[97, 193], help="lengths of the stock graph, each 4n+1")
    parser.add_argument("--time-frames", type=_length, default=385, help="length whose wall time is compared")
    parser.add_argument("--rounds", type=positive, default=1, help="how often the times are taken, in turns; the median counts")
    parser.add_argument("--size", type=int, default=256, help="width and height in pixels")
    parser.add_argument("--file-frames", type=positive, default=1440)
    parser.add_argument("--file-size", type=int, nargs=2, default=[1280, 720], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--rife", help="a RIFE 4.25 or 4.26 file for both sides (default: random weights)")
    parser.add_argument("--no-interpolation", action="store_true", help="leave the doubling out of memory and time")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there")
    parser.add_argument("--folder", help="where the videos are written meanwhile (default: the system's folder for temporary files)")
    parser.add_argument("--timeout", type=float, default=7200, help="seconds that one measurement may take")
    return parser


def positive(text: str) -> int:
    """A command line's whole number from 1 on."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {count}")
    return count


def _length(text: str) -> int:
    frames = int(text)
    if frames < 1 or (frames - 1) % 4:
        raise argparse.ArgumentTypeError(f"expected 4n+1 frames, got {frames}")
    return frames


if __name__ == "__main__":
    sys.exit(main())
