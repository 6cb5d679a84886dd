"""Whether different prompts give different clips: how far clips lie apart across prompts, beside across seeds of one prompt.

Distance is that of LPIPS (arXiv 1801.03924) without its learnt weights, on the features of the network that reads clips: the channels of
each place are brought to length one, and squared differences are averaged over places and frames and summed over layers.
"""

from __future__ import annotations

import random
from dataclasses import replace

import torch
from torch import Tensor

from training.checker import Checker, prepare
from training.evaluation import Evaluation
from training.measure_prompts import held_out_scenes
from training.prompts import in_languages
from training.round_trip import rendered
from training.rows import Row
from training.world import Scene
from training.world.scene import place_thing

FRAMES = 17


@torch.inference_mode()
def features(checker: Checker, clips: Tensor) -> list[Tensor]:
    """Clips [B, 3, T, H, W] in -1..1 -> features of length one of two layers, [B, 5, C, h, w] each."""
    looks = prepare(clips)
    quarter = checker.stem(looks.flatten(0, 1))
    quarter = quarter + checker.quarter(quarter)
    eighth = checker.eighth(quarter)
    eighth = eighth + checker.wide(eighth)
    return [torch.nn.functional.normalize(layer, dim=1).unflatten(0, looks.shape[:2]) for layer in (quarter, eighth)]


def distances(layers: list[Tensor]) -> Tensor:
    """How far apart clips are, [B, B], from `features`."""
    total = torch.zeros(len(layers[0]), len(layers[0]))
    for layer in layers:
        flat = layer.flatten(1)
        total += torch.cdist(flat, flat).square() / (layer.shape[1] * layer.shape[3] * layer.shape[4])
    return total


def apart(table: Tensor, prompts: int, seeds: int) -> tuple[float, float]:
    """Mean distance across prompts with one seed, and across seeds of one prompt.

    Args:
        table: [P S, P S], distances of clips, all seeds of the first prompt before the second.
    """
    prompt, seed = torch.arange(prompts * seeds) // seeds, torch.arange(prompts * seeds) % seeds
    other_prompt, other_seed = prompt[:, None] != prompt, seed[:, None] != seed
    return float(table[other_prompt & ~other_seed].mean()), float(table[~other_prompt & other_seed].mean())


def richness_rows(evaluation: Evaluation) -> list[Row]:
    """Some held-out prompts with some seeds each, beside the world's own scenes of the same words."""
    prompts, seeds = max(2, evaluation.count("richness")), max(2, evaluation.count("seeds"))
    scenes = held_out_scenes(prompts, evaluation.settings.seed)
    made: list[Tensor] = []
    for number, scene in enumerate(scenes):
        (prompt,) = in_languages(scene, ("en",), f"richness {number}")
        made += [clip for clips in evaluation.clips([prompt.text] * seeds) for clip in clips]
        evaluation.tell(f"richness: {number + 1} of {prompts} prompts")
    across, within = _apart(evaluation.checker, torch.stack(made), prompts, seeds)
    placed = [again(scene, random.Random(f"{number} {seed}")) for number, scene in enumerate(scenes) for seed in range(seeds)]
    truth = _apart(evaluation.checker, rendered(placed, FRAMES, evaluation.settings.size), prompts, seeds)
    of = f"{prompts} prompts, {seeds} seeds each; rendered scenes of the same words: "
    return [
        Row("distance across prompts", across, count=prompts * seeds, note=f"{of}{truth[0]:.2f}"),
        Row("distance across seeds", within, count=prompts * seeds, note=f"{of}{truth[1]:.2f}"),
        Row("across prompts over across seeds", across / within, "times", prompts * seeds, note=f"{of}{truth[0] / truth[1]:.2f}"),
    ]


def _apart(checker: Checker, clips: Tensor, prompts: int, seeds: int) -> tuple[float, float]:
    return apart(distances(features(checker, clips)), prompts, seeds)


def again(scene: Scene, generator: random.Random) -> Scene:
    """A scene of the same words: the thing elsewhere, the place with other details."""
    (thing,) = scene.things
    placed = place_thing(generator, scene.background, thing.kind, thing.colour, thing.size, thing.motion, thing.direction, thing.speed)
    return replace(scene, seed=generator.getrandbits(31), things=(placed,))
