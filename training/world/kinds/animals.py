"""Drawings of animals, and of the robot. They look right; `stride` in [0, 1) moves their legs, wings or tails."""

from __future__ import annotations

import math

from training.world.kinds.canvas import BLACK, DARK, FLAME, GLASS, GOLD, GREY, ROSE, WHITE, Canvas, both, melt


def swing(stride: float, offset: float = 0.0) -> float:
    """-1 to 1, once per stride."""
    return math.sin(2 * math.pi * (stride + offset))


def legs(c: Canvas, hips: list[float], top: float, foot: float, radius: float, step: float, stride: float) -> None:
    """Legs from the hips down, every other one half a stride later; the farther ones are darker."""
    for number, hip in enumerate(hips):
        far = number % 2 == 0
        x = hip + step * swing(stride, 0.5 * (number % 2))
        c.paint(c.stroke([(hip, top), (x, foot - radius)], radius), tint=0.72 if far else 0.95, bulge=0.1)


def bird(c: Canvas, stride: float) -> None:
    beat = swing(stride)
    c.paint(c.polygon([(-0.42, 0.12), (-0.88, 0.0), (-0.84, 0.2), (-0.7, 0.34), (-0.4, 0.3)], 0.03), tint=0.75)
    c.paint(c.polygon([(0.72, -0.16), (0.92, -0.06), (0.7, 0.02)], 0.03), FLAME, bulge=0.08)
    c.paint(melt(c.ellipse(-0.04, 0.18, 0.54, 0.42, -12), c.ellipse(0.44, -0.14, 0.34), 0.2), bulge=0.35)
    c.decal(c.ellipse(0.2, 0.38, 0.34, 0.19, -14), light=0.5)
    c.eye(0.54, -0.2, 0.1)
    tip = -0.62 * beat
    wing = [(0.16, 0.1), (-0.12, 0.06 + 0.9 * tip), (-0.42, 0.02 + 1.0 * tip), (-0.34, 0.16)]
    c.paint(c.polygon(wing, 0.08), tint=0.8, bulge=0.12)


def duck(c: Canvas, stride: float) -> None:
    for side in (0, 1):
        x = 0.05 + 0.16 * swing(stride, 0.5 * side)
        c.paint(c.ellipse(x + 0.06, 0.66, 0.17, 0.07), FLAME, bulge=0.06)
    c.paint(c.polygon([(0.6, -0.42), (0.94, -0.34), (0.9, -0.24), (0.6, -0.24)], 0.04), FLAME, bulge=0.1)
    body = c.polygon([(-0.8, -0.1), (-0.3, 0.06), (0.3, 0.0), (0.36, 0.34), (0.0, 0.48), (-0.4, 0.4)], 0.14)
    c.paint(melt(body, c.ellipse(0.36, -0.34, 0.33), 0.2), bulge=0.4)
    c.eye(0.46, -0.4, 0.085)
    c.paint(c.ellipse(-0.16, 0.2, 0.32, 0.19, 12), tint=0.8, bulge=0.15)


def butterfly(c: Canvas, stride: float) -> None:
    """Seen from above."""
    open_ = 0.72 + 0.28 * math.cos(2 * math.pi * stride)
    for side in (-1, 1):
        c.paint(c.ellipse(side * 0.36 * open_, 0.34, 0.32 * open_, 0.34, side * -25), tint=0.82, bulge=0.15)
        c.paint(c.ellipse(side * 0.46 * open_, -0.24, 0.44 * open_, 0.4, side * 32), bulge=0.2)
        c.decal(c.ellipse(side * 0.54 * open_, -0.3, 0.19 * open_, 0.17), light=0.65)
        c.decal(c.ellipse(side * 0.38 * open_, 0.38, 0.12 * open_, 0.12), light=0.65)
        c.paint(c.stroke([(0, -0.4), (side * 0.1, -0.62), (side * 0.2, -0.7)], 0.025), BLACK, outline=0)
    c.paint(c.stroke([(0, -0.42), (0, 0.42)], 0.09, 0.05), DARK, bulge=0.08)


