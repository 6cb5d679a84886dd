"""Places people build: city and room."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.world.backgrounds.ground import Ground, Layer, blend, rgb, rolling, sky


def skyline(g: Ground, wave: float, low: float, high: float, base: float) -> tuple[Tensor, Tensor, Tensor]:
    """Towers side by side: signed distance, the cell each pixel lies in, and x within the cell in [0, 1]."""
    turn = wave * g.x + g.random()
    cell = torch.floor(turn)
    tall = low + (high - low) * (0.5 + 0.5 * torch.sin(cell * 12.9898 + 78.2 * g.random()))
    return (base - tall) - g.y, cell, turn - cell


def city(g: Ground) -> list[Layer]:
    far, _, _ = skyline(g, 4.5, 0.16, 0.44, 0.70)
    near, cell, inside = skyline(g, 2.6, 0.18, 0.40, 0.72)
    hue = 0.5 + 0.5 * torch.sin(cell * 4.1 + 6 * g.random())
    wall = blend(rgb(g, 0.86, 0.62, 0.52), rgb(g, 0.56, 0.66, 0.80), hue.expand(len(g.scenes), g.rows, -1))
    wall = blend(wall, rgb(g, 0.97, 0.88, 0.70), g.cover((inside - 0.5).abs() * 0.38 - 0.17, 1.0).expand(-1, g.rows, -1) * 0.2)
    column, row = (inside * 4) % 1.0, (g.y * 13) % 1.0
    pane = ((column - 0.5).abs() < 0.26) & ((row - 0.5).abs() < 0.28)
    pane = pane & ((inside * 4 >= 0.0) & (near < -0.03))
    day_pane, lit_pane = rgb(g, 0.50, 0.66, 0.78), torch.tensor((1.0, 0.86, 0.48), device=g.device)[None, :, None, None]
    window = blend(day_pane, lit_pane, g.night * 0.95)
    wall = blend(wall, window, pane.float() * 0.8)
    pavement, pavement_alpha = rolling(g, torch.full_like(near[:, :1, :], 0.70), rgb(g, 0.78, 0.76, 0.76), rgb(g, 0.84, 0.82, 0.80), 0.1)
    road = g.cover(0.775 - g.y).expand(len(g.scenes), -1, g.columns)
    pavement = blend(pavement, rgb(g, 0.42, 0.43, 0.48), road)
    dash = (((g.x * 3.2 + g.random()) % 1.0 - 0.5).abs() < 0.27).float() * g.cover((g.y - 0.955).abs() - 0.012)
    pavement = blend(pavement, rgb(g, 0.98, 0.92, 0.70), dash)
    pavement = blend(pavement, rgb(g, 0.94, 0.93, 0.90), g.cover((g.y - 0.772).abs() - 0.010).expand(len(g.scenes), -1, g.columns))
    haze = blend(rgb(g, 0.58, 0.68, 0.84), rgb(g, 0.74, 0.82, 0.92), g.y.expand(1, -1, 1))
    return [
        g.layer(sky(g), g.full(), 0.15),
        g.layer(haze, g.cover(far), 0.35),
        g.layer(wall, g.cover(near), 0.6),
        g.layer(pavement, pavement_alpha, 1.0),
    ]


def room(g: Ground) -> list[Layer]:
    n = len(g.scenes)
    dim = (1 - 0.35 * g.night)[:, None]
    warm = torch.tensor((1.0, 0.96, 0.90), device=g.device)[None, :, None, None] * dim
    hue = g.random()[..., None]
    paint_a, paint_b = (torch.tensor(c, device=g.device)[None, :, None, None] for c in ((0.98, 0.86, 0.76), (0.78, 0.88, 0.90)))
    wall = (paint_a + (paint_b - paint_a) * hue) * warm
    stripe = (torch.sin(2 * math.pi * (4 * g.x + g.random())) * 4).clamp(-1, 1) * 0.5 + 0.5
    wall = blend(wall.expand(n, 3, g.rows, g.columns), wall * 0.94, stripe.expand(n, g.rows, -1))
    left = g.random(0.14, 0.62) * g.aspect
    pane_x, pane_y = (g.x - left - 0.13).abs() - 0.13, (g.y - 0.27).abs() - 0.15
    pane = torch.maximum(pane_x, pane_y)
    outside = blend(g.sky_top, g.sky_low, (g.y / 0.45).clamp(0, 1))
    outside = blend(outside, rgb(g, 0.48, 0.72, 0.40), g.cover(g.ridge(0.37, (0.02,), (2.0,)) - g.y))
    wall = blend(wall, torch.ones(1, 3, 1, 1, device=g.device) * warm, g.cover(pane - 0.025))
    wall = blend(wall, outside, g.cover(pane))
    bars = torch.minimum((g.x - left - 0.13).abs() - 0.009, (g.y - 0.27).abs() - 0.009)
    wall = blend(wall, warm, g.cover(torch.maximum(bars, pane)))
    floor = torch.tensor((0.80, 0.58, 0.38), device=g.device)[None, :, None, None] * warm
    shade = ((g.y - 0.68) / 0.35).clamp(0, 1).expand(n, -1, g.columns)
    floor = blend(floor, floor * 0.84, shade)
    plank = torch.sin(2 * math.pi * (g.x - 0.5 * g.aspect) / (0.25 + 0.55 * (g.y - 0.4).clamp(min=0.05)) * 2)
    floor = blend(floor, floor * 0.86, (plank.abs() < 0.14).float().expand(n, -1, -1))
    rug_hue = g.random()[..., None]
    rug_a, rug_b = (torch.tensor(c, device=g.device)[None, :, None, None] for c in ((0.72, 0.46, 0.52), (0.46, 0.58, 0.66)))
    rug = (rug_a + (rug_b - rug_a) * rug_hue) * warm
    oval = (((g.x - 0.5 * g.aspect) / 0.42) ** 2 + ((g.y - 0.87) / 0.10) ** 2).sqrt() - 1
    floor = blend(floor, rug, g.cover(oval * 0.1).expand(n, -1, -1))
    floor = blend(floor, rug * 0.6 + 0.4 * warm, g.cover(((oval + 0.14).abs() - 0.03) * 0.1).expand(n, -1, -1) * 0.8)
    skirting = g.cover((g.y - 0.665).abs() - 0.018).expand(n, -1, g.columns)
    floor = blend(floor, warm * 0.98, skirting)
    return [g.layer(wall, g.full(), 0.7), g.layer(floor, g.cover(0.65 - g.y), 1.0)]
