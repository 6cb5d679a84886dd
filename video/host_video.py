"""The host's VIDEO over a lazy frame stream: every stock node that takes a video pulls it, nothing holds all frames."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import comfy.model_management
import comfy.utils
import folder_paths
import torch
from comfy.cli_args import args
from comfy_api.latest import Input, InputImpl, Types

from ..model_loaders.vae import is_wan21, streaming_patcher
from .decode import decode_chunks, fastest_cpu_dtype
from .encode import CODEC_OPTIONS, Encoding, appearing_at_the_end, container_for, encode
from .stream import FrameStream, frame_rate

NODE = "Spacetime Decode"
MP4_FORMAT = "mov,mp4,m4a,3gp,3g2,mj2"
"""What the host calls an mp4 file."""


class LazyVideo(Input.Video):
    """A VIDEO whose frames are made while it is saved.

    After the first save the file answers for it: a second save with the same settings copies the file, without making the frames again.
    """

    def __init__(self, stream: FrameStream) -> None:
        self._stream = stream
        self._saved: _SavedFile | None = None

    def get_dimensions(self) -> tuple[int, int]:
        return self._stream.width, self._stream.height

    def get_frame_count(self) -> int:
        return self._stream.frames

    def get_frame_rate(self) -> Fraction:
        return self._stream.frame_rate

    def get_duration(self) -> float:
        return self._stream.duration

    def get_bit_depth(self) -> int:
        return 8

    def get_container_format(self) -> str:
        return MP4_FORMAT

    def get_active_trim_window(self) -> tuple[float, float]:
        return 0.0, 0.0  # a trimmed LazyVideo is a stream of its own, and its file begins where it begins

    def get_components(self) -> Types.VideoComponents:
        """All frames at once, always from the stream, so that they do not depend on what was saved before."""
        images = torch.empty(self._stream.frames, self._stream.height, self._stream.width, 3)
        position = 0
        for chunk in _watched(self._stream):
            images[position : position + chunk.shape[0]] = chunk
            position += chunk.shape[0]
        return Types.VideoComponents(images=images, frame_rate=self._stream.frame_rate)

    def get_stream_source(self) -> str:
        """Path of a file with this video: the saved one, or a temporary one made now."""
        if self._saved is None or not self._saved.is_intact():
            handle, path = tempfile.mkstemp(prefix="spacetime-", suffix=".mp4", dir=_temporary_folder())
            os.close(handle)
            self.save_to(path)
        assert self._saved is not None
        return self._saved.path

    def save_to(
        self,
        path: str | IO[bytes],
        format: Types.VideoContainer = Types.VideoContainer.AUTO,
        codec: Types.VideoCodec = Types.VideoCodec.AUTO,
        metadata: dict | None = None,
        bit_depth: int | None = None,
        crf: float | None = None,
    ) -> None:
        if _plain(codec) not in CODEC_OPTIONS:
            raise ValueError(f"Video: expected the codec auto or h264, got '{_plain(codec)}'; choose auto")
        container = container_for(path, _plain(format))
        encoding = Encoding(container, bit_depth or self.get_bit_depth(), crf, metadata or {})
        if self._saved is not None and self._saved.is_intact() and self._saved.holds(encoding):
            self._saved.copy_to(path, metadata)
            return
        progress = comfy.utils.ProgressBar(self._stream.frames)
        encode(_interruptible(self._stream), path, encoding, on_frames=lambda frames: progress.update_absolute(frames))
        if isinstance(path, (str, os.PathLike)):
            self._saved = _SavedFile(os.fspath(path), encoding)

    def as_trimmed(self, start_time: float | None = None, duration: float | None = None, strict_duration: bool = False) -> LazyVideo | None:
        trimmed = self._stream.trimmed(start_time or 0.0, duration or 0.0)
        half_a_frame = 0.5 / float(self._stream.frame_rate)
        if trimmed is None or (strict_duration and trimmed.duration + half_a_frame < (duration or 0.0)):
            return None
        return LazyVideo(trimmed)


class _SavedFile:
    """A file that this process wrote: where, how, and what it looked like then."""

    def __init__(self, path: str, encoding: Encoding) -> None:
        self.path = path
        self.encoding = encoding
        self.seen = self._look()

    def is_intact(self) -> bool:
        """Whether the file is still there as it was written."""
        return self.seen is not None and self._look() == self.seen

    def holds(self, encoding: Encoding) -> bool:
        """Whether it was written as `encoding` asks, whatever its metadata."""
        mine = self.encoding
        return (mine.container, mine.bit_depth, mine.crf) == (encoding.container, encoding.bit_depth, encoding.crf)

    def copy_to(self, target: str | IO[bytes], metadata: dict | None) -> None:
        """The same streams in a new file with other metadata."""
        source = InputImpl.VideoFromFile(self.path)
        if isinstance(target, (str, os.PathLike)):
            with appearing_at_the_end(Path(target)) as temporary:
                source.save_to(str(temporary), metadata=metadata)
        else:
            source.save_to(target, metadata=metadata)

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns


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
        width=clip.shape[-1] * scale,
        height=clip.shape[-2] * scale,
        frames=vae.upscale_ratio[0](clip.shape[2]),
        frame_rate=rate,
        make_chunks=lambda: make_chunks(vae, clip),
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


def _watched(stream: FrameStream) -> Iterator[torch.Tensor]:
    """The chunks of a stream with the host's progress bar and cancel button."""
    progress = comfy.utils.ProgressBar(stream.frames)
    done = 0
    for chunk in _interruptible(stream).chunks():
        yield chunk
        done += chunk.shape[0]
        progress.update_absolute(done)


def _interruptible(stream: FrameStream) -> FrameStream:
    """The same stream, which ends with the host's exception before the next chunk when the job was cancelled."""

    def chunks() -> Iterator[torch.Tensor]:
        for chunk in stream.chunks():
            comfy.model_management.throw_exception_if_processing_interrupted()
            yield chunk

    return FrameStream(stream.width, stream.height, stream.frames, stream.frame_rate, chunks)


def _temporary_folder() -> str:
    folder = folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    return folder


def _plain(option: Any) -> str:
    """The text of an option that is text or one of the host's enumerations."""
    return str(getattr(option, "value", option)).lower()
