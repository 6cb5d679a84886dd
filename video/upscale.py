"""A larger picture, or a smaller one: what size is meant."""

from __future__ import annotations

import math

from .resize import even

NAME = "Spacetime Upscale"
MAX_SIDE = 16_384
MAX_FACTOR = 16.0
PLAIN_FACTOR = 2.0
"""What factor 0 means without a model."""


def target_size(have: tuple[int, int], factor: float, width: int, height: int, model_factor: float | None) -> tuple[int, int]:
    """The size (width, height) to make, both even.

    Args:
        factor: times the size of now; 0: that of the model.
        width, height: a size in pixels instead of the factor; one of them 0: the other decides and the shape stays.
        model_factor: of the upscaling model, None without one.
    Raises:
        ValueError: a number is out of range.
    """
    for what, side in (("width", width), ("height", height)):
        if not 0 <= side <= MAX_SIDE:
            raise ValueError(f"{NAME}: expected a {what} of 0 to {MAX_SIDE}, got {side}; use 0 to go by the factor")
    if not (math.isfinite(factor) and 0 <= factor <= MAX_FACTOR):
        raise ValueError(f"{NAME}: expected a factor of 0 to {MAX_FACTOR:g}, got {factor:g}; use 2")
    if width and height:
        return even(width), even(height)
    factor = (width / have[0] if width else height / have[1]) if width or height else factor or model_factor or PLAIN_FACTOR
    size = even(have[0] * factor), even(have[1] * factor)
    if max(size) > MAX_SIDE:
        raise ValueError(f"{NAME}: expected a result of at most {MAX_SIDE} pixels a side, got {size[0]}x{size[1]}; use a smaller factor")
    return size