def fish(c: Canvas, stride: float) -> None:
    flick = 0.14 * swing(stride)
    c.paint(c.polygon([(-0.4, 0.0), (-0.86, -0.38 + flick), (-0.74, flick), (-0.86, 0.38 + flick)], 0.05), tint=0.8, bulge=0.1)
    c.paint(c.polygon([(-0.2, -0.3), (0.02, -0.56), (0.32, -0.3)], 0.05), tint=0.8, bulge=0.1)
    c.paint(c.polygon([(-0.1, 0.3), (0.0, 0.52), (0.2, 0.32)], 0.04), tint=0.8, bulge=0.1)
    body = c.ellipse(0.16, 0.0, 0.72, 0.42)
    c.paint(body, bulge=0.42)
    c.decal(both(c.ellipse(0.05, 0, 0.08, 0.5), body), light=0.6)
    c.decal(both(c.ellipse(-0.25, 0, 0.07, 0.5), body), light=0.6)
    c.eye(0.56, -0.1, 0.11, 0.03)
    c.decal(c.stroke([(0.74, 0.14), (0.84, 0.1)], 0.025), BLACK)
    c.paint(c.polygon([(0.22, 0.06), (0.0, 0.0), (0.02, 0.2)], 0.05), tint=0.75, bulge=0.08, outline=0.03)


def whale(c: Canvas, stride: float) -> None:
    flick = 0.08 * swing(stride)
    for side in (-1, 1):
        drops = [(0.34, -0.34), (0.34 + side * 0.03, -0.52), (0.34 + side * 0.18, -0.6), (0.34 + side * 0.24, -0.5)]
        c.paint(c.stroke(drops, 0.04), GLASS, outline=0)
    fluke_y = -0.36 + flick
    c.paint(c.ellipse(-0.83, fluke_y, 0.18, 0.11, 28), tint=0.9, bulge=0.1)
    c.paint(c.ellipse(-0.62, fluke_y, 0.2, 0.11, -28), tint=0.9, bulge=0.1)
    tail = c.stroke([(0.0, 0.16), (-0.46, 0.14), (-0.72, -0.06 + flick / 2), (-0.76, fluke_y + 0.06)], 0.3, 0.07)
    body = melt(c.ellipse(0.28, 0.12, 0.66, 0.42), tail, 0.2)
    c.paint(body, bulge=0.42)
    c.decal(both(c.ellipse(0.4, 0.5, 0.66, 0.26), body), light=0.78)
    c.eye(0.6, 0.04, 0.085, 0.02)
    c.paint(c.ellipse(0.2, 0.42, 0.1, 0.22, 30), tint=0.75, bulge=0.1)


def turtle(c: Canvas, stride: float) -> None:
    c.paint(c.stroke([(-0.66, 0.28), (-0.86, 0.34)], 0.09, 0.03), light=0.55, bulge=0.08)
    for number, hip in enumerate((-0.42, 0.42)):
        for far in (1, 0):
            x = hip + 0.14 * swing(stride, 0.5 * number + 0.5 * far)
            c.paint(c.stroke([(hip, 0.24), (x, 0.44)], 0.12), tint=0.75 if far else 1.0, light=0.5, bulge=0.1)
    c.paint(c.stroke([(0.5, 0.2), (0.7, -0.06)], 0.13), light=0.55, bulge=0.12)
    c.paint(c.ellipse(0.76, -0.1, 0.21, 0.18), light=0.55, bulge=0.16)
    c.eye(0.82, -0.14, 0.065, 0.01)
    shell = both(c.ellipse(-0.06, 0.22, 0.68, 0.74), c.box(0, -0.4, 1, 0.7))
    c.paint(shell, bulge=0.5)
    for x, y in ((-0.06, -0.2), (-0.42, 0.04), (0.3, 0.04), (-0.06, 0.12)):
        c.decal(both(c.ellipse(x, y, 0.14, 0.11), shell), tint=0.68)
    c.paint(c.box(-0.06, 0.28, 0.7, 0.07, 0.06), tint=0.75, bulge=0.06)


