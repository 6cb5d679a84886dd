"""Places with solid ground: meadow, forest, mountains, desert, snow, beach."""

from __future__ import annotations

import math

import torch

from training.world.backgrounds.ground import Ground, Layer, blend, rgb, rolling, sky, tree_line


def meadow(g: Ground) -> list[Layer]:
    hills, hills_alpha = rolling(g, g.ridge(0.50, (0.05, 0.02), (0.6, 1.3)), rgb(g, 0.40, 0.66, 0.42), rgb(g, 0.62, 0.82, 0.62), 0.2)
    grass, grass_alpha = rolling(g, g.ridge(0.61, (0.018,), (0.5,)), rgb(g, 0.36, 0.64, 0.22), rgb(g, 0.62, 0.84, 0.36), 0.36)
    grass = blend(grass, rgb(g, 0.50, 0.78, 0.30), (g.noise(7, 0.6) - 0.45).clamp(0, 1) * 0.9)
    tufts = g.specks(44, 0.64, 1.1, 0.010, 0.045)
    grass = blend(grass, rgb(g, 0.28, 0.54, 0.18), tufts * 0.75)
    for petal in ((1.0, 1.0, 0.95), (1.0, 0.82, 0.35)):
        grass = blend(grass, rgb(g, *petal), g.specks(9, 0.66, 1.1, 0.022) * 0.9)
    return [g.layer(sky(g), g.full(), 0.15), g.layer(hills, hills_alpha, 0.45), g.layer(grass, grass_alpha, 1.0)]


def forest(g: Ground) -> list[Layer]:
    back = tree_line(g, 0.56, 0.26, 5.0, pointed=True)
    far, far_alpha = rolling(g, back, rgb(g, 0.34, 0.56, 0.50), rgb(g, 0.50, 0.70, 0.62), 0.3)
    front = tree_line(g, 0.70, 0.36, 3.0, pointed=True)
    wood, wood_alpha = rolling(g, front, rgb(g, 0.13, 0.36, 0.26), rgb(g, 0.24, 0.52, 0.34), 0.34)
    floor, floor_alpha = rolling(g, g.ridge(0.70, (0.012,), (0.7,)), rgb(g, 0.46, 0.50, 0.24), rgb(g, 0.60, 0.66, 0.34), 0.3)
    floor = blend(floor, rgb(g, 0.66, 0.58, 0.34), (g.noise(6, 0.6) - 0.5).clamp(0, 1))
    floor = blend(floor, rgb(g, 0.36, 0.40, 0.18), g.specks(36, 0.73, 1.1, 0.012, 0.04) * 0.7)
    return [
        g.layer(sky(g, clouds=False), g.full(), 0.15),
        g.layer(far, far_alpha, 0.35),
        g.layer(wood, wood_alpha, 0.6),
        g.layer(floor, floor_alpha, 1.0),
    ]


def mountains(g: Ground) -> list[Layer]:
    turn = 1.3 * g.x + g.random()
    cell = torch.floor(turn)
    tall = 0.30 + 0.12 * torch.sin(cell * 2.1 + 6 * g.random())
    side = turn - cell - 0.5
    ragged = 0.012 * torch.sin(2 * math.pi * (9 * g.x + g.random()))
    peak = 0.60 - tall * (1 - 2 * side.abs()) + ragged
    rock = torch.where(side < 0, 1.0, 0.0).expand(len(g.scenes), g.rows, g.columns)
    stone = blend(rgb(g, 0.42, 0.46, 0.60), rgb(g, 0.56, 0.60, 0.74), rock)
    zigzag = 0.03 * torch.sin(2 * math.pi * 7 * side + 3 * torch.sin(9 * side))
    cap = g.cover(g.y - (0.60 - tall) - 0.42 * tall - zigzag, 1.5)
    stone = blend(stone, blend(rgb(g, 0.80, 0.85, 0.95), rgb(g, 1.0, 1.0, 1.0), rock), cap)
    stone_alpha = g.cover(peak - g.y)
    wood, wood_alpha = rolling(g, tree_line(g, 0.66, 0.09, 7.0, pointed=True), rgb(g, 0.20, 0.42, 0.36), rgb(g, 0.30, 0.52, 0.42), 0.15)
    grass, grass_alpha = rolling(g, g.ridge(0.68, (0.02,), (0.6,)), rgb(g, 0.44, 0.66, 0.30), rgb(g, 0.66, 0.82, 0.42), 0.32)
    grass = blend(grass, rgb(g, 0.34, 0.54, 0.24), g.specks(30, 0.72, 1.1, 0.012, 0.035) * 0.7)
    return [
        g.layer(sky(g), g.full(), 0.15),
        g.layer(stone, stone_alpha, 0.3),
        g.layer(wood, wood_alpha, 0.6),
        g.layer(grass, grass_alpha, 1.0),
    ]


