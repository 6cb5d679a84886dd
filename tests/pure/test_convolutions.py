"""Forms of a convolution that take a CPU less time are the convolution."""

from __future__ import annotations

import pytest
import torch
from support.compare import relative_error
from torch import Tensor
from torch.nn import functional as F

from models.convolutions import conv2d_of_doubled, conv3d, conv3d_to_few_channels

EXACT = 1e-6


def random(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(1, 5, 6, 7), (3, 8, 1, 1), (2, 3, 2, 9)])
def test_what_was_doubled_before(size: tuple[int, ...]) -> None:
    x, weight, bias = random(*size), random(4, size[1], 3, 3, seed=1), random(4, seed=2)
    expected = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, bias, padding=1)
    made = conv2d_of_doubled(x, weight, bias)
    assert relative_error(made, expected) <= EXACT
    assert made.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("width", [4, 8, 7])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (3, 1, 1)])
def test_few_channels(width: int, kernel: tuple[int, int, int]) -> None:
    x, weight, bias = random(2, 5, 4, 6, width), random(3, 5, *kernel, seed=1), random(3, seed=2)
    padding = (0, kernel[1] // 2, kernel[2] // 2)
    assert relative_error(conv3d_to_few_channels(x, weight, bias, padding), F.conv3d(x, weight, bias, padding=padding)) <= EXACT


@torch.no_grad()
def test_a_small_clip() -> None:
    x, weight, bias = random(1, 5, 4, 6, 8), random(7, 5, 3, 3, 3, seed=1), random(7, seed=2)
    assert relative_error(conv3d(x, weight, bias, (0, 1, 1)), F.conv3d(x, weight, bias, padding=(0, 1, 1))) <= EXACT
    assert relative_error(conv3d(x, weight, bias, (0, 1, 1), (1, 1, 2)), F.conv3d(x, weight, bias, (1, 1, 2), (0, 1, 1))) <= EXACT
