"""What happened over a run, as two pictures: `python -m training.curves RUN... --out curves.png --samples RUN --sheet samples.jpg`.

The first has a panel for each run, with its error over the minutes of training; the second shows how its samples changed. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.train_dit import SAMPLE_PROMPTS

Series = dict[str, tuple[np.ndarray, np.ndarray]]

SPAN = 9
"""Lines of the log that a point of a curve is the mean of: a batch is small, and one differs from the next."""
GROUP = re.compile(r"\d+x\d+x\d+( close)?")
QUALITY = {"psnr": "training clips", "held_out": "held-out clips"}
FEW, BESIDE = 4, {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
"""More than so many curves have their legend beside the panel, where it hides none."""
CELL, GAP, HEAD = 128, 4, 22


def read_log(folder: Path) -> Series:
    """The curves of a run by name, each as minutes and values: decibels of a VAE, else the flow's error by group of clips."""
    found: dict[str, list[tuple[float, float]]] = {}
    for entry in _entries(folder):
        for name, value in entry.items():
            if name in QUALITY or GROUP.fullmatch(name):
                found.setdefault(QUALITY.get(name, name), []).append((entry["minutes"], value))
    return {name: (np.array([minute for minute, _ in points]), np.array([value for _, value in points])) for name, points in found.items()}


def _entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def smooth(values: np.ndarray, span: int = SPAN) -> np.ndarray:
    """The mean of up to `span` values around each of [N], fewer at the ends."""
    window = np.ones(min(span, len(values)))
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def draw_curves(runs: list[tuple[str, Path]], target: Path) -> None:
    """A panel for each titled run, smoothed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(runs), figsize=(4.0 * len(runs), 3.0), squeeze=False, layout="constrained")
    for panel, (title, folder) in zip(panels[0], runs, strict=True):
        curves = read_log(folder)
        for name, (minutes, values) in curves.items():
            few = len(values) < 3 * SPAN
            panel.plot(minutes, values if few else smooth(values), label=name, marker="o" if few else None)
        panel.set(title=title, xlabel="minutes", ylabel="PSNR, dB" if set(curves) & set(QUALITY.values()) else "error of the flow")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8, **(BESIDE if len(curves) > FEW else {}))
    figure.savefig(target, dpi=100)
    pyplot.close(figure)


def sample_times(folder: Path) -> list[tuple[str, Path]]:
    """The sample sheets of a run, oldest first, and after how many minutes each was made."""
    known = [(entry["step"], entry["minutes"]) for entry in _entries(folder) if "step" in entry]
    steps, minutes = (np.array(values) for values in zip(*known, strict=True))
    found = []
    for path in sorted(folder.glob("sample_[0-9]*.png")):
        found.append((f"{np.interp(int(path.stem.removeprefix('sample_')), steps, minutes):.0f} minutes", path))
    if (folder / "sample_end.png").is_file():
        found.append((f"{minutes[-1]:.0f} minutes", folder / "sample_end.png"))
    return found


def draw_samples(folder: Path, target: Path, moments: int = 6) -> None:
    """A row for each prompt of a denoiser's samples, a column for each of at most so many moments of its run: the clips' middle frames."""
    made = sample_times(folder)
    chosen = [made[index] for index in sorted({round(index) for index in np.linspace(0, len(made) - 1, moments)})]
    rows = len(SAMPLE_PROMPTS)
    picture = Image.new("RGB", (len(chosen) * (CELL + GAP) - GAP, HEAD + rows * (CELL + GAP) - GAP), "white")
    draw = ImageDraw.Draw(picture)
    for column, (when, path) in enumerate(chosen):
        left = column * (CELL + GAP)
        draw.text((left + CELL / 2, HEAD / 2), when, fill="black", font=ImageFont.load_default(13), anchor="mm")
        with Image.open(path) as sheet:
            side = sheet.height // rows
            middle = sheet.width // side // 2 * side
            for row in range(rows):
                cell = sheet.crop((middle, row * side, middle + side, (row + 1) * side)).resize((CELL, CELL))
                picture.paste(cell, (left, HEAD + row * (CELL + GAP)))
    picture.save(target, quality=85)


def titled(text: str) -> tuple[str, Path]:
    """`TITLE=FOLDER`, or a folder whose name is its title."""
    title, _, folder = text.rpartition("=")
    return title or Path(folder).name, Path(folder)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=titled, nargs="*", help="folders of runs, or TITLE=FOLDER")
    parser.add_argument("--out", type=Path, default=Path("docs/images/training_curves.png"))
    parser.add_argument("--samples", type=Path, help="the run whose samples are shown")
    parser.add_argument("--sheet", type=Path, default=Path("docs/images/training_samples.jpg"))
    arguments = parser.parse_args()
    if arguments.runs:
        draw_curves(arguments.runs, arguments.out)
        print(arguments.out)
    if arguments.samples:
        draw_samples(arguments.samples, arguments.sheet)
        print(arguments.sheet)


if __name__ == "__main__":
    main()
