"""Smooth lines, dots and rings: drawn on a layer of their own, which is laid over uint8 frames. Places are in pixels, as in tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]


@dataclass
class Layer:
    """What was drawn: `colours` [H, W, 3] float32, 0 to 255, times their coverage, and the coverage [H, W, 1], 0 to 1."""

    colours: np.ndarray
    coverage: np.ndarray

    @classmethod
    def empty(cls, width: int, height: int) -> Layer:
        """A layer with nothing on it."""
        return cls(np.zeros((height, width, 3), np.float32), np.zeros((height, width, 1), np.float32))

    def copy(self) -> Layer:
        """Another layer with the same on it."""
        return Layer(self.colours.copy(), self.coverage.copy())

    def line(self, start: np.ndarray, end: np.ndarray, colour: Colour, width: float, opacity: float = 1.0) -> None:
        """A line with round ends between two places [2]."""
        self._draw(np.asarray(start, np.float64), np.asarray(end, np.float64), width / 2, 0.0, colour, opacity)

    def dot(self, centre: np.ndarray, radius: float, colour: Colour, opacity: float = 1.0) -> None:
        """A filled circle about a place [2]."""
        self._draw(np.asarray(centre, np.float64), np.asarray(centre, np.float64), radius, 0.0, colour, opacity)

    def ring(self, centre: np.ndarray, radius: float, colour: Colour, width: float, opacity: float = 1.0) -> None:
        """A circle's line about a place [2]; `radius` is its outer one."""
        self._draw(np.asarray(centre, np.float64), np.asarray(centre, np.float64), radius, max(radius - width, 0.0), colour, opacity)

    def over(self, frame: np.ndarray) -> np.ndarray:
        """A new frame [H, W, 3] uint8: this layer over `frame`."""
        return (frame * (1 - self.coverage) + self.colours + 0.5).astype(np.uint8)

    def _draw(self, start: np.ndarray, end: np.ndarray, outer: float, inner: float, colour: Colour, opacity: float) -> None:
        if not (np.isfinite(start).all() and np.isfinite(end).all()):
            return
        height, width = self.coverage.shape[:2]
        low = np.floor(np.clip(np.minimum(start, end) - outer - 1, 0, (width, height))).astype(int)
        high = np.ceil(np.clip(np.maximum(start, end) + outer + 1, 0, (width, height))).astype(int)
        if (low >= high).any():
            return
        x = np.arange(low[0], high[0]) + 0.5
        y = (np.arange(low[1], high[1]) + 0.5)[:, None]
        along = end - start
        length = float(along @ along)
        part = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1) if length > 0 else 0.0
        distance = np.hypot(x - start[0] - part * along[0], y - start[1] - part * along[1])
        covered = np.clip(outer + 0.5 - distance, 0, 1)
        if inner > 0:
            covered = covered * np.clip(distance - inner + 0.5, 0, 1)
        covered = (opacity * covered)[..., None].astype(np.float32)
        window = slice(low[1], high[1]), slice(low[0], high[0])
        self.colours[window] = self.colours[window] * (1 - covered) + covered * np.array(colour, np.float32)
        self.coverage[window] = self.coverage[window] * (1 - covered) + covered


def colour_of(code: str) -> Colour:
    """The colour that a plan writes as #rrggbb."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
