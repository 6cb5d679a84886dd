"""What every backend is given: points [T, N, 2] in pixels (x to the right, y down) and whether each is seen, [T, N]."""

from __future__ import annotations

import torch
from torch import Tensor


def checked(points: Tensor, visibility: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Points as float32 [T, N, 2] and their visibility as bool [T, N].

    The visibility may be missing (all are seen) or have one column for all points, as the host's nodes make it from a mask.

    Raises:
        ValueError: shapes that do not belong together, or a coordinate that is no number.
    """
    if points.ndim != 3 or points.shape[-1] != 2 or points.shape[0] < 1:
        raise ValueError(f"expected points [frames, points, 2], got {list(points.shape)}")
    frames, count, _ = points.shape
    points = points.float()
    if not torch.isfinite(points).all():
        raise ValueError("expected coordinates that are numbers, got a NaN or an infinity")
    if visibility is None:
        return points, torch.ones(frames, count, dtype=torch.bool, device=points.device)
    if visibility.ndim == 1:
        visibility = visibility[:, None]
    if visibility.ndim != 2 or visibility.shape[0] != frames or visibility.shape[1] not in (1, count):
        raise ValueError(f"expected a visibility [{frames}, {count}] or [{frames}, 1], got {list(visibility.shape)}")
    return points, (visibility > 0).to(points.device).expand(frames, count)


def resampled(points: Tensor, visibility: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """The same movement in another number of frames: positions are interpolated, seen means seen in both neighbours.

    A single frame is repeated: the points rest.
    """
    points, visibility = checked(points, visibility)
    given = points.shape[0]
    if given == frames:
        return points, visibility
    times = torch.linspace(0, given - 1, frames, dtype=torch.float64, device=points.device) if frames > 1 else torch.zeros(1)
    before = times.floor().long().clamp(0, given - 1)
    after = times.ceil().long().clamp(0, given - 1)
    part = (times - before).float()[:, None, None]
    return points[before].lerp(points[after], part), visibility[before] & visibility[after]


def per_point(value: float | Tensor, count: int, device: torch.device) -> Tensor:
    """One number for all points, or one each, as [N] float32.

    Raises:
        ValueError: another number of values than of points.
    """
    values = torch.as_tensor(value, dtype=torch.float32, device=device)
    if values.ndim == 0:
        return values.expand(count)
    if values.shape != (count,):
        raise ValueError(f"expected one strength or {count}, got {list(values.shape)}")
    return values
