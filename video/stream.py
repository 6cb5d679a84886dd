"""A clip that is made while it is read: streams of frames, and the stages that they run through.

A stage is a function from an iterator of chunks to an iterator of chunks. A chunk is a tensor [n, H, W, 3] on the CPU, n >= 1, either
float32 in 0..1 or uint8 in 0..255 (where nothing is lost by it); both may come from one stream, `as_float` and `as_uint8` convert.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol

import torch
from torch import Tensor

from . import interrupt
from .sound import Sound

MAX_FRAME_RATE = 1000


class StageError(RuntimeError):
    """Making frames failed; the message begins with the name of the stage that failed."""


@dataclass(frozen=True)
class Needs:
    """Bytes that one stage holds at its peak beside the weights that the host counts itself: in RAM and on the device that computes."""

    ram: int = 0
    device: int = 0


class Stage(Protocol):
    """Chunks in, chunks out. `FrameStream.then` closes the source; a stage that opens other streams closes those itself."""

    def __call__(self, chunks: Iterator[Tensor], /) -> Iterator[Tensor]: ...


@dataclass(frozen=True)
class FrameStream:
    """Size, frame rate and length of a clip, and how to make its frames.

    `make_chunks(first)` starts anew every time it is called and yields the frames from number `first` on (0 is the first frame) to the end;
    nothing is computed before, and no more than a few chunks are held. It pulls from its `sources` with their `chunks()`.
    `name` is what a person calls the maker of the frames ("Spacetime Decode"): errors and progress use it.
    `bit_depth` says how many bits of each colour are worth keeping. `sound` plays from the first frame on.
    """

    name: str
    width: int
    height: int
    frames: int
    frame_rate: Fraction
    make_chunks: Callable[[int], Iterator[Tensor]]
    sources: tuple[FrameStream, ...] = ()
    sound: Sound | None = None
    bit_depth: int = 8
    needs: Needs = Needs()

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return float(self.frames / self.frame_rate)

    def chunks(self, first: int = 0) -> Generator[Tensor, None, None]:
        """The frames from number `first` on. Close the iterator, or read it to its end.

        Raises:
            StageError: making a frame failed; which stage, and why.
            Whatever the question of `interrupt.asking` raises.
        """
        return _watched(self, self.make_chunks(first))

    def then(
        self,
        name: str,
        stage: Stage,
        *,
        width: int | None = None,
        height: int | None = None,
        frames: int | None = None,
        frame_rate: Fraction | None = None,
        bit_depth: int | None = None,
        needs: Needs = Needs(),
    ) -> FrameStream:
        """This stream through one more stage. Name what the stage changes: size, number of frames, rate. The sound stays.

        A stage that keeps the number of frames is started at the frame that is asked for; another is run from the start and skipped into.
        """
        keeps_frames = frames is None or frames == self.frames

        def make_chunks(first: int) -> Iterator[Tensor]:
            if keeps_frames:
                return _through(stage, self.chunks(first))
            return skipping(_through(stage, self.chunks()), first)

        return replace(
            self,
            name=name,
            width=width or self.width,
            height=height or self.height,
            frames=frames or self.frames,
            frame_rate=frame_rate or self.frame_rate,
            bit_depth=bit_depth or self.bit_depth,
            make_chunks=make_chunks,
            sources=(self,),
            needs=needs,
        )

    def trimmed(self, start: float, duration: float) -> FrameStream | None:
        """The frames and the sound from `start` on, for `duration` seconds; None where nothing is left.

        A negative start counts from the end; a duration of 0 means until the end.
        """
        start = max(self.duration + start, 0.0) if start < 0 else start
        first = _first_frame_at(start, self.frame_rate)
        end = min(self.frames, _first_frame_at(start + duration, self.frame_rate)) if duration else self.frames
        if first >= end:
            return None
        sound = self.sound.trimmed(float(first / self.frame_rate), float((end - first) / self.frame_rate)) if self.sound else None

        def make_chunks(skip: int) -> Iterator[Tensor]:
            return _taking(self.chunks(first + skip), end - first - skip)

        return replace(self, name="Trim", frames=end - first, make_chunks=make_chunks, sources=(self,), sound=sound, needs=Needs())

    def chain(self) -> list[FrameStream]:
        """Every stream that this one is made from, itself last, each once."""
        found: list[FrameStream] = []
        for source in self.sources:
            found += [stream for stream in source.chain() if all(stream is not other for other in found)]
        return [*found, self]


def as_uint8(chunk: Tensor) -> Tensor:
    """A chunk as uint8 in 0..255, rounded to nearest."""
    return chunk if chunk.dtype == torch.uint8 else chunk.clamp(0, 1).mul_(255).round_().to(torch.uint8)


def as_float(chunk: Tensor) -> Tensor:
    """A chunk as float32 in 0..1."""
    return chunk.to(torch.float32).div_(255) if chunk.dtype == torch.uint8 else chunk


def frame_rate(fps: float, node: str) -> Fraction:
    """`fps` frames per second as an exact fraction.

    Raises:
        ValueError: it is not a number above 0 and at most 1000; the message begins with `node`.
    """
    if not (math.isfinite(fps) and 0 < fps <= MAX_FRAME_RATE):
        raise ValueError(f"{node}: expected an fps above 0 and at most {MAX_FRAME_RATE}, got {fps:g}; use 16")
    return max(Fraction(fps).limit_denominator(1001), Fraction(1, 1001))


@dataclass
class Meter:
    """How long each stage worked by itself during one pull; a stage's time does not hold that of its sources."""

    seconds: dict[str, float] = field(default_factory=dict)
    _inner: list[float] = field(default_factory=list)

    def slowest(self) -> str | None:
        """Name of the stage that took the longest so far."""
        return max(self.seconds, key=self.seconds.__getitem__) if self.seconds else None

    def begin(self) -> float:
        """A stage is asked for a chunk; give what comes back to `end`."""
        self._inner.append(0.0)
        return time.perf_counter()

    def end(self, name: str, began: float) -> None:
        """The stage called `name` has answered."""
        whole = time.perf_counter() - began
        self.seconds[name] = self.seconds.get(name, 0.0) + whole - self._inner.pop()
        if self._inner:
            self._inner[-1] += whole


