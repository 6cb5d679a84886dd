"""What is inside a region's shapes: exactly for places, in a grid of cells, and in pixels with soft edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from .plan import AnyShape, Ellipse, Mask, PlanError, Polygon, Rectangle, Stroke

Bounds: TypeAlias = "tuple[float, float, float, float]"
Check: TypeAlias = "Callable[[], None]"

CELLS = 48
SEGMENTS_AT_ONCE = 16
FINER = 4


class Outline:
    """The shapes of one region in a picture of a size.

    Args:
        shapes: as in the plan.
        size: width and height of the picture in pixels.
        masks: numbers 0 to 1, [B, h, w], for shapes that are masks.
        place: of the region in the document, for messages.
        check: called between pieces of work; may raise to end it.
    """

    def __init__(
        self,
        shapes: Sequence[AnyShape],
        size: tuple[int, int],
        masks: np.ndarray | None = None,
        place: str = "",
        check: Check = lambda: None,
    ) -> None:
        self.size, self.shorter, self.check = size, min(size), check
        self.shapes = [(shape, self._mask(shape, masks, f"{place}.shapes[{index}]")) for index, shape in enumerate(shapes)]
        self.bounds = self._bounds()

    def inside(self, places: np.ndarray) -> np.ndarray:
        """Whether each place [n, 2], in pixels, is inside."""
        inside = np.zeros(len(places), dtype=bool)
        for shape, mask in self.shapes:
            self.check()
            found = self._inside(shape, mask, places)
            inside = inside | found if shape.op == "add" else inside & ~found
        return inside

    def cell_centres(self) -> np.ndarray:
        """Centres [48 * 48, 2] of the cells of the bounds, in rows."""
        assert self.bounds is not None
        return grid_centres(self.bounds)

    def grid(self) -> np.ndarray:
        """Which cells of the bounds are covered: [48, 48], rows first."""
        if self.bounds is None:
            return np.zeros((CELLS, CELLS), dtype=bool)
        return self.inside(self.cell_centres()).reshape(CELLS, CELLS)

    def coverage(self) -> np.ndarray:
        """How much of each pixel of the picture is inside: [H, W], float32, 0 to 1."""
        width, height = self.size
        covered = np.zeros((height, width), dtype=np.float32)
        for shape, mask in self.shapes:
            self.check()
            left, top, right, bottom = self._pixels(self._shape_bounds(shape, mask))
            if right <= left or bottom <= top:
                continue
            piece = covered[top:bottom, left:right]
            if mask is not None:
                drawn = _soft_mask(mask, self.size)[top:bottom, left:right]
            else:
                drawn = self._drawn(shape, left, top, right - left, bottom - top)
            piece[...] = np.maximum(piece, drawn) if shape.op == "add" else piece * (1 - drawn)
        return covered

    def _mask(self, shape: AnyShape, masks: np.ndarray | None, place: str) -> np.ndarray | None:
        if not isinstance(shape, Mask):
            return None
        if masks is None or len(masks) == 0:
            raise PlanError(place, "expected a mask for this region, got none; connect a MASK")
        if shape.index >= len(masks):
            raise PlanError(f"{place}.index", f"expected a mask of the {len(masks)} that came (counted from 0), got {shape.index}")
        return np.asarray(masks[shape.index])

    def _bounds(self) -> Bounds | None:
        found = [self._shape_bounds(shape, mask) for shape, mask in self.shapes if shape.op == "add"]
        boxes = np.array([box for box in found if box is not None])
        if len(boxes) == 0:
            return None
        left, top = boxes[:, :2].min(axis=0)
        right, bottom = boxes[:, 2:].max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def _shape_bounds(self, shape: AnyShape, mask: np.ndarray | None) -> Bounds | None:
        width, height = self.size
        if isinstance(shape, (Rectangle, Ellipse)):
            x, y, wide, high = shape.box
            return x * width, y * height, (x + wide) * width, (y + high) * height
        if isinstance(shape, (Stroke, Polygon)):
            points = np.array(shape.points) * (width, height)
            grown = shape.radius * self.shorter if isinstance(shape, Stroke) else 0.0
            (left, top), (right, bottom) = points.min(axis=0) - grown, points.max(axis=0) + grown
            return left, top, right, bottom
        assert mask is not None
        rows, columns = np.flatnonzero((mask >= 0.5).any(axis=1)), np.flatnonzero((mask >= 0.5).any(axis=0))
        if len(rows) == 0:
            return None
        high, wide = mask.shape
        return columns[0] / wide * width, rows[0] / high * height, (columns[-1] + 1) / wide * width, (rows[-1] + 1) / high * height

    def _inside(self, shape: AnyShape, mask: np.ndarray | None, places: np.ndarray) -> np.ndarray:
        width, height = self.size
        x, y = places[:, 0], places[:, 1]
        if isinstance(shape, Stroke):
            return self._near_line(np.array(shape.points) * (width, height), shape.radius * self.shorter, places)
        if isinstance(shape, Polygon):
            return self._even_odd(np.array(shape.points) * (width, height), places)
        if isinstance(shape, Mask):
            assert mask is not None
            return _mask_at(mask, x / width, y / height)
        left, top, wide, high = shape.box[0] * width, shape.box[1] * height, shape.box[2] * width, shape.box[3] * height
        if isinstance(shape, Rectangle):
            return (left <= x) & (x < left + wide) & (top <= y) & (y < top + high)
        from_x, from_y = (x - (left + wide / 2)) / (wide / 2), (y - (top + high / 2)) / (high / 2)
        return from_x * from_x + from_y * from_y <= 1

    def _near_line(self, points: np.ndarray, radius: float, places: np.ndarray) -> np.ndarray:
        """Places at most `radius` from the line through the points; a few segments at a time, for the places near them."""
        firsts, seconds = (points[:-1], points[1:]) if len(points) > 1 else (points, points)
        near = np.zeros(len(places), dtype=bool)
        for start in range(0, len(firsts), SEGMENTS_AT_ONCE):
            self.check()
            a, b = firsts[start : start + SEGMENTS_AT_ONCE], seconds[start : start + SEGMENTS_AT_ONCE]
            low, high = np.minimum(a, b).min(axis=0) - radius, np.maximum(a, b).max(axis=0) + radius
            x, y = places[:, 0], places[:, 1]
            some = np.flatnonzero(~near & (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
            if len(some):
                near[some] = (_squared_distances(places[some], a, b) <= radius * radius).any(axis=1)
        return near

    def _even_odd(self, points: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Places with an odd number of edges to their right; each edge is tried with the places at its height."""
        order = np.argsort(places[:, 1], kind="stable")
        x, y = places[order, 0], places[order, 1]
        odd = np.zeros(len(places), dtype=bool)
        others = np.roll(points, 1, axis=0)
        first = np.searchsorted(y, np.minimum(points[:, 1], others[:, 1]), side="left")
        last = np.searchsorted(y, np.maximum(points[:, 1], others[:, 1]), side="left")
        for edge in np.flatnonzero(first < last):
            if edge % (SEGMENTS_AT_ONCE * 16) == 0:
                self.check()
            (ax, ay), (bx, by), level = points[edge], others[edge], slice(first[edge], last[edge])
            odd[level] ^= x[level] < (bx - ax) * (y[level] - ay) / (by - ay) + ax
        inside = np.empty_like(odd)
        inside[order] = odd
        return inside

    def _pixels(self, bounds: Bounds | None) -> tuple[int, int, int, int]:
        """The pixels that bounds touch, within the picture."""
        if bounds is None:
            return 0, 0, 0, 0
        width, height = self.size
        left, top, right, bottom = bounds
        return max(math.floor(left), 0), max(math.floor(top), 0), min(math.ceil(right), width), min(math.ceil(bottom), height)

    def _drawn(self, shape: AnyShape, left: int, top: int, wide: int, high: int) -> np.ndarray:
        """Coverage [high, wide] of a window of the picture: drawn finer, then averaged."""
        image = Image.new("L", (wide * FINER, high * FINER), 0)
        pen = ImageDraw.Draw(image)
        to_window = _Window(self.size, (left, top))
        if isinstance(shape, Polygon):
            pen.polygon([tuple(point) for point in to_window(shape.points)], fill=255)
        elif isinstance(shape, Stroke):
            _draw_stroke(pen, to_window(shape.points), shape.radius * self.shorter * FINER)
        elif isinstance(shape, (Rectangle, Ellipse)):
            x, y, box_wide, box_high = shape.box
            (x0, y0), (x1, y1) = to_window(((x, y), (x + box_wide, y + box_high)))
            corners = [x0, y0, max(x1, x0), max(y1, y0)]
            if isinstance(shape, Rectangle):
                pen.rectangle(corners, fill=255)
            else:
                pen.ellipse(corners, fill=255)
        drawn = np.asarray(image, dtype=np.float32).reshape(high, FINER, wide, FINER)
        return drawn.mean(axis=(1, 3)) / 255