def cat(c: Canvas, stride: float) -> None:
    tail = [(-0.56, 0.1), (-0.78, -0.1), (-0.8, -0.36 + 0.06 * swing(stride)), (-0.66, -0.54)]
    c.paint(c.stroke(tail, 0.085), bulge=0.08)
    legs(c, [-0.46, -0.34, 0.3, 0.42], 0.3, 0.76, 0.095, 0.13, stride)
    c.paint(c.ellipse(-0.08, 0.2, 0.58, 0.29), bulge=0.28)
    for x in (0.26, 0.72):
        lean = 0.05 if x > 0.5 else -0.05
        c.paint(c.polygon([(x - 0.14, -0.38), (x + lean, -0.7), (x + 0.14, -0.38)], 0.04), bulge=0.08)
        c.decal(c.polygon([(x - 0.06, -0.42), (x + lean, -0.6), (x + 0.06, -0.42)]), ROSE)
    c.paint(c.ellipse(0.49, -0.18, 0.39, 0.34), bulge=0.3)
    for x in (0.36, 0.66):
        c.decal(c.ellipse(x, -0.22, 0.07, 0.095), BLACK)
        c.decal(c.ellipse(x - 0.02, -0.26, 0.025), WHITE)
    c.decal(c.ellipse(0.52, -0.03, 0.17, 0.11), light=0.7)
    c.decal(c.ellipse(0.52, -0.08, 0.05, 0.035), ROSE)


def rabbit(c: Canvas, stride: float) -> None:
    for x, lean in ((0.1, -0.14), (0.34, 0.02)):
        c.paint(c.ellipse(x + lean / 2, -0.6, 0.105, 0.33, 90 * lean), bulge=0.1)
        c.decal(c.ellipse(x + lean / 2, -0.58, 0.045, 0.22, 90 * lean), ROSE)
    c.paint(c.ellipse(-0.54, 0.46, 0.15), WHITE, bulge=0.14)
    kick = 0.1 * swing(stride)
    c.paint(c.ellipse(0.24 - kick, 0.76, 0.15, 0.1), tint=0.85, bulge=0.08)
    c.paint(c.ellipse(-0.1, 0.4, 0.46, 0.4, -14), bulge=0.35)
    c.decal(c.ellipse(0.14, 0.46, 0.18, 0.24, -10), light=0.7)
    c.paint(c.ellipse(-0.2 + kick, 0.74, 0.3, 0.11), tint=0.85, bulge=0.1)
    c.paint(c.ellipse(0.26, -0.12, 0.34, 0.31), bulge=0.3)
    c.eye(0.38, -0.16, 0.09, 0.02)
    c.decal(c.ellipse(0.5, 0.03, 0.12, 0.09), light=0.75)
    c.decal(c.ellipse(0.56, -0.02, 0.04, 0.032), ROSE)


def elephant(c: Canvas, stride: float) -> None:
    c.paint(c.stroke([(-0.74, -0.1), (-0.88, 0.1), (-0.86, 0.24)], 0.04), bulge=0.05)
    legs(c, [-0.52, -0.36, 0.14, 0.28], 0.3, 0.74, 0.15, 0.1, stride)
    c.paint(c.ellipse(-0.16, 0.04, 0.62, 0.45), bulge=0.42)
    lift = 0.06 * swing(stride)
    trunk = c.stroke([(0.66, -0.06), (0.82, 0.16), (0.8, 0.42 + lift), (0.9, 0.54 + lift)], 0.17, 0.085)
    c.paint(c.stroke([(0.6, 0.16), (0.68, 0.32), (0.82, 0.34)], 0.06, 0.03), WHITE, bulge=0.05)
    c.paint(melt(c.ellipse(0.52, -0.2, 0.34), trunk, 0.12), bulge=0.3)
    c.eye(0.66, -0.24, 0.065, 0.01)
    c.paint(c.ellipse(0.28, -0.16, 0.25, 0.33, 10), tint=0.8, bulge=0.15)
    c.decal(c.ellipse(0.28, -0.14, 0.14, 0.2, 10), light=0.4)


