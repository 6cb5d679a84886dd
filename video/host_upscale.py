"""Upscaling a VIDEO frame by frame, with a model of the host, in tiles, or by Lanczos."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import comfy.model_management
import comfy.utils
import torch
from torch import Tensor

from .host_progress import interruption
from .host_video import LazyVideo, stream_of
from .interrupt import interruptible
from .resize import at_depth, in_size, resized
from .stream import FrameStream, Needs, as_float
from .upscale import NAME, target_size

TILE, SMALLEST_TILE, OVERLAP = 512, 128, 32
"""As in the host's own Upscale Image (using Model), whose result ours equals."""
_BYTES_PER_PIXEL = 3 * 4 * 384
"""The host's estimate of what such a model holds for each pixel of a tile and each step of scale."""


def upscale(video: Any, model: Any, factor: float, width: int, height: int) -> LazyVideo:
    """The VIDEO in another size; nothing is computed yet.

    Args:
        model: the host's UPSCALE_MODEL, or None for Lanczos alone. What it makes is brought to the size that was asked for.
        factor, width, height: see `upscale.target_size`.
    Raises:
        ValueError: a number is out of range.
    """
    with interruption():
        stream = stream_of(video, NAME)
    size = target_size((stream.width, stream.height), factor, width, height, float(model.scale) if model is not None else None)
    return LazyVideo(in_size(stream, NAME, *size) if model is None else _with_model(stream, model, size))


def _with_model(stream: FrameStream, model: Any, size: tuple[int, int]) -> FrameStream:
    return stream.then(
        NAME,
        lambda chunks: _enlarged(chunks, model, size, stream.bit_depth),
        width=size[0],
        height=size[1],
        needs=_needs(stream, model),
    )


def _needs(stream: FrameStream, model: Any) -> Needs:
    """Of the smallest tile, because tiles are halved until they fit."""
    tile = round(min(SMALLEST_TILE**2, stream.width * stream.height) * _BYTES_PER_PIXEL * max(model.scale, 1.0))
    frame = round(stream.width * stream.height * 3 * 4 * (1 + 2 * model.scale**2))
    on_cpu = comfy.model_management.is_device_cpu(model.patcher.load_device)
    return Needs(ram=frame + (tile if on_cpu else 0), device=0 if on_cpu else tile)


def _enlarged(chunks: Iterator[Tensor], model: Any, size: tuple[int, int], bit_depth: int) -> Iterator[Tensor]:
    """One frame at a time, whatever the chunks."""
    enlarger = _Enlarger(model)
    for chunk in chunks:
        for frame in chunk.split(1):
            picture = enlarger.enlarge(as_float(frame))
            if (picture.shape[2], picture.shape[1]) != size:
                picture = resized(at_depth(picture, bit_depth), *size)
            yield picture


class _Enlarger:
    """Runs the model over pictures, and remembers how large a tile may be."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._tile = TILE

    @torch.inference_mode()
    def enlarge(self, picture: Tensor) -> Tensor:
        """[1, H, W, 3] -> [1, scale*H, scale*W, 3], float32 in 0..1 on the CPU."""
        pixels = picture.movedim(-1, 1)
        self._load(picture)
        pixels = pixels.to(self._model.patcher.load_device)
        while True:
            try:
                with interruptible(self._model.model):
                    large = comfy.utils.tiled_scale(
                        pixels,
                        lambda tile: self._model(tile.float()),
                        tile_x=self._tile,
                        tile_y=self._tile,
                        overlap=OVERLAP,
                        upscale_amount=self._model.scale,
                        output_device="cpu",
                    )
                return large.float().clamp(0, 1).movedim(1, -1)
            except Exception as error:
                comfy.model_management.raise_non_oom(error)
                if self._tile // 2 < SMALLEST_TILE:
                    raise
                self._tile //= 2
                logging.warning("%s: out of memory, trying again with tiles of %d pixels", NAME, self._tile)

    def _load(self, picture: Tensor) -> None:
        side = min(self._tile**2, picture.shape[1] * picture.shape[2])
        memory = side * _BYTES_PER_PIXEL * max(self._model.scale, 1.0) + picture.nbytes
        comfy.model_management.load_models_gpu([self._model.patcher], memory_required=memory)
