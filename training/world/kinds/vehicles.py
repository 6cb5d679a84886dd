"""Drawings of things that carry: on the road, on rails, on the sea and in the air. All look right unless noted."""

from __future__ import annotations

import math

from training.world.kinds.canvas import BLACK, DARK, FLAME, GLASS, GOLD, GREY, WHITE, WOOD, Canvas, both


def wheel(c: Canvas, x: float, y: float, radius: float) -> None:
    c.paint(c.ellipse(x, y, radius), DARK, bulge=0.08)
    c.decal(c.ellipse(x, y, 0.5 * radius), GREY)
    c.decal(c.ellipse(x, y, 0.18 * radius), DARK)


def car(c: Canvas, stride: float) -> None:
    c.paint(c.polygon([(-0.52, -0.1), (-0.3, -0.42), (0.22, -0.42), (0.5, -0.1)], 0.1))
    c.paint(c.box(0, 0.1, 0.92, 0.25, 0.2), bulge=0.3)
    c.decal(c.polygon([(-0.42, -0.12), (-0.26, -0.38), (-0.06, -0.38), (-0.06, -0.12)], 0.03), GLASS)
    c.decal(c.polygon([(0.06, -0.12), (0.06, -0.38), (0.2, -0.38), (0.4, -0.12)], 0.03), GLASS)
    c.decal(c.ellipse(0.8, 0.05, 0.09, 0.08), GOLD)
    c.decal(c.box(0.0, 0.1, 0.92, 0.025), tint=0.75)
    wheel(c, -0.5, 0.34, 0.22)
    wheel(c, 0.52, 0.34, 0.22)


def bus(c: Canvas, stride: float) -> None:
    c.paint(c.box(0, -0.02, 0.95, 0.52, 0.14), bulge=0.2)
    for x in (-0.7, -0.36, -0.02, 0.32):
        c.decal(c.box(x, -0.2, 0.13, 0.16, 0.04), GLASS)
    c.decal(c.box(0.76, -0.12, 0.14, 0.26, 0.05), GLASS)
    c.decal(c.box(0, 0.13, 0.95, 0.045), WHITE)
    c.decal(c.ellipse(0.86, 0.3, 0.07), GOLD)
    wheel(c, -0.52, 0.46, 0.19)
    wheel(c, 0.52, 0.46, 0.19)


def truck(c: Canvas, stride: float) -> None:
    c.paint(c.box(0, 0.34, 0.92, 0.09, 0.04), DARK)
    c.paint(c.box(-0.32, -0.1, 0.62, 0.44, 0.05), bulge=0.12)
    for x in (-0.64, -0.32, 0.0):
        c.decal(c.box(x, -0.1, 0.02, 0.44), tint=0.75)
    c.paint(c.polygon([(0.42, -0.28), (0.68, -0.28), (0.84, 0.02), (0.84, 0.3), (0.42, 0.3)], 0.08), tint=0.85, bulge=0.15)
    c.decal(c.polygon([(0.5, -0.24), (0.66, -0.24), (0.8, 0.02), (0.5, 0.02)], 0.02), GLASS)
    c.decal(c.ellipse(0.86, 0.2, 0.06), GOLD)
    for x in (-0.6, -0.16, 0.6):
        wheel(c, x, 0.42, 0.19)


def train(c: Canvas, stride: float) -> None:
    c.paint(c.box(0.52, -0.36, 0.09, 0.25, 0.02), DARK)
    c.paint(c.polygon([(0.38, -0.66), (0.66, -0.66), (0.6, -0.5), (0.44, -0.5)], 0.03), DARK)
    c.paint(c.ellipse(0.16, -0.26, 0.13, 0.16), GOLD)
    c.paint(c.box(0.22, 0.0, 0.62, 0.28, 0.14), bulge=0.28)
    c.decal(c.box(0.12, 0.0, 0.035, 0.3), GOLD)
    c.decal(c.box(0.5, 0.0, 0.035, 0.3), GOLD)
    c.paint(c.box(-0.52, -0.14, 0.3, 0.46, 0.04), bulge=0.12)
    c.decal(c.box(-0.52, -0.28, 0.17, 0.15, 0.03), GLASS)
    c.paint(c.box(-0.52, -0.62, 0.38, 0.07, 0.05), tint=0.7)
    c.paint(c.polygon([(0.74, 0.22), (0.96, 0.5), (0.74, 0.5)], 0.03), DARK)
    c.paint(c.box(0, 0.32, 0.8, 0.07, 0.03), tint=0.7)
    wheel(c, -0.52, 0.4, 0.24)
    wheel(c, 0.08, 0.46, 0.18)
    wheel(c, 0.54, 0.46, 0.18)


def boat(c: Canvas, stride: float) -> None:
    c.paint(c.box(0, -0.2, 0.035, 0.68), WOOD, bulge=0.05)
    c.paint(c.polygon([(0.08, -0.84), (0.08, 0.2), (0.66, 0.2)], 0.03), WHITE, bulge=0.3)
    c.paint(c.polygon([(-0.08, -0.62), (-0.08, 0.2), (-0.5, 0.2)], 0.03), light=0.25, bulge=0.3)
    c.decal(c.box(0.3, 0.06, 0.4, 0.06), tint=1.0)
    c.paint(c.polygon([(-0.78, 0.34), (0.8, 0.34), (0.5, 0.74), (-0.5, 0.74)], 0.06), bulge=0.3)
    c.decal(c.box(0, 0.4, 0.9, 0.045), WHITE)


