"""Ways through the picture: the shift of a path or a direction when a move has gone a part of it (docs/MOTION_PLAN.md, "Path")."""

from __future__ import annotations

import math

import numpy as np

from .plan import DEFAULT_SPEED, Motion, Path

STEPS = 32
SAME = 1e-12
SHORTEST = 1e-9
SMALLEST_KNOT = 1e-6


def shifts(motion: Motion, eased: np.ndarray, width: int, height: int) -> np.ndarray:
    """Shift [T, 2] in pixels of a motion that has gone `eased` [T] of its way (0 to 1), without ambient motion."""
    if motion.path is not None:
        return path_shifts(motion.path, eased, width, height)
    if motion.direction is None:
        return np.zeros((len(eased), 2))
    speed = DEFAULT_SPEED if motion.speed is None else motion.speed
    length = speed * min(width, height) * (motion.end - motion.start)
    angle = math.radians(motion.direction)
    return eased[:, None] * (length * np.array([math.cos(angle), math.sin(angle)]))


def path_shifts(path: Path, eased: np.ndarray, width: int, height: int) -> np.ndarray:
    """Shift [T, 2] in pixels along a path: evenly along its length, or as its `times` say."""
    points = np.array(path.points, dtype=np.float64) * (width, height)
    if path.times is None:
        points = _without_repeats(points)
        if len(points) < 2:
            return np.zeros((len(eased), 2))
    vertices = _smooth(points) if path.curve == "smooth" else points
    breaks = _lengths(vertices) if path.times is None else _spread(path.times, STEPS if path.curve == "smooth" else 1)
    if breaks[-1] < SHORTEST:
        return np.zeros((len(eased), 2))
    breaks = breaks / breaks[-1]
    return np.stack([np.interp(eased, breaks, vertices[:, axis]) - vertices[0, axis] for axis in (0, 1)], axis=-1)


def _without_repeats(points: np.ndarray) -> np.ndarray:
    kept = [points[0]]
    for point in points[1:]:
        if _squared(point - kept[-1]) >= SAME:
            kept.append(point)
    return np.array(kept)


def _squared(step: np.ndarray) -> float:
    return float(step[0] * step[0] + step[1] * step[1])


def _lengths(vertices: np.ndarray) -> np.ndarray:
    """Length of the line through the vertices up to each of them."""
    steps = np.diff(vertices, axis=0)
    return np.concatenate([[0.0], np.cumsum(np.sqrt(steps[:, 0] ** 2 + steps[:, 1] ** 2))])


def _spread(times: tuple[float, ...], steps: int) -> np.ndarray:
    """The times of the vertices: `steps` even ones from each point's time to the next's."""
    points = np.array(times)
    parts = np.arange(steps) / steps
    between = points[:-1, None] + np.diff(points)[:, None] * parts
    return np.concatenate([between.reshape(-1), points[-1:]])


def _smooth(points: np.ndarray) -> np.ndarray:
    """Vertices [32 (n - 1) + 1, 2] on the centripetal Catmull-Rom curve through the points."""
    before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    if len(points) >= 4 and _squared(points[0] - points[-1]) < SAME:
        before, after = points[-2], points[1]
    p0, p1, p2, p3 = (np.concatenate([[before], points, [after]])[first : first + len(points) - 1] for first in range(4))
    d1, d2, d3 = (_knot(second - first) for first, second in ((p0, p1), (p1, p2), (p2, p3)))
    m1 = d2 * ((p1 - p0) / d1 - (p2 - p0) / (d1 + d2) + (p2 - p1) / d2)
    m2 = d2 * ((p2 - p1) / d2 - (p3 - p1) / (d2 + d3) + (p3 - p2) / d3)
    v = (np.arange(STEPS) / STEPS)[:, None]
    v2, v3 = v * v, v * v * v
    pieces = [
        (2 * v3 - 3 * v2 + 1) * a + (v3 - 2 * v2 + v) * ta + (3 * v2 - 2 * v3) * b + (v3 - v2) * tb for a, ta, b, tb in zip(p1, m1, p2, m2)
    ]
    return np.concatenate([*pieces, points[-1:]])


def _knot(steps: np.ndarray) -> np.ndarray:
    """Square root of each step's length [n, 1], as centripetal curves take it."""
    lengths = np.sqrt(steps[:, :1] ** 2 + steps[:, 1:] ** 2)
    return np.maximum(np.sqrt(lengths), SMALLEST_KNOT)
