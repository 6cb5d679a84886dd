"""A video file as a frame stream: decoded chunk by chunk with PyAV, from any frame on, its length known exactly."""

from __future__ import annotations

import bisect
import io
import logging
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import IO, Any

import av
import numpy as np
import torch
from torch import Tensor

from . import interrupt
from .sound import FileSound, Sound
from .stream import FrameStream, Needs

CHUNK_BYTES = 24 * 2**20
MAX_CHUNK_FRAMES = 16
_READ_AHEAD_FRAMES = 24
"""Frames that FFmpeg's decoder threads hold; an upper guess for the memory estimate."""

Source = str | io.BytesIO


@dataclass(frozen=True)
class FileFacts:
    """What is known of a file: every shown frame's time stamp in order, how a picture looks, which stream is the sound."""

    times: array[int]
    time_base: Fraction
    frame_rate: Fraction
    width: int
    height: int
    quarter_turns: int
    bit_depth: int
    sound_index: int | None


def file_stream(
    source: Source,
    *,
    node: str,
    window: tuple[float, float] = (0.0, 0.0),
) -> FrameStream:
    """The frames of a video file, uint8 where it holds 8 bits a colour, float32 where it holds more.

    Args:
        source: a path, or a buffer with the file, which is left as it is.
        node: whose errors these are.
        window: (start, duration) in seconds, start >= 0; duration 0: until the end. The frames whose time lies in it, as in the host.
    Raises:
        ValueError: there is no such file, no video in it, or no frame in the window; one sentence.
    """
    facts = _known_facts(source, node)
    start, duration = window
    begin = bisect.bisect_left(facts.times, int(start / facts.time_base)) if start else 0
    end = bisect.bisect_left(facts.times, int((start + duration) / facts.time_base)) if duration else len(facts.times)
    if begin >= end:
        raise ValueError(
            f"{node}: expected a trim inside the video, got {start:g} s to {start + duration:g} s of {_name(source)}, "
            "where it has no frame; trim less"
        )

    def make_chunks(first: int) -> Iterator[Tensor]:
        return _decoded(source, facts, begin + first, end)

    seconds = float((end - begin) / facts.frame_rate)
    pixels = facts.width * facts.height
    return FrameStream(
        name=f"Reading {_name(source)}",
        width=facts.width,
        height=facts.height,
        frames=end - begin,
        frame_rate=facts.frame_rate,
        make_chunks=make_chunks,
        sound=_sound(source, facts, begin, seconds),
        bit_depth=facts.bit_depth,
        needs=Needs(ram=2 * _READ_AHEAD_FRAMES * pixels + 2 * _chunk_frames(facts) * pixels * _bytes_per_pixel(facts)),
    )


def open_source(source: Source) -> Any:
    """The file for reading; a buffer may be read by several at once, each has a place of its own in it."""
    return av.open(source if isinstance(source, str) else io.BytesIO(source.getvalue()), mode="r")


def _sound(source: Source, facts: FileFacts, begin: int, seconds: float) -> Sound | None:
    """The sound beside the frames from number `begin` on."""
    if facts.sound_index is None:
        return None
    origin = float(facts.times[0] * facts.time_base)
    start = float((facts.times[begin] - facts.times[0]) * facts.time_base)
    try:
        return FileSound(source, facts.sound_index, start, seconds, origin)
    except (ValueError, av.FFmpegError):
        logging.warning("%s: its sound cannot be decoded and is left out", _name(source))
        return None


def _known_facts(source: Source, node: str) -> FileFacts:
    if not isinstance(source, str):
        return _facts(source, node)
    try:
        found = os.stat(source)
    except OSError:
        raise ValueError(f"{node}: expected a video file, got '{source}', which is not there; choose another file") from None
    return _facts_of_file(source, found.st_size, found.st_mtime_ns, node)


@lru_cache(maxsize=16)
def _facts_of_file(path: str, size: int, changed: int, node: str) -> FileFacts:
    return _facts(path, node)


def _facts(source: Source, node: str) -> FileFacts:
    try:
        with open_source(source) as container:
            if not container.streams.video:
                raise ValueError(f"{node}: expected a file with pictures, got {_name(source)}, which has none; choose another file")
            stream = container.streams.video[0]
            times = _packet_times(container, stream)
            rate = _exact(stream.average_rate or stream.guessed_rate or Fraction(1))
            time_base = stream.time_base
            sounds = [audio.index for audio in container.streams.audio if audio.codec_context is not None]
        with open_source(source) as container:
            frame = next(iter(container.decode(video=0)), None)
            if frame is None:
                raise ValueError(f"{node}: expected a video, got {_name(source)}, in which no frame can be decoded; choose another file")
            if times is None:
                times = _decoded_times(source)
            turns = round(frame.rotation / 90) % 4
            depth = max((component.bits for component in frame.format.components), default=8)
            sides = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
    except av.FFmpegError as error:
        raise ValueError(f"{node}: expected a video file, got {_name(source)}: {error.strerror}; choose another file") from error
    return FileFacts(times, time_base, rate, *sides, turns, max(depth, 8), sounds[-1] if sounds else None)


