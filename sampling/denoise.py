"""The denoise call: conditioning and noise -> latents, through the host's own samplers.

Progress, step previews, interruption and memory management are the host's.
"""

from __future__ import annotations

import logging
from typing import Any

import comfy.model_management
import nodes as host_nodes
import torch

from ..models.shapes import LatentShape
from .host_model import check_conditioning, check_memory, compression, ignores_known_frames, with_shift
from .known_frames import with_known_frames
from .request import NODE, ClipSize, SamplerSettings


def denoise(
    model: Any,
    positive: list,
    size: ClipSize,
    settings: SamplerSettings,
    negative: list | None = None,
    latent: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Make the latents of one clip (or of each clip of a batch).

    Args:
        model: the host's MODEL.
        positive, negative: the host's CONDITIONING; without a negative there is no guidance.
        size: what to make; ignored where `latent` is given.
        latent: LATENT to start from; its size, batch, batch_index and noise_mask are kept. Where it is empty, frames that the
            positive conditioning knows from the first on are kept, too.
    Returns:
        LATENT with `samples` [B, C, T', h, w], as the host's VAEs decode them.
    Raises:
        ValueError: one sentence that begins with the node's name.
    """
    settings.check()
    shape = latent_shape(model, size, latent)
    check_conditioning(model, positive, "positive", shape)
    if negative is not None:
        check_conditioning(model, negative, "negative", shape)
    if ignores_known_frames(model, positive):
        logging.warning(f"{NODE}: the model makes video from text only, so the pictures in the conditioning are ignored")
    start = latent if latent is not None else empty_latent(shape)
    (result,) = host_nodes.common_ksampler(
        with_shift(model, settings.shift),
        settings.seed,
        settings.steps,
        settings.cfg if negative is not None else 1.0,
        settings.sampler_name,
        settings.scheduler,
        positive,
        negative if negative is not None else positive,
        with_known_frames(model, positive, start),
        denoise=settings.denoise,
    )
    if "noise_mask" not in start:
        result.pop("noise_mask", None)
    return result


def latent_shape(model: Any, size: ClipSize, latent: dict[str, Any] | None = None) -> LatentShape:
    """Size of the latents to make: that of `latent` where there is one, else what `size` comes to for this model.

    Raises:
        ValueError: the model cannot make it, or not on this machine.
    """
    shrink = compression(model)
    if latent is None:
        shape, batch = shrink.latent(size.video_shape(shrink)), 1
    else:
        shape, batch = _given_shape(latent["samples"], shrink.channels)
    check_memory(model, shape, shrink, batch)
    return shape


def empty_latent(shape: LatentShape) -> dict[str, Any]:
    """A LATENT of zeros [1, C, T', h, w] where the host keeps its tensors."""
    size = (1, shape.channels, shape.frames, shape.height, shape.width)
    return {"samples": torch.zeros(size, device=comfy.model_management.intermediate_device())}


def _given_shape(samples: torch.Tensor, channels: int) -> tuple[LatentShape, int]:
    """Size and batch of somebody's latents; the host gives empty ones the right number of channels by itself."""
    if samples.ndim not in (4, 5):
        raise ValueError(f"{NODE}: expected a video latent [B, C, T, H, W], got {list(samples.shape)}; connect one made for video")
    frames = samples.shape[2] if samples.ndim == 5 else 1
    if samples.shape[1] != channels and torch.count_nonzero(samples):
        raise ValueError(
            f"{NODE}: expected a latent with {channels} channels, got {samples.shape[1]}; encode it with the VAE that belongs to the model"
        )
    return LatentShape(frames, samples.shape[-2], samples.shape[-1], channels), samples.shape[0]
