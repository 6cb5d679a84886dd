"""The crude moved video of a plan: regions cut out and moved, in the order of depth, before a background without them.

It is what the preview shows and what Time-to-Move starts from; frames are made one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .camera import camera_maps, inverse_maps
from .movers import Mover, movers
from .outline import Check
from .plan import Plan
from .pyramid import within

SEEN = 0.5
NOTHING = 1e-4
FARTHEST = 1e6


@dataclass(frozen=True)
class WarpedFrame:
    """One frame of the crude video, float32 unless said otherwise.

    Attributes:
        picture: [H, W, 3], 0 to 1.
        mask: [H, W], how much of each pixel shows regions or boxes, still ones too.
        labels: [H, W] int16, the region or box seen there, as an index into the visible ones (as `Tracks.ids`); -1: the scene.
        known: [H, W], 1 where the content comes from the picture, 0 where it is invented (holes, beyond the edge).
    """

    picture: Tensor
    mask: Tensor
    labels: Tensor
    known: Tensor


@dataclass(frozen=True)
class _Layer:
    """A cut-out mover: `values` [5, h, w] are its colours and what is known, times its coverage, and its coverage; at `corner` (x, y)."""

    index: int
    mover: Mover
    values: Tensor
    corner: tuple[int, int]


def warp(
    plan: Plan, picture: Tensor | np.ndarray, frames: int, masks: np.ndarray | None = None, check: Check | None = None
) -> Iterator[WarpedFrame]:
    """The frames of the crude moved video, made when they are asked for.

    Args:
        picture: [H, W, 3], 0 to 1, the first frame.
        masks: numbers 0 to 1, [B, h, w], for regions that are masks.
        check: called between pieces of work; may raise to end it.

    Raises:
        PlanError: a region needs a mask that did not come.
        ValueError: a picture or a length that no clip has.
    """
    first = torch.as_tensor(picture, dtype=torch.float32).detach().cpu()
    if first.ndim != 3 or first.shape[-1] != 3 or frames < 1:
        got = f"{list(first.shape)} and {frames}"
        raise ValueError(f"motion preview: expected a picture [height, width, 3] and at least 1 frame, got {got}")
    height, width = first.shape[:2]
    ask = check or (lambda: None)
    parts = movers(plan, width, height, frames, masks, ask)
    cameras = camera_maps(plan.camera, width, height, frames)
    return _frames(first.permute(2, 0, 1).contiguous(), parts, cameras, ask)


def _frames(picture: Tensor, parts: list[Mover], cameras: np.ndarray, check: Check) -> Iterator[WarpedFrame]:
    scene, layers = _take_apart(picture, parts, check)
    for frame, camera in enumerate(cameras):
        check()
        shown = _composed(scene, layers, camera, frame, check)
        if _is_identity(camera) and all(_is_identity(part.maps[frame]) for part in parts):
            untouched = picture.permute(1, 2, 0).clamp(0, 1)
            shown = WarpedFrame(untouched, shown.mask, shown.labels, torch.ones_like(shown.known))
        yield shown


def _take_apart(picture: Tensor, parts: list[Mover], check: Check) -> tuple[Tensor, list[_Layer]]:
    """The scene [4, H, W] (colours, known) without what moves, and the movers' layers from back to front."""
    in_order = sorted(enumerate(parts), key=lambda entry: entry[1].rank)
    coverages = {index: torch.from_numpy(part.outline.coverage()) for index, part in in_order}
    in_front = torch.zeros(picture.shape[1:])
    hole = torch.zeros(picture.shape[1:])
    layers: list[_Layer] = []
    for index, part in reversed(in_order):
        check()
        coverage = coverages[index]
        layer = _cut_out(index, part, picture, coverage, in_front)
        if layer is not None:
            layers.insert(0, layer)
        if part.moves:
            hole = torch.maximum(hole, coverage * (1 - in_front))
        in_front = torch.maximum(in_front, coverage)
    known = 1 - within(hole > NOTHING, 1).float()  # pixels beside a hole often show a rim of what is cut out
    colours = _filled(picture, known) if bool((known < 1).any()) else picture
    return torch.cat([colours, known[None]]), layers


def _cut_out(index: int, mover: Mover, picture: Tensor, coverage: Tensor, in_front: Tensor) -> _Layer | None:
    """The mover's own pixels; where another one is in front of them, colours from around."""
    rows, columns = torch.nonzero(coverage.amax(1) > 0).flatten(), torch.nonzero(coverage.amax(0) > 0).flatten()
    if len(rows) == 0:
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    alpha = coverage[top:bottom, left:right]
    colours = picture[:, top:bottom, left:right]
    hidden = in_front[top:bottom, left:right]
    own = (hidden <= NOTHING).float()
    if bool((own * alpha).amax() > 0) and bool((own < 1).any()):
        colours = _filled(colours, own * (alpha > NOTHING))
    return _Layer(index, mover, torch.cat([colours * alpha, (own * alpha)[None], alpha[None]]), (left, top))


