"""The host's VIDEO over a lazy frame stream, and any VIDEO of the host as a stream: nothing here holds all frames."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import IO, Any

import comfy.model_management
import folder_paths
import torch
from comfy_api.latest import Input, InputImpl, Types

from . import interrupt, preflight
from .encode import CODEC_OPTIONS, Encoding, container_for, encode
from .file_source import file_stream
from .host_progress import Pull, interruption
from .remux import remux
from .sound import Sound, TensorSound
from .stream import FrameStream, as_float

MP4_FORMAT = "mov,mp4,m4a,3gp,3g2,mj2"
"""What the host calls an mp4 file."""
_FORMATS = {"mp4": MP4_FORMAT, "mov": MP4_FORMAT, "matroska": "matroska,webm", "webm": "matroska,webm"}
_HELD_FRAMES = 4  # of a clip in memory, given out at a time


class LazyVideo(Input.Video):
    """A VIDEO whose frames are made while it is saved.

    After the first save the file answers for it: another save with the same settings copies the file, and whoever asks for a file gets it,
    without making the frames again. Settings that change the pictures, and `get_components`, make them anew: nothing is lost twice.
    """

    def __init__(self, stream: FrameStream) -> None:
        self._stream = stream
        self._saved: SavedFile | None = None

    @property
    def stream(self) -> FrameStream:
        """The recipe of the frames, for a further stage."""
        return self._stream

    def get_dimensions(self) -> tuple[int, int]:
        return self._stream.width, self._stream.height

    def get_frame_count(self) -> int:
        return self._stream.frames

    def get_frame_rate(self) -> Fraction:
        return self._stream.frame_rate

    def get_duration(self) -> float:
        return self._stream.duration

    def get_bit_depth(self) -> int:
        return 10 if self._stream.bit_depth > 8 else 8

    def get_container_format(self) -> str:
        saved = self.saved_file()
        return _FORMATS.get(saved.encoding.container, saved.encoding.container) if saved else MP4_FORMAT

    def get_active_trim_window(self) -> tuple[float, float]:
        return 0.0, 0.0  # a trimmed LazyVideo is a stream of its own, and its file begins where it begins

    def get_components(self) -> Types.VideoComponents:
        """All frames and the sound at once, always from the stream, so that they do not depend on what was saved before."""
        stream = self._stream
        _refuse_what_cannot_fit(stream, preflight.holding_all(stream))
        images = torch.empty(stream.frames, stream.height, stream.width, 3)
        position = 0
        with Pull(stream, "collecting the frames") as pull, contextlib.closing(pull.stream.chunks()) as chunks:
            for chunk in chunks:
                images[position : position + chunk.shape[0]] = as_float(chunk)
                position += chunk.shape[0]
                pull.advance(position)
            audio = _host_audio(stream)
        return Types.VideoComponents(images=images, audio=audio, frame_rate=stream.frame_rate)

    def get_stream_source(self) -> str:
        """Path of a file with this video: the saved one, or a temporary one made now."""
        if self.saved_file() is None:
            self.save_to(temporary_path("video", ".mp4"))
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
        if plain(codec) not in CODEC_OPTIONS:
            raise ValueError(f"Video: expected the codec auto or h264, got '{plain(codec)}'; choose auto")
        container = container_for(path, plain(format))
        self.save_as(path, Encoding(container, bit_depth=bit_depth or self.get_bit_depth(), crf=crf, metadata=metadata or {}))

    def save_as(self, path: str | os.PathLike[str] | IO[bytes], encoding: Encoding) -> None:
        """Write the video as `encoding` says, or copy the file that an earlier save wrote that way; no partial file is left on failure.

        Raises:
            ValueError: it cannot be written so, or cannot fit into memory or on the disk.
            StageError: making a frame failed.
        """
        saved = self.saved_file()
        if saved is not None and saved.holds(encoding):
            saved.copy_to(path, encoding.metadata, Fraction(self._stream.frames) / self._stream.frame_rate)
            return
        target = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
        _refuse_what_cannot_fit(self._stream, preflight.writing(self._stream, encoding), target)
        with Pull(self._stream, "encoding") as pull:
            encode(pull.stream, path, encoding, on_frames=pull.advance)
        if target is not None:
            self._saved = SavedFile(target, encoding)

    def as_trimmed(self, start_time: float | None = None, duration: float | None = None, strict_duration: bool = False) -> LazyVideo | None:
        trimmed = self._stream.trimmed(start_time or 0.0, duration or 0.0)
        half_a_frame = 0.5 / float(self._stream.frame_rate)
        if trimmed is None or (strict_duration and trimmed.duration + half_a_frame < (duration or 0.0)):
            return None
        return LazyVideo(trimmed)

    def saved_file(self) -> SavedFile | None:
        """The file that was saved, if it is still there as it was written."""
        return self._saved if self._saved is not None and self._saved.is_intact() else None


class SavedFile:
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
        return replace(self.encoding, metadata={}) == replace(encoding, metadata={})

    def copy_to(self, target: str | os.PathLike[str] | IO[bytes], metadata: dict[str, Any], duration: Fraction) -> None:
        """The same streams, which last `duration` seconds, in a new file with other metadata."""
        with interruption():
            remux(self.path, target, self.encoding.container, metadata, duration, on_packets=lambda seconds: interrupt.check())

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns


def stream_of(video: Any, node: str) -> FrameStream:
    """Any VIDEO of the host as a frame stream: a lazy one's own, a file read chunk by chunk, frames that are in memory already as they are.

    Raises:
        ValueError: it holds no frames; one sentence that begins with `node`.
    """
    if isinstance(video, LazyVideo):
        return video.stream
    if isinstance(video, InputImpl.VideoFromComponents):
        return _stream_in_memory(video, node)
    if not isinstance(video, Input.Video):
        raise ValueError(f"{node}: expected a VIDEO, got {type(video).__name__}; connect Load Video, Create Video or a Spacetime node")
    source = video.get_stream_source()
    if not isinstance(source, (str, io.BytesIO)):
        source = os.fspath(source)
    return file_stream(source, node=node, window=video.get_active_trim_window())


def sound_of(audio: dict[str, Any] | None) -> Sound | None:
    """The host's AUDIO, {"waveform": [1, C, N] in -1..1, "sample_rate"}, as a sound; None where there is none."""
    if not audio or audio["waveform"].shape[-1] == 0:
        return None
    return TensorSound(audio["waveform"][0], int(audio["sample_rate"]))