def _packet_times(container: Any, stream: Any) -> array[int] | None:
    """Time stamps of all shown frames, read without decoding; None where the file does not say them."""
    times = array("q")
    for number, packet in enumerate(container.demux(stream)):
        if number % 256 == 0:
            interrupt.check()
        if packet.size == 0 or packet.is_discard or packet.is_corrupt:
            continue
        if packet.pts is None:
            return None
        times.append(packet.pts)
    return array("q", sorted(times)) if times else None


def _decoded_times(source: Source) -> array[int]:
    """Time stamps of all frames of a file whose packets have none; a missing one is counted on."""
    times = array("q")
    with open_source(source) as container:
        for frame in container.decode(video=0):
            interrupt.check()
            times.append(frame.pts if frame.pts is not None else (times[-1] + 1 if times else 0))
    return times


def _exact(rate: Fraction) -> Fraction:
    """A frame rate that a container rounded, as the whole or the n*1000/1001 that it stands for."""
    for exact in (Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001)):
        if exact and abs(rate / exact - 1) < 1e-6:
            return exact
    return Fraction(rate)


def _decoded(source: Source, facts: FileFacts, begin: int, end: int) -> Iterator[Tensor]:
    """Frames number `begin` to `end` (exclusive) in chunks; where a damaged file yields fewer, the last one stands still."""
    size, pictures, last, left = _chunk_frames(facts), [], None, end - begin
    with open_source(source) as container:
        for frame in _from_time(container, facts, begin):
            pictures.append(_picture(frame, facts))
            left -= 1
            if len(pictures) == size or left == 0:
                chunk = torch.from_numpy(np.stack(pictures))
                pictures, last = [], chunk[-1:]
                yield _in_range(chunk)
                del chunk
            if left == 0:
                return
    if pictures:
        chunk = torch.from_numpy(np.stack(pictures))
        last = chunk[-1:]
        yield _in_range(chunk)
    if last is None:
        raise RuntimeError("no frame could be decoded; the file is damaged")
    logging.warning("%s: %d frames could not be decoded; the last one stands still instead", _name(source), left)
    for _ in range(left):
        yield _in_range(last)


def _from_time(container: Any, facts: FileFacts, begin: int) -> Iterator[Any]:
    """Decoded frames from number `begin` on."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    target = facts.times[begin]
    if begin:
        container.seek(target, stream=stream)
    frames = _readable_frames(container, stream)
    frame = next(frames, None)
    if begin and (frame is None or frame.pts is None or frame.pts > target):  # the file cannot be sought in
        container.seek(facts.times[0], stream=stream)
        frames = _readable_frames(container, stream)
        frame = next(frames, None)
    while frame is not None:
        if frame.pts is None or frame.pts >= target:
            yield frame
        else:
            interrupt.check()
        frame = next(frames, None)


def _readable_frames(container: Any, stream: Any) -> Iterator[Any]:
    """All frames that can be decoded; damaged packets are passed over, as in the host."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            logging.info("%s: a damaged packet is passed over", container.name)


def _picture(frame: Any, facts: FileFacts) -> np.ndarray[Any, Any]:
    """[H, W, 3] uint8, or uint16 for more than 8 bits, upright.

    Through 16 bits, because FFmpeg's way to 8 repeats the colour of one pixel for its neighbours instead of blending it.
    """
    pixels = frame.to_ndarray(format="gbrp16le")
    if facts.bit_depth == 8:
        pixels = (pixels - (pixels >> 8) + 128 >> 8).astype(np.uint8)  # n * 257 -> n, rounded to nearest
    return np.ascontiguousarray(np.rot90(pixels, facts.quarter_turns)) if facts.quarter_turns else pixels


def _in_range(chunk: Tensor) -> Tensor:
    return chunk if chunk.dtype == torch.uint8 else chunk.to(torch.float32).div_(65535)


def _bytes_per_pixel(facts: FileFacts) -> int:
    return 3 if facts.bit_depth == 8 else 12


def _chunk_frames(facts: FileFacts) -> int:
    return max(1, min(MAX_CHUNK_FRAMES, CHUNK_BYTES // (facts.width * facts.height * _bytes_per_pixel(facts))))


def _name(source: Source | IO[bytes]) -> str:
    return f"'{os.path.basename(source)}'" if isinstance(source, str) else "a file in memory"
