"""Frames -> the latents of a host's VAE, without what the host's own encoding takes on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comfy.model_management
import torch
from torch import Tensor

from ..model_loaders.vae import is_wan21, streaming_patcher
from ..models.shapes import WAN
from ..models.vae import CausalState, CausalVideoVAE
from .interrupt import check, interruptible


def encode_frames(vae: Any, frames: Tensor) -> Tensor:
    """A clip [T, H, W, 3], 0 to 1, of 4n + 1 frames in the VAE's sizes -> its latents [1, C, T', h, w], cancelled between layers.

    A Wan 2.1 VAE on a CPU runs as our network, in the host's precision; any other as the host runs it.
    """
    if not comfy.model_management.is_device_cpu(vae.device) or not is_wan21(vae):
        with interruptible(vae.first_stage_model):
            return vae.encode(frames)
    patcher = streaming_patcher(vae, vae.vae_dtype, memory=vae.memory_used_encode(frames[None].movedim(-1, 1).shape, vae.vae_dtype))
    network = patcher.model
    video = frames.movedim(-1, 0)[None].to(vae.vae_dtype).mul(2).sub(1)
    with torch.no_grad(), interruptible(network):
        latent = torch.cat(list(_encoded(network, video)), dim=2)
    return latent.to(vae.output_device, vae.vae_output_dtype())


def _encoded(network: CausalVideoVAE, video: Tensor) -> Iterator[Tensor]:
    """Latents [1, C, 1, h, w] of [1, 3, 4n + 1, H, W]; a piece like the one before, if the encoder does not look back, costs nothing."""
    state, forgets = CausalState(), network.encoder.forgets
    before = first = video[:, :, :1]
    latent = network.encode_moments(first, state)[0]
    yield latent
    for start in range(1, video.shape[2], WAN.time):
        check()
        piece = video[:, :, start : start + WAN.time]
        if not forgets or not torch.equal(piece, before):
            latent = network.encode_moments(piece, state)[0]
        before = piece
        yield latent
