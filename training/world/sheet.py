"""Contact sheets: scenes as rows of pictures with their captions below."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.world.captions import caption
from training.world.compose import render
from training.world.scene import Scene

COLUMNS = 5
GAP, LINE = 4, 14
CHINESE_FONTS = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "msyh.ttc", "PingFang.ttc")


def contact_sheet(scenes: list[Scene], generator: random.Random, side: int, frames: int, halves: int = 2) -> Image.Image:
    """A sheet with one row of five frames per scene, `halves` rows side by side, a caption below each."""
    video = render(scenes, frames, side, side).video
    shown = np.linspace(0, frames - 1, COLUMNS).round().astype(int)
    font, chinese = _font()
    width = COLUMNS * (side + GAP)
    deep = -(-len(scenes) // halves)
    sheet = Image.new("RGB", (halves * width + GAP, deep * (side + 2 * GAP + LINE)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, scene in enumerate(scenes):
        left, top = GAP + (number // deep) * width, GAP + (number % deep) * (side + 2 * GAP + LINE)
        for column, frame in enumerate(shown):
            picture = Image.fromarray(video[number, frame].permute(1, 2, 0).numpy())
            sheet.paste(picture, (left + column * (side + GAP), top))
        language = "zh" if chinese and number % 2 else "en"
        text = caption(scene, generator, language)
        draw.text((left, top + side + 1), text[: width // 6], fill="black", font=font)
    return sheet


def _font() -> tuple[ImageFont.ImageFont | ImageFont.FreeTypeFont, bool]:
    """A font, and whether it has Chinese characters."""
    for name in CHINESE_FONTS:
        try:
            return ImageFont.truetype(name, LINE - 2), True
        except OSError:
            continue
    return ImageFont.load_default(size=LINE - 3), False


def save_sheet(path: Path, scenes: list[Scene], seed: int, side: int, frames: int) -> None:
    """Write the contact sheet of the scenes as a picture file."""
    contact_sheet(scenes, random.Random(seed), side, frames).save(path)
