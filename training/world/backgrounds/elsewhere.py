"""Places without solid ground: sea, under water, sky and space."""

from __future__ import annotations

import math

import torch

from training.world.backgrounds.ground import Ground, Layer, blend, puff_clouds, rgb, rolling, sky, tree_line


def sea(g: Ground) -> list[Layer]:
    n = len(g.scenes)
    depth = ((g.y - 0.52) / 0.48).clamp(0, 1).expand(n, -1, g.columns)
    water = blend(rgb(g, 0.40, 0.74, 0.90), rgb(g, 0.10, 0.40, 0.72), depth)
    glint = torch.sin(2 * math.pi * (16 * (g.y - 0.5).clamp(min=0.001) ** 0.7 + 0.35 * torch.sin(9 * g.x + 6 * g.random())))
    water = blend(water, rgb(g, 0.78, 0.93, 1.0), (glint * 0.5 + 0.5) ** 8 * 0.4)
    crest = 0.80 + 0.016 * torch.sin(2 * math.pi * (2.0 * g.x / g.aspect + g.random())).abs() + g.random(-0.02, 0.02)
    near, near_alpha = rolling(g, crest, rgb(g, 0.08, 0.36, 0.68), rgb(g, 0.26, 0.62, 0.86), 0.14)
    near = blend(near, rgb(g, 0.88, 0.97, 1.0), g.cover((g.y - crest).abs() - 0.006, 1.5) * 0.8)
    return [
        g.layer(sky(g), g.full(), 0.15),
        g.layer(water, g.cover(0.52 - g.y).expand(n, -1, g.columns), 0.6),
        g.layer(near, near_alpha * 0.9, 1.0),
    ]


def underwater(g: Ground) -> list[Layer]:
    n = len(g.scenes)
    g.place = 0.4 + 0.6 * g.place  # the hour is felt less down here
    water = blend(rgb(g, 0.42, 0.82, 0.90), rgb(g, 0.06, 0.34, 0.62), (g.y.clamp(0, 1) ** 0.8).expand(n, -1, g.columns))
    slant = g.x + 0.35 * g.y
    rays = torch.sin(2 * math.pi * (2.2 * slant + g.random())) * torch.sin(2 * math.pi * (3.7 * slant + g.random()))
    water = blend(water, rgb(g, 0.80, 0.97, 1.0), rays.clamp(0, 1) * (0.75 - g.y).clamp(0, 1) * 0.5)
    weed = torch.zeros(1, 1, 1, device=g.device)
    for number in range(5):
        x, tall = (number + g.random(0.1, 0.9)) / 5 * g.aspect, g.random(0.18, 0.40)
        bend = 0.025 * torch.sin(16 * g.y + 6 * g.random())
        blade = torch.maximum((g.x - x - bend).abs() - 0.03 * ((g.y - 0.92 + tall) / tall).clamp(0, 1), 0.92 - tall - g.y)
        weed = torch.maximum(weed, g.cover(blade, 1.5))
    reef = blend(
        rgb(g, 0.10, 0.50, 0.44),
        rgb(g, 0.86, 0.44, 0.54),
        g.cover((g.random(0.0, 1.0) * g.aspect - g.x).abs() - 0.16, 12).expand(n, g.rows, -1),
    )
    sand, sand_alpha = rolling(g, g.ridge(0.84, (0.025, 0.01), (0.6, 1.7)), rgb(g, 0.66, 0.62, 0.50), rgb(g, 0.86, 0.82, 0.64), 0.2)
    sand = blend(sand, rgb(g, 0.54, 0.52, 0.44), g.specks(22, 0.86, 1.1, 0.015) * 0.6)
    bubbles = g.specks(9, -0.1, 0.85, 0.020) * 0.55
    return [
        g.layer(water, g.full(), 0.2),
        g.layer(reef, weed * 0.85, 0.7),
        g.layer(sand, sand_alpha, 1.0),
        g.layer(rgb(g, 0.90, 1.0, 1.0), bubbles, 0.8),
    ]


def open_sky(g: Ground) -> list[Layer]:
    air = sky(g, clouds=False)
    white = torch.ones(1, 3, 1, 1, device=g.device) * (0.35 + 0.65 * g.place)
    shadow = blend(white, g.sky_low, torch.full((1, 1, 1), 0.45, device=g.device))
    far = puff_clouds(g, 4, 0.12, 0.62, 0.9)
    bank = tree_line(g, 0.96, 0.12, 3.4, pointed=False)
    bank_alpha = g.cover(bank - g.y, 2.0)
    billow = blend(white, shadow, ((g.y - bank) / 0.12).clamp(0, 1))
    return [
        g.layer(air, g.full(), 0.1),
        g.layer(blend(white, shadow, torch.full((1, 1, 1), 0.5, device=g.device)), far * 0.85, 0.3),
        g.layer(billow, bank_alpha, 0.7),
    ]


def space(g: Ground) -> list[Layer]:
    n = len(g.scenes)
    dark = blend(g.sky_top, g.sky_low, g.y.clamp(0, 1).expand(n, -1, g.columns))
    hue = g.random()[..., None]
    mist_a, mist_b = (torch.tensor(c, device=g.device)[None, :, None, None] for c in ((0.36, 0.16, 0.52), (0.10, 0.32, 0.52)))
    dark = blend(dark, mist_a + (mist_b - mist_a) * hue, ((g.noise(4) - 0.4) * 1.4).clamp(0, 0.75))
    white = torch.ones(1, 3, 1, 1, device=g.device)
    dark = blend(dark, white, g.specks(46, -0.3, 1.3, 0.011) * 0.95)
    dark = blend(dark, torch.tensor((1.0, 0.92, 0.7), device=g.device)[None, :, None, None], g.specks(8, -0.3, 1.3, 0.022) * 0.9)
    px, py = (g.random(0.0, 0.16) + 0.84 * (g.random() > 0.5)) * g.aspect, g.random(0.08, 0.30) + 0.60 * (g.random() > 0.5)
    radius = g.random(0.10, 0.16)
    distance = ((g.x - px) ** 2 + (g.y - py) ** 2).sqrt()
    glow = ((g.x - px) * -0.6 + (g.y - py) * -0.7) / radius
    tone_a, tone_b = (torch.tensor(c, device=g.device)[None, :, None, None] for c in ((0.80, 0.58, 0.48), (0.48, 0.62, 0.76)))
    planet = (tone_a + (tone_b - tone_a) * g.random()[..., None]) * (0.62 + 0.32 * glow.clamp(-1, 1))[:, None]
    bands = torch.sin((g.y - py + 0.3 * (g.x - px)) / radius * 7)
    planet = blend(planet, planet * 1.15, bands.clamp(0, 1))
    return [g.layer(dark, g.full(), 0.1), g.layer(planet.clamp(0, 1), g.cover(distance - radius), 0.3)]
