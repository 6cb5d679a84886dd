"""Pictures in ever smaller copies, with their changes from pixel to pixel, and what they show at any places.

Places are in pixels; the pixel in column i covers i <= x < i + 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..video.stream import as_float

LEVELS = 4
SMALLEST_SIDE = 12
"""The pyramid ends before its shorter side falls below so many pixels."""


def pyramid_of(frame: Tensor) -> list[Tensor]:
    """A frame [H, W, 3], uint8 or float in 0..1, and its halves, each with its changes per pixel to the right and down: [1, 9, h, w]."""
    return halves(_smooth(as_float(frame).float().permute(2, 0, 1)[None].contiguous()))


def halves(picture: Tensor) -> list[Tensor]:
    """A picture [1, C, H, W] and its halves, each with its changes per pixel to the right and down: [1, 3 C, h, w]."""
    levels = [picture]
    while len(levels) < LEVELS and min(levels[-1].shape[-2:]) >= 2 * SMALLEST_SIDE:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    return [torch.cat((level, *_changes(level)), dim=1) for level in levels]


def sample(level: Tensor, places: Tensor, channels: int = 3) -> Tensor:
    """The first channels [N, K, channels] of a level of a pyramid at places [N, K, 2], bilinear; beyond the edge its last pixels."""
    height, width = level.shape[-2:]
    grid = places * torch.tensor([2.0 / width, 2.0 / height]) - 1
    found = functional.grid_sample(level[:, :channels], grid[None], padding_mode="border", align_corners=False)
    return found[0].permute(1, 2, 0)


def values_and_gradient(level: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Colours [N, K, C] at places [N, K, 2], and how they change per pixel to the right and down, [N, K, C, 2]."""
    values, across, along = sample(level, places, level.shape[1]).chunk(3, dim=-1)
    return values, torch.stack((across, along), dim=-1)


def inside(places: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether places [..., 2] are in a picture of `size` (width, height)."""
    x, y = places.unbind(-1)
    return (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])


def own_pixels(labels: Tensor, group: int, reach: int) -> Tensor:
    """The pixels [H, W] of a group in `labels` [H, W], without those that a smaller group is within `reach` pixels of.

    An edge moves with what is in front, and that is mostly the smaller one.
    """
    own = labels == group
    sizes = {int(other): int((labels == other).sum()) for other in labels.unique()}
    smaller = [other for other, size in sizes.items() if size < sizes.get(group, 0)]
    if not smaller or reach < 1:
        return own
    return own & ~within(torch.isin(labels, torch.tensor(smaller)), reach)


def within(mask: Tensor, reach: int) -> Tensor:
    """The pixels [H, W] that have one of a mask [H, W] within `reach` pixels, across or along."""
    return functional.max_pool2d(mask.float()[None, None], 2 * reach + 1, 1, reach)[0, 0] > 0


def _changes(picture: Tensor) -> tuple[Tensor, Tensor]:
    padded = functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    return across, (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2


def _smooth(picture: Tensor) -> Tensor:
    """A slight blur (1, 2, 1), which makes gradients of pixels mean something."""
    kernel = torch.tensor([0.25, 0.5, 0.25])
    padded = functional.pad(picture, (1, 1, 1, 1), mode="replicate").transpose(0, 1)  # [3, 1, H + 2, W + 2]
    return functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, 1, 3)), kernel.view(1, 1, 3, 1)).transpose(0, 1)