def temporary_path(name: str, ending: str) -> str:
    """A new path in the host's folder for temporary files, which the host empties when it starts and ends."""
    folder = folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f"spacetime-{name}-{secrets.token_hex(6)}{ending}")


def plain(option: Any) -> str:
    """The text of an option that is text or one of the host's enumerations."""
    return str(getattr(option, "value", option)).lower()


def _stream_in_memory(video: Any, node: str) -> FrameStream:
    components = video.get_components()
    images = components.images[..., :3]
    if images.ndim != 4 or not images.shape[0]:
        raise ValueError(f"{node}: expected a video with frames, got {list(images.shape)}; connect another video")

    def make_chunks(first: int) -> Iterator[torch.Tensor]:
        for start in range(first, images.shape[0], _HELD_FRAMES):
            yield images[start : start + _HELD_FRAMES].float().cpu()

    frames, height, width, _ = images.shape
    return FrameStream(
        name="Frames in memory",
        width=width,
        height=height,
        frames=frames,
        frame_rate=Fraction(components.frame_rate).limit_denominator(100000),
        make_chunks=make_chunks,
        sound=sound_of(components.audio),
        bit_depth=video.get_bit_depth(),
    )


def _host_audio(stream: FrameStream) -> dict[str, Any] | None:
    """The sound of a stream as the host's AUDIO, as long as the pictures; None where it has none."""
    sound = stream.sound
    if sound is None:
        return None
    waveform = torch.zeros(1, sound.channels, round(stream.duration * sound.sample_rate))
    position = 0
    for block in sound.blocks():
        block = block[:, : waveform.shape[2] - position]
        waveform[0, :, position : position + block.shape[1]] = block
        position += block.shape[1]
        if position >= waveform.shape[2]:
            break
    return {"waveform": waveform, "sample_rate": sound.sample_rate}


def _refuse_what_cannot_fit(stream: FrameStream, needed: preflight.Estimate, target: str | None = None) -> None:
    device = comfy.model_management.get_torch_device()
    on_cpu = comfy.model_management.is_device_cpu(device)
    room = preflight.Room(
        ram=preflight.available_ram(),
        device=None if on_cpu else comfy.model_management.get_total_memory(device),
        disk=preflight.free_disk(target) if target else None,
    )
    logging.info("%s", preflight.told(stream, needed, room))
    preflight.refuse_what_cannot_fit(stream, needed, room)
