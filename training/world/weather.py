"""Rain and snow that fall in front of everything, and mist over it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.world.backgrounds import Ground
from training.world.light import GREY_SKY
from training.world.scene import Scene

MIST = {"rain": 0.06, "snow": 0.05, "fog": 0.20}
RAIN_SLANT = -0.18  # columns per row
RAIN_SPEED, SNOW_SPEED = 1.9, 0.42  # picture heights per second


def fall_weather(video: Tensor, scenes: list[Scene], times: np.ndarray) -> None:
    """Lay the weather over video [B, T, 3, H, W] (in place) at the given seconds."""
    for row, scene in enumerate(scenes):
        if scene.weather == "clear":
            continue
        mist = torch.tensor(GREY_SKY, device=video.device)[:, None, None] * (0.45 if scene.time == "night" else 1.0)
        video[row].lerp_(mist.expand_as(video[row]), MIST[scene.weather])
        if scene.weather in ("rain", "snow"):
            flakes = _falling(scene, times, video.shape[-2], video.shape[-1], video.device)
            video[row] += (1 - video[row]) * flakes[:, None]


def _falling(scene: Scene, times: np.ndarray, height: int, width: int, device: torch.device) -> Tensor:
    """How much white falls at each pixel, [T, H, W]: two sheets of specks that move down and wrap around."""
    ground = Ground([scene], height, width, 0.0, device)
    ground.used = 1024
    frames = torch.zeros(len(times), height, width, device=device)
    for sheet, near in enumerate((0.7, 1.0)):
        if scene.weather == "rain":
            specks = ground.specks(26, 0.0, 1.0, 0.010, 0.13 * near, RAIN_SLANT)[0] * 0.5 * near
            down, across = RAIN_SPEED * near * times, RAIN_SLANT * RAIN_SPEED * near * times
        else:
            specks = ground.specks(20, 0.0, 1.0, 0.034 * near)[0] * 0.95
            down, across = SNOW_SPEED * near * times, 0.04 * np.sin(2.2 * times + 2 * sheet)
        rows = (torch.arange(height)[None] - torch.from_numpy(np.round(down * height)).long()[:, None]) % height
        columns = (torch.arange(width)[None] - torch.from_numpy(np.round(across * height)).long()[:, None]) % width
        moved = specks[rows.to(device)[:, :, None], columns.to(device)[:, None, :]]
        frames = torch.maximum(frames, moved)
    return frames
