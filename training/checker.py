"""Reads from the pixels of a clip which thing it shows, in which colour, where, and which way the thing moves.

A small convolutional network looks at five frames of a clip one by one (each beside its difference from the mean of the five), marks the
thing, and reads kind and colour from the features under the mark and the background from the rest. The direction of motion is geometry: the
path of the mark's centre. It is trained on rendered scenes whose kind, colour, motion and place are independent (`train_checker`), so
the surroundings give nothing away. Made for clips with one thing and a still camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from training.world import LABELS

WEIGHTS = Path(__file__).parent / "checker.safetensors"
SIDE = 64  # pixels of the pictures that the network looks at
LOOKS = 5  # frames of a clip that it looks at, first and last among them
MARK = 16  # cells of the mark in each direction
WIDTH = 96
STILL = 0.10  # picture widths that a thing has to travel in a clip to count as moving
STRAIGHT = {"right": (1.0, 0.0), "left": (-1.0, 0.0), "down": (0.0, 1.0), "up": (0.0, -1.0)}  # y points down


@dataclass(frozen=True)
class Reading:
    """What was read from B clips."""

    kind: Tensor  # [B, kinds] log-probabilities, in the order of LABELS
    colour: Tensor  # [B, colours] log-probabilities
    background: Tensor  # [B, backgrounds] log-probabilities
    path: Tensor  # [B, LOOKS, 2] centre of the thing, x and y in fractions of the picture
    mass: Tensor  # [B, LOOKS] fraction of the picture that is marked
    travel: Tensor  # [B, 2] what the thing travels from the first to the last frame along its straightened path, x and y

    def label(self, name: str) -> list[str]:
        """The likeliest label of `kind`, `colour` or `background` for each clip."""
        return [LABELS[name][int(best)] for best in getattr(self, name).argmax(1)]

    def direction(self) -> list[str]:
        """left, right, up, down, whichever is nearest, or `none` for a thing that hardly moves."""
        names = list(STRAIGHT)
        along = self.travel @ torch.tensor(list(STRAIGHT.values())).T
        furthest, best = along.max(1)
        return [names[int(number)] if far >= STILL else "none" for far, number in zip(furthest, best)]


class Checker(nn.Module):
    """One frame at a time: features at a quarter and an eighth of the picture's size, joined, and heads on them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(6, 24, 5, 2, 2), nn.SiLU(), nn.Conv2d(24, 64, 3, 2, 1), nn.SiLU())
        self.quarter = nn.Sequential(nn.GroupNorm(8, 64), nn.Conv2d(64, 64, 3, 1, 1), nn.SiLU())
        self.eighth = nn.Sequential(nn.GroupNorm(8, 64), nn.Conv2d(64, WIDTH, 3, 2, 1), nn.SiLU())
        self.wide = nn.Sequential(
            nn.GroupNorm(8, WIDTH), nn.Conv2d(WIDTH, WIDTH, 3, 1, 1), nn.SiLU(), nn.Conv2d(WIDTH, WIDTH, 3, 1, 1), nn.SiLU()
        )
        self.join = nn.Sequential(nn.Conv2d(64 + WIDTH, 128, 1), nn.SiLU())
        self.mark = nn.Conv2d(128, 1, 1)
        self.kind = nn.Sequential(nn.LayerNorm(128), nn.Linear(128, 256), nn.SiLU(), nn.Linear(256, len(LABELS["kind"])))
        self.colour = nn.Sequential(nn.LayerNorm(256), nn.Linear(256, 128), nn.SiLU(), nn.Linear(128, len(LABELS["colour"])))
        self.background = nn.Sequential(nn.LayerNorm(128), nn.Linear(128, 64), nn.SiLU(), nn.Linear(64, len(LABELS["background"])))

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        """Frames [N, 6, 64, 64] -> logits: `mark` [N, 16, 16] and one row a frame of `kind`, `colour` and `background`."""
        quarter = self.stem(frames)
        quarter = quarter + self.quarter(quarter)
        eighth = self.eighth(quarter)
        eighth = eighth + self.wide(eighth)
        joined = self.join(torch.cat([quarter, F.interpolate(eighth, scale_factor=2.0)], dim=1))  # [N, 128, 16, 16]
        mark = self.mark(joined)[:, 0].float()
        joined, share = joined.flatten(2).float(), torch.sigmoid(mark).flatten(1)
        thing = _weighted_mean(joined, share)
        place = _weighted_mean(joined, 1 - share)
        both = torch.cat([thing, place], dim=1)  # what a colour looks like depends on the light
        return {"mark": mark, "kind": self.kind(thing), "colour": self.colour(both), "background": self.background(place)}

    @torch.inference_mode()
    def read(self, video: Tensor, at_once: int = 32) -> Reading:
        """Read clips [B, 3, T, H, W] in -1..1 of any length and size."""
        parts = []
        for clips in video.split(at_once):
            seen = self(prepare(clips).flatten(0, 1))
            parts.append({name: value.unflatten(0, (len(clips), LOOKS)) for name, value in seen.items()})
        seen = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        path, mass, travel = follow(seen["mark"])
        trust = mass / mass.sum(1, keepdim=True).clamp_min(1e-6)
        named = {name: (seen[name].log_softmax(-1) * trust[..., None]).sum(1).log_softmax(-1) for name in ("kind", "colour")}
        return Reading(**named, background=seen["background"].mean(1).log_softmax(-1), path=path, mass=mass, travel=travel)


def prepare(video: Tensor) -> Tensor:
    """Clips [B, 3, T, H, W] in -1..1 -> what the network looks at, [B, 5, 6, 64, 64]: each frame, and its difference from their mean."""
    frames = torch.linspace(0, video.shape[2] - 1, LOOKS).round().long()
    chosen = video[:, :, frames].float().transpose(1, 2)
    if chosen.shape[-2:] != (SIDE, SIDE):
        chosen = F.interpolate(chosen.flatten(0, 1), size=(SIDE, SIDE), mode="area").unflatten(0, chosen.shape[:2])
    return torch.cat([chosen, chosen - chosen.mean(1, keepdim=True)], dim=2)


def follow(mark: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Marks [B, 5, 16, 16] (logits) -> path [B, 5, 2], mass [B, 5] and travel [B, 2] as in `Reading`.

    The travel is the slope of the straight line through the centres, each weighted by how much of the thing is seen.
    """
    share = torch.sigmoid(mark).square()
    mass = share.mean((2, 3))
    cells = (torch.arange(MARK, device=mark.device) + 0.5) / MARK
    total = share.sum((2, 3)).clamp_min(1e-6)
    path = torch.stack([(share.sum(2) * cells).sum(2) / total, (share.sum(3) * cells).sum(2) / total], dim=2)
    weight = mass / mass.sum(1, keepdim=True).clamp_min(1e-6)
    time = torch.linspace(0, 1, LOOKS, device=mark.device) - (weight * torch.linspace(0, 1, LOOKS, device=mark.device)).sum(1, keepdim=True)
    lever = weight * time
    travel = (lever[..., None] * path).sum(1) / (lever * time).sum(1, keepdim=True).clamp_min(1e-4)
    return path, mass, travel


def load_checker(path: Path = WEIGHTS) -> Checker:
    """The trained network, float32, on the CPU."""
    checker = Checker()
    checker.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return checker.eval().requires_grad_(False)


def _weighted_mean(features: Tensor, weights: Tensor) -> Tensor:
    """[N, C, K] under weights [N, K] -> [N, C]."""
    return torch.einsum("nck,nk->nc", features, weights / weights.sum(1, keepdim=True).clamp_min(1e-3))