def desert(g: Ground) -> list[Layer]:
    far, far_alpha = rolling(g, g.ridge(0.50, (0.05, 0.015), (0.7, 1.9)), rgb(g, 0.93, 0.74, 0.48), rgb(g, 0.98, 0.84, 0.62), 0.18)
    crest = g.ridge(0.62, (0.05, 0.015), (0.55, 1.2))
    dune, dune_alpha = rolling(g, crest, rgb(g, 0.86, 0.62, 0.34), rgb(g, 0.98, 0.80, 0.50), 0.30)
    ripple = torch.sin(2 * math.pi * (9 * (g.y - crest) + 0.5 * torch.sin(6 * g.x + 6 * g.random())))
    dune = blend(dune, rgb(g, 0.78, 0.55, 0.30), (ripple * 0.5 + 0.5) ** 4 * 0.35)
    dune = blend(dune, rgb(g, 0.62, 0.44, 0.26), g.specks(10, 0.70, 1.1, 0.02) * 0.7)
    cactus_x = g.random(0.06, 0.94) * g.aspect
    trunk = torch.maximum((g.x - cactus_x).abs() - 0.014, (g.y - 0.50).abs() - 0.10)
    arm = torch.maximum((g.x - cactus_x - 0.035).abs() - 0.035, (g.y - 0.50).abs() - 0.012)
    upright = torch.maximum((g.x - cactus_x - 0.06).abs() - 0.011, (g.y - 0.465).abs() - 0.045)
    cactus = g.cover(torch.minimum(trunk, torch.minimum(arm, upright)) - 0.006)
    return [
        g.layer(sky(g, clouds=False), g.full(), 0.15),
        g.layer(far, far_alpha, 0.4),
        g.layer(rgb(g, 0.34, 0.56, 0.36), cactus, 0.6),
        g.layer(dune, dune_alpha, 1.0),
    ]


def snow(g: Ground) -> list[Layer]:
    far, far_alpha = rolling(g, g.ridge(0.48, (0.05, 0.02), (0.6, 1.4)), rgb(g, 0.70, 0.80, 0.93), rgb(g, 0.84, 0.91, 0.98), 0.2)
    line = tree_line(g, 0.66, 0.28, 4.0, pointed=True)
    wood, wood_alpha = rolling(g, line, rgb(g, 0.30, 0.48, 0.50), rgb(g, 0.40, 0.58, 0.60), 0.2)
    wood = blend(wood, rgb(g, 0.93, 0.96, 1.0), g.cover(g.y - line - 0.05, 5.0))
    field, field_alpha = rolling(g, g.ridge(0.61, (0.02, 0.01), (0.5, 1.1)), rgb(g, 0.78, 0.86, 0.96), rgb(g, 0.96, 0.98, 1.0), 0.36)
    field = blend(field, rgb(g, 0.68, 0.78, 0.92), (g.noise(6, 0.5) - 0.5).clamp(0, 1) * 0.9)
    return [
        g.layer(sky(g), g.full(), 0.15),
        g.layer(far, far_alpha, 0.4),
        g.layer(wood, wood_alpha, 0.6),
        g.layer(field, field_alpha, 1.0),
    ]


def beach(g: Ground) -> list[Layer]:
    shore = g.ridge(0.66, (0.015,), (0.6,))
    water = blend(
        rgb(g, 0.16, 0.52, 0.78), rgb(g, 0.42, 0.80, 0.86), ((g.y - 0.48) / 0.18).clamp(0, 1).expand(len(g.scenes), -1, g.columns)
    )
    glint = torch.sin(2 * math.pi * (22 * g.y + 0.4 * torch.sin(11 * g.x + 6 * g.random())))
    water = blend(water, rgb(g, 0.86, 0.96, 1.0), (glint * 0.5 + 0.5) ** 6 * 0.35)
    sand, sand_alpha = rolling(g, shore, rgb(g, 0.90, 0.76, 0.52), rgb(g, 1.0, 0.92, 0.72), 0.3)
    sand = blend(sand, rgb(g, 1.0, 1.0, 1.0), g.cover((g.y - shore - 0.008).abs() - 0.010, 2.0) * 0.9)
    sand = blend(sand, rgb(g, 0.78, 0.62, 0.40), g.specks(26, 0.72, 1.1, 0.014) * 0.6)
    sand = blend(sand, rgb(g, 1.0, 0.72, 0.66), g.specks(4, 0.74, 1.1, 0.024) * 0.9)
    return [
        g.layer(sky(g), g.full(), 0.15),
        g.layer(water, g.cover(0.48 - g.y).expand(len(g.scenes), -1, g.columns), 0.4),
        g.layer(sand, sand_alpha, 1.0),
    ]
