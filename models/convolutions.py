"""Convolutions in forms that take a CPU less time: the same sums in another order, of float32 to rounding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

FEW_CHANNELS = 5
"""oneDNN takes as long for fewer output channels as for 16."""
_NEIGHBOURS = 4


def infers_on_cpu(x: Tensor) -> bool:
    """Whether forms that are faster on a CPU, and for which no gradients are written, are to be used."""
    return x.device.type == "cpu" and not torch.is_grad_enabled()


def conv3d(x: Tensor, weight: Tensor, bias: Tensor | None, padding: Sequence[int], stride: Sequence[int] = (1, 1, 1)) -> Tensor:
    """3D convolution. PyTorch gives a small float32 clip on a CPU to a kernel that is 2 to 15 times slower than oneDNN's."""
    if x.dtype == torch.float32 and infers_on_cpu(x) and torch.backends.mkldnn.is_available():
        return torch.mkldnn_convolution(x, weight, bias, tuple(padding), tuple(stride), (1, 1, 1), 1)
    return F.conv3d(x, weight, bias, padding=tuple(padding), stride=tuple(stride))


def conv3d_to_few_channels(x: Tensor, weight: Tensor, bias: Tensor, padding: Sequence[int]) -> Tensor:
    """3D convolution to fewer than `FEW_CHANNELS`, where the width of x [B, C, T, H, W] is a multiple of 4.

    Neighbours in a row are computed together, as the channels of one pixel: by copies of the weights that are shifted by a pixel each.
    """
    if x.shape[4] % _NEIGHBOURS:
        return conv3d(x, weight, bias, padding)
    width = weight.shape[4]
    shifted = weight.new_zeros(_NEIGHBOURS, *weight.shape[:4], width + _NEIGHBOURS - 1)
    for number, copy in enumerate(shifted):
        copy[..., number : number + width] = weight
    wide = shifted.flatten(0, 1).contiguous(memory_format=torch.channels_last_3d)
    y = conv3d(x, wide, bias.repeat(_NEIGHBOURS), padding, (1, 1, _NEIGHBOURS))
    return rearrange(y, "b (n c) t h w -> b t h (w n) c", n=_NEIGHBOURS).movedim(-1, 1)


def conv2d_of_doubled(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x [N, C, H, W], each pixel doubled in height and width, through the 3x3 convolution `weight` [O, C, 3, 3], padded by 1.

    The window sees 2x2 different pixels. What each is multiplied with is added up before, for each of the four places that the middle of
    the window has in a doubled pixel; the places are the channels of one 2x2 convolution.

    Returns:
        [N, O, 2H, 2W], channels last.
    """
    count, _, height, width = x.shape
    exact = torch.promote_types(weight.dtype, torch.float32)
    seen = torch.tensor([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], dtype=exact, device=weight.device)  # place, pixel, row
    added = torch.einsum("oiyx,ary,bsx->aboirs", weight.to(exact), seen, seen).flatten(0, 2).to(weight.dtype)
    places = F.conv2d(x, added.contiguous(memory_format=torch.channels_last), bias.repeat(4), padding=1)
    places = rearrange(places, "n (a b o) h w -> n a b h w o", a=2, b=2)
    made = places.new_empty(count, height, 2, width, 2, places.shape[-1])
    for row in (0, 1):
        for column in (0, 1):
            made[:, :, row, :, column] = places[:, row, column, row : row + height, column : column + width]
    return rearrange(made, "n h a w b o -> n o (h a) (w b)")
