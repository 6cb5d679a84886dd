"""What places are painted with: coordinates, light, random numbers, noise, specks and skylines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.world.light import GREY_SKY, WET_SKY, light_of
from training.world.scene import Scene

MARGIN = 0.35
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
        field = torch.zeros(len(self.scenes), self.rows * self.columns)
        # On the CPU, where sums come out the same every time.
        x = self.random(count=count)[..., 0].cpu() * (self.columns - 1)
        y = (self.random(top, bottom, count)[..., 0].cpu() + self.margin) / (1 + 2 * self.margin) * (self.rows - 1)
        strength = self.random(0.5, 1.0, count)[..., 0].cpu()
        for dx in (0, 1):
            for dy in (0, 1):
                column, row = x.floor().long() + dx, y.floor().long() + dy
                within = (row >= 0) & (row < self.rows) & (column < self.columns)
                weight = (1 - (x - column).abs()) * (1 - (y - row).abs()) * strength * within
                place = row.clamp(0, self.rows - 1) * self.columns + column.clamp(0, self.columns - 1)
                field.scatter_add_(1, place, weight)
        kernel = _brush(width / self.pixel, max(height, width) / self.pixel, slant).to(self.device)
        padding = (kernel.shape[0] // 2, kernel.shape[1] // 2)
        field = field.to(self.device).reshape(-1, 1, self.rows, self.columns)
        return F.conv2d(field, kernel[None, None], padding=padding)[:, 0].clamp(0, 1)

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


def tree_line(g: Ground, base: float, height: float, wave: float, pointed: bool) -> Tensor:
    """The skyline of a wood, [n, 1, W]: one tree per wave, each a little different."""
    turn = wave * g.x + g.random()
    cell = torch.floor(turn)
    wobble = 0.75 + 0.25 * torch.sin(cell * (2.3 + g.random()) + 6 * g.random())
    phase = turn - cell - 0.5
    shape = 1 - 2 * phase.abs() if pointed else (1 - (2 * phase).abs() ** 2.6).clamp(min=0).sqrt()
    return base - height * wobble * shape


def _brush(width: float, height: float, slant: float = 0.0) -> Tensor:
    """A soft speck, `width` x `height` pixels, leaning by `slant` columns per row; its middle is one."""
    half_x, half_y = max(1, math.ceil(width + abs(slant) * height / 2)), max(1, math.ceil(height))
    x = torch.arange(-half_x, half_x + 1).float()[None, :]
    y = torch.arange(-half_y, half_y + 1).float()[:, None]
    return torch.exp(-(((x - slant * y) / max(0.5 * width, 0.45)) ** 2) - (y / max(0.5 * height, 0.45)) ** 2)
