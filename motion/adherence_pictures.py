"""Adherence to look at: asked and found paths over the video, and the error over time as a plot."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .adherence import Adherence
from .drawing import Colour, Layer

LEGIBLE = 384
"""Videos whose shorter side is below this are enlarged, so that paths can be told apart."""
WHITE, MISS, BLACK = (255, 255, 255), (255, 60, 60), (0, 0, 0)
PLOT_SIZE = (768, 432)
PAPER, INK, GRID = (24, 24, 24), (230, 230, 230), (64, 64, 64)
MARGINS = 64, 40, 24, 44
"""Left, top, right and bottom of the plot's field."""


def enlargement(width: int, height: int) -> int:
    """How many times larger the overlay is than the video."""
    return max(1, math.ceil(LEGIBLE / min(width, height)))


def overlay(result: Adherence, chunks: Iterator[Tensor], first: int = 0) -> Iterator[Tensor]:
    """The video enlarged, with each point's asked path in its part's colour, its found path in white, and a red line from one to the other.

    Args:
        chunks: uint8 [n, H, W, 3], from frame `first` on.
    Yields:
        uint8 [n, H k, W k, 3] with k = `enlargement`.
    """
    height, width = result.asked.labels.shape
    times = enlargement(width, height)
    painter = _Painter(result, width * times, height * times, times)
    for frame in range(first):
        painter.go_on(frame)
    number = first
    for chunk in chunks:
        drawn = []
        for picture in chunk.numpy():
            painter.go_on(number)
            large = picture.repeat(times, axis=0).repeat(times, axis=1)
            drawn.append(painter.layer(number).over(large))
            number += 1
        yield torch.from_numpy(np.stack(drawn))


class _Painter:
    """The paths so far, and the points of one frame on top."""

    def __init__(self, result: Adherence, width: int, height: int, times: int) -> None:
        self.asked, self.found = result.asked.points * times, result.points * times
        self.counts = result.asked.counts.copy()
        self.counts[0] = self.counts[1]
        self.colours = [result.asked.parts[owner].colour for owner in result.asked.owner]
        self.paths = Layer.empty(width, height)
        self.size = max(1.0, min(width, height) / 300)

    def go_on(self, frame: int) -> None:
        """Draw the paths' pieces that lead to a frame."""
        if frame == 0:
            return
        for point in np.flatnonzero(self.counts[frame]):
            self.paths.line(self.asked[frame - 1, point], self.asked[frame, point], self.colours[point], self.size, 0.8)
            self.paths.line(self.found[frame - 1, point], self.found[frame, point], WHITE, 0.7 * self.size, 0.6)

    def layer(self, frame: int) -> Layer:
        """The paths and the points of a frame."""
        layer = self.paths.copy()
        for point in np.flatnonzero(self.counts[frame]):
            wanted, got = self.asked[frame, point], self.found[frame, point]
            layer.line(wanted, got, MISS, 0.8 * self.size)
            layer.ring(wanted, 2.6 * self.size, self.colours[point], self.size)
            layer.dot(got, 1.7 * self.size, BLACK)
            layer.dot(got, 1.2 * self.size, WHITE)
        return layer


def plot(result: Adherence) -> Tensor:
    """The mean error of each part over the frames, as an IMAGE [1, H, W, 3] float32 in 0..1."""
    picture = Image.new("RGB", PLOT_SIZE, PAPER)
    draw = ImageDraw.Draw(picture)
    curves = _curves(result)
    frames = len(result.errors)
    highest = max(1.0, max(float(np.nanmax(curve)) for _, _, curve in curves))
    step = _round_step(highest / 4)
    top = step * math.ceil(highest / step)
    _axes(draw, frames, top, step)
    left = MARGINS[0]
    for name, colour, curve in curves:
        places = [_place(frame, value, frames, top) for frame, value in enumerate(curve) if not math.isnan(value)]
        draw.line(places, fill=colour, width=3, joint="curve")
        if left < PLOT_SIZE[0] - 90:
            draw.rectangle((left, 18, left + 10, 28), fill=colour)
            draw.text((left + 15, 14), name, fill=INK, font=_font(13))
            left += 32 + int(draw.textlength(name, font=_font(13)))
    return torch.from_numpy(np.asarray(picture).astype(np.float32) / 255)[None]


def _curves(result: Adherence) -> list[tuple[str, Colour, np.ndarray]]:
    """Name, colour and mean error per frame (NaN where nothing counts) of each part."""
    curves = []
    for index, part in enumerate(result.asked.parts):
        own = result.errors[:, result.asked.owner == index]
        counted = ~np.isnan(own)
        if counted.any():
            total, number = np.where(counted, own, 0).sum(1), counted.sum(1)
            curves.append((part.id, part.colour, np.where(number > 0, total / np.maximum(number, 1), np.nan)))
    return curves


def _axes(draw: ImageDraw.ImageDraw, frames: int, top: float, step: float) -> None:
    for number in range(round(top / step) + 1):
        x, y = _place(0, number * step, frames, top)
        draw.line(((x, y), (PLOT_SIZE[0] - MARGINS[2], y)), fill=GRID)
        draw.text((x - 8, y), f"{number * step:g}", fill=INK, font=_font(13), anchor="rm")
    for number in range(5):
        frame = round(number * (frames - 1) / 4)
        x, y = _place(frame, 0, frames, top)
        draw.text((x, y + 8), str(frame), fill=INK, font=_font(13), anchor="mt")
    draw.text((8, 14), "px", fill=INK, font=_font(13))
    draw.text((PLOT_SIZE[0] / 2, PLOT_SIZE[1] - 6), "frame", fill=INK, font=_font(13), anchor="mb")


def _place(frame: float, value: float, frames: int, top: float) -> tuple[float, float]:
    left, above, right, below = MARGINS
    wide, high = PLOT_SIZE[0] - left - right, PLOT_SIZE[1] - above - below
    return left + wide * frame / max(frames - 1, 1), above + high * (1 - value / top)


def _round_step(about: float) -> float:
    """1, 2 or 5 times a power of ten, at least `about`."""
    power = 10.0 ** math.floor(math.log10(about))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= about * (1 - 1e-9))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
