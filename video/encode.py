"""Frames and sound -> a video file through PyAV, one chunk at a time; the file appears only when it is complete.

Colours are BT.709 in the limited range, and the file says so, except in a codec that keeps RGB as it is.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import torch
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from torch import Tensor

from .codecs import CODECS, CONTAINERS, SOUND_CODECS, encoder_options, pixel_format, software_encoder
from .schedule import ordinary_threads
from .sound_track import SoundTrack
from .stream import FrameStream, as_float, as_uint8

CODEC_OPTIONS = ("auto", "h264")
"""What the host's own Save Video may ask for."""


@dataclass(frozen=True)
class Encoding:
    """How to write a clip.

    `crf` is on the codec's own scale (H.264: 0 best to 51), None for the encoder's own choice. `encoder` names one of the hardware,
    None takes the codec's usual one. `metadata` values that are no text are written as JSON.
    """

    container: str = "mp4"
    bit_depth: int = 8
    crf: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    codec: str = "h264"
    encoder: str | None = None


def container_for(target: str | os.PathLike[str] | IO[bytes], asked: str, codec: str = "h264") -> str:
    """The container to write: what was `asked`, or with "auto" what the file's name ends in, the codec's usual one where it says nothing.

    Raises:
        ValueError: the codec is not written in such a container.
    """
    possible = CODECS[codec].containers
    if asked != "auto":
        if asked not in possible:
            raise ValueError(f"Video: expected one of the formats auto, {', '.join(possible)}, got '{asked}'; choose auto")
        return asked
    suffix = Path(target).suffix.lower() if isinstance(target, (str, os.PathLike)) else ""
    endings = [ending for ending, container in CONTAINERS.items() if container in possible]
    if suffix and suffix not in endings:
        raise ValueError(f"Video: expected a file that ends in {', '.join(endings)}, got '{suffix}'; choose another name")
    return CONTAINERS.get(suffix, possible[0])


def encode(
    stream: FrameStream,
    target: str | os.PathLike[str] | IO[bytes],
    encoding: Encoding,
    on_frames: Callable[[int], None] = lambda frames: None,
) -> None:
    """Pull the whole stream, its sound beside it, and write it.

    Args:
        target: a path, written through a temporary file beside it and put in place at the end, or a seekable binary buffer.
        on_frames: called after each chunk with the number of frames written so far; whatever it raises ends the work.
    Raises:
        ValueError: the codec cannot hold this size or bit depth, or is not in this PyAV.
        OSError: the disk is full.
        Whatever pulling a frame raises. No file is left in these cases, and an old one at `target` is kept.
    """
    check_size(stream, encoding.codec)
    with writing(target) as place:
        _write(stream, place, encoding, on_frames)


def check_size(stream: FrameStream, codec: str, node: str = "Video") -> None:
    """Refuse a size that a codec cannot hold."""
    smallest = CODECS[codec].smallest
    if min(stream.width, stream.height) < smallest:
        got = f"{stream.width}x{stream.height}"
        raise ValueError(f"{node}: expected at least {smallest}x{smallest} pixels for {codec}, got {got}; enlarge it or choose h264")
    if not CODECS[codec].is_rgb and (stream.width % 2 or stream.height % 2):
        raise ValueError(
            f"{node}: expected an even width and height for {codec}, got {stream.width}x{stream.height}; crop or resize it, or choose ffv1"
        )


@contextlib.contextmanager
def writing(target: str | os.PathLike[str] | IO[bytes]) -> Iterator[str | IO[bytes]]:
    """Where to write so that after an error nothing of it is left at `target`: a temporary path, or the buffer itself."""
    try:
        if isinstance(target, (str, os.PathLike)):
            with appearing_at_the_end(Path(target)) as temporary:
                yield str(temporary)
            return
        start = target.tell()
        try:
            yield target
        except BaseException:
            target.seek(start)
            target.truncate()
            raise
    except (OSError, av.error.FFmpegError) as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError("Video: expected room for the file, got a full disk; free some space or save it elsewhere") from error


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


