"""Every kind of thing drawn once at high resolution, with smaller copies, ready to be placed into pictures."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from training.world.kinds import DRAWINGS, Canvas
from training.world.kinds.canvas import ALPHA, CHANNELS, NORMAL_X
from training.world.motion import PHASES

SIZE = 192  # texels across the drawing square of 2 x 2 units
LEVELS = 4
PROBE = 96


@cache
def extent(kind: str) -> tuple[float, float, float, float]:
    """(centre x, centre y, width, height) of a kind's drawing over its whole stride, in drawing units."""
    cover = np.max([_draw(kind, stride, PROBE, (0.0, 0.0), 1.1)[ALPHA] for stride in _strides(kind)], axis=0)
    step = 2.2 / PROBE
    edges = []
    for axis in (0, 1):
        profile = np.clip(cover.max(axis=axis), 0, 1)
        filled = np.nonzero(profile > 0.02)[0]
        low = (filled[0] + 1 - profile[filled[0]]) * step - 1.1
        high = (filled[-1] + profile[filled[-1]]) * step - 1.1
        edges.append((low, high))
    (left, right), (top, bottom) = edges
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


@cache
def sprite(kind: str) -> tuple[Tensor, ...]:
    """The drawings of a kind's stride side by side, uint8 [8, S, PHASES * S], each level half as large.

    The middle of the drawing is the middle of each square. Channels are those of `Canvas`, normals shifted to [0, 1].
    """
    centre = extent(kind)[:2]
    strides = _strides(kind)
    drawings = [_draw(kind, stride, SIZE, centre, 1.0) for stride in strides]
    strip = np.concatenate([drawings[phase % len(strides)] for phase in range(PHASES)], axis=2)
    strip[NORMAL_X:] = 0.5 * (strip[ALPHA] + strip[NORMAL_X:])
    level = torch.from_numpy(strip)
    levels = []
    for _ in range(LEVELS):
        levels.append((level.clamp(0, 1) * 255).round().to(torch.uint8))
        level = torch.nn.functional.avg_pool2d(level[None], 2)[0]
    return tuple(levels)


@cache
def surface_points(kind: str) -> Tensor:
    """Points [K, 2] of a kind's drawing, in drawing units, that keep their place through the whole stride."""
    level = sprite(kind)[1].float() / 255
    side = level.shape[1]
    phases = level.reshape(CHANNELS, side, PHASES, side)
    solid = phases[ALPHA].amin(dim=1) > 0.95
    rigid = (phases.amax(dim=2) - phases.amin(dim=2)).amax(dim=0) < 0.05
    chosen = solid & rigid if (solid & rigid).sum() >= 64 else solid
    rows, columns = torch.nonzero(chosen, as_tuple=True)
    return torch.stack((columns, rows), dim=1).add(0.5).mul(2.0 / side).sub(1.0)


def level_for(pixels_per_unit: float) -> int:
    """The level whose texels are about as large as pixels."""
    ratio = SIZE / 2 / max(pixels_per_unit, 1e-3)
    return int(np.clip(np.floor(np.log2(ratio) + 0.35), 0, LEVELS - 1))


def _strides(kind: str) -> tuple[float, ...]:
    """The moments of the stride that look different: one when nothing on the thing moves by itself."""
    first, second = (_draw(kind, stride, 32, (0.0, 0.0), 1.1) for stride in (0.0, 0.25))
    return (0.0,) if np.array_equal(first, second) else tuple(phase / PHASES for phase in range(PHASES))


def _draw(kind: str, stride: float, size: int, centre: tuple[float, float], reach: float) -> np.ndarray:
    canvas = Canvas(size, centre, reach)
    DRAWINGS[kind](canvas, stride)
    return canvas.pixels
