"""Backgrounds over time: layers seen through the camera, and what lies at a point of them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.world.backgrounds import MARGIN, Layer, paint_background
from training.world.collage import texture_layer
from training.world.motion import Camera
from training.world.scene import Scene


def paint_key(scene: Scene) -> tuple[str, str, bool]:
    """Scenes of one key are painted together."""
    return scene.style, scene.background, scene.camera != "still"


class Backdrop:
    """The backgrounds of a batch of scenes: pictures for any span of frames, and which layer lies at a point."""

    def __init__(self, scenes: list[Scene], cameras: list[Camera], times: np.ndarray, height: int, width: int, device: torch.device):
        self.size, self.times, self.device, self.count = (height, width), times, device, len(scenes)
        self.groups: list[tuple[list[int], list[Layer], float, list[Tensor]]] = []
        keys = [paint_key(scene) for scene in scenes]
        for key in sorted(set(keys)):
            rows = [row for row, other in enumerate(keys) if other == key]
            members = [scenes[row] for row in rows]
            moves = key[2] or any(scene.drift != (0.0, 0.0) for scene in members)
            margin = MARGIN if key[2] else 0.0
            if key[0] == "collage":
                layers = [texture_layer(members, height, width, device)]
            else:
                layers = paint_background(members, height, width, margin, device)
            views = [self._view(members, [cameras[row] for row in rows], layer.parallax) for layer in layers] if moves else []
            self.groups.append((rows, layers, margin, views))

    def _view(self, scenes: list[Scene], cameras: list[Camera], parallax: float) -> Tensor:
        """[n, T, 3]: a layer's zoom and its shift in x and y, in pixels."""
        height, width = self.size
        rows = []
        for scene, camera in zip(scenes, cameras):
            zoom, pan = camera.at_depth(parallax)
            shift_x = scene.drift[0] * self.times * width - pan
            rows.append(np.stack((zoom, shift_x, scene.drift[1] * self.times * height), axis=1))
        return torch.from_numpy(np.stack(rows)).float().to(self.device)

    def frames(self, span: slice) -> Tensor:
        """The backgrounds alone, [B, T, 3, H * W]."""
        height, width = self.size
        length = len(self.times[span])
        canvas = torch.empty(self.count, length, 3, height * width, device=self.device)
        for rows, layers, margin, views in self.groups:
            if not views:
                canvas[rows] = _flatten([layer.rgba for layer in layers]).flatten(2)[:, None].expand(-1, length, -1, -1)
                continue
            y, x = torch.meshgrid(
                torch.arange(height, device=self.device) + 0.5, torch.arange(width, device=self.device) + 0.5, indexing="ij"
            )
            points = torch.stack((x, y), dim=-1).reshape(1, 1, height * width, 2)
            seen = [self._sample(layer.rgba, view[:, span], margin, points) for layer, view in zip(layers, views)]
            canvas[rows] = _flatten([layer.flatten(0, 1) for layer in seen]).unflatten(0, (len(rows), length))
        return canvas

    def _sample(self, image: Tensor, view: Tensor, margin: float, points: Tensor) -> Tensor:
        """A layer's [n, c, h, w] at points [n or 1, T or 1, K, 2] of the screen: [n, T, c, K]."""
        place = self.place(view, points)
        size = torch.tensor((self.size[1], self.size[0]), device=self.device)
        grid = ((place / size + margin) / (1 + 2 * margin)) * 2 - 1
        sampled = F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        return sampled.transpose(1, 2)

    def place(self, view: Tensor, points: Tensor) -> Tensor:
        """Points of the screen -> the pixels of a layer at rest."""
        middle = torch.tensor((self.size[1] / 2, self.size[0] / 2), device=self.device)
        return (points - view[:, :, None, 1:] - middle) / view[:, :, None, :1] + middle

    def screen(self, view: Tensor, places: Tensor) -> Tensor:
        """Pixels of a layer at rest [n, 1, K, 2] -> points of the screen [n, T, K, 2]."""
        middle = torch.tensor((self.size[1] / 2, self.size[0] / 2), device=self.device)
        return (places - middle) * view[:, :, None, :1] + middle + view[:, :, None, 1:]

    def follow(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Points [B, K, 2] of the first picture over all frames: tracks [B, T, K, 2], and whether no layer hides them."""
        tracks = points[:, None].repeat(1, len(self.times), 1, 1)
        clear = torch.ones(tracks.shape[:3], dtype=torch.bool, device=self.device)
        for rows, layers, margin, views in self.groups:
            if not views:
                continue
            index = torch.tensor(rows, device=self.device)
            start = tracks[index][:, :1]
            top = self._top(layers, views, margin, start, slice(0, 1))[:, 0]  # [n, K]
            group = tracks[index]
            for number, view in enumerate(views):
                path = self.screen(view, self.place(view[:, :1], start))
                group = torch.where((top == number)[:, None, :, None], path, group)
            tracks[index] = group
            clear[index] = self._top(layers, views, margin, group, slice(None)) == top[:, None]
        return tracks, clear

    def _top(self, layers: list[Layer], views: list[Tensor], margin: float, points: Tensor, span: slice) -> Tensor:
        """The number of the nearest layer that is solid at each point, [n, T, K]."""
        top = torch.zeros(points.shape[:3], dtype=torch.long, device=self.device)
        for number, (layer, view) in enumerate(zip(layers, views)):
            alpha = self._sample(layer.rgba[:, 3:], view[:, span], margin, points)[:, :, 0]
            top = torch.where(alpha > 0.5, number, top)
        return top


def _flatten(layers: list[Tensor]) -> Tensor:
    """Layers [n, 4, ...], far to near, composited: [n, 3, ...]."""
    colour = layers[0][:, :3]
    for layer in layers[1:]:
        colour = colour + (layer[:, :3] - colour) * layer[:, 3:]
    return colour
