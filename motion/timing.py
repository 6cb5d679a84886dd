"""Timing found again: the start, end and easing with which something has gone as far as it was seen to have gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from .easing import BEZIERS, Easing, eased_time

EVEN = (1 / 3, 1 / 3, 2 / 3, 2 / 3)
"""The Bezier curve that is linear easing."""
FIRST_STEP, LAST_STEP, SLOPE_STEP = 0.2, 0.02, 1e-5
STEPS = 30
SHORTEST = 1e-3
"""Least part of the clip between start and end."""
SNAP = 0.004
"""A start or end so near to the clip's own is meant to be it."""
DIGITS = 4
_ALONG = np.linspace(0.0, 1.0, 513)
Residual: TypeAlias = "Callable[[np.ndarray], np.ndarray | None]"


@dataclass(frozen=True)
class Timing:
    """When something moves, as in a plan's motion: it rests before `start` and after `end`, parts of the clip."""

    start: float = 0.0
    end: float = 1.0
    easing: Easing = "linear"

    def gone(self, times: np.ndarray) -> np.ndarray:
        """How far it has gone at `times` [T], 0 to 1."""
        return eased_time(times, self.start, self.end, self.easing)


def fitted_timing(times: np.ndarray, gone: np.ndarray, close: float) -> Timing:
    """The timing nearest to having `gone` [T] so far at `times` [T], both ascending from 0 to 1.

    Named easings are tried first; where none comes within `close` of every value, a Bezier curve of its own.
    """
    moving = np.flatnonzero((gone > 0.02) & (gone < 0.98))
    begun = (float(times[max(moving[0] - 1, 0)]), float(times[min(moving[-1] + 1, len(times) - 1)])) if len(moving) else (0.0, 1.0)
    named = [
        _timing(_nearest(_residual(times, gone, curve), np.array(begun)), name) for name, curve in (("linear", EVEN), *BEZIERS.items())
    ]
    best = min(named, key=lambda timing: _worst(timing, times, gone))
    if _worst(best, times, gone) <= close:
        return best
    nearest = EVEN if best.easing == "linear" else BEZIERS[str(best.easing)]
    own = _nearest(_residual(times, gone), np.array([best.start, best.end, *nearest]))
    curve = tuple(round(float(value), DIGITS) for value in own[2:])
    bent = _timing(own[:2], (curve[0], curve[1], curve[2], curve[3]))
    return min((best, bent), key=lambda timing: _worst(timing, times, gone))


def _timing(ends: np.ndarray, easing: Easing) -> Timing:
    start, end = (round(float(value), DIGITS) for value in ends)
    return Timing(0.0 if start < SNAP else start, 1.0 if end > 1 - SNAP else end, easing)


def _worst(timing: Timing, times: np.ndarray, gone: np.ndarray) -> float:
    return float(np.abs(timing.gone(times) - gone).max())


def _residual(times: np.ndarray, gone: np.ndarray, curve: tuple[float, ...] | None = None) -> Residual:
    """How far (start, end, x1, y1, x2, y2), or (start, end) with the four of `curve`, are from `gone`: [T]; None where they cannot be."""

    def residual(values: np.ndarray) -> np.ndarray | None:
        start, end = values[:2]
        if values.min() < 0 or values.max() > 1 or end - start < SHORTEST:
            return None
        x1, y1, x2, y2 = values[2:] if curve is None else curve
        rest = 1 - _ALONG
        once, twice, thrice = 3 * _ALONG * rest * rest, 3 * _ALONG * _ALONG * rest, _ALONG**3
        eased = np.interp((times - start) / (end - start), once * x1 + twice * x2 + thrice, once * y1 + twice * y2 + thrice)
        return eased - gone

    return residual


def _nearest(residual: Residual, values: np.ndarray) -> np.ndarray:
    """Values near the given ones that leave the least: first by a pattern search, then by Levenberg and Marquardt's steps."""
    least, step = _sum(residual(values)), FIRST_STEP
    moves = np.concatenate([np.eye(len(values)), -np.eye(len(values))])
    while step > LAST_STEP:
        tried = np.clip(values + step * moves, 0.0, 1.0)
        sums = [_sum(residual(one)) for one in tried]
        best = int(np.argmin(sums))
        if sums[best] < least:
            least, values = sums[best], tried[best]
        else:
            step /= 2
    damping = 1e-3
    for _ in range(STEPS):
        now = residual(values)
        if now is None:
            break
        inward = np.where(values > 0.5, -SLOPE_STEP, SLOPE_STEP)
        beside = [residual(values + move) for move in np.diag(inward)]
        slopes = np.stack([np.zeros_like(now) if one is None else (one - now) / by for one, by in zip(beside, inward)], axis=1)
        curvature = slopes.T @ slopes
        change = np.linalg.solve(curvature + damping * np.diag(curvature.diagonal() + 1e-9), slopes.T @ now)
        tried = np.clip(values - change, 0.0, 1.0)
        if _sum(residual(tried)) < least:
            least, values, damping = _sum(residual(tried)), tried, damping / 4
        else:
            damping *= 8
    return values


def _sum(residual: np.ndarray | None) -> float:
    return np.inf if residual is None else float(np.square(residual).sum())
