"""Motion plans for pictures that the model in the box never saw.

Pictures are the first frames of held-out scenes, where a cut-out or a thing moves by its true mask, and photographs, where an ellipse
moves that a person would draw around a thing. Every plan moves one or two regions along a random path or in a random direction; every
second one pins another region.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from training.photographs import Box
from training.world import render, sample_scene

FIRST_SEED = 900_001
COLLAGE, PICTURE_BOOK, PHOTOGRAPH, OWN = "collage", "picture book", "photograph", "own"

LEAST_PART, MOST_PART = 0.012, 0.4  # of the picture that a thing covers which is asked to move
SHORTEST, LONGEST = 0.12, 0.4  # how far it goes, in sides of the picture
OUTSIDE = 0.04  # how far its bounds may leave the picture
SECOND_SHARE, PINNED_SHARE = 0.3, 0.5
DIRECTION_SHARE, PART_OF_TIME_SHARE, EXTRA_SHARE = 0.3, 0.25, 0.2
EASINGS = ("linear", "ease", "ease-in", "ease-out", "ease-in-out")
TRIES = 40


@dataclass(frozen=True)
class Case:
    """One picture and what is asked of it.

    Attributes:
        kind: collage, picture book, photograph or what else a command calls its pictures.
        source: where the picture comes from, for a person.
        image: [1, S, S, 3] float32, 0 to 1.
        plan: the plan's document, as `motion.plan.from_data` reads it.
        masks: [N, S, S] float32, 0 or 1, for its regions of type mask.
    """

    number: int
    kind: str
    source: str
    image: Tensor
    plan: dict[str, Any]
    masks: np.ndarray | None = None


def random_motion(generator: random.Random, box: Box) -> tuple[dict[str, Any], Box]:
    """A motion for what lies in a box, and the box of all that it passes through."""
    length, angle = _way(generator, box)
    dx, dy = length * math.cos(angle), length * math.sin(angle)
    motion: dict[str, Any] = {"easing": generator.choice(EASINGS)}
    if generator.random() < PART_OF_TIME_SHARE:
        motion |= {"start": round(generator.uniform(0, 0.25), 3), "end": round(generator.uniform(0.75, 1), 3)}
    if generator.random() < DIRECTION_SHARE:
        moving = motion.get("end", 1.0) - motion.get("start", 0.0)
        motion |= {"direction": round(math.degrees(angle), 3), "speed": round(length / moving, 5)}
    else:
        motion["path"] = {"points": _path(generator, box, dx, dy)}
    if generator.random() < EXTRA_SHARE:
        motion["scale"] = round(generator.uniform(0.8, 1.25), 3)
    if generator.random() < EXTRA_SHARE:
        motion["rotation"] = round(generator.uniform(-35, 35), 2)
    left, top, width, height = box
    swept = (min(left, left + dx), min(top, top + dy), width + abs(dx), height + abs(dy))
    return motion, swept


def busiest_box(picture: Tensor, generator: random.Random) -> Box:
    """The one of some random boxes in a picture [1, H, W, 3] in which there is most to see."""
    found = []
    for _ in range(TRIES):
        side = generator.uniform(0.22, 0.4)
        found.append((generator.uniform(0.04, 0.96 - side), generator.uniform(0.04, 0.96 - side), side, side))
    return max(found, key=lambda box: _texture(picture, box))


def on_scene(number: int, generator: random.Random, kind: str, size: int) -> Case:
    """The first frame of a held-out scene in which something is large enough to be moved."""
    style = {COLLAGE: "collage", PICTURE_BOOK: "picture_book"}[kind]
    while True:
        seed = generator.getrandbits(32)
        clip = render([sample_scene(random.Random(seed), "held_out", style)], 1, size, size)
        masks = clip.masks[0, 0].numpy()
        movable = [index for index, mask in enumerate(masks) if LEAST_PART <= mask.mean() <= MOST_PART]
        if movable:
            break
    picture = clip.video[0].permute(0, 2, 3, 1).float() / 255
    generator.shuffle(movable)
    count = 2 if len(movable) > 1 and generator.random() < SECOND_SHARE else 1
    regions: list[dict[str, Any]] = []
    taken: list[Box] = []
    for index in movable[:count]:
        motion, swept = random_motion(generator, _bounds(masks[index]))
        regions.append({"shapes": [{"type": "mask", "index": index}], "motion": motion})
        taken.append(swept)
    if generator.random() < PINNED_SHARE:
        if len(movable) > count:
            regions.append({"shapes": [{"type": "mask", "index": movable[count]}], "pinned": True})
        else:
            regions += _pinned(generator, picture, taken)
    plan = {"version": 1, "seed": number, "regions": regions}
    return Case(number, kind, f"{kind}, held-out seed {seed}", picture, plan, masks.astype(np.float32))


def on_photograph(number: int, generator: random.Random, kind: str, source: str, picture: Tensor, things: tuple[Box, ...]) -> Case:
    """One or two of the things in a picture [1, S, S, 3] move."""
    boxes = list(things)
    generator.shuffle(boxes)
    count = 2 if len(boxes) > 1 and generator.random() < SECOND_SHARE else 1
    return on_regions(number, generator, kind, source, picture, boxes[:count])


def on_regions(number: int, generator: random.Random, kind: str, source: str, picture: Tensor, boxes: list[Box]) -> Case:
    """Ellipses in boxes that move, and perhaps a pinned rectangle."""
    regions: list[dict[str, Any]] = []
    taken: list[Box] = []
    for box in boxes:
        motion, swept = random_motion(generator, box)
        regions.append({"shapes": [{"type": "ellipse", "box": _rounded(box)}], "motion": motion})
        taken.append(swept)
    if generator.random() < PINNED_SHARE:
        regions += _pinned(generator, picture, taken)
    return Case(number, kind, source, picture, {"version": 1, "seed": number, "regions": regions})


def _way(generator: random.Random, box: Box) -> tuple[float, float]:
    """How far and at which angle (radians) a box goes so that it stays in the picture; to the picture's middle where that is hard."""
    left, top, width, height = box
    for _ in range(TRIES):
        length, angle = generator.uniform(SHORTEST, LONGEST), generator.uniform(-math.pi, math.pi)
        x, y = left + length * math.cos(angle), top + length * math.sin(angle)
        if min(x, y) >= -OUTSIDE and max(x + width, y + height) <= 1 + OUTSIDE:
            return length, angle
    return SHORTEST, math.atan2(0.5 - top - height / 2, 0.5 - left - width / 2)


