"""ATI, any trajectory instruction (arXiv 2505.22944): the first picture's features are blended in along Gaussian tracks.

Its models were trained on tracks of 121 points over a clip, whatever the clip's length. Tracks of another length are therefore resampled
to 121 points; padding them, as the usual nodes do, ends the motion before the clip ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from .points import checked, per_point, resampled

POINTS = 121
TIME = 4
SHARPNESS = 220.0
"""The Gaussian's exponent; distances are in halves of the picture's short side."""
NEGLIGIBLE = 2.0**-24
"""A track's weight that changes nothing in float32 beside the others: cells so far from it are not looked at."""
ENTRIES = 2**18
"""How many weights are looked at in one go, so that they stay in a processor's cache."""
LOW_BITS = 2**29 - 1


def apply_tracks(
    latent: Tensor, points: Tensor, visibility: Tensor | None, width: int, height: int, strength: float | Tensor = 1.0
) -> tuple[Tensor, Tensor]:
    """Conditioning latent and mask for ATI's models.

    Args:
        latent: [B, C, T', h, w], normalised as the network sees it: the first picture, the other frames grey.
        points, visibility: [T, N, 2] pixels of a `width` x `height` clip, and [T, N], [T, 1] or None; any T.
        strength: 0 to 1, for all tracks or each, [N].
    Returns:
        the latent with the tracks' features in it, and the mask [B, 4, T', h, w] that goes with it: 0 where the picture is known, 1
        where nothing is, the tracks between.
    """
    points, visibility = checked(points, visibility)
    if points.shape[1] == 0:
        return latent.clone(), _unknown_after_first(latent)
    points, visibility = resampled(points, visibility, POINTS)
    frames = TIME * (latent.shape[2] - 1)
    chosen = torch.cat((torch.zeros(1, dtype=torch.long), 1 + _frames_of(frames)))
    positions = normalised(points[chosen.to(points.device)], width, height).to(latent.device)
    seen = visibility[chosen.to(points.device)].to(latent.device)
    strengths = per_point(strength, points.shape[1], latent.device)
    moved, masks = zip(*(_blend(one, positions, seen, strengths) for one in latent))
    return torch.stack(moved), torch.stack(masks)


def normalised(points: Tensor, width: int, height: int) -> Tensor:
    """Pixels -> distances from the picture's middle, in halves of its short side."""
    middle = torch.tensor((width, height), dtype=points.dtype, device=points.device) / 2
    return (points - middle) / min(width, height) * 2


def _frames_of(frames: int) -> Tensor:
    """Which of the 120 points after the first stands for each of `frames` frames after the first.

    As in the published code, but for clips of 121 or 241 frames, where that code comes out one short.
    """
    shared = math.gcd(POINTS - 1, frames)
    step, repeats = (POINTS - 1) // shared, max(frames // shared, 1)
    offset = 1 if step > 1 else 0
    return (offset + torch.arange(frames) * step) // repeats


