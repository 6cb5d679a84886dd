"""A similarity in each frame, in the words of a plan: a motion with path, rotation and scale, or a box with keyframes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from .easing import frame_times
from .paths import path_shifts
from .plan import Box, Keyframe, Motion, Path
from .similarity import MEMBERS, Similarity, along
from .timing import Timing, fitted_timing

MOST_PATH_POINTS = 512
MOST_KEYFRAMES = 64
MOST_TURN = 36000.0
SMALLEST, LARGEST = 0.02, 50.0
"""What a plan can say of rotation, in degrees, and of scale."""
LOWEST, HIGHEST = -10.0, 11.0
SMALLEST_BOX, LARGEST_BOX = 0.0001, 20.0
DIGITS, TIME_DIGITS = 7, 9
SLACK = 0.25
"""What saying it in a plan may add, as a part of the tolerance."""
KEPT = 0.8
"""A motion is taken where it is right for so many of the points."""


def turned(
    similarity: Similarity, places: np.ndarray, seen: np.ndarray, size: np.ndarray, tolerance: float
) -> tuple[Motion | Box | None, np.ndarray]:
    """The motion, or the box without its shapes, that takes points along as the similarity does; and which points it is right for, [n].

    Args:
        places: [T, n] complex pixels; seen: [T, n].
        size: width and height of the picture in pixels.
    """
    for described in (_motion, _box):
        said = described(similarity, places, seen, size, tolerance)
        if said is None:
            continue
        part, expected = said
        right = along(expected, places, seen, (1 + SLACK) * tolerance)
        if right.sum() >= max(MEMBERS, KEPT * places.shape[1]):
            return part, right
    return None, np.zeros(places.shape[1], dtype=bool)


def _motion(
    similarity: Similarity, places: np.ndarray, seen: np.ndarray, size: np.ndarray, tolerance: float
) -> tuple[Motion, np.ndarray] | None:
    """A region's motion, and where it has the points in each frame, [T, n]; None where rotation and scale have no common timing."""
    first, times = places[0], frame_times(len(places))
    middle, reach = _middle_and_reach(first)
    angle, growth = (_settled(values, reach, tolerance) for values in (similarity.angle, similarity.growth))
    rate = complex(growth[-1], angle[-1])
    if rate == 0 and not (growth.any() or angle.any()):
        shift = _mean(places - first, seen, similarity.at(first) - first)
        expected = first + shift[:, None]
        if max(np.abs(shift.real).max(), np.abs(shift.imag).max()) <= tolerance:
            return Motion(), np.broadcast_to(first, expected.shape)
        return Motion(path=path_through(_pairs(middle + shift), size, tolerance)), expected
    if rate == 0 or not SMALLEST <= math.exp(rate.real) <= LARGEST or abs(math.degrees(rate.imag)) > MOST_TURN:
        return None
    span = reach * abs(rate) * max(1.0, math.exp(rate.real))
    gone = (growth * rate.real + angle * rate.imag) / abs(rate) ** 2
    timing = fitted_timing(times, gone, SLACK * tolerance / span)
    turn = np.exp(rate * timing.gone(times))
    spins: dict[str, Any] = {"start": timing.start, "end": timing.end, "easing": timing.easing}
    motion = Motion(**spins, rotation=round(math.degrees(rate.imag), DIGITS), scale=round(math.exp(rate.real), DIGITS))
    centre = _fixed_point(turn, _mean(places - turn[:, None] * first, seen, similarity.at(first) - turn[:, None] * first))
    about = turn[:, None] * (first - centre) + centre
    if _in_reach(_pairs(centre) / size) and along(about, places, seen, tolerance).mean() >= KEPT:
        return replace(motion, center=point(_pairs(centre) / size)), about
    return _with_path(motion, timing, similarity, turn, places, seen, size, tolerance)


def _with_path(
    motion: Motion,
    timing: Timing,
    similarity: Similarity,
    turn: np.ndarray,
    places: np.ndarray,
    seen: np.ndarray,
    size: np.ndarray,
    tolerance: float,
) -> tuple[Motion, np.ndarray] | None:
    """The motion about its points' middle, with the way which that middle goes; None where it goes while the motion rests."""
    first, times = places[0], frame_times(len(places))
    middle, _ = _middle_and_reach(first)
    about = turn[:, None] * (first - middle) + middle
    gone, frames = np.unique(timing.gone(times).round(TIME_DIGITS), return_inverse=True)
    shift = _mean(places - about, seen, similarity.at(first) - about)
    shift = np.array([shift[frames == number].mean() for number in range(len(gone))])
    path = path_through(_pairs(middle + shift), size, tolerance, gone)
    went = path_shifts(path, timing.gone(times), int(size[0]), int(size[1]))
    return replace(motion, path=path, center=point(_pairs(middle) / size)), about + (went @ [1, 1j])[:, None]


