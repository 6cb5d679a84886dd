"""The camera: what each of its moves does to the picture's plane, and all of them together (docs/MOTION_PLAN.md, "Camera")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .easing import eased_time, frame_times
from .plan import CameraMove, Pan, Zoom


def camera_maps(moves: Sequence[CameraMove], width: int, height: int, frames: int) -> np.ndarray:
    """Maps [T, 3, 3] in pixels of places in the scene to places in each frame; the first move is applied first."""
    maps = np.tile(np.eye(3), (frames, 1, 1))
    for move in moves:
        gone = eased_time(frame_times(frames), move.start, move.end, move.easing)
        maps = _move_maps(move, gone, width, height) @ maps
    return maps


def _move_maps(move: CameraMove, gone: np.ndarray, width: int, height: int) -> np.ndarray:
    maps = np.tile(np.eye(3), (len(gone), 1, 1))
    if isinstance(move, Pan):
        maps[:, 0, 2], maps[:, 1, 2] = -move.x * width * gone, -move.y * height * gone
        return maps
    if isinstance(move, Zoom):
        linear = move.factor**gone
        maps[:, 0, 0] = maps[:, 1, 1] = linear
    else:
        maps[:, :2, :2] = rotations(-move.degrees * gone)
    center = np.array(move.center) * (width, height)
    maps[:, :2, 2] = center - maps[:, :2, :2] @ center
    return maps


def rotations(degrees: np.ndarray) -> np.ndarray:
    """Matrices [T, 2, 2] of turns [T], clockwise on the screen."""
    angles = np.radians(degrees)
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)


def apply_maps(maps: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Places [..., n, 2] under affine maps [..., 2 or 3, 3]."""
    return places @ np.swapaxes(maps[..., :2, :2], -1, -2) + maps[..., None, :2, 2]


def inverse_maps(maps: np.ndarray) -> np.ndarray:
    """The inverses [..., 2, 3] of affine maps [..., 2 or 3, 3]."""
    linear = np.linalg.inv(maps[..., :2, :2])
    return np.concatenate([linear, -linear @ maps[..., :2, 2:]], axis=-1)
