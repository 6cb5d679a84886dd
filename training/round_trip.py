"""Rendered clips in a network's range, clips through the VAE and back, and latents as clips."""

from __future__ import annotations

import torch
from torch import Tensor

from models.vae import CausalVideoVAE, denormalize_latent
from training.world import Scene, render


def rendered(scenes: list[Scene], frames: int, size: int) -> Tensor:
    """Scenes as clips [B, 3, frames, size, size] in -1..1."""
    return render(scenes, frames, size, size).video.transpose(1, 2).float().div(127.5).sub(1)


def exact(vae: CausalVideoVAE) -> CausalVideoVAE:
    """A copy of the network in float32, on the CPU."""
    return CausalVideoVAE.from_state_dict({name: value.float() for name, value in vae.state_dict().items()})


@torch.inference_mode()
def through_vae(vae: CausalVideoVAE, clips: Tensor) -> Tensor:
    """Clips [B, 3, T, H, W] in -1..1 encoded and decoded, one by one."""
    dtype = next(vae.parameters()).dtype
    return torch.cat([vae.decode_chunk(vae.encode_moments(clip[None].to(dtype))[0]).float().clamp(-1, 1) for clip in clips])


@torch.inference_mode()
def decoded(vae: CausalVideoVAE, latents: Tensor) -> Tensor:
    """Normalised latents [B, 16, T', h, w] as clips [B, 3, T, H, W] in -1..1, decoded one by one."""
    dtype = next(vae.parameters()).dtype
    return torch.cat([vae.decode_chunk(denormalize_latent(one[None]).to(dtype)).float().clamp(-1, 1) for one in latents])
