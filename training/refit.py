"""Take a denoiser over from one VAE to another: `start_vae` of `training/train_dit.py`.

The latents of a VAE that was trained further are nearly a linear map of what they were. The first and the last layer of the denoiser take
that map in, so that training goes on from what it has learnt; the rest of the difference is left to training.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor

from models.dit import WanDiT
from models.vae import CausalVideoVAE, normalize_latent
from training.round_trip import rendered
from training.world import sample_scene

CHANNELS = 16
LATENTS = (slice(0, 16), slice(20, 36))  # inputs of the 36-channel form that are latents: the noisy ones and the known ones
PICTURES, SIDE = 64, 128


@torch.no_grad()
def latent_map(before: CausalVideoVAE, after: CausalVideoVAE, count: int = PICTURES, seed: int = 11) -> Tensor:
    """The matrix [16, 16] that makes normalised latents of `before` those of `after`, by least squares on rendered pictures, float64.

    Pictures, since the latents of later frames may lie otherwise (`training/standing.py`).
    """
    rng = random.Random(f"latent map {seed}")
    found: list[list[Tensor]] = [[], []]
    for _ in range(count):
        scene = sample_scene(rng, "train", "collage" if rng.random() < 0.25 else "picture_book")
        video = rendered([scene], 1, SIDE)
        for vae, latents in zip((before, after), found, strict=True):
            weight = next(vae.parameters())
            latent = vae.encode_moments(video.to(weight.device, weight.dtype))[0]
            latents.append(normalize_latent(latent.float())[0].flatten(1).T.double().cpu())
    old, new = (torch.cat(latents) for latents in found)
    return torch.linalg.lstsq(old, new).solution.T


@torch.no_grad()
def refit(dit: WanDiT, matrix: Tensor) -> None:
    """Make a denoiser of latents z one of latents matrix z, in place.

    Raises:
        ValueError: the denoiser has not Wan's 36 input channels and 16 output channels.
    """
    if (dit.config.in_dim, dit.config.out_dim) != (36, CHANNELS):
        raise ValueError(f"refit: expected a denoiser of 36 channels in and 16 out, got {dit.config.in_dim} and {dit.config.out_dim}")
    weight = dit.patch_embedding.weight
    back = torch.linalg.inv(matrix).to(weight)
    for part in LATENTS:
        weight[:, part] = torch.einsum("dothw,oi->dithw", weight[:, part], back)
    for values in (dit.head.head.weight, dit.head.head.bias):
        patches = values.unflatten(0, (-1, CHANNELS))
        values.copy_(torch.einsum("ic,pc...->pi...", matrix.to(weight), patches).flatten(0, 1))
