"""The motion plan as tracks: points inside what moves and around it, where they are in each frame, and when they are seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .camera import apply_maps, camera_maps
from .movers import Mover, movers
from .outline import CELLS, Bounds, Check, grid_centres
from .plan import Plan

DEFAULT_COUNT = 200
SCENE_PART = 0.25
REACH = 0.15
GAP = 0.02
ROW_HEIGHT = 0.8660254037844386
DIAGONAL = 0.7071067811865476
AROUND = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), *((x * DIAGONAL, y * DIAGONAL) for x in (1, -1) for y in (1, -1)))
SPACINGS = 12
FARTHEST = 1e9
FIRST_SPACING, NEXT_SPACING = 1.4, 0.96


@dataclass(frozen=True)
class Tracks:
    """Where points of the first frame go.

    Attributes:
        points: [T, N, 2] float32, x and y in pixels; the pixel in column i covers i <= x < i + 1.
        visible: [T, N] bool.
        owner: [N] int64, the point's region or box as an index into `ids`; -1 for a point of the scene.
        strength: [N] float32, 0 to 1.
        ids: of the visible regions and boxes.
        width, height: of the picture in pixels.
    """

    points: np.ndarray
    visible: np.ndarray
    owner: np.ndarray
    strength: np.ndarray
    ids: tuple[str, ...]
    width: int
    height: int


def plan_tracks(
    plan: Plan,
    width: int,
    height: int,
    frames: int,
    count: int = DEFAULT_COUNT,
    masks: np.ndarray | None = None,
    check: Check | None = None,
) -> Tracks:
    """The tracks of at most `count` points of a plan, for a clip of any size and length.

    Args:
        masks: numbers 0 to 1, [B, h, w], for regions that are masks.
        check: called now and then; may raise to end the work.

    Raises:
        PlanError: a region needs a mask that did not come.
        ValueError: a size, length or count that no clip has.
    """
    _refuse_odd_sizes(width, height, frames, count)
    ask = check or (lambda: None)
    parts = movers(plan, width, height, frames, masks, ask)
    fronts = [sorted((other for other in parts if other.rank > part.rank), key=lambda other: other.rank) for part in parts]
    starts, owner = _starts(plan, parts, fronts, (width, height), count, ask)
    before = np.empty((frames, len(starts), 2))
    for index in range(-1, len(parts)):
        own = owner == index
        before[:, own] = starts[own] if index < 0 else apply_maps(parts[index].maps, starts[own])
    after = np.clip(apply_maps(camera_maps(plan.camera, width, height, frames), before), -FARTHEST, FARTHEST)
    visible = in_picture(after, width, height)
    rank = np.array([part.rank for part in parts] + [-1])[owner]
    for part in parts:
        ask()
        behind = np.flatnonzero(rank < part.rank)
        visible[:, behind] &= ~part.covers(before[:, behind])
    strength = np.array([part.part.strength for part in parts] + [1.0])[owner]
    ids = tuple(part.id for part in parts)
    return Tracks(after.astype(np.float32), visible, owner, strength.astype(np.float32), ids, width, height)


def in_picture(places: np.ndarray, width: int, height: int) -> np.ndarray:
    """Whether places [..., 2] are in the picture."""
    x, y = places[..., 0], places[..., 1]
    return (x >= 0) & (x < width) & (y >= 0) & (y < height)


def _refuse_odd_sizes(width: int, height: int, frames: int, count: int) -> None:
    for name, value in (("width", width), ("height", height), ("frames", frames), ("count of points", count)):
        if value < 1:
            raise ValueError(f"motion tracks: expected a {name} of at least 1, got {value}")


def _starts(
    plan: Plan, parts: list[Mover], fronts: list[list[Mover]], size: tuple[int, int], count: int, check: Check
) -> tuple[np.ndarray, np.ndarray]:
    """Places [N, 2] of the points in the first frame, and their movers' indices [N]."""
    cells = [_exposed_cells(part, front, size) for part, front in zip(parts, fronts)]
    areas = [_cell_area(part.outline.bounds) * len(found) if part.outline.bounds else 0.0 for part, found in zip(parts, cells)]
    scene_count, shares = _shares(plan, parts, areas, count)
    starts, owner = [np.empty((0, 2))], [np.empty(0, dtype=np.int64)]
    for index, (part, share) in enumerate(zip(parts, shares)):
        check()
        if share == 0:
            continue

        def exposed(places: np.ndarray, part: Mover = part, front: list[Mover] = fronts[index]) -> np.ndarray:
            return in_picture(places, *size) & part.outline.inside(places) & ~_covered(places, front)

        assert part.outline.bounds is not None
        points = _lattice(_cut(part.outline.bounds, size), areas[index], share, exposed, cells[index])
        starts.append(points)
        owner.append(np.full(len(points), index, dtype=np.int64))
    if scene_count > 0:
        points = _scene_points(plan, parts, size, scene_count)
        starts.append(points)
        owner.append(np.full(len(points), -1, dtype=np.int64))
    return np.concatenate(starts), np.concatenate(owner)