def _composed(scene: Tensor, layers: list[_Layer], camera: np.ndarray, frame: int, check: Check) -> WarpedFrame:
    height, width = scene.shape[1:]
    canvas = scene.clone() if _is_identity(camera[:2]) else _scene_through(scene, camera)
    mask = torch.zeros(height, width)
    labels = torch.full((height, width), -1, dtype=torch.int16)
    for layer in layers:
        check()
        moved = _moved(layer, camera[:2] @ np.vstack([layer.mover.maps[frame], [0, 0, 1]]), width, height)
        if moved is None:
            continue
        values, (left, top, right, bottom) = moved
        alpha = values[4]
        window = (slice(top, bottom), slice(left, right))
        canvas[:, window[0], window[1]] = canvas[:, window[0], window[1]] * (1 - alpha) + values[:4]
        mask[window] = 1 - (1 - mask[window]) * (1 - alpha)
        labels[window][alpha >= SEEN] = layer.index
    return WarpedFrame(canvas[:3].permute(1, 2, 0).clamp(0, 1), mask.clamp(0, 1), labels, canvas[3].clamp(0, 1))


def _is_identity(matrix: np.ndarray) -> bool:
    return bool(np.abs(matrix[:2] - np.eye(3)[:2]).max() < 1e-9)


def _scene_through(scene: Tensor, camera: np.ndarray) -> Tensor:
    """The scene [4, H, W] as the camera sees it; beyond the edge its colours go on, and nothing is known."""
    height, width = scene.shape[1:]
    x, y = _origins(camera, 0, 0, width, height)
    grid = _to_grid(x, y, width, height)
    seen = functional.grid_sample(scene[None], grid, padding_mode="border", align_corners=False)[0]
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    seen[3] *= within
    return seen


def _moved(layer: _Layer, matrix: np.ndarray, width: int, height: int) -> tuple[Tensor, tuple[int, int, int, int]] | None:
    """The layer's values in the window (left, top, right, bottom) of the frame that it touches."""
    left, top = layer.corner
    high, wide = layer.values.shape[1:]
    if _is_identity(matrix):
        return layer.values, (left, top, left + wide, top + high)
    corners = np.array([(x, y, 1) for x in (left, left + wide) for y in (top, top + high)]) @ matrix[:2].T
    from_x, from_y = np.maximum(np.floor(corners.min(axis=0)) - 1, 0)
    to_x, to_y = np.minimum(np.ceil(corners.max(axis=0)) + 1, (width, height))
    if from_x >= to_x or from_y >= to_y:
        return None
    window = int(from_x), int(from_y), int(to_x), int(to_y)
    x, y = _origins(matrix, *window)
    grid = _to_grid(x - left, y - top, wide, high)
    return functional.grid_sample(layer.values[None], grid, padding_mode="zeros", align_corners=False)[0], window


def _origins(matrix: np.ndarray, left: int, top: int, right: int, bottom: int) -> tuple[Tensor, Tensor]:
    """Where the centres of a window's pixels come from: x and y, each [h, w]."""
    (a, b, c), (d, e, f) = inverse_maps(matrix).tolist()
    x, y = torch.arange(left, right) + 0.5, (torch.arange(top, bottom) + 0.5)[:, None]
    return _near(a * x + (b * y + c)), _near(d * x + (e * y + f))


def _near(places: Tensor) -> Tensor:
    """Finite places; what a zoom without measure makes of them is far outside."""
    return places.nan_to_num(nan=-FARTHEST).clamp(-FARTHEST, FARTHEST)


def _to_grid(x: Tensor, y: Tensor, width: int, height: int) -> Tensor:
    return torch.stack([x * (2 / width) - 1, y * (2 / height) - 1], dim=-1)[None]


def _filled(colours: Tensor, known: Tensor) -> Tensor:
    """Colours [3, H, W] where `known` [H, W] is 1, elsewhere a smooth continuation of them (push-pull).

    Averages of what is known go down a pyramid; on the way back up they fill the gaps.
    """
    height, width = colours.shape[1:]
    weight = known[None, None]
    if max(height, width) == 1:
        return colours
    size = ((height + 1) // 2, (width + 1) // 2)
    sums = functional.adaptive_avg_pool2d(torch.cat([colours[None] * weight, weight], dim=1), size)[0]
    coarse_weight = sums[3]
    coarse = sums[:3] / coarse_weight.clamp(min=1e-6)
    if bool((coarse_weight <= NOTHING).any()):
        coarse = _filled(coarse, (coarse_weight > NOTHING).float())
    smooth = functional.interpolate(coarse[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    return torch.where(weight[0] > 0, colours, smooth)