def airplane(c: Canvas, stride: float) -> None:
    c.paint(c.polygon([(0.2, -0.02), (-0.16, -0.6), (-0.38, -0.6), (-0.2, -0.02)], 0.05), tint=0.8, bulge=0.1)
    c.paint(c.polygon([(-0.6, -0.08), (-0.88, -0.5), (-0.7, -0.5), (-0.38, -0.14)], 0.05), tint=0.8, bulge=0.1)
    c.paint(c.stroke([(-0.78, -0.06), (-0.3, 0.0), (0.3, 0.02), (0.62, 0.04)], 0.14, 0.3), bulge=0.3)
    c.decal(c.polygon([(0.62, -0.14), (0.78, -0.14), (0.86, 0.0), (0.62, 0.0)], 0.02), GLASS)
    for x in (-0.4, -0.18, 0.04, 0.26, 0.46):
        c.decal(c.ellipse(x, -0.04, 0.06), GLASS)
    c.paint(c.polygon([(0.28, 0.12), (-0.26, 0.6), (-0.5, 0.6), (-0.22, 0.12)], 0.06), tint=0.85, bulge=0.12)
    c.paint(c.polygon([(-0.62, 0.02), (-0.92, 0.2), (-0.8, 0.2), (-0.5, 0.04)], 0.03), tint=0.85, bulge=0.08)


def rocket(c: Canvas, stride: float) -> None:
    """Points up."""
    length = 0.12 * math.sin(2 * math.pi * stride)
    c.paint(c.polygon([(-0.18, 0.5), (0.18, 0.5), (0, 0.82 + length)], 0.06), FLAME, outline=0)
    c.decal(c.polygon([(-0.08, 0.5), (0.08, 0.5), (0, 0.66 + length)], 0.03), GOLD)
    for side in (-1, 1):
        c.paint(c.polygon([(side * 0.24, 0.08), (side * 0.54, 0.5), (side * 0.5, 0.62), (side * 0.2, 0.46)], 0.04), tint=0.7)
    body = both(c.ellipse(-0.3, -0.05, 0.64, 0.98), c.ellipse(0.3, -0.05, 0.64, 0.98))
    c.paint(both(body, c.box(0, -0.5, 1, 1.02)), bulge=0.34)
    c.decal(c.box(0, -1.0, 1, 0.5), WHITE)
    c.decal(c.ellipse(0, -0.12, 0.19), tint=0.6)
    c.decal(c.ellipse(0, -0.12, 0.135), GLASS)
    c.paint(c.box(0, 0.36, 0.05, 0.22, 0.04), tint=0.7, bulge=0.05)


def balloon(c: Canvas, stride: float) -> None:
    sway = 0.04 * math.sin(2 * math.pi * stride)
    string = [(sway * math.sin(5 * t) + 0.05 * math.sin(9 * t), 0.36 + 0.56 * t) for t in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    c.paint(c.stroke(string, 0.028), GREY, outline=0)
    c.paint(c.polygon([(0, 0.26), (-0.09, 0.42), (0.09, 0.42)], 0.03), tint=0.8)
    c.paint(c.ellipse(0, -0.28, 0.54, 0.62), bulge=0.6)
    c.decal(c.ellipse(-0.22, -0.52, 0.09, 0.15, 30), light=0.65)


def kite(c: Canvas, stride: float) -> None:
    sway = 0.12 * math.sin(2 * math.pi * stride)
    tail = [(0, 0.3), (0.1 + sway / 2, 0.5), (-0.08, 0.68), (0.06 - sway, 0.88)]
    c.paint(c.stroke(tail, 0.03), DARK, outline=0)
    for x, y in tail[1:]:
        c.paint(c.polygon([(x - 0.15, y - 0.08), (x - 0.15, y + 0.08), (x + 0.15, y - 0.08), (x + 0.15, y + 0.08)], 0.02), tint=0.85)
    diamond = c.polygon([(0, -0.86), (0.58, -0.32), (0, 0.34), (-0.58, -0.32)], 0.03)
    c.paint(diamond, bulge=0.12)
    c.decal(both(c.box(0.5, -0.82, 0.5, 0.5), diamond), light=0.45)
    c.decal(both(c.box(-0.5, 0.18, 0.5, 0.5), diamond), light=0.45)
    c.decal(c.box(0, -0.3, 0.025, 0.6), WOOD)
    c.decal(c.box(0, -0.32, 0.6, 0.025), WOOD)


def ufo(c: Canvas, stride: float) -> None:
    c.paint(both(c.ellipse(0, -0.12, 0.42, 0.46), c.box(0, -0.4, 0.6, 0.4)), GLASS, bulge=0.4)
    c.decal(c.ellipse(0, -0.16, 0.15, 0.2), (0.45, 0.8, 0.35))
    for side in (-1, 1):
        c.decal(c.ellipse(side * 0.06, -0.2, 0.035, 0.05), BLACK)
    c.paint(c.ellipse(0, 0.26, 0.4, 0.18), tint=0.65)
    c.paint(c.ellipse(0, 0.1, 0.9, 0.27), bulge=0.26)
    for number in range(5):
        x = -0.64 + 0.32 * number
        lit = (number + int(4 * stride)) % 2
        c.decal(c.ellipse(x, 0.13 - 0.1 * x * x, 0.075), GOLD if lit else WHITE)


VEHICLES = {
    "car": car,
    "bus": bus,
    "truck": truck,
    "train": train,
    "boat": boat,
    "airplane": airplane,
    "rocket": rocket,
    "balloon": balloon,
    "kite": kite,
    "ufo": ufo,
}
