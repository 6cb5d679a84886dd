"""Known-frame conditioning in Wan's image-to-video form, built the way the host's WanImageToVideo and WanFirstLastFrameToVideo build it.

The denoiser's 20 extra channels are 4 mask channels (1 = known; one channel for each of the 4 frames of a latent frame) and the 16
normalised latents of the clip whose unknown frames are grey. Text to video has zeros in all 20.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor

from models.shapes import WAN

PATTERNS = {"first": 0.55, "prefix": 0.15, "last": 0.08, "first_last": 0.14, "suffix": 0.08}
"""How often each set of known frames is trained."""


def draw_known(rng: random.Random, frames: int) -> list[bool]:
    """Draw which of `frames` frames are known; prefixes and suffixes hold 5 or 9 frames."""
    pattern = rng.choices(list(PATTERNS), list(PATTERNS.values()))[0]
    several = min(rng.choice((5, 9)), frames - 4)
    first, last = {
        "first": (1, 0), "prefix": (several, 0), "last": (0, 1), "first_last": (1, 1), "suffix": (0, several),
    }[pattern]  # fmt: skip
    return [i < first or i >= frames - last for i in range(frames)]


def first_known(frames: int) -> list[bool]:
    """Of `frames` frames the first is known."""
    return [i == 0 for i in range(frames)]


def known_mask(known: list[bool], height: int, width: int) -> Tensor:
    """Mask channels [4, T', height, width] (latent cells) of a clip; the first frame fills all four channels of its latent frame."""
    spread = torch.tensor([known[0]] * (WAN.time - 1) + known, dtype=torch.float32)  # [4 T']
    mask = spread.view(-1, WAN.time).T  # [4, T']
    return mask[:, :, None, None].expand(-1, -1, height, width).contiguous()


def grey_unknown(video: Tensor, known: list[bool]) -> Tensor:
    """`video` [B, 3, T, H, W] in -1..1 with every unknown frame mid-grey (0)."""
    keep = torch.tensor(known, device=video.device, dtype=video.dtype).view(1, 1, -1, 1, 1)
    return video * keep


def conditioning(mask: Tensor, latent: Tensor) -> Tensor:
    """[B, 4, T', h, w] and normalised latents [B, 16, T', h, w] -> the 20 channels behind the noisy latents."""
    return torch.cat([mask, latent], dim=1)
