"""Frames at any rate: which moments are shown, which of them are frames of the clip already, and how the others come about."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ..models.interpolator import EncodedFrame, IFNet
from ..models.optical_flow import Motion, estimate_motion, frames_between
from . import interrupt
from .scenes import DEFAULT_THRESHOLD, is_cut
from .stream import MAX_FRAME_RATE, FrameStream, Needs, as_float, frame_rate

MAX_REPEATS = 2
"""Frames in a row that repeat the one before and are taken for a stutter; more of them are a pause that is meant."""

_BLOCK = 8  # pixels; no block of a repeated frame differs visibly
_SAME = 1.5 / 255  # mean difference of a block that an encoder causes in a frame that stands still
_NTSC_TOLERANCE = 0.005  # frames a second by which people round 24000/1001 and its like


class Interpolator(Protocol):
    """Makes frames between two frames. `encode` is called once for each frame, in order, and what it gives is kept for the next pair."""

    def encode(self, frame: Tensor) -> Any:
        """What is worth knowing of a frame [H, W, 3], uint8 or float32, by itself."""

    def between(self, before: Any, after: Any, times: Sequence[float]) -> Iterator[Tensor]:
        """Frames [n, H, W, 3] float32 in 0..1 on the CPU, at the times in 0..1 in their order, in one or more pieces."""


@dataclass(frozen=True)
class Rules:
    """What else is asked of an interpolation.

    cut_threshold: see `scenes.is_cut`.  repair_repeats: frames that only repeat the one before are made anew.  loop: the last frame leads
    to the first one.
    """

    cut_threshold: float = DEFAULT_THRESHOLD
    repair_repeats: bool = False
    loop: bool = False


@dataclass(frozen=True)
class Timing:
    """When frames are shown: `frames` at `rate`, the clip's length kept to half a frame. `position` counts in frames of the source."""

    source_frames: int
    source_rate: Fraction
    frames: int
    rate: Fraction
    loop: bool = False

    def position(self, number: int) -> Fraction:
        """Where output frame `number` lies between the source's frames; a loop is spread evenly over its period."""
        if self.loop:
            return Fraction(number * self.source_frames, self.frames)
        return number * self.source_rate / self.rate


def timing_at(source_frames: int, source_rate: Fraction, rate: Fraction, loop: bool = False) -> Timing:
    """The timing at a frame rate: as many frames as fill the same time, a half rounded up, at least 1."""
    frames = max(1, math.floor(source_frames * rate / source_rate + Fraction(1, 2)))
    return Timing(source_frames, source_rate, frames, rate, loop)


def target_rate(fps: float, node: str) -> Fraction:
    """Frames per second as an exact fraction; 23.976, 29.97, 59.94 and the like mean 24000/1001 and so on.

    Raises:
        ValueError: see `stream.frame_rate`.
    """
    rate = frame_rate(fps, node)
    broadcast = Fraction(round(fps * 1.001) * 1000, 1001)
    return broadcast if rate.denominator != 1 and abs(broadcast - Fraction(fps)) < _NTSC_TOLERANCE else rate


def multiplied_rate(rate: Fraction, multiplier: float, node: str) -> Fraction:
    """`multiplier` times the rate.

    Raises:
        ValueError: it is no whole number of at least 2, or the result is above `MAX_FRAME_RATE`; the message begins with `node`.
    """
    if multiplier != int(multiplier) or multiplier < 2:
        raise ValueError(f"{node}: expected a multiplier of 2 or more as a whole number, got {multiplier:g}; use 2, or the mode fps")
    if rate * int(multiplier) > MAX_FRAME_RATE:
        raise ValueError(
            f"{node}: expected at most {MAX_FRAME_RATE} frames a second, got {float(rate):g} times {multiplier:g}; lower the multiplier"
        )
    return rate * int(multiplier)


def interpolated(
    source: FrameStream,
    rate: Fraction,
    open_interpolator: Callable[[], Interpolator],
    name: str,
    rules: Rules = Rules(),
    needs: Needs = Needs(),  # noqa: B008
) -> FrameStream:
    """The same clip with its sound at another rate. Frames that are the source's own come through untouched.

    Args:
        open_interpolator: called when frames are asked for, each time anew.
    """
    timing = timing_at(source.frames, source.frame_rate, rate, rules.loop)

    def make_chunks(first: int) -> Iterator[Tensor]:
        return _frames(source, timing, rules, open_interpolator(), first)

    return replace(source, name=name, frames=timing.frames, frame_rate=rate, make_chunks=make_chunks, sources=(source,), needs=needs)


@dataclass
class _Frame:
    """A frame of the source at its number, encoded once it is needed."""

    number: int
    picture: Tensor
    encoded: Any = field(default=None)

    def encode(self, interpolator: Interpolator) -> Any:
        if self.encoded is None:
            self.encoded = interpolator.encode(self.picture)
        return self.encoded


