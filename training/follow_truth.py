"""The follower of points on rendered clips, whose points are known: how far it is off."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.motion_cases import FIRST_SEED
from training.world import render, sample_scene

STYLES = ("collage", "picture_book")
WRONG = 0.3  # sides of the picture that the follower is told a thing goes elsewhere


@dataclass(frozen=True)
class Followed:
    """One clip. Errors are pixels, NaN in the first frame and from where a point is hidden on.

    Attributes:
        style: collage or picture_book.
        errors: [T, N].
        found: [T, N] bool, where the follower says that it found the point.
        on_things: [N] bool, which points are on things; the others are on the background.
    """

    style: str
    errors: Tensor
    found: Tensor
    on_things: Tensor


@torch.inference_mode()
def follow_truth(follower: Callable[..., Any], number: int, size: int, frames: int) -> Followed:
    """Follow the points of held-out clip `number` with a `motion.follow.Follower`.

    It is told a wrong way for each thing, as from a plan that the video does not keep to.
    """
    style = STYLES[number % len(STYLES)]
    clip = render([sample_scene(random.Random(FIRST_SEED + number), "held_out", style)], frames, size, size)
    labels = torch.full((size, size), -1)
    for index, mask in enumerate(clip.masks[0, 0]):
        labels[mask] = index
    kept = clip.visibility[0, 0] & (clip.owners[0] >= -1)
    owners, truth = clip.owners[0][kept], clip.tracks[0][:, kept]
    pictures = clip.video[0].permute(0, 2, 3, 1)
    following = follower(pictures[0], truth[0], owners, labels)
    angle = random.Random(number).uniform(-math.pi, math.pi)
    wrong = WRONG * size * torch.tensor([math.cos(angle), math.sin(angle)]) * torch.linspace(0, 1, frames)[:, None]
    places, found = [truth[0]], [torch.ones(len(owners), dtype=torch.bool)]
    for frame in range(1, frames):
        place, sure = following.step(pictures[frame], truth[0] + wrong[frame])
        places.append(place)
        found.append(sure)
    errors = (torch.stack(places) - truth).norm(dim=-1)
    errors[~clip.visibility[0][:, kept].cumprod(0).bool()] = torch.nan
    errors[0] = torch.nan
    return Followed(style, errors, torch.stack(found), owners >= 0)
