"""Where one shot ends and the next begins, found from two frames at a time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .stream import as_float

DEFAULT_THRESHOLD = 0.25
NEVER = 1.0
"""The threshold above which nothing is a cut."""

_THUMBNAIL = 48  # pixels of the longer side of what is compared
_BINS = 16  # of each colour's histogram
_STRONG_DIFFERENCE = 1 / 3  # a mean difference of pixels that counts fully


def cut_score(before: Tensor, after: Tensor) -> float:
    """How much two frames [H, W, 3] look like different shots, 0..1: pixels in one place differ and so do the colours altogether.

    Motion changes the pixels but hardly the colours, a fade the colours but hardly the pixels of two neighbours; only a cut changes both.
    """
    first, second = (_thumbnail(frame) for frame in (before, after))
    pixels = min(1.0, (first - second).abs().mean().item() / _STRONG_DIFFERENCE)
    colours = (_histogram(first) - _histogram(second)).abs().sum().item() / 2
    return (pixels * min(1.0, colours)) ** 0.5


def is_cut(before: Tensor, after: Tensor, threshold: float = DEFAULT_THRESHOLD) -> bool:
    """Whether a new shot begins between two neighbouring frames. A threshold of 1 finds no cuts, lower ones find more."""
    return threshold < NEVER and cut_score(before, after) > threshold


def _thumbnail(frame: Tensor) -> Tensor:
    """[1, 3, h, w] float32 in 0..1, every pixel the mean of those that it stands for."""
    height, width = frame.shape[:2]
    window = max(1, max(height, width) // _THUMBNAIL)
    return F.avg_pool2d(as_float(frame).movedim(-1, 0)[None], (min(window, height), min(window, width)))


def _histogram(picture: Tensor) -> Tensor:
    """[3, bins] shares of the pixels, a third of the whole for each colour; a value between two bins counts for both."""
    place = picture[0].flatten(1) * (_BINS - 1)
    low = place.floor()
    share = place - low
    counts = torch.zeros(3, _BINS + 1, device=picture.device)
    counts.scatter_add_(1, low.long(), 1 - share)
    counts.scatter_add_(1, low.long() + 1, share)
    return counts / counts.sum()
