"""A canvas of signed-distance shapes: colour to be chosen later, fixed colours, outline, and surface direction."""

from __future__ import annotations

import math

import numpy as np

BLACK = (0.10, 0.10, 0.13)
DARK = (0.24, 0.25, 0.30)
GREY = (0.62, 0.65, 0.70)
WHITE = (1.0, 1.0, 1.0)
CREAM = (0.99, 0.93, 0.80)
WOOD = (0.55, 0.36, 0.20)
GLASS = (0.68, 0.88, 0.98)
GOLD = (1.0, 0.82, 0.30)
FLAME = (1.0, 0.55, 0.12)
LEAF = (0.25, 0.58, 0.24)
ROSE = (1.0, 0.62, 0.66)

TINT, RED, GREEN, BLUE, OUTLINE, ALPHA, NORMAL_X, NORMAL_Y = range(8)
CHANNELS = 8
OUTLINE_WIDTH = 0.045  # drawing units


class Canvas:
    """Paints shapes over each other, back to front, on a square of drawing coordinates (x right, y down).

    `pixels` is [8, S, S], premultiplied by alpha: how much of the thing's own colour, fixed red, green and blue, how
    much outline, alpha, and the x and y of the surface normal. A shape is an array [S, S] of signed distances.
    """

    def __init__(self, size: int, centre: tuple[float, float] = (0.0, 0.0), reach: float = 1.0):
        step = 2 * reach / size
        line = (np.arange(size, dtype=np.float32) + 0.5) * step - reach
        self.x = line[None, :] + np.float32(centre[0]) + np.zeros((size, 1), np.float32)
        self.y = line[:, None] + np.float32(centre[1]) + np.zeros((1, size), np.float32)
        self.step = step
        self.pixels = np.zeros((CHANNELS, size, size), np.float32)

    # shapes

    def ellipse(self, x: float, y: float, rx: float, ry: float | None = None, angle: float = 0.0) -> np.ndarray:
        """An ellipse, turned by `angle` degrees clockwise."""
        ry = rx if ry is None else ry
        px, py = self._local(x, y, angle)
        inner = np.hypot(px / rx, py / ry)
        outer = np.hypot(px / rx**2, py / ry**2)
        return inner * (inner - 1) / np.maximum(outer, 1e-6)

    def box(self, x: float, y: float, half_x: float, half_y: float, corner: float = 0.0, angle: float = 0.0) -> np.ndarray:
        """A rectangle with rounded corners."""
        px, py = self._local(x, y, angle)
        qx, qy = np.abs(px) - half_x + corner, np.abs(py) - half_y + corner
        return np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0) - corner

    def polygon(self, points: list[tuple[float, float]], corner: float = 0.0) -> np.ndarray:
        """A closed polygon, blown up by `corner` so that its corners are round."""
        nearest = np.full_like(self.x, np.inf)
        inside = np.zeros(self.x.shape, bool)
        for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1]):
            nearest = np.minimum(nearest, self._distance(ax, ay, bx, by))
            between = (ay > self.y) != (by > self.y)
            if ay != by:
                inside ^= between & (self.x < (bx - ax) * (self.y - ay) / (by - ay) + ax)
        return np.where(inside, -nearest, nearest) - corner

    def stroke(self, points: list[tuple[float, float]], radius: float, end: float | None = None) -> np.ndarray:
        """A round brush along a line; the radius changes evenly to `end`."""
        end = radius if end is None else end
        count = len(points) - 1
        shape = np.full_like(self.x, np.inf)
        for number, ((ax, ay), (bx, by)) in enumerate(zip(points, points[1:])):
            along = self._along(ax, ay, bx, by)
            distance = np.hypot(self.x - ax - along * (bx - ax), self.y - ay - along * (by - ay))
            shape = np.minimum(shape, distance - radius - (end - radius) * (number + along) / count)
        return shape

    # painting

    def paint(
        self,
        shape: np.ndarray,
        rgb: tuple[float, float, float] | None = None,
        tint: float = 1.0,
        light: float = 0.0,
        bulge: float = 0.25,
        outline: float = OUTLINE_WIDTH,
    ) -> None:
        """Paint a solid part: in a fixed colour, or in the thing's colour times `tint` mixed with `light` of white.

        `bulge` is how far from the edge the surface is round.
        """
        slope_y, slope_x = np.gradient(shape, self.step)
        steep = np.maximum(np.hypot(slope_x, slope_y), 1e-3)
        distance = shape / steep
        cover = np.clip(0.5 - distance / self.step, 0, 1)
        edge = np.clip(0.5 + (distance + outline) / self.step, 0, 1) if outline else np.zeros_like(cover)
        round_off = 1 - np.clip(-distance / bulge, 0, 1)
        part = np.empty_like(self.pixels)
        self._colour(part, rgb, tint, light)
        part[TINT : BLUE + 1] *= 1 - edge
        part[OUTLINE] = edge
        part[ALPHA] = 1
        part[NORMAL_X] = slope_x / steep * round_off
        part[NORMAL_Y] = slope_y / steep * round_off
        self.pixels = self.pixels * (1 - cover) + part * cover

    def decal(self, shape: np.ndarray, rgb: tuple[float, float, float] | None = None, tint: float = 1.0, light: float = 0.0) -> None:
        """Colour what is already painted: its outline, its edge and its surface stay."""
        cover = np.clip(0.5 - shape / self.step, 0, 1)
        part = np.empty_like(self.pixels[: BLUE + 1])
        self._colour(part, rgb, tint, light)
        part *= self.pixels[ALPHA] - self.pixels[OUTLINE]
        self.pixels[: BLUE + 1] = self.pixels[: BLUE + 1] * (1 - cover) + part * cover

    def eye(self, x: float, y: float, radius: float = 0.09, look: float = 0.02) -> None:
        """A white eye with a black pupil that looks to the right."""
        self.decal(self.ellipse(x, y, radius), WHITE)
        self.decal(self.ellipse(x + look, y, 0.62 * radius), BLACK)

    def face(self, x: float, y: float, size: float) -> None:
        """Two dots and a smile."""
        for side in (-1, 1):
            self.decal(self.ellipse(x + side * 0.45 * size, y, 0.14 * size, 0.18 * size), BLACK)
        bow = [(x + size * 0.32 * math.sin(a), y + size * (0.2 + 0.2 * math.cos(a))) for a in np.linspace(-1.2, 1.2, 7)]
        self.decal(self.stroke(bow, 0.055 * size), BLACK)

    @staticmethod
    def _colour(part: np.ndarray, rgb: tuple[float, float, float] | None, tint: float, light: float) -> None:
        part[TINT] = 0.0 if rgb else tint * (1 - light)
        part[RED : BLUE + 1] = np.reshape(rgb, (3, 1, 1)) if rgb else light

    def _local(self, x: float, y: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
        turn = math.radians(angle)
        dx, dy = self.x - x, self.y - y
        return dx * math.cos(turn) + dy * math.sin(turn), dy * math.cos(turn) - dx * math.sin(turn)

    def _along(self, ax: float, ay: float, bx: float, by: float) -> np.ndarray:
        length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
        return np.clip(((self.x - ax) * (bx - ax) + (self.y - ay) * (by - ay)) / length, 0, 1)

    def _distance(self, ax: float, ay: float, bx: float, by: float) -> np.ndarray:
        along = self._along(ax, ay, bx, by)
        return np.hypot(self.x - ax - along * (bx - ax), self.y - ay - along * (by - ay))


def melt(a: np.ndarray, b: np.ndarray, radius: float = 0.15) -> np.ndarray:
    """Two shapes grown together with a smooth neck."""
    mix = np.clip(0.5 + 0.5 * (b - a) / radius, 0, 1)
    return b * (1 - mix) + a * mix - radius * mix * (1 - mix)


def both(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What two shapes have in common."""
    return np.maximum(a, b)


def without(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A shape with another cut out of it."""
    return np.maximum(a, -b)