@contextlib.contextmanager
def opened_for_writing(place: str | IO[bytes], container: str, metadata: dict[str, Any]) -> Iterator[av.container.OutputContainer]:
    """A container to add streams to, with its metadata in it, the index in front where that is possible."""
    flags = "use_metadata_tags"
    if isinstance(place, str):
        flags += "+faststart"  # opens the file a second time, which a buffer cannot do
    options = {"movflags": flags} if container in ("mp4", "mov") else {}
    with av.open(place, mode="w", format=container, options=options) as output:
        for key, value in metadata.items():
            output.metadata[key] = value if isinstance(value, str) else json.dumps(value)
        yield output


def sound_codec(container: str, codec: str | None) -> str:
    """The encoder for the sound beside a video codec."""
    own = CODECS[codec].sound if codec in CODECS else None
    return own or SOUND_CODECS[container]


def _write(stream: FrameStream, place: str | IO[bytes], encoding: Encoding, on_frames: Callable[[int], None]) -> None:
    with opened_for_writing(place, encoding.container, encoding.metadata) as output:
        video = _add_video(output, stream, encoding)
        sound = SoundTrack(output, stream.sound, sound_codec(encoding.container, encoding.codec)) if stream.sound else None
        with ordinary_threads():
            output.start_encoding()
        painter = _Painter(video.pix_fmt, encoding.bit_depth, CODECS[encoding.codec].is_rgb)
        written = 0
        chunks: Any = stream.chunks()
        with contextlib.closing(chunks):
            for chunk in chunks:
                for frame in painter.frames(chunk):
                    frame.pts, frame.time_base = written, 1 / stream.frame_rate
                    output.mux(video.encode(frame))
                    written += 1
                if sound:
                    sound.write_until(written / stream.frame_rate)
                on_frames(written)
        output.mux(video.encode(None))
        if sound:
            sound.finish(written / stream.frame_rate)


def _add_video(output: av.container.OutputContainer, stream: FrameStream, encoding: Encoding) -> Any:
    """The video stream of a file, its encoder ready to open."""
    codec = CODECS[encoding.codec]
    encoder = encoding.encoder or software_encoder(codec.name)
    if encoder is None:
        raise ValueError(
            f"Video: expected a PyAV with {' or '.join(codec.encoders)}, got one without; choose another codec than {codec.name}"
        )
    if encoder == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only; it has no other way to be told
    video = output.add_stream(encoder, rate=stream.frame_rate)
    context: Any = video.codec_context
    context.width, context.height = stream.width, stream.height
    context.pix_fmt = pixel_format(codec.name, encoder, encoding.bit_depth)
    context.time_base = 1 / Fraction(stream.frame_rate)
    context.bit_rate = 0  # the quality decides, not a rate
    context.options = encoder_options(codec, encoder, encoding.crf)
    if codec.tag and encoding.container in ("mp4", "mov"):
        context.codec_tag = codec.tag
    if not codec.is_rgb:
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return video


class _Painter:
    """Turns chunks of RGB into the frames that an encoder takes."""

    def __init__(self, pixels: str, bit_depth: int, is_rgb: bool) -> None:
        self._pixels = pixels
        self._deep = bit_depth > 8
        self._is_rgb = is_rgb
        self._white = 65535 if is_rgb else 255 * 256  # swscale makes luma of 16 bits as if 8 bits were shifted, not stretched
        self._reformatter = VideoReformatter()

    def frames(self, chunk: Tensor) -> Iterator[av.VideoFrame]:
        """One frame after the other from a chunk [n, H, W, 3]."""
        if self._deep:
            deep = as_float(chunk).clamp(0, 1).mul_(self._white).round_().to(torch.uint16)
            yield from (self._converted(frame, "rgb48le") for frame in deep)
        else:
            yield from (self._converted(frame, "rgb24") for frame in as_uint8(chunk))

    def _converted(self, frame: Tensor, layout: str) -> av.VideoFrame:
        source = av.VideoFrame.from_ndarray(frame.contiguous().numpy(), format=layout)
        if self._is_rgb:
            return self._reformatter.reformat(source, format=self._pixels)
        return self._reformatter.reformat(
            source,
            format=self._pixels,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            dst_color_primaries=ColorPrimaries.BT709,
            dst_color_trc=ColorTrc.BT709,
        )
