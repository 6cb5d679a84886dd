"""Latents -> frames, latent frame by latent frame, through the causal video VAE."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ..models.vae import CausalVideoVAE


@torch.inference_mode()
def decode_chunks(vae: CausalVideoVAE, latent: Tensor) -> Iterator[Tensor]:
    """Decode one clip as its frames are asked for.

    Args:
        vae: in the precision and on the device to compute with.
        latent: [1, 16, T', h, w] as a LATENT holds it, anywhere.
    Yields:
        Frames [n, 8h, 8w, 3] float32 in 0..1 on the CPU: 1 first, then 4 at a time.
    """
    weight = vae.conv2.weight
    pieces = (piece.to(weight.device, weight.dtype) for piece in latent.split(1, dim=2))
    for video in vae.decode_stream(pieces):
        yield to_frames(video)


def to_frames(video: Tensor) -> Tensor:
    """A clip [1, 3, T, H, W] in -1..1 -> frames [T, H, W, 3] float32 in 0..1 on the CPU."""
    return video[0].permute(1, 2, 3, 0).float().add(1).div(2).clamp(0, 1).cpu()


@functools.cache
def fastest_cpu_dtype() -> torch.dtype:
    """bfloat16 where this CPU is measured to be clearly faster with it, else float32; measured once per process."""
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "NO AVX"):
        return torch.float32
    seconds = {dtype: _seconds(_typical_convolution(dtype)) for dtype in (torch.float32, torch.bfloat16)}
    return torch.bfloat16 if seconds[torch.bfloat16] * 1.5 < seconds[torch.float32] else torch.float32


def _typical_convolution(dtype: torch.dtype) -> Callable[[], Tensor]:
    """A small 3x3x3 convolution as the decoder does it."""
    layout = torch.channels_last_3d
    x = torch.randn(1, 16, 6, 64, 64, dtype=dtype).to(memory_format=layout)
    weight = torch.randn(16, 16, 3, 3, 3, dtype=dtype).to(memory_format=layout)
    return lambda: F.conv3d(x, weight, padding=(0, 1, 1))


@torch.inference_mode()
def _seconds(work: Callable[[], Tensor], repetitions: int = 3) -> float:
    """The best time of a few runs after one to warm up."""
    work()
    times = []
    for _ in range(repetitions):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)