def _box(similarity: Similarity, places: np.ndarray, seen: np.ndarray, size: np.ndarray, tolerance: float) -> tuple[Box, np.ndarray] | None:
    """A box around points that grow without turning, and where it has them in each frame; None where a box cannot be so."""
    first, times = places[0], frame_times(len(places))
    _, reach = _middle_and_reach(first)
    if _settled(similarity.angle, reach, tolerance).any():
        return None
    scale = np.abs(similarity.turn)[:, None]
    shift = _pairs(_mean(places - scale * first, seen, similarity.at(first) - scale * first))
    starts = _pairs(first)
    corner, extent = starts.min(axis=0), np.maximum(np.ptp(starts, axis=0), 1.0)
    corners = np.concatenate([scale * corner + shift, scale * (corner + extent) + shift], axis=1)  # [T, 4]
    frames = simplified(corners, max(SLACK * tolerance, 1e-6), times)
    while len(frames) > MOST_KEYFRAMES + 2:
        tolerance *= 2
        frames = simplified(corners, tolerance, times)
    boxes = np.concatenate([corners[frames, :2], corners[frames, 2:] - corners[frames, :2]], axis=1) / np.tile(size, 2)
    if not (_in_reach(boxes[:, :2]) and boxes[:, 2:].min() >= SMALLEST_BOX and boxes[:, 2:].max() <= LARGEST_BOX):
        return None
    rects = [(x, y, wide, high) for x, y, wide, high in boxes.round(DIGITS).tolist()]
    keyframes = tuple(Keyframe(float(times[frame]), rect) for frame, rect in zip(frames[1:-1], rects[1:-1]))
    box = Box(start=rects[0], end=rects[-1], keyframes=keyframes)
    now = np.stack([np.interp(times, times[frames], corners[frames, side]) for side in range(4)], axis=1)
    part = (starts - corner) / extent  # [n, 2]
    expected = now[:, None, :2] + part * (now[:, 2:] - now[:, :2])[:, None]
    return box, expected @ [1, 1j]


def path_through(places: np.ndarray, size: np.ndarray, tolerance: float, at: np.ndarray | None = None) -> Path:
    """A path of straight pieces that is at the places [T, 2], within a part of the tolerance, at their times, which rise from 0 to 1.

    `at` are the times; None: evenly apart. Places and tolerance are in pixels of a picture of `size`.
    """
    at = frame_times(len(places)) if at is None else at
    kept = simplified(places, max(SLACK * tolerance, 1e-6), at)
    while len(kept) > MOST_PATH_POINTS:
        tolerance *= 2
        kept = simplified(places, tolerance, at)
    return Path(points=tuple(point(places[frame] / size) for frame in kept), curve="line", times=tuple(float(time) for time in at[kept]))


def simplified(places: np.ndarray, tolerance: float, at: np.ndarray) -> list[int]:
    """Which of the places [T, k] at times [T] to keep so that straight, even pieces between them are nowhere more than `tolerance` off.

    By Douglas and Peucker.
    """
    kept = {0, len(places) - 1}
    waiting = [(0, len(places) - 1)]
    while waiting:
        first, last = waiting.pop()
        part = ((at[first : last + 1] - at[first]) / max(at[last] - at[first], 1e-12))[:, None]
        off = np.abs(places[first : last + 1] - ((1 - part) * places[first] + part * places[last])).max(axis=1)
        worst = first + int(np.argmax(off))
        if off.max() > tolerance and first < worst < last:
            kept.add(worst)
            waiting += [(first, worst), (worst, last)]
    return sorted(kept)


def point(place: np.ndarray) -> tuple[float, float]:
    """A place [2], in fractions of the picture, as a plan has it."""
    x, y = np.clip(place, LOWEST, HIGHEST)
    return round(float(x), DIGITS), round(float(y), DIGITS)


def _middle_and_reach(first: np.ndarray) -> tuple[complex, float]:
    """The middle of places [n], and how far the farthest is from it."""
    middle = complex(first.mean())
    return middle, float(np.abs(first - middle).max())


def _settled(values: np.ndarray, reach: float, tolerance: float) -> np.ndarray:
    """Angles or growths [T], or zeros where they move nothing by more than half of the tolerance."""
    return values if float(np.abs(values).max()) * reach > tolerance / 2 else np.zeros_like(values)


def _fixed_point(turn: np.ndarray, shift: np.ndarray) -> complex:
    """The place that `turn` p + `shift` moves least, [T] each."""
    moved = turn - 1
    return complex(-(moved.conj() * shift).sum() / (np.abs(moved) ** 2).sum())


def _mean(values: np.ndarray, seen: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """The mean of what is seen in each frame, [T]; of `otherwise` where nothing is."""
    count = seen.sum(axis=1)
    return np.where(count > 0, np.where(seen, values, 0).sum(axis=1) / np.maximum(count, 1), otherwise.mean(axis=1))


def _in_reach(places: np.ndarray) -> bool:
    """Whether a plan can name all of the places."""
    return bool((places >= LOWEST).all() and (places <= HIGHEST).all())


def _pairs(places: np.ndarray | complex) -> np.ndarray:
    """Complex places [...] as [..., 2]."""
    return np.stack([np.real(places), np.imag(places)], axis=-1)
