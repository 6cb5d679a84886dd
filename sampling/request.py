"""What a person asks the denoiser for, and one clear sentence for each thing that cannot be. Needs no ComfyUI."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..models.shapes import Compression, VideoShape

NODE = "Spacetime Denoise"
MAX_SIDE = 8192
MAX_FRAMES = 10_000_000
MAX_SEED = 2**64 - 1
LENGTH_UNITS = ("seconds", "frames")


@dataclass(frozen=True)
class ClipSize:
    """Size of the clip to make; `length` counts seconds at `fps` frames per second, or frames."""

    width: int
    height: int
    length: float
    length_unit: str
    fps: float

    def check(self) -> None:
        """Refuse what no model can make.

        Raises:
            ValueError: one sentence that names the node.
        """
        for name, side in (("width", self.width), ("height", self.height)):
            if not 1 <= side <= MAX_SIDE:
                raise ValueError(f"{NODE}: expected a {name} of 16 to {MAX_SIDE} pixels, got {side}; use 128 for the model in the box")
        if self.length_unit not in LENGTH_UNITS:
            raise ValueError(f"{NODE}: expected a length_unit of seconds or frames, got '{self.length_unit}'; choose one of them")
        if not (math.isfinite(self.length) and self.length > 0):
            raise ValueError(f"{NODE}: expected a length above 0 {self.length_unit}, got {self.length:g}; use 2 seconds or 33 frames")
        if self.length_unit == "frames" and self.length != int(self.length):
            raise ValueError(f"{NODE}: expected a whole number of frames, got {self.length:g}; set length_unit to seconds or round it")
        if self.length_unit == "seconds" and not (math.isfinite(self.fps) and 0 < self.fps <= 1000):
            raise ValueError(f"{NODE}: expected an fps above 0 and at most 1000, got {self.fps:g}; use 16")
        if self._counted_frames() > MAX_FRAMES:
            raise ValueError(f"{NODE}: expected at most {MAX_FRAMES:,} frames, got {self._counted_frames():,.6g}; use a shorter length")

    def video_shape(self, compression: Compression) -> VideoShape:
        """The clip's size in frames and pixels for a model that shrinks clips by `compression`.

        Raises:
            ValueError: one sentence with the nearest sizes or lengths that the model can make.
        """
        self.check()
        check_sides(self.width, self.height, compression, NODE)
        if self.length_unit == "seconds":
            return VideoShape(compression.frames_for_seconds(self.length, self.fps), self.height, self.width)
        frames = int(self.length)
        check_length(frames, compression, NODE)
        return VideoShape(frames, self.height, self.width)

    def _counted_frames(self) -> float:
        return self.length * self.fps if self.length_unit == "seconds" else self.length


@dataclass(frozen=True)
class SamplerSettings:
    """How the noise is taken away; the names are those of the host's samplers."""

    steps: int
    cfg: float
    shift: float
    sampler_name: str
    scheduler: str
    seed: int
    denoise: float

    def check(self) -> None:
        """Refuse numbers out of range.

        Raises:
            ValueError: one sentence that names the node.
        """
        ranges = (
            ("steps", self.steps, 1, 10_000, 20),
            ("cfg", self.cfg, 0, 100, 3),
            ("shift", self.shift, 0.01, 100, 3),
            ("denoise", self.denoise, 0, 1, 1),
            ("seed", self.seed, 0, MAX_SEED, 0),
        )
        for name, value, least, most, usual in ranges:
            if not least <= value <= most:  # also refuses NaN
                raise ValueError(f"{NODE}: expected {name} of {least} to {most}, got {value}; use {usual}")


def check_sides(width: int, height: int, compression: Compression, node: str) -> None:
    """Refuse a size in pixels that a model which shrinks clips by `compression` cannot make.

    Raises:
        ValueError: one sentence that begins with `node` and names the nearest sides.
    """
    multiple = compression.pixel_multiple
    for name, side in (("width", width), ("height", height)):
        if side < multiple or side % multiple:
            nearest = _either(compression.nearest_sides(side))
            raise ValueError(f"{node}: expected a {name} that is a multiple of {multiple}, got {side}; use {nearest}")


def check_length(frames: int, compression: Compression, node: str) -> None:
    """Refuse a number of frames that such a model cannot make.

    Raises:
        ValueError: one sentence that begins with `node` and names the nearest lengths.
    """
    if not compression.is_valid_length(frames):
        nearest = _either(compression.nearest_lengths(frames))
        raise ValueError(f"{node}: expected a length of {compression.time}n+1 frames, got {frames}; use {nearest}")


def _either(pair: tuple[int, int]) -> str:
    return f"{pair[0]} or {pair[1]}" if pair[0] != pair[1] else str(pair[0])
