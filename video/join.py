"""Several clips one after the other: sizes and frame rates made equal, a cut or a cross-fade between them, their sounds likewise."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from .resize import in_size
from .sound import SilentSound, Sound
from .sound_edits import Exact, Faded, Mixed, Resampled, equal_power
from .stream import FrameStream, as_float, as_uint8

NAME = "Spacetime Join"
_MOST_REPEATED = 16
"""Frames that one chunk may become where a low frame rate is raised."""


def join(clips: Sequence[FrameStream], width: int, height: int, way: str, frame_rate: Fraction, cross_fade: float = 0.0) -> FrameStream:
    """One stream of several.

    Args:
        width, height, way: the size, and how clips of another shape fill it (`resize.WAYS`).
        frame_rate: of the result; clips at another one give their nearest frame.
        cross_fade: seconds that a clip and the next one share. Frame k of m shared frames, k = 0 .. m-1, is
            (1-w) * old + w * new with w = (k+1) / (m+1).
    Raises:
        ValueError: a clip is shorter than its cross-fades.
    """
    alike = [in_size(at_rate(clip, frame_rate), NAME, width, height, way) for clip in clips]
    shared = round(cross_fade * frame_rate) if len(alike) > 1 else 0
    _refuse_short_clips(alike, shared)
    starts = [0]
    for clip in alike[:-1]:
        starts.append(starts[-1] + clip.frames - shared)
    frames = starts[-1] + alike[-1].frames
    return FrameStream(
        name=NAME,
        width=width,
        height=height,
        frames=frames,
        frame_rate=frame_rate,
        make_chunks=lambda first: _joined(alike, starts, shared, first),
        sources=tuple(alike),
        sound=_joined_sound(alike, starts, shared, frames),
        bit_depth=max(clip.bit_depth for clip in alike),
    )


def at_rate(stream: FrameStream, frame_rate: Fraction) -> FrameStream:
    """The stream at another frame rate, as long as before to the nearest frame: each new frame is the old one nearest in time."""
    if stream.frame_rate == frame_rate:
        return stream
    frames = max(1, round(stream.frames / stream.frame_rate * frame_rate))
    step = stream.frame_rate / frame_rate

    def old(number: int) -> int:
        return min((number * step + Fraction(1, 2)).__floor__(), stream.frames - 1)

    def make_chunks(first: int) -> Iterator[Tensor]:
        number, position = first, old(first)
        chunks: Any = stream.chunks(position)
        with contextlib.closing(chunks):
            for chunk in chunks:
                end = position + chunk.shape[0]
                wanted = []
                while number < frames and old(number) < end:
                    wanted.append(old(number) - position)
                    number += 1
                for some in torch.tensor(wanted, dtype=torch.long).split(_MOST_REPEATED) if wanted else ():
                    yield chunk[some]
                position = end
                if number >= frames:
                    return

    return replace(stream, name=NAME, frames=frames, frame_rate=frame_rate, make_chunks=make_chunks, sources=(stream,))


def _refuse_short_clips(clips: Sequence[FrameStream], shared: int) -> None:
    for number, clip in enumerate(clips):
        fades = (number > 0) + (number < len(clips) - 1)
        if clip.frames < fades * shared:
            raise ValueError(
                f"{NAME}: expected every clip to be as long as its cross-fades, got video {number + 1} of {clip.duration:g} s with "
                f"{fades} of {float(shared / clip.frame_rate):g} s; shorten the cross-fade"
            )


def _joined(clips: Sequence[FrameStream], starts: Sequence[int], shared: int, first: int) -> Iterator[Tensor]:
    """The frames of all clips from number `first` on; a clip is opened when its first frame comes and closed after its last."""
    ends = [start + clip.frames for start, clip in zip(starts, clips, strict=True)]
    borders = sorted({*starts, *ends})
    with contextlib.ExitStack() as everything:
        readers: dict[int, _Reader] = {}
        everything.callback(lambda: _close(readers.values()))
        position = first
        while position < ends[-1]:
            here = [i for i in range(len(clips)) if starts[i] <= position < ends[i]]
            for i in [i for i in readers if i not in here]:
                readers.pop(i).close()
            for i in here:
                readers.setdefault(i, _Reader(clips[i], position - starts[i]))
            border = next(border for border in borders if border > position)
            chunk = readers[here[0]].read(border - position)
            if len(here) == 2:
                chunk = _blended(chunk, readers[here[1]], position - starts[here[1]], shared)
            yield chunk
            position += chunk.shape[0]


def _blended(old: Tensor, reader: _Reader, number: int, shared: int) -> Tensor:
    """Shared frames from `number` of `shared` on."""
    new = reader.read_exactly(old.shape[0])
    weight = torch.arange(number + 1, number + 1 + old.shape[0]).view(-1, 1, 1, 1) / (shared + 1)
    blend = torch.lerp(as_float(old), as_float(new), weight)
    return as_uint8(blend) if old.dtype == new.dtype == torch.uint8 else blend


def _joined_sound(clips: Sequence[FrameStream], starts: Sequence[int], shared: int, frames: int) -> Sound | None:
    """The clips' sounds at the highest sample rate among them, silence for clips without; none where no clip has one."""
    sounds = [clip.sound for clip in clips if clip.sound is not None]
    if not sounds:
        return None
    sample_rate, channels = max(sound.sample_rate for sound in sounds), max(sound.channels for sound in sounds)

    def sample(frame: int) -> int:
        return round(frame / clips[0].frame_rate * sample_rate)

    parts: list[tuple[int, Sound]] = []
    for number, (clip, start) in enumerate(zip(clips, starts, strict=True)):
        samples = sample(start + clip.frames) - sample(start)
        sound = Exact(Resampled(clip.sound or SilentSound(clip.duration, sample_rate, channels), sample_rate, channels), samples)
        fade_in = sample(start + shared) - sample(start) if number > 0 else 0
        fade_out = sample(start + clip.frames) - sample(start + clip.frames - shared) if number < len(clips) - 1 else 0
        parts.append((sample(start), Faded(sound, fade_in, fade_out, equal_power)))
    return Mixed(parts, sample(frames))


def _close(readers: Iterable[_Reader]) -> None:
    for reader in readers:
        reader.close()


class _Reader:
    """Reads a clip in pieces of any size."""

    def __init__(self, clip: FrameStream, first: int) -> None:
        self._chunks: Any = clip.chunks(first)
        self._rest: Tensor | None = None

    def read(self, most: int) -> Tensor:
        """Between 1 and `most` frames, no more than one chunk."""
        chunk: Tensor = self._rest if self._rest is not None else next(self._chunks)
        self._rest = chunk[most:] if chunk.shape[0] > most else None
        return chunk[:most]

    def read_exactly(self, count: int) -> Tensor:
        """`count` frames."""
        pieces: list[Tensor] = []
        while count:
            pieces.append(self.read(count))
            count -= pieces[-1].shape[0]
        if any(a.dtype != b.dtype for a, b in pairwise(pieces)):
            pieces = [as_float(piece) for piece in pieces]
        return torch.cat(pieces)

    def close(self) -> None:
        self._chunks.close()
