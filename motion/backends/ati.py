"""ATI, any trajectory instruction (arXiv 2505.22944): the first picture's features are blended in along Gaussian tracks.

Its models were trained on tracks of 121 points over a clip, whatever the clip's length. Tracks of another length are therefore resampled
to 121 points; padding them, as the usual nodes do, ends the motion before the clip ends.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .points import checked, per_point, resampled

POINTS = 121
TIME = 4
SHARPNESS = 220.0
"""The Gaussian's exponent; distances are in halves of the picture's short side."""


def apply_tracks(
    latent: Tensor, points: Tensor, visibility: Tensor | None, width: int, height: int, strength: float | Tensor = 1.0
) -> tuple[Tensor, Tensor]:
    """Conditioning latent and mask for ATI's models.

    Args:
        latent: [B, C, T', h, w], normalised as the network sees it: the first picture, the other frames grey.
        points, visibility: [T, N, 2] pixels of a `width` x `height` clip, and [T, N], [T, 1] or None; any T.
        strength: 0 to 1, for all tracks or each, [N].
    Returns:
        the latent with the tracks' features in it, and the mask [B, 4, T', h, w] that goes with it: 0 where the picture is known, 1
        where nothing is, the tracks between.
    """
    points, visibility = checked(points, visibility)
    if points.shape[1] == 0:
        return latent.clone(), _unknown_after_first(latent)
    points, visibility = resampled(points, visibility, POINTS)
    frames = TIME * (latent.shape[2] - 1)
    chosen = torch.cat((torch.zeros(1, dtype=torch.long), 1 + _frames_of(frames)))
    positions = normalised(points[chosen.to(points.device)], width, height).to(latent.device)
    seen = visibility[chosen.to(points.device)].to(latent.device)
    strengths = per_point(strength, points.shape[1], latent.device)
    moved, masks = zip(*(_blend(one, positions, seen, strengths) for one in latent))
    return torch.stack(moved), torch.stack(masks)


def normalised(points: Tensor, width: int, height: int) -> Tensor:
    """Pixels -> distances from the picture's middle, in halves of its short side."""
    middle = torch.tensor((width, height), dtype=points.dtype, device=points.device) / 2
    return (points - middle) / min(width, height) * 2


def _frames_of(frames: int) -> Tensor:
    """Which of the 120 points after the first stands for each of `frames` frames after the first.

    As in the published code, but for clips of 121 or 241 frames, where that code comes out one short.
    """
    shared = math.gcd(POINTS - 1, frames)
    step, repeats = (POINTS - 1) // shared, max(frames // shared, 1)
    offset = 1 if step > 1 else 0
    return (offset + torch.arange(frames) * step) // repeats


def _blend(latent: Tensor, positions: Tensor, seen: Tensor, strengths: Tensor) -> tuple[Tensor, Tensor]:
    """One latent [C, T', h, w] and positions [T, N, 2] -> the blended latent and its mask [4, T', h, w]."""
    height, width = latent.shape[-2:]
    short = min(height, width)
    reach = torch.tensor((width / short, height / short), device=latent.device)
    features = _features(latent, (positions[0] / reach).clamp(-1, 1))  # [N, C]
    grouped = positions[1:].unflatten(0, (-1, TIME))  # [T' - 1, 4, N, 2]
    counted = seen[1:].unflatten(0, (-1, TIME)).float()  # [T' - 1, 4, N]
    count = counted.sum(1)
    centres = (grouped * counted[..., None]).sum(1) / (count[..., None] + 1e-5)  # [T' - 1, N, 2]
    present = count.clamp(0, 1) * strengths
    columns = torch.linspace(-width / short, width / short, width, device=latent.device)
    rows = torch.linspace(-height / short, height / short, height, device=latent.device)
    known = latent.clone()
    weights = torch.zeros(latent.shape[1:], dtype=latent.dtype, device=latent.device)
    weights[0] = 1
    for number, (centre, strength) in enumerate(zip(centres, present), start=1):
        across = torch.exp(-SHARPNESS * (centre[:, 0, None] - columns).square()) * strength[:, None]  # [N, w]
        down = torch.exp(-SHARPNESS * (centre[:, 1, None] - rows).square())  # [N, h]
        weight = (down[:, :, None] * across[:, None]).flatten(1)  # [N, h w]
        feature, weights[number] = _two_nearest(weight, features, latent[:, number])
        known[:, number] = feature
    return known, (1 - weights).expand(TIME, -1, -1, -1)


def _two_nearest(weight: Tensor, features: Tensor, grey: Tensor) -> tuple[Tensor, Tensor]:
    """Each cell's two heaviest tracks, blended with what was there: [C, h, w], and the sum of their weights [h, w]."""
    best, first = weight.max(0)
    feature = features[first] * best[:, None]
    total = best
    if weight.shape[0] > 1:
        again, second = weight.scatter(0, first[None], -1.0).max(0)
        feature, total = feature + features[second] * again[:, None], total + again
    total = total.view(grey.shape[1:])
    return feature.T.reshape(grey.shape) + grey * (1 - total.clamp(0, 1)), total


def _features(latent: Tensor, places: Tensor) -> Tensor:
    """The first picture's features [N, C] under the tracks' first points, interpolated bilinearly; zero beyond its edge."""
    sampled = functional.grid_sample(latent[None, :, 0], places[None, None].to(latent.dtype), padding_mode="zeros", align_corners=False)
    return sampled[0, :, 0].T


def _unknown_after_first(latent: Tensor) -> Tensor:
    mask = torch.ones(latent.shape[0], TIME, *latent.shape[2:], dtype=latent.dtype, device=latent.device)
    mask[:, :, 0] = 0
    return mask
