"""A clip that is made while it is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from torch import Tensor

MAX_FRAME_RATE = 1000


@dataclass(frozen=True)
class FrameStream:
    """Size, frame rate and length of a clip, and how to make its frames.

    `make_chunks()` starts from the first frame every time it is called and yields float32 frames [n, H, W, 3] in 0..1 on the CPU;
    nothing is computed before, and no more than a chunk is held.
    """

    width: int
    height: int
    frames: int
    frame_rate: Fraction
    make_chunks: Callable[[], Iterator[Tensor]]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return float(self.frames / self.frame_rate)

    def chunks(self) -> Iterator[Tensor]:
        """The frames from the start, [n, H, W, 3] float32 in 0..1 at a time."""
        return self.make_chunks()

    def trimmed(self, start: float, duration: float) -> FrameStream | None:
        """The frames shown from `start` on, for `duration` seconds; None where nothing is left.

        A negative start counts from the end; a duration of 0 means until the end.
        """
        start = max(self.duration + start, 0.0) if start < 0 else start
        first = _first_frame_at(start, self.frame_rate)
        end = min(self.frames, _first_frame_at(start + duration, self.frame_rate)) if duration else self.frames
        if first >= end:
            return None
        return replace(self, frames=end - first, make_chunks=lambda: _slice(self.make_chunks(), first, end))


def frame_rate(fps: float, node: str) -> Fraction:
    """`fps` frames per second as an exact fraction.

    Raises:
        ValueError: it is not a number above 0 and at most 1000; the message begins with `node`.
    """
    if not (math.isfinite(fps) and 0 < fps <= MAX_FRAME_RATE):
        raise ValueError(f"{node}: expected an fps above 0 and at most {MAX_FRAME_RATE}, got {fps:g}; use 16")
    return max(Fraction(fps).limit_denominator(1001), Fraction(1, 1001))


def _first_frame_at(seconds: float, rate: Fraction) -> int:
    """Number of the first frame that begins at or after `seconds`; a thousandth of a frame counts as equal."""
    return math.ceil(seconds * float(rate) - 1e-3)


def _slice(chunks: Iterator[Tensor], first: int, end: int) -> Iterator[Tensor]:
    """Frames `first` up to `end` of a stream; the source is closed as soon as the last one is out."""
    position = 0
    for chunk in chunks:
        inside = chunk[max(first - position, 0) : end - position]
        position += chunk.shape[0]
        if inside.shape[0]:
            yield inside
        if position >= end:
            return
