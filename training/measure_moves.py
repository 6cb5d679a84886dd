"""Whether clips move where their prompts name a motion, and stand still where they do not.

A clip moves where enough of its pixels change enough: the range of each pixel over time, in a picture of 64 x 64, in the channel that
changes most.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.checker import SIDE
from training.evaluation import Evaluation
from training.measures import rendered_truth
from training.prompts import Prompt, draw_prompts
from training.round_trip import through_vae
from training.rows import Row
from training.world import Scene

CHANGES = 0.2  # range over time from which on a pixel changes, of the range 0 to 1
MOVES = 0.02  # share of pixels that change from which on a clip moves: half of the least in rendered clips that move
TARGET = 0.95
STILL = "stay"


def movement(clips: Tensor) -> Tensor:
    """Share of the pixels that change in each of the clips [B, 3, T, H, W] in -1..1: [B] in 0..1."""
    frames = clips.transpose(1, 2).float()
    small = F.interpolate(frames.flatten(0, 1), size=(SIDE, SIDE), mode="area").unflatten(0, frames.shape[:2])
    spread = (small.amax(1) - small.amin(1)).amax(1) / 2
    return (spread > CHANGES).float().mean((1, 2))


def move_rows(evaluation: Evaluation) -> list[Row]:
    """Held-out prompts that name a motion, and as many whose thing stays."""
    count, languages = evaluation.count("moves"), evaluation.settings.languages
    rows = []
    for name, moves in (("prompts of motion move", True), ("prompts of standing still stay", False)):
        prompts = calm_prompts(count, moves, languages)
        found: list[bool] = []
        for clips in evaluation.clips([prompt.text for prompt in prompts]):
            found += ((movement(clips) >= MOVES) == moves).tolist()
            evaluation.tell(f"moves: {len(found)} of {count} clips")
        fresh, through = reader_shares(evaluation, moves)
        rows.append(Row(name, sum(found) / count, "%", count, TARGET, reader=fresh, reader_vae=through))
    return rows


def calm_prompts(count: int, moves: bool, languages: tuple[str, ...] = ("en",), seed: str = "") -> list[Prompt]:
    """Held-out prompts of one thing in clear weather before a still camera that moves or stays, so that nothing else moves."""

    def accepts(scene: Scene) -> bool:
        calm = scene.camera == "still" and scene.weather == "clear" and len(scene.things) == 1
        return calm and (scene.things[0].motion != STILL) == moves

    return draw_prompts(count, accepts, languages, f"calm {moves} {seed}")


@torch.inference_mode()
def reader_shares(evaluation: Evaluation, moves: bool) -> tuple[float, float]:
    """How often the measure is right about rendered clips that move or stand still: as rendered, and a quarter as many through the VAE."""
    count, size = evaluation.count("reader") // 4, evaluation.settings.size
    clips = rendered_truth(calm_prompts(max(4, count), moves, seed="truth"), size)
    through = through_vae(evaluation.models.vae, clips[: max(4, count // 4)])
    fresh_share, through_share = (float(((movement(some) >= MOVES) == moves).float().mean()) for some in (clips, through))
    return fresh_share, through_share
