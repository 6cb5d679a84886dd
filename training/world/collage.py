"""Collages: textured cut-outs of any shape that move along smooth paths over a textured ground."""

from __future__ import annotations

import math
import random
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from training.world.backgrounds import Layer
from training.world.kinds.canvas import ALPHA, CHANNELS, NORMAL_X, RED
from training.world.scene import Cutout, Scene

TEXTURES = ("fractal", "leaves", "gradient", "stripes", "checker", "letters")
CUTOUT_SIZE = 192  # texels across a cut-out, as for the drawings of things


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


def texture_layer(scenes: list[Scene], height: int, width: int, device: torch.device) -> Layer:
    """The textured ground of collages that share a texture, as one layer that fills the picture."""
    pictures = [paint_texture(scene.background, scene.seed, height, width) for scene in scenes]
    rgb = torch.from_numpy(np.stack(pictures)).to(device)
    return Layer(torch.cat((rgb, torch.ones_like(rgb[:, :1])), dim=1), 1.0)


@lru_cache(maxsize=256)
def cutout_sprite(cutout: Cutout, level: int) -> Tensor:
    """A cut-out in the form of a drawing of a thing: uint8 [8, S, S], flat, in its texture's own colours."""
    generator = np.random.default_rng(cutout.seed)
    line = (np.arange(CUTOUT_SIZE) + 0.5) * 2 / CUTOUT_SIZE - 1
    x, y = np.meshgrid(line, line)
    turn, radius = np.arctan2(y, x), np.hypot(x, y)
    edge = np.full_like(turn, 0.72)
    for wave in range(1, 7):
        edge += generator.normal(0, 0.16 / wave) * np.cos(wave * turn + generator.uniform(0, 2 * math.pi))
    alpha = np.clip(0.5 + (np.clip(edge, 0.25, 0.96) - radius) * CUTOUT_SIZE / 2, 0, 1)
    drawing = np.zeros((CHANNELS, CUTOUT_SIZE, CUTOUT_SIZE), np.float32)
    drawing[RED : RED + 3] = paint_texture(cutout.texture, cutout.seed, CUTOUT_SIZE, CUTOUT_SIZE) * alpha
    drawing[ALPHA] = alpha
    drawing[NORMAL_X:] = 0.5 * alpha
    small = F.avg_pool2d(torch.from_numpy(drawing)[None], 2**level)[0]
    return (small * 255).round().to(torch.uint8)


def paint_texture(name: str, seed: int, height: int, width: int) -> np.ndarray:
    """A texture of the given name, float32 [3, height, width] in [0, 1], decided by its seed."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / min(height, width)
    first, second = generator.random((2, 3)).astype(np.float32)
    if name == "leaves":
        return _dead_leaves(generator, x, y)
    if name == "letters":
        return _letters(generator, first, second, height, width)
    if name == "fractal":
        amount = _fractal(generator, height, width)
    else:
        turn, wave = generator.uniform(0, math.pi), generator.uniform(2, 7)
        along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
        if name == "gradient":
            amount = 0.5 + 0.5 * np.sin(2 * along + generator.uniform(0, 6))
        else:
            amount = np.sin(2 * math.pi * wave * along + generator.uniform(0, 6))
            if name == "checker":
                amount = amount * np.sin(2 * math.pi * wave * across)
            amount = np.clip(0.5 + 3 * amount, 0, 1)
    return (first[:, None, None] + (second - first)[:, None, None] * amount).astype(np.float32)


def _fractal(generator: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Smooth noise of many sizes, in [0, 1]."""
    total = np.zeros((height, width), np.float32)
    for octave in range(5):
        cells = 2 ** (octave + 1) + 1
        grid = torch.from_numpy(generator.normal(0, 0.5 ** (0.8 * octave), (1, 1, cells, cells)).astype(np.float32))
        total += F.interpolate(grid, (height, width), mode="bicubic", align_corners=True)[0, 0].numpy()
    return 1 / (1 + np.exp(-1.6 * total))


def _dead_leaves(generator: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Discs of many sizes that hide each other."""
    picture = np.tile(generator.random((3, 1, 1)).astype(np.float32), (1, *x.shape))
    for _ in range(45):
        radius = 0.03 + 0.25 * generator.random() ** 3
        at_x, at_y = generator.random() * x.max(), generator.random() * y.max()
        inside = np.hypot(x - at_x, y - at_y) < radius
        picture[:, inside] = generator.random((3, 1)).astype(np.float32)
    return picture


def _letters(generator: np.random.Generator, paper: np.ndarray, ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Random letters and figures on paper."""
    picture = Image.fromarray(np.tile((paper * 255).astype(np.uint8), (height, width, 1)))
    draw = ImageDraw.Draw(picture)
    side = min(height, width)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for _ in range(26):
        font = ImageFont.load_default(size=int(side * generator.uniform(0.10, 0.3)))
        place = (int(generator.uniform(-0.1, 0.95) * width), int(generator.uniform(-0.1, 0.95) * height))
        letter = alphabet[generator.integers(len(alphabet))]
        draw.text(place, letter, fill=tuple((ink * 255).astype(int).tolist()), font=font)
    return np.asarray(picture, np.float32).transpose(2, 0, 1) / 255