def _shares(plan: Plan, parts: list[Mover], areas: list[float], count: int) -> tuple[int, list[int]]:
    """How many points the scene gets, and each mover."""
    seen = sum(area > 0 for area in areas)
    if count < seen:
        raise ValueError(f"motion tracks: expected a count of points of at least {seen}, one for each region and box, got {count}")
    wanted = plan.camera or (plan.anchors and any(part.moves for part in parts))
    scene = 0
    if wanted:
        scene = min(math.floor(SCENE_PART * count), count - seen) if parts else count
    total = 0.0
    for area in areas:
        total += math.sqrt(area)
    spare = count - scene - seen
    return scene, [1 + math.floor(spare * math.sqrt(area) / total) if area > 0 else 0 for area in areas]


def _cell_area(bounds: Bounds) -> float:
    left, top, right, bottom = bounds
    return (right - left) * (bottom - top) / (CELLS * CELLS)


def _cut(bounds: Bounds, size: tuple[int, int]) -> Bounds:
    left, top, right, bottom = bounds
    return max(left, 0.0), max(top, 0.0), min(right, float(size[0])), min(bottom, float(size[1]))


def _covered(places: np.ndarray, by: Sequence[Mover]) -> np.ndarray:
    """Whether places [n, 2] of the first frame are covered by any of the movers."""
    covered = np.zeros(len(places), dtype=bool)
    for mover in by:
        covered |= mover.covers(places, 0)
    return covered


def _exposed_cells(part: Mover, front: list[Mover], size: tuple[int, int]) -> np.ndarray:
    """Centres [n, 2] of the cells of a mover that are seen in the first frame."""
    if part.outline.bounds is None:
        return np.empty((0, 2))
    centres = part.outline.cell_centres()[part.grid.reshape(-1)]
    centres = centres[in_picture(centres, *size)]
    return centres[~_covered(centres, front)]


def _lattice(bounds: Bounds, area: float, count: int, test: Callable[[np.ndarray], np.ndarray], cells: np.ndarray) -> np.ndarray:
    """At most `count` places [n, 2] that pass the test, evenly apart; at least one, if `cells` has any."""
    tries = _lattices(bounds, area, count)
    kept = np.split(test(np.concatenate(tries)), np.cumsum([len(places) for places in tries])[:-1])
    best = np.empty((0, 2))
    for places, passed in zip(tries, kept):
        if len(best) < passed.sum() <= count:
            best = places[passed]
    if len(best) == 0 and len(cells) > 0:
        off = cells - ((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
        nearest = int(np.argmin(off[:, 0] * off[:, 0] + off[:, 1] * off[:, 1]))
        best = cells[nearest : nearest + 1]
    return best


def _lattices(bounds: Bounds, area: float, count: int) -> list[np.ndarray]:
    """Lattices of equilateral triangles over the bounds, each finer than the one before."""
    left, top, right, bottom = bounds
    spacing = FIRST_SPACING * math.sqrt(area / count)
    found = []
    for _ in range(SPACINGS):
        rows = math.ceil((bottom - top) / 2 / (spacing * ROW_HEIGHT))
        columns = math.ceil((right - left) / 2 / spacing) + 1
        j, i = np.meshgrid(np.arange(-rows, rows + 1), np.arange(-columns, columns + 1), indexing="ij")
        x = (left + right) / 2 + (i + np.where(j % 2 == 1, 0.5, 0.0)) * spacing
        y = (top + bottom) / 2 + j * (spacing * ROW_HEIGHT)
        found.append(np.stack([x.reshape(-1), y.reshape(-1)], axis=-1))
        spacing *= NEXT_SPACING
    return found


def _scene_points(plan: Plan, parts: list[Mover], size: tuple[int, int], count: int) -> np.ndarray:
    """Places [n, 2] of the scene: everywhere for a camera that moves, else around the moving movers."""
    shorter = min(size)
    rings = [
        (bounds[0] - REACH * shorter, bounds[1] - REACH * shorter, bounds[2] + REACH * shorter, bounds[3] + REACH * shorter)
        for bounds in (part.outline.bounds for part in parts if part.moves)
        if bounds is not None
    ]

    def free(places: np.ndarray) -> np.ndarray:
        passed = in_picture(places, *size)
        if not plan.camera:
            passed &= np.any([_within(places, ring) for ring in rings] or [np.zeros(len(places), dtype=bool)], axis=0)
        some = np.flatnonzero(passed)
        near = np.zeros(len(some), dtype=bool)
        for x, y in AROUND:
            near |= _covered(places[some] + (x * GAP * shorter, y * GAP * shorter), parts)
        passed[some[near]] = False
        return passed

    picture = (0.0, 0.0, float(size[0]), float(size[1]))
    centres = grid_centres(picture)
    cells = centres[free(centres)]
    if len(cells) == 0:
        return cells
    return _lattice(picture, _cell_area(picture) * len(cells), count, free, cells)


def _within(places: np.ndarray, bounds: Bounds) -> np.ndarray:
    x, y = places[:, 0], places[:, 1]
    return (x >= bounds[0]) & (x <= bounds[2]) & (y >= bounds[1]) & (y <= bounds[3])
