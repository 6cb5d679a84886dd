"""Rendered guides: a plan's points as circles on a plain canvas, for control models that read where things go from such a video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..drawing import Colour, Layer
from ..tracks import Tracks

CANVASES: dict[str, Colour] = {"black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128)}
SCENE: Colour = (170, 170, 170)


@dataclass(frozen=True)
class GuideStyle:
    """How guides look. `radius` of the circles is a part of the picture's shorter side; `trails` draws each path up to now as a line."""

    radius: float = 0.02
    canvas: str = "black"
    trails: bool = False

    def __post_init__(self) -> None:
        if self.canvas not in CANVASES:
            raise ValueError(f"expected a canvas of {', '.join(CANVASES)}, got '{self.canvas}'; use black")
        if not 0.001 <= self.radius <= 0.5:
            raise ValueError(f"expected a radius of 0.001 to 0.5 of the shorter side, got {self.radius:g}; use 0.02")


def guide_frames(tracks: Tracks, style: GuideStyle, colours: list[Colour], first: int = 0) -> Iterator[Tensor]:
    """Frames uint8 [1, H, W, 3] from number `first` on, one at a time. Points that are not seen are not drawn.

    Args:
        colours: of each region and box, as `tracks.ids`; points of the scene are light grey.
    """
    of_point = [SCENE if owner < 0 else colours[owner] for owner in tracks.owner]
    radius = max(0.75, style.radius * min(tracks.width, tracks.height))
    canvas = np.empty((tracks.height, tracks.width, 3), np.uint8)
    canvas[:] = CANVASES[style.canvas]
    trails = Layer.empty(tracks.width, tracks.height)
    for frame in range(len(tracks.points)):
        here, seen = tracks.points[frame], tracks.visible[frame]
        if style.trails and frame > 0:
            for point in np.flatnonzero(seen & tracks.visible[frame - 1]):
                trails.line(tracks.points[frame - 1, point], here[point], of_point[point], max(1.0, 0.5 * radius), 0.6)
        if frame < first:
            continue
        layer = trails.copy()
        for point in np.flatnonzero(seen):
            layer.dot(here[point], radius, of_point[point])
        yield torch.from_numpy(layer.over(canvas))[None]
