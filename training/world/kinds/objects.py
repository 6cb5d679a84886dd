"""Drawings of buildings, plants, toys and things of the sky."""

from __future__ import annotations

import math

import numpy as np

from training.world.kinds.canvas import CREAM, DARK, GOLD, LEAF, WHITE, WOOD, Canvas, both, melt, without


def ball(c: Canvas, stride: float) -> None:
    whole = c.ellipse(0, 0, 0.86)
    c.paint(whole, bulge=0.86)
    band = without(c.ellipse(0, 0.62, 1.02, 0.78), c.ellipse(0, 0.86, 1.02, 0.78))
    c.decal(both(band - 0.05, whole), tint=0.6)
    c.decal(both(band, whole), light=0.8)
    c.decal(c.ellipse(0.12, -0.5, 0.15), light=0.8)


def house(c: Canvas, stride: float) -> None:
    c.paint(c.box(0.42, -0.52, 0.11, 0.26, 0.02), tint=0.6)
    c.paint(c.box(0, 0.34, 0.64, 0.5, 0.03), bulge=0.1)
    c.paint(c.polygon([(-0.8, -0.1), (0, -0.8), (0.8, -0.1)], 0.06), (0.45, 0.26, 0.22), bulge=0.15)
    c.decal(c.box(0, 0.56, 0.15, 0.28, 0.08), WOOD)
    for x in (-0.4, 0.4):
        c.decal(c.box(x, 0.26, 0.15, 0.15, 0.02), WHITE)
        c.decal(c.box(x, 0.26, 0.12, 0.12, 0.02), GOLD)
        c.decal(c.box(x, 0.26, 0.12, 0.015), WHITE)
        c.decal(c.box(x, 0.26, 0.015, 0.12), WHITE)


def tree(c: Canvas, stride: float) -> None:
    c.paint(c.polygon([(-0.1, 0.1), (0.1, 0.1), (0.17, 0.88), (-0.17, 0.88)], 0.02), WOOD, bulge=0.12)
    crown = melt(c.ellipse(-0.32, 0.0, 0.36), c.ellipse(0.32, 0.0, 0.36), 0.1)
    crown = melt(crown, melt(c.ellipse(0, -0.46, 0.42), c.ellipse(0, -0.08, 0.42), 0.1), 0.1)
    c.paint(crown, bulge=0.4)
    for x, y, light in ((-0.3, -0.12, 0.22), (0.1, -0.6, 0.22), (0.26, -0.2, 0.16)):
        c.decal(both(c.ellipse(x, y, 0.18, 0.12, -20), crown), light=light)
    c.decal(both(c.ellipse(0.05, 0.22, 0.5, 0.1), crown), tint=0.78)


def flower(c: Canvas, stride: float) -> None:
    c.paint(c.stroke([(0, -0.2), (0.04, 0.3), (0, 0.88)], 0.05), LEAF, bulge=0.05)
    c.paint(c.ellipse(0.26, 0.5, 0.26, 0.11, -32), LEAF, bulge=0.1)
    c.paint(c.ellipse(-0.24, 0.62, 0.24, 0.1, 32), LEAF, bulge=0.1)
    for petal in range(6):
        turn = math.radians(60 * petal + 30)
        c.paint(c.ellipse(0.34 * math.sin(turn), -0.34 - 0.34 * math.cos(turn), 0.2, 0.27, 60 * petal + 30), bulge=0.15)
    c.paint(c.ellipse(0, -0.34, 0.2), GOLD, bulge=0.18)


def mushroom(c: Canvas, stride: float) -> None:
    c.paint(c.polygon([(-0.18, 0.0), (0.18, 0.0), (0.26, 0.76), (-0.26, 0.76)], 0.06), CREAM, bulge=0.2)
    cap = both(c.ellipse(0, 0.1, 0.84, 0.92), c.box(0, -0.5, 1, 0.62, 0.1))
    c.paint(cap, bulge=0.5)
    for x, y, r in ((-0.44, -0.14, 0.13), (0.02, -0.46, 0.16), (0.46, -0.2, 0.14), (0.02, -0.06, 0.1)):
        c.decal(both(c.ellipse(x, y, r, 0.9 * r), cap), WHITE)


