"""Spacetime Decode's work: a host's VAE and LATENT -> lazy VIDEOs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import comfy.model_management
import torch
from comfy.cli_args import args

from ..model_loaders.vae import is_wan21, streaming_patcher
from .decode import decode_chunks, fastest_cpu_dtype
from .host_video import LazyVideo
from .stream import FrameStream, frame_rate, skipping

NODE = "Spacetime Decode"


def decode_to_videos(vae: Any, latent: dict[str, Any], fps: float) -> list[LazyVideo]:
    """One lazy VIDEO for each clip of a LATENT's batch; nothing is decoded yet.

    Raises:
        ValueError: the latent does not belong to the VAE, or the frame rate is none; the message begins with the node's name.
    """
    vae.throw_exception_if_invalid()
    samples = latent["samples"]
    _check_latent(vae, samples)
    rate = frame_rate(fps, NODE)
    streams_exactly = is_wan21(vae)
    return [LazyVideo(_decode_stream(vae, clip, rate, streams_exactly)) for clip in samples.split(1)]


def _check_latent(vae: Any, samples: torch.Tensor) -> None:
    if vae.latent_dim != 3:
        raise ValueError(f"{NODE}: expected a video VAE, got one for {'sound' if vae.latent_dim == 1 else 'images'}; use VAE Decode for it")
    if samples.ndim != 5:
        raise ValueError(f"{NODE}: expected a video latent [B, C, T, H, W], got {list(samples.shape)}; connect the latent of a video model")
    if samples.shape[1] != vae.latent_channels:
        raise ValueError(
            f"{NODE}: expected a {vae.latent_channels}-channel latent for this VAE, got {samples.shape[1]} channels; "
            "load the VAE that belongs to the model"
        )


def _decode_stream(vae: Any, clip: torch.Tensor, rate: Fraction, streams_exactly: bool) -> FrameStream:
    """The frames of one clip [1, C, T', h, w]."""
    scale = vae.spacial_compression_decode()
    make_chunks = _causal_chunks if streams_exactly else _whole_chunks
    return FrameStream(
        name=NODE,
        width=clip.shape[-1] * scale,
        height=clip.shape[-2] * scale,
        frames=vae.upscale_ratio[0](clip.shape[2]),
        frame_rate=rate,
        make_chunks=lambda first: skipping(make_chunks(vae, clip), first),
    )


def _causal_chunks(vae: Any, clip: torch.Tensor) -> Iterator[torch.Tensor]:
    """Frames through our streaming network on the VAE's own weights."""
    dtype = decode_dtype(vae)
    patcher = streaming_patcher(vae, dtype, memory=vae.memory_used_decode(clip.shape, dtype))
    yield from decode_chunks(patcher.model, clip)


def _whole_chunks(vae: Any, clip: torch.Tensor) -> Iterator[torch.Tensor]:
    """Frames through the host, which holds the whole clip meanwhile."""
    logging.warning(f"{NODE}: this VAE cannot be decoded as a stream yet, so the whole clip is held in memory")
    yield from vae.decode(clip)[0, ..., :3].float().cpu().split(4)


def decode_dtype(vae: Any) -> torch.dtype:
    """The precision to decode in: the host's choice, but on a CPU that is faster with bfloat16 that, unless --fp32-vae is set."""
    if comfy.model_management.is_device_cpu(vae.device) and not args.fp32_vae:
        return fastest_cpu_dtype()
    return vae.vae_dtype
