"""One picture that shows a whole clip: frames spread over it in rows, each with its time."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .resize import fitted
from .stream import FrameStream, as_uint8

CELL = (320, 320)
GAP, LABEL = 8, 22
BACKGROUND, INK = (24, 24, 24), (230, 230, 230)


def frame_numbers(frames: int, count: int) -> list[int]:
    """`count` frames, or all where there are fewer, spread evenly from the first to the last."""
    count = min(count, frames)
    return [round(i * (frames - 1) / (count - 1)) for i in range(count)] if count > 1 else [0]


def contact_sheet(stream: FrameStream, count: int = 12) -> Image.Image:
    """The sheet of a clip that can be read from any frame on cheaply, such as a file."""
    numbers = frame_numbers(stream.frames, count)
    columns = math.ceil(math.sqrt(len(numbers)))
    width, height = fitted(stream.width, stream.height, *CELL)
    rows = math.ceil(len(numbers) / columns)
    sheet = Image.new("RGB", (GAP + columns * (width + GAP), GAP + rows * (height + LABEL + GAP)), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for place, number in enumerate(numbers):
        left, top = GAP + place % columns * (width + GAP), GAP + place // columns * (height + LABEL + GAP)
        sheet.paste(Image.fromarray(_frame(stream, number)).resize((width, height), Image.Resampling.LANCZOS), (left, top))
        draw.text((left, top + height + 2), clock(number / stream.frame_rate), fill=INK, font=font)
    return sheet


def clock(seconds: Any) -> str:
    """A time as a person reads it, such as 1:05.250."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 60_000}:{milliseconds // 1000 % 60:02}.{milliseconds % 1000:03}"


def _frame(stream: FrameStream, number: int) -> np.ndarray:
    chunks: Any = stream.chunks(number)
    with contextlib.closing(chunks):
        return as_uint8(next(chunks)[0]).numpy()