def apple(c: Canvas, stride: float) -> None:
    c.paint(c.stroke([(0.0, -0.4), (0.06, -0.8)], 0.055), WOOD, bulge=0.05)
    c.paint(c.ellipse(0.3, -0.7, 0.24, 0.11, -25), LEAF, bulge=0.1)
    lobes = melt(c.ellipse(-0.28, 0.06, 0.47, 0.56), c.ellipse(0.28, 0.06, 0.47, 0.56), 0.12)
    c.paint(melt(lobes, c.ellipse(0, 0.38, 0.4, 0.4), 0.2), bulge=0.55)
    c.decal(c.ellipse(-0.4, -0.14, 0.09, 0.17, 20), light=0.6)


def cube(c: Canvas, stride: float) -> None:
    c.paint(c.polygon([(-0.74, -0.36), (-0.36, -0.76), (0.76, -0.76), (0.38, -0.36)], 0.03), light=0.4, bulge=0.04)
    c.paint(c.polygon([(0.38, -0.36), (0.76, -0.76), (0.76, 0.34), (0.38, 0.76)], 0.03), tint=0.6, bulge=0.04)
    c.paint(c.polygon([(-0.74, -0.36), (0.38, -0.36), (0.38, 0.76), (-0.74, 0.76)], 0.03), bulge=0.06)
    c.decal(without(c.box(-0.18, 0.2, 0.4, 0.4, 0.03), c.box(-0.18, 0.2, 0.33, 0.33, 0.03)), light=0.45)


def star(c: Canvas, stride: float) -> None:
    points = []
    for corner in range(10):
        radius, turn = (0.86, 0.44)[corner % 2], math.radians(36 * corner)
        points.append((radius * math.sin(turn), 0.05 - radius * math.cos(turn)))
    c.paint(c.polygon(points, 0.07), bulge=0.35)
    c.face(0, 0.02, 0.44)


def heart(c: Canvas, stride: float) -> None:
    points = []
    for turn in np.linspace(0, 2 * math.pi, 48, endpoint=False):
        y = 13 * math.cos(turn) - 5 * math.cos(2 * turn) - 2 * math.cos(3 * turn) - math.cos(4 * turn)
        points.append((0.05 * 16 * math.sin(turn) ** 3, -0.05 * y - 0.1))
    shape = c.polygon(points, 0.03)
    c.paint(shape, bulge=0.45)
    c.decal(c.ellipse(-0.42, -0.4, 0.1, 0.17, 40), light=0.6)


def moon(c: Canvas, stride: float) -> None:
    crescent = without(c.ellipse(0, 0, 0.86), c.ellipse(0.42, -0.08, 0.68))
    c.paint(crescent, bulge=0.3)
    for x, y, r in ((-0.6, 0.12, 0.08), (-0.4, 0.5, 0.1), (-0.42, -0.46, 0.06)):
        c.decal(both(c.ellipse(x, y, r), crescent), tint=0.8)


def umbrella(c: Canvas, stride: float) -> None:
    hook = [(0, -0.5), (0, 0.66), (0.04, 0.78), (0.14, 0.82), (0.24, 0.76), (0.26, 0.66)]
    c.paint(c.stroke(hook, 0.045), WOOD, bulge=0.05)
    c.paint(c.stroke([(0, -0.7), (0, -0.86)], 0.035), DARK, outline=0)
    dome = both(c.ellipse(0, 0.1, 0.88, 0.86), c.box(0, -0.5, 1, 0.58))
    for x in (-0.59, 0.0, 0.59):
        dome = without(dome, c.ellipse(x, 0.14, 0.29, 0.15))
    c.paint(dome, bulge=0.5)
    middle = both(c.ellipse(0, 0.1, 0.3, 0.86), dome)
    c.decal(middle, light=0.4)


OBJECTS = {
    "ball": ball,
    "house": house,
    "tree": tree,
    "flower": flower,
    "mushroom": mushroom,
    "apple": apple,
    "cube": cube,
    "star": star,
    "heart": heart,
    "moon": moon,
    "umbrella": umbrella,
}
