"""Where everything is at a moment: closed-form paths of things and of the camera, in pixels.

Time is in seconds, so a clip of any length and frame rate is a window on the same motion. A thing that travels leaves
the picture at one side and comes back at the other, so the direction in the caption stays true for as long as one
watches; the jump happens out of sight. A falling thing lands on the floor, bounces once and rests; growing, shrinking,
panning and zooming slow down to a stop. Everything else repeats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training.world.scene import TRAVEL, Cutout, Scene, Thing, half_extents
from training.world.vocabulary import DIRECTION_VECTOR, KINDS, MOTIONS, SIZE_FRACTION, SPEED_FACTOR

PHASES = 4  # drawings of a kind with moving legs or wings
BOUNCE = 0.35  # of its speed a falling thing keeps when it lands
GRAVITY = 1.9  # picture heights per second squared
CAMERA_EASE = 1.5  # seconds
PAN_SPEED, ZOOM_SPEED = 0.24, 0.3


@dataclass(frozen=True)
class Pose:
    """Pose of one thing over T moments. A drawing point (u, v) is at `x, y` + scale * R(angle) (flip * u, v), y down."""

    x: np.ndarray  # [T] pixels, centre
    y: np.ndarray  # [T] pixels, centre
    angle: np.ndarray  # [T] radians, clockwise on the screen
    scale: np.ndarray  # [T] pixels per drawing unit
    flip: float  # -1 when mirrored
    phase: np.ndarray  # [T] number of the drawing, 0 to PHASES - 1


@dataclass(frozen=True)
class Camera:
    """The camera over T moments: `zoom` about the middle of the picture, then a shift by `pan` pixels to the right."""

    zoom: np.ndarray  # [T]
    pan: np.ndarray  # [T] pixels the camera has moved to the right

    def at_depth(self, parallax: float) -> tuple[np.ndarray, np.ndarray]:
        """(zoom, pan) as seen by a layer that moves `parallax` times as much as the things do."""
        return self.zoom**parallax, self.pan * parallax


def camera_path(scene: Scene, times: np.ndarray, width: int) -> Camera:
    """The camera at `times` (seconds) for a picture `width` pixels wide."""
    eased = CAMERA_EASE * (1 - np.exp(-times / CAMERA_EASE))
    zoom, pan = np.ones_like(times), np.zeros_like(times)
    if scene.camera == "zoom_in":
        zoom = np.exp(ZOOM_SPEED * eased)
    elif scene.camera == "zoom_out":
        zoom = 1.35 * np.exp(-ZOOM_SPEED * eased)
    elif scene.camera in ("pan_left", "pan_right"):
        pan = (PAN_SPEED * eased - 0.09) * width * (1 if scene.camera == "pan_right" else -1)
    return Camera(zoom, pan)


def thing_path(thing: Thing, times: np.ndarray, height: int, width: int, margin: float = 0.0) -> Pose:
    """The pose of a thing at `times` (seconds) in a picture of height x width pixels, before the camera.

    `margin` (picture widths) is how much farther than the picture's edge a traveller goes before it comes back.
    """
    side = min(height, width)
    kind = KINDS[thing.kind]
    half_width, half_height = (side * half for half in half_extents(thing.kind, thing.size))
    scale = np.full_like(times, side * SIZE_FRACTION[thing.size] / max(kind.width, kind.height))
    x = np.full_like(times, thing.x * width)
    y = np.full_like(times, thing.y * height - (half_height if thing.grounded else 0.0))
    angle = np.zeros_like(times)
    pace = SPEED_FACTOR[thing.speed]
    beat = 2 * math.pi * (times + thing.phase)
    sign = -1.0 if thing.direction in ("anticlockwise", "left", "up_left", "down_left") else 1.0

    lands = thing.motion == "fall" and thing.floor is not None
    if MOTIONS[thing.motion].translates and not lands:
        reach = max(half_width, half_height) * 1.15
        x, y = _cross(thing, times, pace, height, width, reach + margin * width, x, y)
    if thing.motion == "roll":
        angle = (_distance(thing, times, pace) * width) / half_width * sign
    elif thing.motion in ("drive", "slide"):
        y = y - 0.004 * side * np.abs(np.sin(2 * beat)) * (thing.motion == "drive")
    elif thing.motion == "walk":
        angle = 0.07 * np.sin(2 * beat * pace)
        y = y - 0.02 * side * np.abs(np.sin(2 * beat * pace))
    elif thing.motion == "hop":
        y = y - 0.17 * side * np.abs(np.sin(math.pi * times * 2.2 * pace))
        angle = 0.12 * np.sin(2 * math.pi * times * 2.2 * pace) * -sign
    elif thing.motion == "sail":
        angle = 0.07 * np.sin(beat)
        y = y + 0.012 * side * np.sin(beat + 1)
    elif thing.motion in ("fly", "swim"):
        angle = angle + _heading(thing) + 0.03 * np.sin(beat)
        across = DIRECTION_VECTOR[thing.direction][0] != 0
        y = y + 0.012 * side * np.sin(beat) * across
    elif thing.motion == "drift":
        sway = 0.025 * side * np.sin(0.7 * beat)
        angle = 0.14 * np.sin(0.7 * beat + 1)
        x, y = (x, y + sway) if thing.direction in ("left", "right") else (x + sway, y)
    elif lands:
        y = _fall(thing, times, pace, height) - half_height
    elif thing.motion == "spin":
        angle = sign * 2 * math.pi * 0.8 * pace * times
    elif thing.motion == "circle":
        turn = 2 * math.pi * (sign * 0.75 * pace * times + thing.phase)
        x, y = x + 0.17 * side * np.cos(turn), y + 0.17 * side * np.sin(turn)
    elif thing.motion in ("grow", "shrink"):
        left = np.exp(-1.4 * pace * times)
        factor = 1.4 - 0.85 * left if thing.motion == "grow" else 0.4 + 0.85 * left
        scale = scale * factor
        y = y + (half_height * (1 - factor) if thing.grounded else 0.0)
    elif thing.motion == "jump":
        y = y - 0.24 * side * np.abs(np.sin(math.pi * times * 1.8 * pace))
    elif thing.motion == "swing":
        angle = 0.42 * np.sin(2 * math.pi * (1.1 * pace * times + thing.phase))
        pivot = half_height if thing.grounded else -half_height
        x, y = x + pivot * np.sin(angle), y + pivot * (1 - np.cos(angle))

    flip = -1.0 if kind.faces and thing.direction in ("left", "up_left", "down_left") else 1.0
    return Pose(x, y, angle, scale, flip, _phase(thing, times, pace))


def cutout_path(cutout: Cutout, times: np.ndarray, height: int, width: int) -> Pose:
    """The pose of a collage's cut-out; one drawing unit is half its size."""
    side = min(height, width)
    wave = np.sin(2 * math.pi * (cutout.rate * times + cutout.phase))
    wave2 = np.sin(2 * math.pi * (0.7 * cutout.rate * times + 2.3 * cutout.phase))
    x = width * (cutout.x + cutout.velocity[0] * times) + side * cutout.sway[0] * wave
    y = height * (cutout.y + cutout.velocity[1] * times) + side * cutout.sway[1] * wave2
    reach = 0.75 * side * cutout.size
    x, y = ((place + reach) % (span + 2 * reach) - reach for place, span in ((x, width), (y, height)))
    scale = 0.5 * side * cutout.size * np.exp(cutout.swell * wave2)
    return Pose(x, y, cutout.angle + cutout.turn * times, scale, 1.0, np.zeros(len(times), dtype=np.int64))


