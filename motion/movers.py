"""Movers: the visible regions and boxes of a plan in a picture of a size, with their map of the plane in each frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .camera import apply_maps, inverse_maps, rotations
from .easing import ease, eased_time, frame_times
from .outline import Check, Outline, cells_at
from .paths import shifts
from .plan import Box, Plan, Rectangle, Region

AMBIENT_PART = 0.02
AMBIENT_DEGREES = 2.0
AMBIENT_WEIGHTS = (0.5, 0.35, 0.15)
AMBIENT_RATES = (0.5, 1.0, 1.7)


@dataclass(frozen=True)
class Mover:
    """One visible region or box.

    Attributes:
        part: the region or box in the plan.
        outline: its shapes in the first frame.
        maps: [T, 2, 3], from places in the first frame to places in each frame, before the camera; pixels.
        rank: larger is nearer to the viewer; no two are equal.
    """

    part: Region | Box
    outline: Outline
    maps: np.ndarray
    rank: int

    @property
    def id(self) -> str:
        """Its id in the plan."""
        return self.part.id

    @property
    def moves(self) -> bool:
        """Whether it does anything but stay still."""
        return self.part.moves

    @cached_property
    def grid(self) -> np.ndarray:
        """The covered cells [48, 48] of its bounds."""
        return self.outline.grid()

    def covers(self, places: np.ndarray, frames: slice | int = slice(None)) -> np.ndarray:
        """Whether it covers places [T, n, 2] before the camera (one frame: [n, 2]), by the grid."""
        origins = apply_maps(inverse_maps(self.maps[frames]), places)
        return cells_at(self.grid, self.outline.bounds, origins)


def movers(plan: Plan, width: int, height: int, frames: int, masks: np.ndarray | None = None, check: Check = lambda: None) -> list[Mover]:
    """The plan's movers: visible regions, then visible boxes, each in the order of the document.

    Raises:
        PlanError: a region needs a mask that did not come.
    """
    places = [f"regions[{index}]" for index in range(len(plan.regions))] + [f"boxes[{index}]" for index in range(len(plan.boxes))]
    parts: list[Region | Box] = [*plan.regions, *plan.boxes]
    shown = [(place, part) for place, part in zip(places, parts) if not part.hidden]
    order = sorted(range(len(shown)), key=lambda index: (shown[index][1].z, index))
    made = []
    for index, (place, part) in enumerate(shown):
        check()
        outline = Outline(_shapes(part), (width, height), masks, place, check)
        made.append(Mover(part, outline, part_maps(part, outline, plan.seed, frames), order.index(index)))
    return made


def part_maps(part: Region | Box, outline: Outline, seed: int, frames: int) -> np.ndarray:
    """Maps [T, 2, 3] of a region or box, in pixels, before the camera."""
    times = frame_times(frames)
    if isinstance(part, Box):
        return _box_maps(part, times, seed, outline.size)
    if not part.moves or outline.bounds is None:
        return np.tile(np.eye(3)[:2], (frames, 1, 1))
    return _region_maps(part, outline, times, seed)


def pivot(part: Region, outline: Outline) -> np.ndarray:
    """What a region turns and grows about, in pixels."""
    assert outline.bounds is not None
    if part.motion.center is not None:
        return np.array(part.motion.center) * outline.size
    left, top, right, bottom = outline.bounds
    return np.array([(left + right) / 2, (top + bottom) / 2])


def ambient_sway(seed: int, name: str, amount: float, cycles: int, times: np.ndarray) -> np.ndarray:
    """Swaying [T, 3] in x, y and angle, each for an amplitude of `amount`, 0 at time 0."""
    seeded = _mix(seed) ^ _fnv(name)
    sways = []
    for channel in range(3):
        sum_now, sum_then = np.zeros_like(times), 0.0
        for wave, (weight, rate) in enumerate(zip(AMBIENT_WEIGHTS, AMBIENT_RATES)):
            frequency = max(1, math.floor(cycles * rate + 0.5))
            phase = _mix(_mix(seeded) ^ (3 * channel + wave)) / 2**32
            sum_now = sum_now + weight * np.sin(2 * math.pi * (frequency * times + phase))
            sum_then += weight * math.sin(2 * math.pi * phase)
        sways.append(amount * (sum_now - sum_then))
    return np.stack(sways, axis=-1)


def _shapes(part: Region | Box) -> tuple:
    if isinstance(part, Box) and not part.shapes:
        return (Rectangle(type="rectangle", box=part.start),)
    return part.shapes


def _region_maps(region: Region, outline: Outline, times: np.ndarray, seed: int) -> np.ndarray:
    motion, (width, height) = region.motion, outline.size
    gone = eased_time(times, motion.start, motion.end, motion.easing)
    sway = ambient_sway(seed, region.id, motion.ambient, motion.ambient_cycles, times)
    size = motion.scale**gone * 2.0 ** (motion.proximity * gone)
    turn = motion.rotation * gone + AMBIENT_DEGREES * sway[:, 2]
    shift = shifts(motion, gone, width, height) + AMBIENT_PART * outline.shorter * sway[:, :2]
    linear = size[:, None, None] * rotations(turn)
    center = pivot(region, outline)
    return np.concatenate([linear, (center + shift - linear @ center)[..., None]], axis=-1)


def _box_maps(box: Box, times: np.ndarray, seed: int, size: tuple[int, int]) -> np.ndarray:
    boxes = box_at(box, times) * (*size, *size)
    first = np.array(box.start) * (*size, *size)
    corner, extent = first[:2], first[2:]
    sway = ambient_sway(seed, box.id, box.ambient, box.ambient_cycles, times)[:, :2] * (AMBIENT_PART * min(size))
    maps = np.zeros((len(times), 2, 3))
    if box.mode == "hard":
        linear = boxes[:, 2:] / extent
        shift = boxes[:, :2] - corner * linear + sway
    else:
        inner = np.minimum(1, (boxes[:, 2:] / extent).min(axis=1, keepdims=True))
        linear = np.repeat(inner, 2, axis=1)
        half = inner * extent / 2
        center = corner + extent / 2
        held = np.maximum(boxes[:, :2] + half, np.minimum(boxes[:, :2] + boxes[:, 2:] - half, center))
        shift = held - linear * center + sway
    maps[:, 0, 0], maps[:, 1, 1], maps[:, :, 2] = linear[:, 0], linear[:, 1], shift
    return maps


def box_at(box: Box, times: np.ndarray) -> np.ndarray:
    """The box [T, 4] at times, in fractions of the picture."""
    stops = [(box.start_time, box.start), *((key.time, key.box) for key in box.keyframes), (box.end_time, box.end)]
    moments, boxes = np.array([time for time, _ in stops]), np.array([there for _, there in stops])
    stretch = np.clip(np.searchsorted(moments, times, side="right") - 1, 0, len(stops) - 2)
    part = np.clip((times - moments[stretch]) / (moments[stretch + 1] - moments[stretch]), 0, 1)
    gone = ease(box.easing, part)[:, None]
    return (1 - gone) * boxes[stretch] + gone * boxes[stretch + 1]


def _fnv(text: str) -> int:
    value = 2166136261
    for byte in text.encode("ascii"):
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def _mix(value: int) -> int:
    value ^= value >> 16
    value = value * 0x85EBCA6B & 0xFFFFFFFF
    value ^= value >> 13
    value = value * 0xC2B2AE35 & 0xFFFFFFFF
    return value ^ value >> 16
