"""Tracks become a plan: points that go together are one region, with the way they go as its path."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .easing import frame_times
from .plan import Motion, Path, Plan, PlanError, Region, Stroke, checked

MOST_REGIONS = 64
MOST_DOTS = 256
MOST_PATH_POINTS = 512
DIGITS = 7
LOWEST, HIGHEST = -10.0, 11.0


def plan_from_tracks(
    points: np.ndarray, visible: np.ndarray | None, width: int, height: int, tolerance: float = 0.5, radius: float = 0.02
) -> Plan:
    """A plan whose regions go as the tracks do.

    Args:
        points: [T, N, 2] pixels; a point that is not finite counts as not visible.
        visible: [T, N]; places in between are made up where a point is not visible. None: all are.
        width, height: of the picture in pixels.
        tolerance: how far, in pixels, a region's way may be from its points' ways; it grows when there are too many ways for one plan.
        radius: of the dot that is painted for each point, as a part of the shorter side.

    Raises:
        PlanError: shapes that are no tracks, or no point that is ever visible.
    """
    places = _filled(points, visible)
    ways = places - places[:1]
    leaders = _groups(ways, tolerance)
    scale = np.array([width, height], dtype=np.float64)
    regions = []
    for leader in dict.fromkeys(leaders.tolist()):
        members = np.flatnonzero(leaders == leader)
        way = ways[:, members].mean(axis=1)
        still = bool(np.abs(way).max() <= tolerance)
        dots = members[np.linspace(0, len(members) - 1, min(len(members), MOST_DOTS)).astype(int)]
        shapes = tuple(Stroke(type="stroke", points=(_point(places[0, dot] / scale),), radius=radius) for dot in dots)
        motion = Motion() if still else Motion(path=_path(places[0, members].mean(axis=0) + way, scale, tolerance))
        regions.append(Region(shapes=shapes, motion=motion, pinned=still, name="still" if still else ""))
    return checked(Plan(regions=tuple(regions)))


def tracks_from_coordinates(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Tracks [T, N, 2] in pixels and visibility [T, N] from coordinate JSON, as the common path editors write it.

    Understood: one track or a list of tracks; a track is a list of `{"x": .., "y": ..}` or `[x, y]`, or text that holds such a list.
    Shorter tracks are stretched to the longest one's length.

    Raises:
        PlanError: in one sentence, for anything else.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise PlanError("coordinates", f'expected JSON such as [[{{"x": 1, "y": 2}}, ...], ...], got {text[:40]!a}') from None
    tracks = [_track(track, f"coordinates[{index}]") for index, track in enumerate(_track_list(data))]
    length = max(len(track) for track in tracks)
    times = frame_times(length)
    even = [np.stack([np.interp(times, frame_times(len(track)), track[:, axis]) for axis in (0, 1)], axis=-1) for track in tracks]
    points = np.stack(even, axis=1)
    return points, np.ones(points.shape[:2], dtype=bool)


def _track_list(data: Any) -> list[Any]:
    if not isinstance(data, list) or not data:
        raise PlanError("coordinates", f"expected a list of tracks, got {'an empty list' if data == [] else type(data).__name__}")
    return [data] if isinstance(data[0], dict) or _is_pair(data[0]) else data


def _track(data: Any, place: str) -> np.ndarray:
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            raise PlanError(place, f"expected a list of points, got {data[:40]!a}") from None
    if not isinstance(data, list) or not data:
        raise PlanError(place, "expected a list of at least one point, got none")
    return np.array([_coordinates(point, f"{place}[{index}]") for index, point in enumerate(data)])


def _coordinates(point: Any, place: str) -> tuple[float, float]:
    pair: Any = [point.get("x"), point.get("y")] if isinstance(point, dict) else point
    if not _is_pair(pair) or not all(abs(value) < 1e9 for value in pair):
        raise PlanError(place, f"expected x and y as numbers, got {ascii(point)[:40]}")
    return float(pair[0]), float(pair[1])


def _is_pair(data: Any) -> bool:
    numbers = isinstance(data, list) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in data)
    return numbers and len(data) == 2


def _filled(points: np.ndarray, visible: np.ndarray | None) -> np.ndarray:
    """The places [T, n, 2] of the points that are ever visible, with places made up for the frames when they are not."""
    places = np.asarray(points, dtype=np.float64)
    if places.ndim != 3 or places.shape[-1] != 2 or places.shape[0] < 1:
        raise PlanError("tracks", f"expected points of shape [frames, points, 2], got {list(places.shape)}")
    seen = np.asarray(np.isfinite(places).all(axis=-1))
    if visible is not None:
        flags = np.asarray(visible).astype(bool)
        if flags.shape != seen.shape:
            raise PlanError("tracks", f"expected visibility of shape {list(seen.shape)}, got {list(flags.shape)}")
        seen = seen & flags
    kept = np.flatnonzero(seen.any(axis=0))
    if len(kept) == 0:
        raise PlanError("tracks", "expected at least one point that is visible in some frame, got none")
    times = np.arange(len(places))
    filled = np.empty((len(places), len(kept), 2))
    for column, track in enumerate(kept):
        moments = times[seen[:, track]]
        for axis in (0, 1):
            filled[:, column, axis] = np.interp(times, moments, places[moments, track, axis])
    return filled


def _groups(ways: np.ndarray, tolerance: float) -> np.ndarray:
    """For each way [T, n, 2] the index of the first way that it goes along with; at most 64 different ones."""
    while True:
        leaders: list[int] = []
        group = np.empty(ways.shape[1], dtype=np.int64)
        for index in range(ways.shape[1]):
            off = np.abs(ways[:, leaders] - ways[:, index : index + 1]).max(axis=(0, 2)) if leaders else np.empty(0)
            close = np.flatnonzero(off <= tolerance)
            if len(close) == 0:
                leaders.append(index)
                if len(leaders) > MOST_REGIONS:
                    break
            group[index] = leaders[close[0]] if len(close) else index
        if len(leaders) <= MOST_REGIONS:
            return group
        tolerance = max(tolerance, 0.25) * 1.5


def _path(places: np.ndarray, scale: np.ndarray, tolerance: float) -> Path:
    """A path of straight pieces that is at the places [T, 2], within a part of the tolerance, at their times."""
    kept = _simplified(places, max(tolerance / 4, 1e-6))
    while len(kept) > MOST_PATH_POINTS:
        tolerance *= 2
        kept = _simplified(places, tolerance)
    times = frame_times(len(places))[kept]
    return Path(points=tuple(_point(places[frame] / scale) for frame in kept), curve="line", times=tuple(float(time) for time in times))


def _simplified(places: np.ndarray, tolerance: float) -> list[int]:
    """The frames to keep so that straight pieces between them, gone evenly, are nowhere more than `tolerance` off (Douglas and Peucker)."""
    kept = {0, len(places) - 1}
    waiting = [(0, len(places) - 1)]
    while waiting:
        first, last = waiting.pop()
        part = (np.arange(first, last + 1) - first)[:, None] / max(last - first, 1)
        off = np.abs(places[first : last + 1] - ((1 - part) * places[first] + part * places[last])).max(axis=1)
        worst = first + int(np.argmax(off))
        if off.max() > tolerance and first < worst < last:
            kept.add(worst)
            waiting += [(first, worst), (worst, last)]
    return sorted(kept)


def _point(place: np.ndarray) -> tuple[float, float]:
    x, y = np.clip(place, LOWEST, HIGHEST)
    return round(float(x), DIGITS), round(float(y), DIGITS)