class _Window:
    """From fractions of the picture to the fine pixels of a window; a fine pixel is known by its centre, as Pillow draws."""

    def __init__(self, size: tuple[int, int], corner: tuple[int, int]) -> None:
        self.size, self.corner = np.array(size), np.array(corner)

    def __call__(self, points: Sequence[tuple[float, float]]) -> np.ndarray:
        return (np.array(points) * self.size - self.corner) * FINER - 0.5


def _draw_stroke(pen: ImageDraw.ImageDraw, points: np.ndarray, radius: float) -> None:
    for x, y in points:
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    for first, second in zip(points, points[1:]):
        along = second - first
        length = math.hypot(*along)
        if length > 0:
            side = np.array([-along[1], along[0]]) * (radius / length)
            pen.polygon([tuple(first + side), tuple(second + side), tuple(second - side), tuple(first - side)], fill=255)


def _soft_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask stretched to the picture: [H, W], 0 to 1."""
    values = np.clip(np.asarray(mask, dtype=np.float32), 0, 1)
    if values.shape == (size[1], size[0]):
        return values
    return np.asarray(Image.fromarray(values, mode="F").resize(size, Image.Resampling.BILINEAR))


def _mask_at(mask: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    high, wide = mask.shape
    column, row = np.floor(x * wide).astype(np.int64), np.floor(y * high).astype(np.int64)
    within = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
    return within & (mask[np.clip(row, 0, high - 1), np.clip(column, 0, wide - 1)] >= 0.5)


def _squared_distances(places: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances [n, m] of places [n, 2] to segments from a to b, each [m, 2]."""
    along = b - a
    length = along[:, 0] * along[:, 0] + along[:, 1] * along[:, 1]
    from_x, from_y = places[:, :1] - a[:, 0], places[:, 1:] - a[:, 1]
    part = (from_x * along[:, 0] + from_y * along[:, 1]) / np.where(length > 0, length, 1)
    part = np.clip(part, 0, 1)
    off_x, off_y = from_x - part * along[:, 0], from_y - part * along[:, 1]
    return off_x * off_x + off_y * off_y


def grid_centres(bounds: Bounds) -> np.ndarray:
    """Centres [48 * 48, 2] of the cells that bounds are divided into, in rows."""
    left, top, right, bottom = bounds
    steps = (np.arange(CELLS) + 0.5) / CELLS
    x, y = np.meshgrid(left + steps * (right - left), top + steps * (bottom - top))
    return np.stack([x.reshape(-1), y.reshape(-1)], axis=-1)


def cells_at(grid: np.ndarray, bounds: Bounds | None, places: np.ndarray) -> np.ndarray:
    """Whether the cell of each place [..., 2] is covered."""
    if bounds is None:
        return np.zeros(places.shape[:-1], dtype=bool)
    left, top, right, bottom = bounds
    column = np.floor((places[..., 0] - left) / (right - left) * CELLS)
    row = np.floor((places[..., 1] - top) / (bottom - top) * CELLS)
    within = (column >= 0) & (column < CELLS) & (row >= 0) & (row < CELLS)
    found = np.zeros(within.shape, dtype=bool)
    found[within] = grid[row[within].astype(np.int64), column[within].astype(np.int64)]
    return found
