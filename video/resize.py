"""Frames of another size: Lanczos, with the filter widened where a picture shrinks, at the precision that the stream is worth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from . import interrupt
from .stream import FrameStream, as_float, as_uint8

WAYS = ("fit", "crop", "stretch")
"""How a picture fills another shape: whole with black bars, cut at the sides, or pulled."""
Box = tuple[float, float, float, float]


def resized(chunk: Tensor, width: int, height: int, box: Box | None = None) -> Tensor:
    """A chunk [n, H, W, 3], or the part of it in `box` (left, top, right, bottom), as [n, height, width, 3] of the same kind."""
    resize = _resized_bytes if chunk.dtype == torch.uint8 else _resized_floats
    pictures = []
    for frame in chunk:
        interrupt.check()
        pictures.append(resize(frame.numpy(), (width, height), box))
    return torch.from_numpy(np.stack(pictures))


def at_depth(chunk: Tensor, bit_depth: int) -> Tensor:
    """A chunk as uint8 where no more than 8 bits of a colour are worth keeping, else as float32."""
    return as_uint8(chunk) if bit_depth <= 8 else as_float(chunk)


def in_size(stream: FrameStream, name: str, width: int, height: int, way: str = "stretch") -> FrameStream:
    """The stream with frames of another size; `way` is one of WAYS. The stream itself where it has that size already."""
    if (stream.width, stream.height) == (width, height):
        return stream

    def resize(chunks: Iterator[Tensor]) -> Iterator[Tensor]:
        for chunk in chunks:
            yield placed(at_depth(chunk, stream.bit_depth), width, height, way)

    return stream.then(name, resize, width=width, height=height)


def placed(chunk: Tensor, width: int, height: int, way: str) -> Tensor:
    """A chunk in another shape."""
    have_height, have_width = chunk.shape[1:3]
    if way == "stretch":
        return resized(chunk, width, height)
    if way == "crop":
        kept_width, kept_height = min(have_width, have_height * width / height), min(have_height, have_width * height / width)
        left, top = (have_width - kept_width) / 2, (have_height - kept_height) / 2
        return resized(chunk, width, height, (left, top, left + kept_width, top + kept_height))
    inner_width, inner_height = fitted(have_width, have_height, width, height)
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    canvas = chunk.new_zeros(chunk.shape[0], height, width, 3)
    canvas[:, top : top + inner_height, left : left + inner_width] = resized(chunk, inner_width, inner_height)
    return canvas


def fitted(have_width: int, have_height: int, width: int, height: int) -> tuple[int, int]:
    """The largest size of the same shape inside width x height, to the nearest pixel."""
    scale = min(width / have_width, height / have_height)
    return min(width, max(1, round(have_width * scale))), min(height, max(1, round(have_height * scale)))


def even(side: float) -> int:
    """The nearest even number of pixels, at least 2: what most codecs need."""
    return max(2, 2 * round(side / 2))


def _resized_bytes(frame: np.ndarray, size: tuple[int, int], box: Box | None) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS, box=box))


def _resized_floats(frame: np.ndarray, size: tuple[int, int], box: Box | None) -> np.ndarray:
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(frame[..., c])).resize(size, Image.Resampling.LANCZOS, box=box)) for c in range(3)
    ]
    return np.stack(planes, axis=-1).clip(0, 1)
