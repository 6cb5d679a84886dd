"""Whether a thing stays itself for five seconds: how much its colour and its area change from the first second to the last.

The reader marks which share of each part of a frame the thing covers; it is trained on that share. The marks' sum is the thing's area, the
mean of the pixels under them its colour. Both are means over a second, so that jumping, swinging and turning even out.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.checker import LOOKS, MARK, Checker, prepare
from training.evaluation import FPS, Evaluation
from training.prompts import Prompt, draw_prompts
from training.rows import Row
from training.world import Scene, render

FRAMES = 81
COLOUR, AREA = 0.05, 0.10
STAYING = ("swing", "jump", "spin", "circle")  # motions that keep a thing in the picture, in one size
LEAST = 0.005  # of the picture that a thing covers, or it is not there
MOMENTS = 5  # of a second that are looked at
TRUTHS = 16  # drifts of rendered clips that the reader is tried on
GROWTH, TINT = 0.16, 0.20  # sides and colours of the thing change by so much there, at most


@dataclass(frozen=True)
class Drift:
    """Change from the first second to the last: of the colour, the channel that changes most, in parts of the range 0 to 1; of the
    area, in parts of what it was. `is_there`: the thing is seen in the first second."""

    colour: float
    area: float
    is_there: bool = True


@torch.inference_mode()
def drift(checker: Checker, clip: Tensor, fps: float = FPS) -> Drift:
    """The drift that is read from a clip [3, T, H, W] in -1..1 of at least two seconds, with one thing and a still camera."""
    frames = clip.shape[1]
    span = round(fps)
    starts = torch.linspace(0, span, MOMENTS).round().long()
    reach = torch.linspace(0, frames - 1 - span, LOOKS).round().long()
    looks = clip[:, starts[:, None] + reach].transpose(0, 1)  # [moments, 3, looks, H, W], each from the first second to the last
    mark = checker(prepare(looks).flatten(0, 1))["mark"].sigmoid().unflatten(0, (MOMENTS, LOOKS))
    small = F.adaptive_avg_pool2d(looks.transpose(1, 2).flatten(0, 1), MARK).unflatten(0, (MOMENTS, LOOKS)).add(1).div(2)
    weight = mark.square()
    areas, colours = [], []
    for look in (0, LOOKS - 1):
        areas.append(float(mark[:, look].mean()))
        colours.append((small[:, look] * weight[:, look, None]).sum((0, 2, 3)) / weight[:, look].sum().clamp_min(1e-6))
    return between(areas, colours)


def between(areas: list[float], colours: list[Tensor]) -> Drift:
    """The drift of two seconds' areas (shares of the picture) and mean colours [3] in 0..1; all of the area where there was none."""
    is_there = areas[0] >= LEAST
    area = abs(areas[1] / areas[0] - 1) if is_there else 1.0
    return Drift(float((colours[1] - colours[0]).abs().max()), area, is_there)


def identity_rows(evaluation: Evaluation) -> list[Row]:
    """Clips of five seconds of held-out prompts whose thing stays in the picture: medians of the drifts."""
    prompts = staying_prompts(evaluation.count("time"), evaluation.settings.languages)
    drifts: list[Drift] = []
    for clips in evaluation.clips([prompt.text for prompt in prompts], evaluation.settings.shape(FRAMES)):
        drifts += [drift(evaluation.checker, clip) for clip in clips]
        evaluation.tell(f"time: {len(drifts)} of {len(prompts)} clips")
    evaluation.details["time"] = [
        {"prompt": prompt.text, "colour": found.colour, "area": found.area, "is_there": found.is_there}
        for prompt, found in zip(prompts, drifts, strict=True)
    ]
    errors = reader_errors(evaluation.checker, TRUTHS, evaluation.settings.size)
    rows = []
    for name, target, error in (("colour", COLOUR, errors[0]), ("area", AREA, errors[1])):
        found = [getattr(one, name) for one in drifts]
        kept = sum(value <= target for value in found)
        lost = sum(not one.is_there for one in drifts)
        note = f"median; mean {np.mean(found):.1%}, {kept} of {len(found)} within" + (f", {lost} without a thing" if lost else "")
        rows.append(Row(f"{name} drift over 5 s", float(np.median(found)), "%", len(found), target, at_most=True, error=error, note=note))
    return rows


def stays(scene: Scene) -> bool:
    """One thing that moves and stays in the picture, in one size, before a still camera in clear weather."""
    calm = scene.camera == "still" and scene.weather == "clear"
    return calm and len(scene.things) == 1 and scene.things[0].motion in STAYING


def staying_prompts(count: int, languages: tuple[str, ...]) -> list[Prompt]:
    """Held-out prompts of things that stay in the picture."""
    return draw_prompts(count, stays, languages, "things that stay")


@torch.inference_mode()
def reader_errors(checker: Checker, count: int, size: int) -> tuple[float, float]:
    """Mean error of the drifts that are read from rendered clips whose drift is known: of the colour, and of the area.

    Half of the clips are as rendered; in the others the thing grows or shrinks by and by, and changes its colour.
    """
    prompts = staying_prompts(count, ("en",))
    colour, area = [], []
    for number, prompt in enumerate(prompts):
        assert prompt.scene is not None
        clip, truth = drifting(prompt.scene, size, number % 2, random.Random(f"drift {number}"))
        read = drift(checker, clip)
        colour.append(abs(read.colour - truth.colour))
        area.append(abs(read.area - truth.area))
    return sum(colour) / count, sum(area) / count


def drifting(scene: Scene, size: int, amount: float, generator: random.Random) -> tuple[Tensor, Drift]:
    """A rendered clip [3, T, size, size] in -1..1 whose thing changes colour and size by and by, and its true drift.

    Args:
        amount: 0 for none, 1 for up to `GROWTH` of its sides and `TINT` of the range of its colours.
    """
    truth = render([scene], FRAMES, size, size)
    clip, masks = truth.video[0].transpose(0, 1).float().div(127.5).sub(1), truth.masks[0, :, 0].float()
    grown = 1 + amount * generator.uniform(-GROWTH, GROWTH)
    tint = amount * torch.tensor([generator.uniform(-TINT, TINT) for _ in range(3)])
    time = torch.linspace(0, 1, FRAMES)
    moved = [_scaled(torch.cat([clip[:, t], masks[None, t]]), float(grown ** time[t])) for t in range(FRAMES)]
    clip, masks = torch.stack([one[:3] for one in moved], dim=1), torch.stack([one[3] for one in moved])
    clip = clip + 2 * tint[:, None, None, None] * time[None, :, None, None] * masks[None]
    clip = clip.clamp(-1, 1)
    seconds = (slice(0, round(FPS) + 1), slice(FRAMES - round(FPS) - 1, FRAMES))
    areas = [float(masks[second].mean()) for second in seconds]
    colours = [((clip[:, second].add(1).div(2) * masks[second]).sum((1, 2, 3)) / masks[second].sum()) for second in seconds]
    return clip, between(areas, colours)


def _scaled(picture: Tensor, factor: float) -> Tensor:
    """A picture and a mask [4, H, W], `factor` times as large about the mask's middle; the edges are drawn out."""
    mask = picture[3]
    height, width = mask.shape
    total = mask.sum().clamp_min(1)
    lines = [(torch.arange(length) * 2 + 1) / length - 1 for length in (height, width)]
    middle = [float((mask.sum(1 - axis) * line).sum() / total) for axis, line in enumerate(lines)]
    y, x = (place + (line - place) / factor for line, place in zip(lines, middle, strict=True))
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    return F.grid_sample(picture[None], grid[None], padding_mode="border", align_corners=False)[0]
