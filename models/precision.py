"""The precision in which a device computes fastest."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import torch
from torch import Tensor

from .convolutions import conv3d

CLEARLY = 1.5  # times as fast
SLOW = ("DEFAULT", "NO AVX", "AVX2")
"""Instruction sets, as PyTorch names them, that have nothing for bfloat16: it is then a hundred times slower, too slow to be measured."""


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU, and on a CPU that is clearly faster with it; else float32."""
    return fastest_cpu_dtype() if device.type == "cpu" else torch.bfloat16


@functools.cache
def fastest_cpu_dtype() -> torch.dtype:
    """bfloat16 where this CPU is measured to be clearly faster with it, else float32; measured once per process."""
    if torch.backends.cpu.get_cpu_capability() in SLOW:
        return torch.float32
    seconds = {dtype: _seconds(_typical_convolution(dtype)) for dtype in (torch.float32, torch.bfloat16)}
    return torch.bfloat16 if seconds[torch.bfloat16] * CLEARLY < seconds[torch.float32] else torch.float32


def _typical_convolution(dtype: torch.dtype) -> Callable[[], Tensor]:
    """A small 3x3x3 convolution as the VAE's decoder does it; draws no random numbers, which would change those of the program."""
    layout = torch.channels_last_3d
    x = torch.ones(1, 16, 6, 64, 64, dtype=dtype).to(memory_format=layout)
    weight = torch.ones(16, 16, 3, 3, 3, dtype=dtype).to(memory_format=layout)
    return lambda: conv3d(x, weight, None, (0, 1, 1))


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
