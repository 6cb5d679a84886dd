"""Timing of a move: when it has gone how far (docs/MOTION_PLAN.md, "Eased time")."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

Easing: TypeAlias = "str | tuple[float, float, float, float]"

BEZIERS: dict[str, tuple[float, float, float, float]] = {
    "ease": (0.25, 0.1, 0.25, 1.0),
    "ease-in": (0.42, 0.0, 1.0, 1.0),
    "ease-out": (0.0, 0.0, 0.58, 1.0),
    "ease-in-out": (0.42, 0.0, 0.58, 1.0),
}
NAMES = ("linear", *BEZIERS)
HALVINGS = 40


def frame_times(frames: int) -> np.ndarray:
    """The times [T] of a clip's frames, 0 for the first and 1 for the last; a single frame is at 0."""
    return np.arange(frames, dtype=np.float64) / max(frames - 1, 1)


def ease(easing: Easing, values: np.ndarray) -> np.ndarray:
    """Eased values of numbers from 0 to 1: a name of `NAMES`, or x1, y1, x2, y2 of a cubic Bezier as in CSS."""
    if easing == "linear":
        return values
    x1, y1, x2, y2 = BEZIERS[easing] if isinstance(easing, str) else easing
    low, high = np.zeros_like(values), np.ones_like(values)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = _bezier(middle, x1, x2) < values
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    eased = _bezier((low + high) / 2, y1, y2)
    return np.where(values <= 0, 0.0, np.where(values >= 1, 1.0, eased))


def eased_time(times: np.ndarray, start: float, end: float, easing: Easing) -> np.ndarray:
    """How far a move from `start` to `end` has gone at `times`: 0 before, 1 after, eased in between."""
    return ease(easing, np.clip((times - start) / (end - start), 0.0, 1.0))


def _bezier(s: np.ndarray, first: float, second: float) -> np.ndarray:
    """One coordinate of the cubic Bezier from 0 to 1 with these control values."""
    rest = 1 - s
    return 3 * s * rest * rest * first + 3 * s * s * rest * second + s * s * s
