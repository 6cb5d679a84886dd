"""Collages: textured cut-outs of any shape that move along smooth paths over a textured ground."""

from __future__ import annotations

import math
import random

from training.world.scene import Cutout, Scene

TEXTURES = ("fractal", "leaves", "gradient", "stripes", "checker", "letters")


def sample_collage(generator: random.Random, split: str) -> Scene:
    """Draw a collage of one to four cut-outs. Held-out collages have odd seeds, those for training even ones."""
    parity = 1 if split == "held_out" else 0
    cutouts = tuple(_sample_cutout(generator, parity) for _ in range(generator.choices((1, 2, 3, 4), (3, 4, 2, 1))[0]))
    drifts = generator.random() < 0.4
    drift = (generator.uniform(-0.3, 0.3), generator.uniform(-0.3, 0.3)) if drifts else (0.0, 0.0)
    return Scene(
        style="collage",
        seed=_seed(generator, parity),
        background=generator.choice(TEXTURES),
        cutouts=cutouts,
        drift=(round(drift[0], 4), round(drift[1], 4)),
    )


def _sample_cutout(generator: random.Random, parity: int) -> Cutout:
    speed, heading = generator.uniform(0.0, 0.6), generator.uniform(0, 2 * math.pi)
    velocity = (speed * math.cos(heading), speed * math.sin(heading))
    return Cutout(
        texture=generator.choice(TEXTURES),
        seed=_seed(generator, parity),
        size=round(generator.uniform(0.22, 0.6), 4),
        x=round(generator.uniform(0.15, 0.85) - velocity[0] / 3, 4),
        y=round(generator.uniform(0.15, 0.85) - velocity[1] / 3, 4),
        velocity=(round(velocity[0], 4), round(velocity[1], 4)),
        sway=(round(generator.uniform(-0.18, 0.18), 4), round(generator.uniform(-0.18, 0.18), 4)),
        rate=round(generator.uniform(0.3, 1.0), 4),
        phase=round(generator.random(), 4),
        angle=round(generator.uniform(0, 2 * math.pi), 4),
        turn=round(generator.gauss(0, 1.2), 4),
        swell=round(generator.uniform(-0.3, 0.3), 4),
    )


def _seed(generator: random.Random, parity: int) -> int:
    return 2 * generator.getrandbits(30) + parity
