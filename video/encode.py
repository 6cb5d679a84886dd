"""Frames -> a video file through PyAV, one chunk at a time; the file appears only when it is complete."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import av
import torch
from torch import Tensor

from .stream import FrameStream

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""File name ending -> what PyAV calls the container; all of them hold H.264."""
CODEC_OPTIONS = ("auto", "h264")


@dataclass(frozen=True)
class Encoding:
    """How to write a clip. `crf` is H.264's constant rate factor, 0 (best) to 51, None for the encoder's own choice."""

    container: str = "mp4"
    bit_depth: int = 8
    crf: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


def container_for(target: str | os.PathLike[str] | IO[bytes], asked: str) -> str:
    """The container to write: what was `asked`, or with "auto" what the file's name ends in, mp4 where it says nothing.

    Raises:
        ValueError: H.264 is not written in such a container here.
    """
    if asked != "auto":
        if asked not in CONTAINERS.values():
            raise ValueError(f"Video: expected one of the formats {_listed()}, got '{asked}'; choose auto")
        return asked
    suffix = Path(target).suffix.lower() if isinstance(target, (str, os.PathLike)) else ""
    if suffix and suffix not in CONTAINERS:
        raise ValueError(f"Video: expected a file that ends in {', '.join(CONTAINERS)}, got '{suffix}'; choose another name")
    return CONTAINERS.get(suffix, "mp4")


def encode(
    stream: FrameStream,
    target: str | os.PathLike[str] | IO[bytes],
    encoding: Encoding,
    on_frames: Callable[[int], None] = lambda frames: None,
) -> None:
    """Pull the whole stream and write it as H.264.

    Args:
        target: a path, written through a temporary file beside it and put in place at the end, or a seekable binary buffer.
        on_frames: called after each chunk with the number of frames written so far; whatever it raises ends the work.
    Raises:
        ValueError: odd width or height, which H.264 cannot hold.
        Whatever pulling a frame raises. No file is left in these cases, and an old one at `target` is kept.
    """
    if stream.width % 2 or stream.height % 2:
        raise ValueError(f"Video: expected an even width and height for H.264, got {stream.width}x{stream.height}; crop or resize it")
    if isinstance(target, (str, os.PathLike)):
        with appearing_at_the_end(Path(target)) as temporary:
            _write(stream, str(temporary), encoding, on_frames)
        return
    start = target.tell()
    try:
        _write(stream, target, encoding, on_frames)
    except BaseException:
        target.seek(start)
        target.truncate()
        raise


@contextlib.contextmanager
def appearing_at_the_end(target: Path) -> Iterator[Path]:
    """A temporary path beside `target`; what the body writes there takes its place if it succeeds and vanishes if not."""
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}.partial{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write(stream: FrameStream, target: str | IO[bytes], encoding: Encoding, on_frames: Callable[[int], None]) -> None:
    flags = "use_metadata_tags"
    if isinstance(target, str):
        flags += "+faststart"  # opens the file a second time, which a buffer cannot do
    options = {"movflags": flags} if encoding.container in ("mp4", "mov") else {}
    with av.open(target, mode="w", format=encoding.container, options=options) as output:
        for key, value in encoding.metadata.items():
            output.metadata[key] = value if isinstance(value, str) else json.dumps(value)
        video = output.add_stream("h264", rate=stream.frame_rate)
        video.width, video.height = stream.width, stream.height
        video.pix_fmt = "yuv420p10le" if encoding.bit_depth >= 10 else "yuv420p"
        if encoding.crf is not None:
            video.options = {"crf": f"{encoding.crf:g}"}
        written = 0
        for chunk in stream.chunks():
            for frame in chunk:
                output.mux(video.encode(_video_frame(frame, encoding.bit_depth, video.pix_fmt)))
            written += chunk.shape[0]
            on_frames(written)
        output.mux(video.encode(None))


def _video_frame(frame: Tensor, bit_depth: int, pixel_format: str) -> av.VideoFrame:
    """One frame [H, W, 3] in 0..1 as PyAV wants it."""
    if bit_depth >= 10:
        pixels = frame.mul(65535).round().to(torch.int32).contiguous().numpy().astype("uint16")
        return av.VideoFrame.from_ndarray(pixels, format="rgb48le").reformat(format=pixel_format)
    pixels = frame.mul(255).round().to(torch.uint8).contiguous().numpy()
    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)


def _listed() -> str:
    return ", ".join(["auto", *dict.fromkeys(CONTAINERS.values())])
