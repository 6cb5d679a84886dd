"""The places: each painted as a few layers, far to near, for a batch of scenes at once.

Painters work in fractions of the picture: x to the right and y down, from -margin to 1 + margin when the camera moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.world.light import GREY_SKY, WET_SKY, light_of
from training.world.scene import Scene

MARGIN = 0.35
HAZE = {"clear": 0.0, "rain": 0.3, "snow": 0.2, "fog": 0.72}
DRAWS = 2048  # random numbers a scene's background may use


@dataclass(frozen=True)
class Layer:
    """A layer [n, 4, H, W] (colour not premultiplied, alpha) and how much it moves against the camera, 1 as the things do."""

    rgba: Tensor
    parallax: float


class Ground:
    """What a painter paints on: coordinates, the scenes' light, and each scene's own random numbers."""

    def __init__(self, scenes: list[Scene], height: int, width: int, margin: float, device: torch.device):
        self.scenes, self.device, self.margin = scenes, device, margin
        self.rows, self.columns = round(height * (1 + 2 * margin)), round(width * (1 + 2 * margin))
        self.pixel = 1.0 / height
        self.aspect = width / height
        x = (torch.arange(self.columns, device=device) + 0.5) / self.columns * (1 + 2 * margin) - margin
        y = (torch.arange(self.rows, device=device) + 0.5) / self.rows * (1 + 2 * margin) - margin
        self.x = x[None, None, :] * self.aspect  # [1, 1, W], in picture heights
        self.y = y[None, :, None]  # [1, H, 1]
        draws = [torch.rand(DRAWS, generator=torch.Generator().manual_seed(scene.seed)) for scene in scenes]
        self.draws = torch.stack(draws).to(device)
        self.used = 0
        lights = [light_of(scene) for scene in scenes]
        self.place = self.colours([light.place for light in lights])
        self.sky_top = self.colours([light.sky_top for light in lights])
        self.sky_low = self.colours([light.sky_low for light in lights])
        self.night = self.numbers([scene.time == "night" for scene in scenes])
        self.wet = self.numbers([WET_SKY[scene.weather] for scene in scenes])
        grey = torch.tensor(GREY_SKY, device=device)[None, :, None, None] * self.place
        self.sky_top, self.sky_low = (sky + (grey - sky) * self.wet[:, None] for sky in (self.sky_top, self.sky_low))

    def numbers(self, values: list) -> Tensor:
        """One number per scene, [n, 1, 1]."""
        return torch.tensor([float(value) for value in values], device=self.device)[:, None, None]

    def colours(self, values: list) -> Tensor:
        """One colour per scene, [n, 3, 1, 1]."""
        return torch.tensor(values, device=self.device)[:, :, None, None]

    def random(self, low: float = 0.0, high: float = 1.0, count: int = 1) -> Tensor:
        """The next random numbers of each scene, [n, count, 1]."""
        drawn = self.draws[:, self.used : self.used + count, None]
        self.used += count
        return low + (high - low) * drawn

    def cover(self, distance: Tensor, softness: float = 1.0) -> Tensor:
        """Anti-aliased inside of a signed distance in picture heights."""
        return (0.5 - distance / (self.pixel * softness)).clamp(0, 1)

    def ridge(self, base: float, heights: tuple[float, ...], waves: tuple[float, ...]) -> Tensor:
        """A skyline y(x), [n, 1, W]: a sum of waves per picture height, each with a random shift."""
        line = base + self.random(-0.02, 0.02)
        for height, wave in zip(heights, waves):
            line = line + height * torch.sin(2 * math.pi * (wave * self.x + self.random()))
        return line

    def noise(self, cells: int, stretch: float = 1.0) -> Tensor:
        """Smooth random values in [0, 1], [n, H, W]; `stretch` makes them wider than high."""
        across = max(2, round(cells / stretch))
        grid = self.random(count=across * cells).reshape(-1, 1, cells, across)
        fine = F.interpolate(grid, (self.rows, self.columns), mode="bicubic", align_corners=True)
        return fine[:, 0].clamp(0, 1)

    def specks(self, count: int, top: float, bottom: float, width: float, height: float = 0.0, slant: float = 0.0) -> Tensor:
        """Soft specks at random places between two heights, [n, H, W] in [0, 1]; size in picture heights."""
        field = torch.zeros(len(self.scenes), self.rows * self.columns, device=self.device)
        x = self.random(count=count)[..., 0] * (self.columns - 1)
        y = (self.random(top, bottom, count)[..., 0] + self.margin) / (1 + 2 * self.margin) * (self.rows - 1)
        strength = self.random(0.5, 1.0, count)[..., 0]
        for dx in (0, 1):
            for dy in (0, 1):
                column, row = x.floor().long() + dx, y.floor().long() + dy
                within = (row >= 0) & (row < self.rows) & (column < self.columns)
                weight = (1 - (x - column).abs()) * (1 - (y - row).abs()) * strength * within
                place = row.clamp(0, self.rows - 1) * self.columns + column.clamp(0, self.columns - 1)
                field.scatter_add_(1, place, weight)
        kernel = _brush(width / self.pixel, max(height, width) / self.pixel, slant).to(self.device)
        padding = (kernel.shape[0] // 2, kernel.shape[1] // 2)
        return F.conv2d(field.reshape(-1, 1, self.rows, self.columns), kernel[None, None], padding=padding)[:, 0].clamp(0, 1)

    def layer(self, colour: Tensor, alpha: Tensor, parallax: float) -> Layer:
        """A layer of a colour [n or 1, 3, ...] with an alpha [n, H, W], both widened to the whole picture."""
        shape = (len(self.scenes), self.rows, self.columns)
        rgb = colour.expand(shape[0], 3, *shape[1:])
        return Layer(torch.cat((rgb, alpha.expand(shape)[:, None]), dim=1), parallax)

    def full(self) -> Tensor:
        """An alpha of one everywhere."""
        return torch.ones(1, 1, 1, device=self.device)


def rgb(ground: Ground, red: float, green: float, blue: float) -> Tensor:
    """A colour under the light of the place, [n, 3, 1, 1]."""
    return torch.tensor((red, green, blue), device=ground.device)[None, :, None, None] * ground.place


def paint_background(scenes: list[Scene], height: int, width: int, margin: float, device: torch.device) -> list[Layer]:
    """The layers, far to near, of scenes that share one background; the weather dims and greys the far ones most."""
    ground = Ground(scenes, height, width, margin, device)
    layers = PAINTERS[scenes[0].background](ground)
    amount = ground.numbers([HAZE[scene.weather] for scene in scenes])[:, None]
    haze = torch.tensor(GREY_SKY, device=device)[None, :, None, None] * (0.25 + 0.75 * ground.place)
    hazy = []
    for layer in layers:
        colour = layer.rgba[:, :3]
        colour = colour + (haze - colour) * amount * (1 - 0.6 * layer.parallax)
        hazy.append(Layer(torch.cat((colour, layer.rgba[:, 3:]), dim=1), layer.parallax))
    return hazy


def blend(below: Tensor, above: Tensor, amount: Tensor) -> Tensor:
    """Two colours [n, 3, ...] mixed by an amount [n, H, W]."""
    return below + (above - below) * amount[:, None]


def sky(g: Ground, clouds: bool = True, glow: bool = True) -> Tensor:
    """The sky, [n, 3, H, W]: a gradient, the glow of the sun, stars at night, and soft clouds."""
    colour = blend(g.sky_top, g.sky_low, (g.y / 0.62).clamp(0, 1) ** 1.3)
    sun_x, sun_y = g.random(0.12, 0.88) * g.aspect, g.random(0.10, 0.26)
    if glow:
        distance = ((g.x - sun_x) ** 2 + (g.y - sun_y) ** 2).sqrt()
        halo = torch.exp(-distance / 0.16) * 0.5 + g.cover(distance - 0.055, 2.0) * 0.5
        colour = blend(
            colour, torch.tensor((1.0, 0.97, 0.82), device=g.device)[None, :, None, None], halo * (1 - 0.9 * g.night) * (1 - g.wet)
        )
    stars = g.specks(40, -0.2, 0.55, 0.012) * g.night
    colour = blend(colour, torch.ones(1, 3, 1, 1, device=g.device), stars * 0.9)
    if clouds:
        puffs = puff_clouds(g, 3, 0.08, 0.34)
        white = blend(torch.ones(1, 3, 1, 1, device=g.device), g.sky_low, torch.full((1, 1, 1), 0.25, device=g.device)) * (
            0.5 + 0.5 * g.place
        )
        colour = blend(colour, white, puffs * 0.85)
    return colour


def puff_clouds(g: Ground, count: int, top: float, bottom: float, size: float = 1.0) -> Tensor:
    """Rounded clouds with flat undersides, [n, H, W]."""
    alpha = torch.zeros(1, 1, 1, device=g.device)
    for number in range(count):
        x = (number + g.random(0.1, 0.9)) / count * g.aspect
        y, scale = g.random(top, bottom), g.random(0.05, 0.085) * size
        shape = torch.full((1, 1, 1), 1e3, device=g.device)
        for dx, dy, radius in ((-1.3, 0.25, 0.75), (-0.3, -0.3, 1.0), (0.8, 0.0, 0.85), (1.7, 0.35, 0.55)):
            shape = torch.minimum(shape, ((g.x - x - dx * scale) ** 2 + (g.y - y - dy * scale) ** 2).sqrt() - radius * scale)
        shape = torch.maximum(shape, g.y - y - 0.8 * scale)
        alpha = torch.maximum(alpha, g.cover(shape, 2.5))
    return alpha


def rolling(g: Ground, line: Tensor, near: Tensor, far: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Land below a skyline: its colour, lighter far away, and its alpha."""
    depth = ((g.y - line) / reach).clamp(0, 1)
    return blend(far, near, depth), g.cover(line - g.y)


