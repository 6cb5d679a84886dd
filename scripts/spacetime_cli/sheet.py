"""A contact sheet: frames spread evenly over a saved video, with their times, in one PNG."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import av
from PIL import Image, ImageDraw

from .client import make_readable
from .errors import CommandError, Exit

FRAMES = 12
_COLUMNS = 4
_CELL_WIDTH = 320
_GAP = 6
_LABEL = 16
_BACKGROUND, _TEXT = (24, 24, 27), (228, 228, 231)


def make_sheet(video: Path, target: Path, count: int = FRAMES) -> None:
    """Write the sheet of `video` to `target` (PNG), which appears only when it is complete."""
    try:
        sheet = draw(read_frames(video, count))
        handle, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as sink:
                sheet.save(sink, format="PNG")
            make_readable(Path(name))
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)
    except (OSError, av.error.FFmpegError, ValueError) as error:
        raise CommandError(f"Contact sheet: could not make {target} from {video}: {error}", Exit.OUTPUT) from error


def read_frames(video: Path, count: int) -> list[tuple[float, Image.Image]]:
    """Up to `count` frames with their times in seconds: the first, the last and those evenly between.

    The file is read twice, once to count, so that only the chosen frames are ever held.
    """
    with av.open(str(video)) as container:
        total = sum(1 for _ in container.decode(video=0))
    if total == 0:
        raise ValueError("it has no frames")
    wanted = spread(total, count)
    with av.open(str(video)) as container:
        frames = enumerate(container.decode(video=0))
        return [(frame.time or 0.0, frame.to_image()) for index, frame in frames if index in wanted]


def spread(total: int, count: int) -> set[int]:
    """At most `count` indices below `total`, even, both ends included."""
    if count == 1 or total == 1:
        return {0}
    count = min(count, total)
    return {round(index * (total - 1) / (count - 1)) for index in range(count)}


def draw(frames: list[tuple[float, Image.Image]]) -> Image.Image:
    """The frames in rows of four, each over its time. Small frames are enlarged by whole factors to stay crisp."""
    width, height = frames[0][1].size
    scale = max(_CELL_WIDTH // width, 1) if width <= _CELL_WIDTH else _CELL_WIDTH / width
    cell = (round(width * scale), round(height * scale))
    columns = min(_COLUMNS, len(frames))
    rows = math.ceil(len(frames) / columns)
    size = (_GAP + columns * (cell[0] + _GAP), _GAP + rows * (cell[1] + _LABEL + _GAP))
    sheet = Image.new("RGB", size, _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for number, (seconds, frame) in enumerate(frames):
        x = _GAP + number % columns * (cell[0] + _GAP)
        y = _GAP + number // columns * (cell[1] + _LABEL + _GAP)
        resampling = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
        sheet.paste(frame.resize(cell, resampling), (x, y))
        pen.text((x, y + cell[1] + 2), f"{seconds:.2f} s", fill=_TEXT)
    return sheet
