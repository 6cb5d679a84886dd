"""Measures by which two networks are the same."""

from __future__ import annotations

from torch import Tensor

PARITY = 1e-4
"""Largest relative error between two implementations of one network in float32."""


def relative_error(got: Tensor, expected: Tensor) -> float:
    """Norm of the difference over norm of what is expected."""
    assert got.shape == expected.shape
    return ((got.float() - expected.float()).norm() / expected.float().norm()).item()
