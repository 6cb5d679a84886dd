"""How far a video is off its plan: the plan's points are followed through the video and compared with where they were asked to be.

The error of a point in a frame is the distance in pixels between the two (endpoint error, EPE). A point counts from the second frame on
until it is first hidden or leaves the picture, by the plan; one that cannot be found in the video counts with the last place known of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .drawing import Colour, colour_of
from .follow import Follower
from .framing import framing
from .movers import movers
from .outline import Check
from .plan import Plan
from .tracks import plan_tracks

COUNT = 100
SCENE = "scene"
SCENE_COLOUR: Colour = (170, 170, 170)


@dataclass(frozen=True)
class Part:
    """A region, a box, or the scene around them; `moves`: it is asked to do more than stay, by itself or with the camera."""

    id: str
    name: str
    colour: Colour
    moves: bool


@dataclass(frozen=True)
class Asked:
    """Where a plan wants points to be in a video.

    Attributes:
        points: [T, N, 2] float32 pixels of the video.
        counts: [T, N] bool, which of them are compared.
        owner: [N], index into `parts`; the scene is the last part.
        labels: [H, W] int64, the part seen at each pixel of the first frame.
    """

    points: np.ndarray
    counts: np.ndarray
    owner: np.ndarray
    labels: np.ndarray
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Errors:
    """Errors in pixels over points and frames; `found` is the part of them, 0 to 1, where the point was found in the video."""

    points: int
    mean: float
    median: float
    p90: float
    found: float


@dataclass(frozen=True)
class Adherence:
    """How well a video keeps to a plan.

    Attributes:
        moving: of everything that is asked to move; None where nothing is.
        still: of everything that is asked to stay (pinned drift); None where nothing is followed there.
        parts: of each part of the plan that has points, in the order of `asked.parts`.
        points: [T, N, 2] float32, where the points were found.
        errors: [T, N] float32 pixels, NaN where a point is not compared.
    """

    asked: Asked
    moving: Errors | None
    still: Errors | None
    parts: tuple[tuple[Part, Errors], ...]
    points: np.ndarray
    errors: np.ndarray

    @property
    def epe(self) -> float:
        """The mean error of what is asked to move; of what is asked to stay where nothing moves."""
        errors = self.moving or self.still
        assert errors is not None
        return errors.mean


def asked(
    plan: Plan,
    size: tuple[int, int],
    frames: int,
    masks: np.ndarray | None = None,
    count: int = COUNT,
    source: tuple[int, int] | None = None,
    check: Check | None = None,
) -> Asked:
    """What a plan asks of a video of `size` (width, height).

    Args:
        source: size of the picture that the plan was made on, where it has another shape than the video; its middle fills the video.

    Raises:
        PlanError: a region needs a mask that did not come.
        ValueError: fewer than two frames, or a plan with nothing in it to follow.
    """
    if frames < 2:
        raise ValueError(f"expected a video of at least 2 frames, got {frames}; measure a longer one")
    source = source or size
    frame = framing(source, size)
    tracks = plan_tracks(plan, *source, frames, count, masks, check)
    points = frame.placed(tracks.points)
    shown = tracks.visible & frame.shows(points)
    kept = np.flatnonzero(shown[0])
    if len(kept) == 0:
        raise ValueError("expected a plan with something that moves or is pinned inside the picture, got none; paint a region first")
    counts = np.logical_and.accumulate(shown[:, kept], axis=0)
    counts[0] = False
    parts = [Part(part.id, part.name, colour_of(part.color), part.moves or bool(plan.camera)) for part in plan.shown]
    parts.append(Part(SCENE, "", SCENE_COLOUR, bool(plan.camera)))
    owner = np.where(tracks.owner < 0, len(parts) - 1, tracks.owner)[kept]
    column, row = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    places = np.stack([column.reshape(-1), row.reshape(-1)], axis=-1) / frame.scale + frame.crop[:2]
    labels = _labels(plan, source, masks, places, check).reshape(size[1], size[0])
    return Asked(points[:, kept], counts, owner, labels, tuple(parts))


def _labels(plan: Plan, source: tuple[int, int], masks: np.ndarray | None, places: np.ndarray, check: Check | None) -> np.ndarray:
    """The part that is seen at each place [n, 2] of the first frame."""
    seen = np.full(len(places), len(plan.shown), dtype=np.int64)
    found = movers(plan, *source, 1, masks, check or (lambda: None))
    for index in sorted(range(len(found)), key=lambda index: found[index].rank):
        seen[found[index].outline.inside(places)] = index
    return seen


def measure(wanted: Asked, frames: Iterable[Tensor]) -> Adherence:
    """Follow the points through the frames [H, W, 3] of a video, uint8 or float in 0..1; two frames are held.

    Raises:
        ValueError: another number of frames than was asked about, or frames of another size.
    """
    points, found = _followed(wanted, iter(frames))
    if len(points) != len(wanted.points):
        raise ValueError(f"expected {len(wanted.points)} frames, got {len(points)}; make the video again")
    errors = np.linalg.norm(points - wanted.points, axis=-1)
    errors[~wanted.counts] = np.nan
    moves = np.array([part.moves for part in wanted.parts])[wanted.owner]

    def of(chosen: np.ndarray) -> Errors | None:
        return _errors(errors[:, chosen], found[:, chosen])

    parts = tuple((part, of(wanted.owner == index)) for index, part in enumerate(wanted.parts))
    kept = tuple((part, figures) for part, figures in parts if figures is not None)
    moving, still = of(moves), of(~moves)
    if moving is None and still is None:
        raise ValueError("expected points that stay in the picture for a frame at least, got none; paint what is in the picture")
    return Adherence(wanted, moving, still, kept, points, errors)


def _followed(wanted: Asked, frames: Iterator[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Places [T, N, 2] and whether they were found [T, N]."""
    first = next(frames, None)
    if first is None:
        raise ValueError("expected a video with frames, got none; connect another")
    start = torch.from_numpy(wanted.points[0])
    follower = Follower(first, start, torch.from_numpy(wanted.owner), torch.from_numpy(wanted.labels))
    places, found = [start.numpy()], [np.ones(len(start), dtype=bool)]
    for number, frame in enumerate(frames, 1):
        expected = torch.from_numpy(wanted.points[min(number, len(wanted.points) - 1)])
        point, seen = follower.step(frame, expected)
        places.append(point.numpy())
        found.append(seen.numpy())
    return np.stack(places), np.stack(found)


def _errors(errors: np.ndarray, found: np.ndarray) -> Errors | None:
    counted = ~np.isnan(errors)
    if not counted.any():
        return None
    some = errors[counted]
    points = int(counted.any(axis=0).sum())
    p90 = float(np.quantile(some, 0.9))
    return Errors(points, float(some.mean()), float(np.median(some)), p90, float(found[counted].mean()))


def table(result: Adherence) -> str:
    """The errors as text in columns: everything that moves, everything that stays, then each part."""
    rows: list[tuple[str, ...]] = [("", "asked to", "points", "mean px", "median px", "p90 px", "found")]
    for name, does, errors in (("all moving", "move", result.moving), ("all still", "stay", result.still)):
        if errors is not None:
            rows.append(_row(name, does, errors))
    for part, errors in result.parts:
        rows.append(_row(f"{part.id} {part.name}".strip(), "move" if part.moves else "stay", errors))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths)))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _row(name: str, does: str, errors: Errors) -> tuple[str, ...]:
    return (name, does, str(errors.points), f"{errors.mean:.2f}", f"{errors.median:.2f}", f"{errors.p90:.2f}", f"{errors.found:.0%}")