def _blend(latent: Tensor, positions: Tensor, seen: Tensor, strengths: Tensor) -> tuple[Tensor, Tensor]:
    """One latent [C, T', h, w] and positions [T, N, 2] -> the blended latent and its mask [4, T', h, w]."""
    height, width = latent.shape[-2:]
    short = min(height, width)
    reach = torch.tensor((width / short, height / short), device=latent.device)
    features = _features(latent, (positions[0] / reach).clamp(-1, 1)).float()  # [N, C]
    grouped = positions[1:].unflatten(0, (-1, TIME))  # [T' - 1, 4, N, 2]
    counted = seen[1:].unflatten(0, (-1, TIME)).float()  # [T' - 1, 4, N]
    count = counted.sum(1)
    centres = (grouped * counted[..., None]).sum(1) / (count[..., None] + 1e-5)  # [T' - 1, N, 2]
    present = count.clamp(0, 1) * strengths
    columns, rows = _Axis.of(centres[..., 0], width, short), _Axis.of(centres[..., 1], height, short)
    known = latent.clone()
    weights = torch.zeros(latent.shape[1:], dtype=latent.dtype, device=latent.device)
    weights[0] = 1
    together = max(1, ENTRIES // (positions.shape[1] * columns.window * rows.window))
    for first in range(0, len(centres), together):
        frames = slice(first, first + together)
        heaviest, tracks = _two_heaviest(rows.at(frames), columns.at(frames), present[frames])  # [n, h, w, 2]
        shared = functional.embedding_bag(tracks.flatten(0, 2), features, per_sample_weights=heaviest.flatten(0, 2), mode="sum")
        total = heaviest.sum(-1)
        place = slice(1 + first, 1 + first + len(total))
        grey = latent[:, place] * (1 - total.clamp(0, 1))
        known[:, place] = grey + shared.T.reshape(grey.shape)
        weights[place] = total
    return known, (1 - weights).expand(TIME, -1, -1, -1)


@dataclass(frozen=True)
class _Axis:
    """Along one axis of the latent: each track's window of cells, and the Gaussian there.

    Attributes:
        first: [T, N] the window's first cell, counted from the margin's first.
        weights: [T, N, window].
        cells: of the latent.
    """

    first: Tensor
    weights: Tensor
    cells: int

    @property
    def window(self) -> int:
        """Cells of a window; the margin is as wide."""
        return self.weights.shape[-1]

    @property
    def padded(self) -> int:
        """Cells of the latent and both margins; they hold every window."""
        return self.cells + 2 * self.window

    @property
    def inside(self) -> slice:
        """The latent's own cells among them."""
        return slice(self.window, self.window + self.cells)

    @classmethod
    def of(cls, centres: Tensor, cells: int, short: int) -> _Axis:
        """The axis of `cells` cells for centres [T, N]."""
        half = cells / short
        places = torch.linspace(-half, half, cells, device=centres.device)
        per_unit = (cells - 1) / (2 * half)
        side = math.ceil(math.sqrt(-math.log(NEGLIGIBLE) / SHARPNESS) * per_unit - 0.5)
        nearest = ((centres + half) * per_unit).round().clamp(-side - 1, cells + side).long()
        numbers = nearest[..., None] + torch.arange(-side, side + 1, device=centres.device)  # [T, N, window]
        away = centres[..., None] - places[numbers.clamp(0, cells - 1)]
        return cls(nearest + side + 1, torch.exp(-SHARPNESS * away.square()), cells)

    def at(self, frames: slice) -> _Axis:
        """The same for some of the frames."""
        return replace(self, first=self.first[frames], weights=self.weights[frames])


def _two_heaviest(rows: _Axis, columns: _Axis, present: Tensor) -> tuple[Tensor, Tensor]:
    """Each cell's two heaviest tracks of `present` [T, N]: their weights [T, h, w, 2], the heavier first, and numbers; of equals the first.

    A weight and a track's number are one float64: a float32 leaves the lowest 29 bits of it free. So the largest of a cell's numbers is
    its heaviest track, and nothing has to be sorted.
    """
    frames, count = present.shape
    device = present.device
    across = columns.weights * present[..., None]
    keys = (rows.weights[..., None] * across[..., None, :]).double()  # [T, N, rows, columns]
    keys.view(torch.int64).add_(torch.arange(count - 1, -1, -1, device=device)[:, None, None])
    keys = keys.flatten()
    row = rows.first[..., None] + torch.arange(rows.window, device=device)
    column = columns.first[..., None] + torch.arange(columns.window, device=device)
    row = row + rows.padded * torch.arange(frames, device=device)[:, None, None]
    cells = (columns.padded * row[..., None] + column[..., None, :]).flatten()
    found = []
    for _ in range(2):
        best = torch.zeros(frames * rows.padded * columns.padded, dtype=torch.float64, device=device)
        best.scatter_reduce_(0, cells, keys, "amax")
        keys = keys.masked_fill_(keys == best.index_select(0, cells), 0.0)
        found.append(best.view(frames, rows.padded, columns.padded)[:, rows.inside, columns.inside])
    bits = torch.stack(found, dim=-1).contiguous().view(torch.int64)
    return (bits & ~LOW_BITS).view(torch.float64).float(), count - 1 - (bits & LOW_BITS).clamp(max=count - 1)


def _features(latent: Tensor, places: Tensor) -> Tensor:
    """The first picture's features [N, C] under the tracks' first points, interpolated bilinearly; zero beyond its edge."""
    sampled = functional.grid_sample(latent[None, :, 0], places[None, None].to(latent.dtype), padding_mode="zeros", align_corners=False)
    return sampled[0, :, 0].T


def _unknown_after_first(latent: Tensor) -> Tensor:
    mask = torch.ones(latent.shape[0], TIME, *latent.shape[2:], dtype=latent.dtype, device=latent.device)
    mask[:, :, 0] = 0
    return mask
