"""How much an error in a latent shows in the pixels.

Latents of the box are whitened: every direction of the 16 channels has the same spread. What they do to the pixels differs a thousandfold;
three directions make nine tenths of the picture. A denoiser that is judged by latents alone spends itself on what nobody sees.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor

from models.vae import CausalVideoVAE, denormalize_latent, normalize_latent
from training.round_trip import exact
from training.world import render, sample_scene

STEP = 0.1  # of a unit of normalised latent
FRAMES, SIDE = 5, 96


@torch.no_grad()
def pixel_metric(vae: CausalVideoVAE, plain: float = 0.2, seed: int = 0, clips: int = 6) -> Tensor:
    """A matrix M [16, 16] for which |M e|^2 says how much an error e of a latent cell shows; M M^T has the mean eigenvalue 1.

    The decoder's answer to a small push in each channel, with a random sign in every cell, on a few rendered clips.

    Args:
        plain: which share of the measure is the plain squared error, 0 to 1, so that nothing is left unlearnt.
        clips: how many are looked at.
    """
    rng = random.Random(f"pixel metric {seed}")
    weight = next(vae.parameters())
    video = render([sample_scene(rng) for _ in range(clips)], FRAMES, SIDE, SIDE, device=str(weight.device)).video
    precise = exact(vae).to(weight.device)
    latent = normalize_latent(precise.encode_moments(video.float().div(127.5).sub(1).transpose(1, 2))[0])
    sign = torch.randn(latent[:, :1].shape, generator=torch.Generator().manual_seed(seed)).sign().to(latent.device)
    still = precise.decode_chunk(denormalize_latent(latent))
    answers = []
    for channel in range(latent.shape[1]):
        pushed = latent.clone()
        pushed[:, channel : channel + 1] += STEP * sign
        answers.append((precise.decode_chunk(denormalize_latent(pushed)) - still).flatten())
    answer = torch.stack(answers)
    shown = answer @ answer.T
    shown = shown / shown.diagonal().mean()
    values, vectors = torch.linalg.eigh(plain * torch.eye(len(shown), device=shown.device) + (1 - plain) * shown)
    return torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
