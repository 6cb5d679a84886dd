"""Tracks become a plan: points that go together are one region, with the way they go as its path, and how they turn and grow."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .easing import frame_times
from .plan import Box, Motion, Plan, PlanError, Region, Stroke, checked
from .similarity import groups
from .turned import path_through, point, turned

MOST_REGIONS = 64
MOST_DOTS = 256
FEW = 2
"""Where so many shifts say the same, nothing has to have turned or grown."""


def plan_from_tracks(
    points: np.ndarray, visible: np.ndarray | None, width: int, height: int, tolerance: float = 0.5, radius: float = 0.02
) -> Plan:
    """A plan whose regions go as the tracks do.

    Points that are shifted, turned and grown together become one region with a path, a rotation and a scale; where growth alone keeps a
    timing of its own, a box with keyframes. What neither can say becomes regions of points that are shifted together.

    Args:
        points: [T, N, 2] pixels; a point that is not finite counts as not visible.
        visible: [T, N]; places in between are made up where a point is not visible. None: all are.
        width, height: of the picture in pixels.
        tolerance: how far, in pixels, a region's way may be from its points' ways; it grows when there are too many ways for one plan.
        radius: of the dot that is painted for each point, as a part of the shorter side.

    Raises:
        PlanError: shapes that are no tracks, or no point that is ever visible.
    """
    places, seen = _filled(points, visible)
    scale = np.array([width, height], dtype=np.float64)
    brush = _Brush(scale, radius)
    parts: list[Region | Box] = []
    left = np.ones(places.shape[1], dtype=bool)
    for similarity, members in groups(places @ [1, 1j], seen, tolerance):
        if _leaders(places[:, members] - places[0, members], tolerance, FEW) is not None:
            continue  # few shifts say it as well
        motion, taken = turned(similarity, places[:, members] @ [1, 1j], seen[:, members], scale, tolerance)
        if motion is None:
            continue
        parts.append(brush.part(motion, places[0, members[taken]], motion == Motion()))
        left[members[taken]] = False
        if len(parts) == MOST_REGIONS // 2:
            break
    rest = np.flatnonzero(left)
    ways = places[:, rest] - places[:1, rest]
    leaders = _groups(ways, tolerance, MOST_REGIONS - len(parts))
    for leader in dict.fromkeys(leaders.tolist()):
        members = np.flatnonzero(leaders == leader)
        way = ways[:, members].mean(axis=1)
        still = bool(np.abs(way).max() <= tolerance)
        starts = places[0, rest[members]]
        motion = Motion() if still else Motion(path=path_through(starts.mean(axis=0) + way, scale, tolerance))
        parts.append(brush.part(motion, starts, still))
    regions = tuple(part for part in parts if isinstance(part, Region))
    return checked(Plan(regions=regions, boxes=tuple(part for part in parts if isinstance(part, Box))))


@dataclass(frozen=True)
class _Brush:
    """Paints dots in a picture of `size` pixels."""

    size: np.ndarray
    radius: float

    def part(self, motion: Motion | Box, starts: np.ndarray, still: bool = False) -> Region | Box:
        """A region that moves so, or the box, with a dot at each of the places [n, 2] in pixels."""
        dots = starts[np.linspace(0, len(starts) - 1, min(len(starts), MOST_DOTS)).astype(int)]
        shapes = tuple(Stroke(type="stroke", points=(point(dot / self.size),), radius=self.radius) for dot in dots)
        if isinstance(motion, Box):
            return replace(motion, shapes=shapes)
        return Region(shapes=shapes, motion=motion, pinned=still, name="still" if still else "")


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


def _filled(points: np.ndarray, visible: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The points that are ever visible: places [T, n, 2], made up for the frames when they are not, and whether they are, [T, n]."""
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
    return filled, seen[:, kept]


def _groups(ways: np.ndarray, tolerance: float, most: int) -> np.ndarray:
    """For each way [T, n, 2] the index of the first way that it goes along with; at most `most` different ones."""
    while True:
        group = _leaders(ways, tolerance, most)
        if group is not None:
            return group
        tolerance = max(tolerance, 0.25) * 1.5


def _leaders(ways: np.ndarray, tolerance: float, most: int) -> np.ndarray | None:
    """For each way [T, n, 2] the index of the first way within the tolerance of it; None where those are more than `most`."""
    leaders: list[int] = []
    group = np.empty(ways.shape[1], dtype=np.int64)
    for index in range(ways.shape[1]):
        off = np.abs(ways[:, leaders] - ways[:, index : index + 1]).max(axis=(0, 2)) if leaders else np.empty(0)
        close = np.flatnonzero(off <= tolerance)
        if len(close) == 0:
            leaders.append(index)
            if len(leaders) > most:
                return None
        group[index] = leaders[close[0]] if len(close) else index
    return group