def meadow(g: Ground) -> list[Layer]:
    hills, hills_alpha = rolling(g, g.ridge(0.50, (0.05, 0.02), (0.6, 1.3)), rgb(g, 0.40, 0.66, 0.42), rgb(g, 0.62, 0.82, 0.62), 0.2)
    grass, grass_alpha = rolling(g, g.ridge(0.61, (0.018,), (0.5,)), rgb(g, 0.36, 0.64, 0.22), rgb(g, 0.62, 0.84, 0.36), 0.36)
    grass = blend(grass, rgb(g, 0.50, 0.78, 0.30), (g.noise(7, 0.6) - 0.45).clamp(0, 1) * 0.9)
    tufts = g.specks(44, 0.64, 1.1, 0.010, 0.045)
    grass = blend(grass, rgb(g, 0.28, 0.54, 0.18), tufts * 0.75)
    for petal in ((1.0, 1.0, 0.95), (1.0, 0.82, 0.35)):
        grass = blend(grass, rgb(g, *petal), g.specks(9, 0.66, 1.1, 0.022) * 0.9)
    return [g.layer(sky(g), g.full(), 0.15), g.layer(hills, hills_alpha, 0.45), g.layer(grass, grass_alpha, 1.0)]


def tree_line(g: Ground, base: float, height: float, wave: float, pointed: bool) -> Tensor:
    """The skyline of a wood, [n, 1, W]: one tree per wave, each a little different."""
    turn = wave * g.x + g.random()
    cell = torch.floor(turn)
    wobble = 0.75 + 0.25 * torch.sin(cell * (2.3 + g.random()) + 6 * g.random())
    phase = turn - cell - 0.5
    shape = 1 - 2 * phase.abs() if pointed else (1 - (2 * phase).abs() ** 2.6).clamp(min=0).sqrt()
    return base - height * wobble * shape


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


PAINTERS: dict[str, Callable[[Ground], list[Layer]]] = {
    "meadow": meadow,
    "forest": forest,
    "mountains": mountains,
    "desert": desert,
    "snow": snow,
    "beach": beach,
    "city": city,
    "room": room,
    "sea": sea,
    "underwater": underwater,
    "sky": open_sky,
    "space": space,
}


def _brush(width: float, height: float, slant: float = 0.0) -> Tensor:
    """A soft speck, `width` x `height` pixels, leaning by `slant` columns per row; its middle is one."""
    half_x, half_y = max(1, math.ceil(width + abs(slant) * height / 2)), max(1, math.ceil(height))
    x = torch.arange(-half_x, half_x + 1).float()[None, :]
    y = torch.arange(-half_y, half_y + 1).float()[:, None]
    return torch.exp(-(((x - slant * y) / max(0.5 * width, 0.45)) ** 2) - (y / max(0.5 * height, 0.45)) ** 2)
