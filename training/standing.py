"""Latents that stand for themselves: an encoder without a past, and clips that stand still or cut from one picture to another.

A causal video VAE may write into a later latent frame only what has changed since those before it. A denoiser then learns every picture
once for the first latent frame and again for each past, and a latent cell that is carried to another place (Wan-Move) shows something else
there. So the encoder of the box looks no further back than the four pictures that a latent frame holds, and gives four that are alike the
latents of that picture alone. Wan's layout can say that: the weights that meet the past are nought, and the convolution that makes one
frame of two takes a share of one and the rest of the other. The decoder may look back; clips that cut teach it to show what it is told.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor

from models.shapes import WAN
from models.vae import CausalConv3d, CausalVideoVAE, Downsample

CUT = 0.5  # how often a clip that cuts has another picture in the next latent frame
STILL = 0.2  # of the clips
SHIFTED = 0.6  # of the cuts go to the picture itself, shifted by whole latent cells


@torch.no_grad()
def forget_the_past(vae: CausalVideoVAE) -> None:
    """Set the weights of the encoder to the nearest that make a latent frame depend on its own pictures alone, and make one of equal
    pictures the same as that of one such picture. The latents of single pictures stay as they are."""
    for module in vae.encoder.modules():
        if isinstance(module, CausalConv3d):
            module.weight[:, :, :-1] = 0
        elif isinstance(module, Downsample) and module.time_conv is not None:
            _, first, second = module.time_conv.weight.unbind(2)  # [C, C, 1, 1] each; the oldest of the three lies in the past
            whole = torch.eye(len(first), device=first.device, dtype=first.dtype)[..., None, None]
            share = (first + whole - second) / 2
            module.time_conv.weight.copy_(torch.stack([torch.zeros_like(share), share, whole - share], dim=2))
            module.time_conv.bias.zero_()
    vae.look_for_past()


def draw_standing(pictures: Tensor, rng: random.Random, frames: int) -> Tensor:
    """Clips [B, 3, `frames`, H, W] that begin with `pictures` [B, 3, H, W], and stand still or cut where a latent frame begins: to
    another of them or to the same, shifted by whole latent cells."""
    clips = []
    cells = [side // WAN.space for side in pictures.shape[-2:]]
    for number, picture in enumerate(pictures):
        shown = [picture]
        cuts = rng.random() >= STILL
        for _ in range((frames - 1) // WAN.time):
            if cuts and rng.random() < CUT:
                if rng.random() < SHIFTED or len(pictures) == 1:
                    picture = picture.roll([WAN.space * rng.randrange(side) for side in cells], (-2, -1))
                else:
                    picture = pictures[rng.choice([other for other in range(len(pictures)) if other != number])]
            shown += [picture] * WAN.time
        clips.append(torch.stack(shown, dim=1))
    return torch.stack(clips)