def _path(generator: random.Random, box: Box, dx: float, dy: float) -> list[list[float]]:
    """A bent way from the middle of a box: three or four points."""
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    steps = generator.choice((2, 3))
    bends = [0.0, *(generator.uniform(-0.25, 0.25) for _ in range(steps - 1)), 0.0]
    parts = [step / steps for step in range(steps + 1)]
    return [[round(x + part * dx - bend * dy, 5), round(y + part * dy + bend * dx, 5)] for part, bend in zip(parts, bends)]


def _pinned(generator: random.Random, picture: Tensor, taken: list[Box]) -> list[dict[str, Any]]:
    """A pinned rectangle beside what moves, where there is most to see; none where there is no room."""
    free = []
    for _ in range(TRIES):
        side = generator.uniform(0.16, 0.26)
        box = (generator.uniform(0.02, 0.98 - side), generator.uniform(0.02, 0.98 - side), side, side)
        if not any(_overlap(box, other) for other in taken):
            free.append(box)
    if not free:
        return []
    best = max(free, key=lambda box: _texture(picture, box))
    return [{"shapes": [{"type": "rectangle", "box": _rounded(best)}], "pinned": True}]


def _overlap(box: Box, other: Box) -> bool:
    return all(a < b + wide and b < a + high for a, b, high, wide in zip(box[:2], other[:2], box[2:], other[2:]))


def _texture(picture: Tensor, box: Box) -> float:
    """Mean squared difference of neighbouring pixels in a box."""
    height, width = picture.shape[1:3]
    left, top = int(box[0] * width), int(box[1] * height)
    part = picture[0, top : top + max(2, int(box[3] * height)), left : left + max(2, int(box[2] * width))]
    return float(part.diff(dim=0).square().mean() + part.diff(dim=1).square().mean())


def _bounds(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    return columns[0] / width, rows[0] / height, (columns[-1] + 1 - columns[0]) / width, (rows[-1] + 1 - rows[0]) / height


def _rounded(box: Box) -> list[float]:
    return [round(float(value), 5) for value in box]