def _frames(source: FrameStream, timing: Timing, rules: Rules, interpolator: Interpolator, first: int) -> Generator[Tensor, None, None]:
    """Output frames from number `first` on: those of one pair of source frames after the other."""
    number = first
    for before, after in _pairs(source, rules, int(timing.position(first))):
        numbers = []
        while number < timing.frames and timing.position(number) < after.number:
            if timing.position(number) >= before.number:
                numbers.append(number)
            number += 1
        yield from _between(before, after, [timing.position(one) for one in numbers], rules, interpolator)
        if number >= timing.frames:
            return


def _between(before: _Frame, after: _Frame, positions: Sequence[Fraction], rules: Rules, interpolator: Interpolator) -> Iterator[Tensor]:
    """The frames at `positions`, which lie at or after `before` and before `after`."""
    if positions and positions[0] == before.number:
        yield before.picture[None]
        positions = positions[1:]
    if not positions:
        return
    if before.picture is after.picture or torch.equal(before.picture, after.picture):
        for _ in positions:
            yield before.picture[None]
    elif is_cut(before.picture, after.picture, rules.cut_threshold):
        last_of_shot = after.number - 1
        for position in positions:
            yield (before if position <= last_of_shot + Fraction(1, 2) else after).picture[None]
    else:
        length = after.number - before.number
        times = [float((position - before.number) / length) for position in positions]
        yield from interpolator.between(before.encode(interpolator), after.encode(interpolator), times)


def _pairs(source: FrameStream, rules: Rules, start: int) -> Generator[tuple[_Frame, _Frame], None, None]:
    """Neighbouring frames from source frame `start` on, then the last frame with the first one (of a loop) or with itself."""
    opening = _first_frame(source) if rules.loop and start else None
    before: _Frame | None = None
    for frame in _kept(source, rules, start):
        if before is not None:
            yield before, frame
        before = frame
        opening = opening if opening is not None or not rules.loop else frame.picture
    if before is not None:
        end = before.picture if opening is None else opening
        yield replace(before), _Frame(source.frames, end)


def _kept(source: FrameStream, rules: Rules, start: int) -> Generator[_Frame, None, None]:
    """The source's frames from `start` (or a little before) on, without those that are to be made anew."""
    begin = max(0, start - MAX_REPEATS - 1) if rules.repair_repeats else start
    number, repeats = begin, 0
    last: Tensor | None = None
    with contextlib.closing(source.chunks(begin)) as chunks:
        for picture in itertools.chain.from_iterable(chunks):
            interrupt.check()
            repeats = repeats + 1 if rules.repair_repeats and last is not None and is_repeat(last, picture) else 0
            if not 0 < repeats <= MAX_REPEATS or number == source.frames - 1:
                yield _Frame(number, picture)
            last = picture
            number += 1


def is_repeat(before: Tensor, after: Tensor) -> bool:
    """Whether a frame [H, W, 3] shows nothing new; an encoder's traces do not count."""
    if before.dtype == after.dtype and torch.equal(before, after):
        return True
    difference = (as_float(before) - as_float(after)).abs().movedim(-1, 0)[None]
    return bool(F.avg_pool2d(difference, _BLOCK, ceil_mode=True).amax() <= _SAME)


def _first_frame(source: FrameStream) -> Tensor:
    with contextlib.closing(source.chunks()) as chunks:
        return next(chunks)[0]


class RifeInterpolator:
    """Any version of RIFE's network, on its device and in its precision; several times of one pair go through it together."""

    def __init__(self, network: IFNet, memory: int) -> None:
        """`memory` is how many bytes a batch may take."""
        self._network = network
        self._layers = interrupt.layers_of(network)
        self._memory = memory

    @torch.inference_mode()
    def encode(self, frame: Tensor) -> tuple[EncodedFrame, tuple[int, int]]:
        device = next(self._network.parameters()).device
        picture = as_float(frame.to(device)).movedim(-1, 0)[None]
        with interrupt.interruptible(self._layers):
            return self._network.encode_frame(picture), (frame.shape[0], frame.shape[1])

    def between(self, before: Any, after: Any, times: Sequence[float]) -> Iterator[Tensor]:
        (first, (height, width)), (second, _) = before, after
        each = self._network.memory_used_forward((1, *first.picture.shape[2:]), torch.float32)
        batch = max(1, self._memory // each)
        for start in range(0, len(times), batch):
            with torch.inference_mode(), interrupt.interruptible(self._layers):
                made = self._network.between(first, second, times[start : start + batch])
                made = made[:, :, :height, :width].movedim(1, -1).cpu()
            yield made


class FlowInterpolator:
    """Optical flow without learned weights; the flow of a pair is found once for all its times."""

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device or torch.device("cpu")

    def encode(self, frame: Tensor) -> Tensor:
        return as_float(frame.to(self._device)).movedim(-1, 0)[None].contiguous()

    def between(self, before: Tensor, after: Tensor, times: Sequence[float]) -> Iterator[Tensor]:
        with torch.inference_mode():
            motion: Motion = estimate_motion(before, after, interrupt.check)
        for time in times:
            interrupt.check()
            with torch.inference_mode():
                made = frames_between(motion, [time]).movedim(1, -1).cpu()
            yield made
