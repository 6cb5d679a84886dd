"""Pictures of what `benchmarks.motion` found: the errors of all clips as curves, and the first cases as they came."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .motion_arms import Outcome
from .motion_figures import EPE_TARGETS, NONE, TIME_TO_MOVE, TITLES, TRUTH, WAN_MOVE

Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {WAN_MOVE: (66, 133, 244), TIME_TO_MOVE: (245, 130, 48), NONE: (130, 130, 130), TRUTH: (60, 170, 90)}
PAPER, INK, GRID, FOUND = (255, 255, 255), (40, 40, 40), (225, 225, 225), (255, 255, 255)
SIZE, MARGINS = (900, 520), (70, 60, 30, 60)  # left, top, right, bottom
LEAST, MOST = 0.05, 64.0  # pixels of error at the ends of the plot
TICKS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)
CELL, GAP, HEAD = 192, 6, 34
SHOWN = (0.5, 1.0)
"""Which moments of a clip the sheet shows."""


def curves(errors: dict[str, list[float]]) -> Image.Image:
    """Which part of the clips has an EPE (pixels, on a logarithmic scale) of at most x: one curve for each arm."""
    picture = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(picture)
    for tick in TICKS:
        x, bottom = _place(tick, 0)
        draw.line((x, MARGINS[1], x, bottom), fill=GRID)
        draw.text((x, bottom + 8), f"{tick:g}", fill=INK, font=_font(14), anchor="mt")
    for quarter in range(5):
        left, y = _place(LEAST, quarter / 4)
        draw.line((left, y, SIZE[0] - MARGINS[2], y), fill=GRID)
        draw.text((left - 8, y), f"{25 * quarter}%", fill=INK, font=_font(14), anchor="rm")
    draw.text((SIZE[0] / 2, SIZE[1] - 10), "EPE of a clip at most, px", fill=INK, font=_font(15), anchor="mb")
    name_at = float(MARGINS[0])
    for arm, values in errors.items():
        if not values:
            continue
        colour = COLOURS[arm]
        _dotted(draw, EPE_TARGETS.get(arm), colour)
        ordered, places = sorted(values), [_place(LEAST, 0)]
        for number, value in enumerate(ordered):
            places += [_place(value, number / len(ordered)), _place(value, (number + 1) / len(ordered))]
        draw.line([*places, _place(MOST, 1)], fill=colour, width=3)
        name = f"{TITLES[arm]}, median {np.median(ordered):.2f}"
        draw.text((name_at, 22), name, fill=colour, font=_font(15))
        name_at += draw.textlength(name, font=_font(15)) + 24
    return picture


class Sheet:
    """The first cases, a row each: the picture with the asked ways, then moments of each arm with where the regions should be."""

    def __init__(self, path: Path, rows: int, arms: tuple[str, ...], go_on: bool = False) -> None:
        self.path, self.rows, self.arms = path, rows, arms
        columns = 1 + len(arms) * len(SHOWN)
        size = (columns * (CELL + GAP) + GAP, HEAD + rows * (CELL + GAP))
        self.picture = Image.new("RGB", size, PAPER)
        if go_on and path.is_file():
            with Image.open(path) as before:
                if before.size == size:
                    self.picture = before.convert("RGB")
        draw = ImageDraw.Draw(self.picture)
        draw.text((GAP, 8), "asked", fill=INK, font=_font(16))
        for index, arm in enumerate(arms):
            draw.text((GAP + (1 + index * len(SHOWN)) * (CELL + GAP), 8), TITLES[arm], fill=COLOURS[arm], font=_font(16))

    def add(self, outcome: Outcome) -> None:
        """Put a case into its row, if it has one, and write the file."""
        row = outcome.case.number
        if row >= self.rows:
            return
        cells = [_asked_cell(outcome)]
        for arm in self.arms:
            cells += [_moment_cell(outcome, arm, moment) for moment in SHOWN]
        for column, cell in enumerate(cells):
            self.picture.paste(cell, (GAP + column * (CELL + GAP), HEAD + row * (CELL + GAP)))
        self.picture.save(self.path)


def _asked_cell(outcome: Outcome) -> Image.Image:
    """The first frame, with the way of each region's middle; what is pinned has a cross."""
    cell, times = _enlarged((outcome.case.image[0].numpy() * 255 + 0.5).astype(np.uint8))
    draw = ImageDraw.Draw(cell)
    for part, own in _regions(outcome):
        way = [(float(x), float(y)) for x, y in times * outcome.wanted.points[:, own].mean(axis=1)]
        if part.moves:
            draw.line(way, fill=PAPER, width=5)
            draw.line(way, fill=part.colour, width=3)
            _disc(draw, way[-1], 5, part.colour)
        else:
            x, y = way[0]
            for line in ((x - 6, y - 6, x + 6, y + 6), (x - 6, y + 6, x + 6, y - 6)):
                draw.line(line, fill=part.colour, width=3)
    return cell


def _moment_cell(outcome: Outcome, arm: str, moment: float) -> Image.Image:
    """A frame with a ring where the middle of each moving region should be and a dot where it was found; the clip's EPE at the end."""
    measured = outcome.arms[arm]
    frame = round(moment * (len(measured.frames) - 1))
    cell, times = _enlarged(measured.frames[frame])
    draw = ImageDraw.Draw(cell)
    for part, own in _regions(outcome):
        if not part.moves:
            continue
        asked, found = (
            [float(value) for value in times * points[frame, own].mean(axis=0)] for points in (outcome.wanted.points, measured.points)
        )
        draw.ellipse((asked[0] - 6, asked[1] - 6, asked[0] + 6, asked[1] + 6), outline=part.colour, width=2)
        _disc(draw, (found[0], found[1]), 3, FOUND)
    if moment == SHOWN[-1]:
        text = f"{measured.figures['epe']:.1f} px"
        draw.text((6, CELL - 6), text, fill=FOUND, font=_font(15), anchor="lb", stroke_width=2, stroke_fill=INK)
    return cell


def _regions(outcome: Outcome) -> list[tuple[Any, np.ndarray]]:
    """Each region and box that has points, with which points; not the scene around them."""
    wanted = outcome.wanted
    owned = [(part, wanted.owner == index) for index, part in enumerate(wanted.parts[:-1])]
    return [(part, own) for part, own in owned if own.any()]


def _enlarged(frame: np.ndarray) -> tuple[Image.Image, float]:
    picture = Image.fromarray(frame)
    return picture.resize((CELL, CELL), Image.Resampling.BICUBIC), CELL / picture.width


def _disc(draw: ImageDraw.ImageDraw, place: tuple[float, float], radius: float, colour: Colour) -> None:
    x, y = place
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=INK)


def _dotted(draw: ImageDraw.ImageDraw, target: float | None, colour: Colour) -> None:
    """What was promised for the median, as a dotted line up to the middle."""
    if target is None:
        return
    x, bottom = _place(target, 0)
    _, middle = _place(target, 0.5)
    for y in range(round(middle), round(bottom), 8):
        draw.line((x, y, x, y + 4), fill=colour, width=2)


def _place(error: float, part: float) -> tuple[float, float]:
    left, top, right, bottom = MARGINS
    along = math.log(min(MOST, max(LEAST, error)) / LEAST) / math.log(MOST / LEAST)
    return left + (SIZE[0] - left - right) * along, SIZE[1] - bottom - (SIZE[1] - top - bottom) * part


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