def _distance(thing: Thing, times: np.ndarray, pace: float) -> np.ndarray:
    """How far a traveller has come, in picture widths (or heights)."""
    return TRAVEL * pace * times


def _cross(
    thing: Thing, times: np.ndarray, pace: float, height: int, width: int, reach: float, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A straight path that leaves the picture by `reach` pixels and comes back at its other end."""
    dx, dy = DIRECTION_VECTOR[thing.direction]
    dx, dy = dx * width, dy * height
    stretches = [
        sorted(((-reach - place) / step, (span + reach - place) / step))
        for place, step, span in ((x[0], dx, width), (y[0], dy, height))
        if step
    ]
    first, last = max(low for low, _ in stretches), min(high for _, high in stretches)
    travelled = first + np.mod(_distance(thing, times, pace) - first, last - first)
    return x + dx * travelled, y + dy * travelled


def _fall(thing: Thing, times: np.ndarray, pace: float, height: int) -> np.ndarray:
    """Height of the lowest point of a thing that falls on the floor, bounces once and rests."""
    gravity = GRAVITY * pace**2 * height
    start, floor = thing.y * height, (thing.floor or 0.0) * height
    landing = math.sqrt(2 * max(floor - start, 0.0) / gravity)
    rebound = BOUNCE * gravity * landing
    after = times - landing
    hop = np.maximum(rebound * after - 0.5 * gravity * after**2, 0.0)
    return np.where(times < landing, start + 0.5 * gravity * times**2, floor - hop)


def _heading(thing: Thing) -> float:
    """How far a flyer or swimmer is turned from its drawing: all the way for a rocket, a tilt for a bird."""
    dx, dy = DIRECTION_VECTOR[thing.direction]
    if KINDS[thing.kind].heads_up:
        return math.atan2(dx, -dy)
    if not KINDS[thing.kind].faces:
        return 0.12 * dx
    tilt = 0.45 * dy
    return -tilt if dx < 0 else tilt


def _phase(thing: Thing, times: np.ndarray, pace: float) -> np.ndarray:
    """Which drawing is shown: legs and wings move while the thing gets about by itself."""
    moves = thing.motion in ("fly", "swim", "walk", "drift", "rise", "circle")
    rate = 3.0 * pace * moves
    return np.floor((times + thing.phase) * rate * PHASES).astype(np.int64) % PHASES
