"""A contact sheet of an evaluation: five frames of every clip, its prompt, and what was read from it in green (right) or red (wrong)."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from training.measures import Verdict
from training.prompts import MEASURED

COLUMNS, GAP, LINE, HALVES, SMALLEST = 5, 4, 15, 2, 128
RIGHT, WRONG = (0, 130, 60), (205, 30, 30)
CHINESE_FONTS = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "msyh.ttc", "PingFang.ttc")


def save_verdicts(path: Path, verdicts: list[Verdict], clips: Tensor) -> None:
    """Write the sheet of clips [B, 3, T, H, W] in -1..1 as a picture file, in the order of the prompts, none left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    verdict_sheet(verdicts, clips).save(path)


def verdict_sheet(verdicts: list[Verdict], clips: Tensor) -> Image.Image:
    """The sheet itself: two rows of frames side by side, two lines of text below each."""
    scale = max(1, round(SMALLEST / clips.shape[-1]))  # small pictures are enlarged, so that the words fit below them
    height, width = (scale * side for side in clips.shape[-2:])
    frames = torch.linspace(0, clips.shape[2] - 1, COLUMNS).round().long()
    pictures = clips[:, :, frames].add(1).mul(127.5).clamp(0, 255).byte().permute(0, 2, 3, 4, 1).numpy()
    across, down = COLUMNS * (width + GAP) + GAP, height + 2 * LINE + 2 * GAP
    deep = -(-len(verdicts) // HALVES)
    sheet = Image.new("RGB", (HALVES * across, deep * down), "white")
    draw, font, chinese = ImageDraw.Draw(sheet), *_font()
    for number, verdict in enumerate(verdicts):
        left, top = GAP + number // deep * across, GAP + number % deep * down
        for column, picture in enumerate(pictures[number]):
            sheet.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST), (left + column * (width + GAP), top))
        caption = verdict.prompt.text if chinese else verdict.prompt.gloss
        draw.text((left, top + height + 1), _fit(draw, caption, font, across - 2 * GAP), fill="black", font=font)
        for name in MEASURED:
            if name in verdict.right:
                left = _verdict(draw, (left, top + height + LINE), verdict, name, font)
    return sheet


def _verdict(draw: ImageDraw.ImageDraw, place: tuple[int, int], verdict: Verdict, name: str, font: ImageFont.FreeTypeFont) -> int:
    """Write what was read under one label; returns where the next may begin."""
    right, read, wanted = verdict.right[name], verdict.read[name], verdict.prompt.wanted[name]
    text = read if right else f"{read} (not {wanted})"
    draw.text(place, text, fill=RIGHT if right else WRONG, font=font)
    return place[0] + int(draw.textlength(text + "   ", font=font))


def _fit(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Text cut to a width in pixels."""
    while draw.textlength(text, font=font) > width:
        text = text[:-4] + "..." if not text.endswith("...") else text[:-7] + "..."
    return text


def _font() -> tuple[ImageFont.FreeTypeFont, bool]:
    """A font, and whether it has Chinese characters."""
    for name in CHINESE_FONTS:
        try:
            return ImageFont.truetype(name, LINE - 3), True
        except OSError:
            continue
    return ImageFont.load_default(size=LINE - 3), False  # type: ignore[return-value]