meter: ContextVar[Meter | None] = ContextVar("spacetime_meter", default=None)
"""The meter of the pull that runs in this context. A stage that pulls in another thread gives that thread a meter of its own."""


def _watched(stream: FrameStream, chunks: Iterator[Tensor]) -> Generator[Tensor, None, None]:
    """The chunks of one stage: asked for interruption before each, timed, its failure named, closed at the end whatever happens."""
    watch = meter.get()
    try:
        while True:
            interrupt.check()
            began = watch.begin() if watch else 0.0
            try:
                chunk = next(chunks, None)
            except StageError:
                raise
            except Exception as error:
                raise StageError(_told(stream.name, error)) from error
            finally:
                if watch:
                    watch.end(stream.name, began)
            if chunk is None:
                return
            yield chunk
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def _told(name: str, error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if text.startswith(name) else f"{name}: {text}"


def _first_frame_at(seconds: float, rate: Fraction) -> int:
    """Number of the first frame that begins at or after `seconds`; a thousandth of a frame counts as equal."""
    return math.ceil(seconds * float(rate) - 1e-3)


def _through(stage: Stage, source: Generator[Tensor, None, None]) -> Iterator[Tensor]:
    """The chunks of a stage; its source is closed with it, also after a fault, whose traceback would keep the source open."""
    with contextlib.closing(source):
        yield from stage(source)


def skipping(chunks: Iterator[Tensor], first: int) -> Iterator[Tensor]:
    """The chunks without their first `first` frames."""
    for chunk in chunks:
        if first < chunk.shape[0]:
            yield chunk[first:] if first else chunk
            first = 0
        else:
            first -= chunk.shape[0]


def _taking(chunks: Generator[Tensor, None, None], count: int) -> Generator[Tensor, None, None]:
    """The first `count` frames; the source is closed as soon as the last one is out."""
    with contextlib.closing(chunks):
        for chunk in chunks:
            yield chunk[:count]
            count -= chunk.shape[0]
            if count <= 0:
                return
