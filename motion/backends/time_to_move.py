"""Time-to-Move (arXiv 2511.08633): a crude moved video steers any image-to-video model, without training.

Sampling starts not from noise but from the crude video at noise level `weak`; inside the moved regions it is kept there, at the noise of
every step, until noise level `strong`. From then on the model is free. So the two clocks decide how much the model may change: the first
for everything, the second for what was asked to move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

FEW_STEPS = 8
"""A sampler with at most so many steps runs a distilled model, whose structure is settled in its first step or two."""


@dataclass(frozen=True)
class Clock:
    """How far into the schedule sampling begins (`weak`) and the moved regions are let go (`strong`): 0 is pure noise, 1 the finished clip.

    A step i of n of the plain schedule is i/n, whatever the shift.
    """

    weak: float
    strong: float

    def __post_init__(self) -> None:
        if not 0 <= self.weak <= self.strong <= 1:
            raise ValueError(f"expected clocks with 0 <= weak <= strong <= 1, got weak {self.weak:g} and strong {self.strong:g}")

    def let_go(self, strength: float) -> float:
        """When a region of `strength` (1 = as the preset says, 0 = never held) is let go."""
        return min(1.0, self.weak + (self.strong - self.weak) * max(0.0, strength))


@dataclass(frozen=True)
class Preset:
    """The clocks of one family of models: for moved things, for a moving camera, and for few-step distilled models."""

    things: Clock
    camera: Clock
    few_steps: Clock = Clock(0.1, 0.9)

    def clock(self, steps: int, camera_only: bool) -> Clock:
        """The clock for a sampler of `steps` steps."""
        if steps <= FEW_STEPS:
            return self.few_steps
        return self.camera if camera_only else self.things


PRESETS = {
    "wan2.2": Preset(Clock(3 / 50, 7 / 50), Clock(2 / 50, 5 / 50)),  # the paper's, for Wan 2.2
    "wan2.1": Preset(Clock(3 / 50, 7 / 50), Clock(2 / 50, 5 / 50)),
    "cogvideox": Preset(Clock(4 / 50, 9 / 50), Clock(3 / 50, 7 / 50)),  # the first pair is the paper's
    "svd": Preset(Clock(16 / 50, 21 / 50), Clock(16 / 50, 21 / 50)),  # the paper's
    "ltx": Preset(Clock(4 / 50, 9 / 50), Clock(3 / 50, 7 / 50)),
    "hunyuan": Preset(Clock(4 / 50, 9 / 50), Clock(3 / 50, 7 / 50)),
    "narrow": Preset(Clock(0.2, 0.9), Clock(0.2, 0.5), Clock(0.2, 0.9)),
}
"""Steps of 50 as published where the paper says so; the others are carried over from the nearest. Narrow networks, such as the one in the
box, know less of how things move: what moves is held nearly to the end. Let go at 0.6 it was 7 pixels off in that one, at 0.9 two."""


def start_at(sigmas: Tensor, weak: float) -> Tensor:
    """The noise levels of a sampler [S + 1], falling, begun at `weak` instead of the first: that level and all below it.

    A schedule that begins below `weak` is left as it is.
    """
    if float(sigmas[0]) <= weak or sigmas.shape[0] < 2:
        return sigmas
    below = sigmas[sigmas < weak * (1 - 1e-4)]
    return torch.cat((sigmas.new_tensor([weak]), below if below.shape[0] else sigmas[-1:]))


def to_cells(mask: Tensor, frames: int, height: int, width: int) -> Tensor:
    """A region's pixels [T, H, W] (0 to 1) as latent cells [T', h, w], 0 or 1: a cell belongs to what covers at least half of it.

    The first frame is a latent frame of its own; the others are shared out evenly, as causal video VAEs do it.
    """
    mask = mask.float()
    small = functional.adaptive_avg_pool2d(mask[:, None], (height, width))[:, 0]  # [T, h, w]
    if frames == 1 or mask.shape[0] == 1:
        return (small[:1].expand(frames, -1, -1) >= 0.5).float()
    later = functional.adaptive_avg_pool1d(small[1:].flatten(1).T[None], frames - 1)[0].T  # [T' - 1, h w]
    return (torch.cat((small[:1], later.view(-1, height, width))) >= 0.5).float()


def let_go_map(cells: Sequence[Tensor], strengths: Sequence[float], clock: Clock) -> Tensor:
    """When each latent cell is let go, [T', h, w] float64, in parts of the schedule; 0 where nothing is held.

    Where regions overlap the longest hold counts.
    """
    if len(cells) == 0:
        raise ValueError("expected at least one region, got none")
    return torch.stack([cell.double() * clock.let_go(strength) for cell, strength in zip(cells, strengths)]).amax(0)
