"""What is true of a rendered clip besides its pixels: points that are followed, and whether they are seen."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.world.backdrop import Backdrop
from training.world.collage import cutout_sprite
from training.world.kinds.canvas import ALPHA
from training.world.motion import Pose
from training.world.scene import Scene
from training.world.sprites import surface_points

THING_POINTS, BACKGROUND_POINTS = 64, 100
NOBODY = -2  # owner of a point that pads the batch


def point_tracks(
    scenes: list[Scene], poses: list[list[Pose]], backdrop: Backdrop, owner: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Tracks [B, T, P, 2], visibility [B, T, P] and owners [B, P]: points on each thing first, then on the background."""
    batch, frames, height, width = owner.shape
    device = owner.device
    points = count * THING_POINTS
    tracks = torch.zeros(batch, frames, points, 2)
    owners = torch.full((batch, points + BACKGROUND_POINTS), NOBODY)
    owners[:, points:] = -1
    start = torch.empty(batch, BACKGROUND_POINTS, 2)
    for row, scene in enumerate(scenes):
        generator = torch.Generator().manual_seed(scene.seed)
        start[row] = torch.rand(BACKGROUND_POINTS, 2, generator=generator) * torch.tensor((width, height))
        for number, pose in enumerate(poses[row]):
            chosen = slice(number * THING_POINTS, (number + 1) * THING_POINTS)
            tracks[row, :, chosen] = _follow(_points_on(scene, number, generator), pose)
            owners[row, chosen] = number
    ground, clear = backdrop.follow(start.to(device))
    tracks, owners = torch.cat((tracks.to(device), ground), dim=2), owners.to(device)
    clear = torch.cat((torch.ones(batch, frames, points, dtype=torch.bool, device=device), clear), dim=2)
    x, y = tracks.floor().unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    place = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).long()
    seen = owner.flatten(2).gather(2, place).long()
    return tracks, inside & clear & (seen == owners[:, None] + 1), owners


def _points_on(scene: Scene, number: int, generator: torch.Generator) -> Tensor:
    """Points of a thing in its drawing's units, [THING_POINTS, 2]."""
    if scene.style == "collage":
        solid = cutout_sprite(scene.cutouts[number], 0)[ALPHA] > 250
        rows, columns = torch.nonzero(solid, as_tuple=True)
        candidates = torch.stack((columns, rows), dim=1).add(0.5).mul(2.0 / solid.shape[0]).sub(1.0)
    else:
        candidates = surface_points(scene.things[number].kind)
    return candidates[torch.randint(len(candidates), (THING_POINTS,), generator=generator)]


def _follow(points: Tensor, pose: Pose) -> Tensor:
    """Points of a drawing [K, 2] over a pose: pixels [T, K, 2]."""
    u, v = pose.flip * points[:, 0].double().numpy(), points[:, 1].double().numpy()
    cos, sin = np.cos(pose.angle)[:, None], np.sin(pose.angle)[:, None]
    x = pose.x[:, None] + pose.scale[:, None] * (cos * u - sin * v)
    y = pose.y[:, None] + pose.scale[:, None] * (sin * u + cos * v)
    return torch.from_numpy(np.stack((x, y), axis=-1)).float()
