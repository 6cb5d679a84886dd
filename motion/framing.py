"""How a picture is put into a clip of another shape: cropped in the middle, then scaled, exactly as the host does it.

A motion plan speaks of the whole picture, so that its tracks and its crude video are made for the whole and then cropped likewise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Framing:
    """A picture of `source` pixels (width, height), of which the window `crop` (x, y, width, height) fills a clip of `target` pixels."""

    source: tuple[int, int]
    target: tuple[int, int]
    crop: tuple[int, int, int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Clip pixels per picture pixel, across and down."""
        return self.target[0] / self.crop[2], self.target[1] / self.crop[3]

    @property
    def covering(self) -> tuple[int, int]:
        """Size of the whole picture, scaled so that its crop has the clip's size."""
        (across, down), (width, height) = self.scale, self.source
        return max(self.target[0], round(width * across)), max(self.target[1], round(height * down))

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the clip within the covering picture."""
        (across, down), (wide, high) = self.scale, self.covering
        left = min(round(self.crop[0] * across), wide - self.target[0])
        top = min(round(self.crop[1] * down), high - self.target[1])
        return slice(top, top + self.target[1]), slice(left, left + self.target[0])

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 2] of the picture, in pixels, as pixels of the clip."""
        return ((points - np.array(self.crop[:2])) * np.array(self.scale)).astype(np.float32)

    def shows(self, points: np.ndarray) -> np.ndarray:
        """Whether points [..., 2] of the clip are in it."""
        inside: np.ndarray = (points >= 0) & (points < np.array(self.target))
        return np.asarray(inside.all(axis=-1))


def framing(source: tuple[int, int], target: tuple[int, int]) -> Framing:
    """The host's centre crop of a picture `source` for a clip `target`, both (width, height) in pixels."""
    (width, height), (wide, high) = source, target
    aspect, wanted = width / height, wide / high
    x = y = 0
    if aspect > wanted:
        x = round((width - width * (wanted / aspect)) / 2)
    elif aspect < wanted:
        y = round((height - height * (aspect / wanted)) / 2)
    return Framing(source, target, (x, y, width - 2 * x, height - 2 * y))
