"""Wan-Move (arXiv 2512.08765): later latent frames are given the first picture's latent cells, moved along the tracks.

The conditioning latent y holds the first picture and otherwise grey. A track that lies in cell a of latent frame 0 and in cell b of
latent frame t copies: y[:, t, b] += strength * (y[:, 0, a] - y[:, t, b]). The mask that goes with y stays as it is without motion.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .points import checked, per_point

TIME, SPACE = 4, 8
"""Frames per latent frame and pixels per latent cell of Wan 2.1's VAE."""
DROPPED = -1


def track_cells(points: Tensor, visibility: Tensor, width: int, height: int) -> Tensor:
    """Where each track is at the frames that latent frames stand for (0, 4, 8, ...): rows and columns [T', N, 2] of latent cells.

    A track that is not seen there, or lies outside the `width` x `height` pixels, has DROPPED in both.
    """
    points, visibility = checked(points, visibility)
    points, visibility = points[::TIME], visibility[::TIME]
    limits = torch.tensor((width, height), dtype=points.dtype, device=points.device)
    seen = visibility & ((points >= 0) & (points < limits)).all(-1)
    cells = points.div(SPACE, rounding_mode="floor").long().flip(-1)
    return torch.where(seen[..., None], cells, DROPPED)


def move_cells(
    latent: Tensor,
    points: Tensor,
    visibility: Tensor | None = None,
    strength: float | Tensor = 1.0,
    front: Tensor | None = None,
) -> Tensor:
    """A new conditioning latent in which the tracks carry the first picture along; `latent` itself is not changed.

    Args:
        latent: [B, C, T', h, w], the first picture and grey, as the VAE gives it.
        points: [T, N, 2] in pixels of the clip of T = 4 (T' - 1) + 1 frames.
        visibility: [T, N] or [T, 1]; None where all are seen. A track that is not seen in the first picture has nothing to carry.
        strength: 0 (nothing) to 1 (copied whole), for all tracks or each, [N].
        front: [N], how far in front each track is. Of the tracks in one cell the one with the largest value wins, among equals the
            nearest to the cell's middle, then the first.
    Raises:
        ValueError: tracks of another length than the latent's.
    """
    points, visibility = checked(points, visibility)
    frames, height, width = latent.shape[-3:]
    if points.shape[0] != TIME * (frames - 1) + 1:
        raise ValueError(f"expected tracks of {TIME * (frames - 1) + 1} frames for {frames} latent frames, got {points.shape[0]}")
    points, visibility = points.to(latent.device), visibility.to(latent.device)
    strengths = per_point(strength, points.shape[1], latent.device).to(latent.dtype)
    cells = track_cells(points, visibility, width * SPACE, height * SPACE)  # [T', N, 2]
    times, tracks = _winners(cells, points[::TIME], front, height, width)
    moved = latent.clone()
    rows, columns = cells[times, tracks].unbind(-1)
    from_rows, from_columns = cells[0, tracks].unbind(-1)
    source = latent[:, :, 0, from_rows, from_columns]  # [B, C, K]
    target = latent[:, :, times, rows, columns]
    moved[:, :, times, rows, columns] = target + strengths[tracks] * (source - target)
    return moved


def _winners(cells: Tensor, points: Tensor, front: Tensor | None, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Latent frame and number [K] of the one track that is copied into each cell that any track reaches after the first frame."""
    usable = (cells[..., 0] != DROPPED) & (cells[0, :, 0] != DROPPED)
    usable[0] = False
    times, tracks = torch.nonzero(usable, as_tuple=True)
    rows, columns = cells[times, tracks].unbind(-1)
    place = (times * height + rows) * width + columns
    middle = (torch.stack((columns, rows), dim=-1) + 0.5) * SPACE
    order = (points[times, tracks] - middle).square().sum(-1).argsort(stable=True)  # best first, by the least important reason first
    if front is not None:
        order = order[front.to(order.device)[tracks[order]].argsort(stable=True, descending=True)]
    order = order[place[order].argsort(stable=True)]
    place = place[order]
    first = torch.ones_like(place, dtype=torch.bool)
    first[1:] = place[1:] != place[:-1]
    chosen = order[first]
    return times[chosen], tracks[chosen]