def dinosaur(c: Canvas, stride: float) -> None:
    for x, y in ((-0.66, 0.1), (-0.44, -0.06), (-0.2, -0.14), (0.06, -0.12)):
        c.paint(c.polygon([(x - 0.11, y + 0.12), (x, y - 0.12), (x + 0.11, y + 0.12)], 0.03), tint=0.65, bulge=0.06)
    legs(c, [-0.4, -0.26, 0.14, 0.28], 0.36, 0.78, 0.12, 0.1, stride)
    nod = 0.04 * swing(stride)
    neck = c.stroke([(0.22, 0.24), (0.48, -0.08), (0.56, -0.46 + nod), (0.62, -0.6 + nod)], 0.22, 0.13)
    tail = c.stroke([(-0.3, 0.26), (-0.62, 0.36), (-0.92, 0.26 + nod)], 0.24, 0.04)
    body = melt(melt(c.ellipse(-0.08, 0.24, 0.5, 0.33), neck, 0.18), tail, 0.15)
    c.paint(melt(body, c.ellipse(0.7, -0.62 + nod, 0.22, 0.15), 0.08), bulge=0.3)
    c.decal(c.ellipse(0.0, 0.48, 0.4, 0.13), light=0.55)
    c.eye(0.7, -0.67 + nod, 0.06, 0.01)
    c.decal(c.stroke([(0.78, -0.55 + nod), (0.9, -0.58 + nod)], 0.02), BLACK)


def robot(c: Canvas, stride: float) -> None:
    """Looks at the viewer."""
    c.paint(c.stroke([(0, -0.66), (0, -0.82)], 0.03), GREY, outline=0)
    c.paint(c.ellipse(0, -0.84, 0.08), GOLD, bulge=0.08)
    for side in (-1, 1):
        lift = 0.07 * swing(stride, 0.25 * side)
        c.paint(c.box(side * 0.2, 0.68, 0.09, 0.16, 0.03), GREY, bulge=0.08)
        c.paint(c.box(side * 0.22, 0.8 + min(lift, 0), 0.17, 0.08, 0.05), tint=0.7, bulge=0.08)
        c.paint(c.stroke([(side * 0.42, 0.06), (side * 0.58, 0.24), (side * 0.56, 0.42 + lift)], 0.07), GREY, bulge=0.07)
        c.paint(c.ellipse(side * 0.56, 0.46 + lift, 0.11), tint=0.75, bulge=0.1)
    c.paint(c.box(0, 0.24, 0.42, 0.36, 0.08), bulge=0.14)
    c.decal(c.box(0, 0.22, 0.24, 0.18, 0.04), tint=0.6)
    for x, rgb in ((-0.12, FLAME), (0.0, GOLD), (0.12, GLASS)):
        c.decal(c.ellipse(x, 0.22, 0.05), rgb)
    c.paint(c.box(0, -0.4, 0.46, 0.28, 0.1), bulge=0.16)
    c.decal(c.box(0, -0.42, 0.36, 0.17, 0.08), (0.16, 0.2, 0.3))
    for side in (-1, 1):
        c.decal(c.ellipse(side * 0.17, -0.44, 0.085), GLASS)
    c.decal(c.box(0, -0.31, 0.12, 0.02), GLASS)


ANIMALS = {
    "bird": bird,
    "duck": duck,
    "butterfly": butterfly,
    "fish": fish,
    "whale": whale,
    "turtle": turtle,
    "cat": cat,
    "rabbit": rabbit,
    "elephant": elephant,
    "dinosaur": dinosaur,
    "robot": robot,
}
