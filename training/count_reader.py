"""Reads from the pixels of a clip whether it shows one, two or three things.

A small convolutional network on the features of the network that reads things (`training/checker.py`, which stays as it is): every look
at the clip is summed up by what its features are on the average and at most, the looks likewise. Trained on rendered scenes of one, two and
three things (`train_count_reader`). Made for still cameras.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from training.checker import Checker, prepare
from training.world.vocabulary import MAX_THINGS

WEIGHTS = Path(__file__).parent / "count_reader.safetensors"
FEATURES, WIDTH = 129, 48  # of the checker and its mark; of this network


class CountReader(nn.Module):
    """Features of five looks -> which number of things is how likely."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(FEATURES, WIDTH, 1), nn.SiLU(), nn.GroupNorm(4, WIDTH),
            nn.Conv2d(WIDTH, WIDTH, 3, 1, 1), nn.SiLU(), nn.GroupNorm(4, WIDTH),
            nn.Conv2d(WIDTH, WIDTH, 3, 2, 1), nn.SiLU(),
        )  # fmt: skip
        self.clip = nn.Sequential(nn.LayerNorm(4 * WIDTH), nn.Linear(4 * WIDTH, 64), nn.SiLU(), nn.Linear(64, MAX_THINGS))

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, 5, 129, 16, 16] as `look_features` gives them -> logits [B, 3] of one, two and three things."""
        seen = self.look(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        looks = torch.cat([seen.mean((3, 4)), seen.amax((3, 4))], dim=2)  # [B, 5, 96]
        return self.clip(torch.cat([looks.mean(1), looks.amax(1)], dim=1))


@torch.inference_mode()
def look_features(checker: Checker, looks: Tensor) -> Tensor:
    """What the checker sees at looks [B, 5, 6, 64, 64] (see its `prepare`): its features and its mark, [B, 5, 129, 16, 16]."""
    quarter = checker.stem(looks.flatten(0, 1))
    quarter = quarter + checker.quarter(quarter)
    eighth = checker.eighth(quarter)
    eighth = eighth + checker.wide(eighth)
    joined = checker.join(torch.cat([quarter, F.interpolate(eighth, scale_factor=2.0)], dim=1))
    return torch.cat([joined, checker.mark(joined).sigmoid()], dim=1).unflatten(0, looks.shape[:2])


@torch.inference_mode()
def count_things(checker: Checker, reader: CountReader, clips: Tensor, at_once: int = 32) -> list[int]:
    """The likeliest number of things, 1 to 3, in each of the clips [B, 3, T, H, W] in -1..1."""
    counts: list[int] = []
    for some in clips.split(at_once):
        counts += (1 + reader(look_features(checker, prepare(some))).argmax(1)).tolist()
    return counts


def load_count_reader(path: Path = WEIGHTS) -> CountReader:
    """The trained network, float32, on the CPU."""
    reader = CountReader()
    reader.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return reader.eval().requires_grad_(False)
