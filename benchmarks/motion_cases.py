"""Pictures that the model in the box never saw, and motion plans on them, for `benchmarks.motion`.

Three kinds of pictures take turns: collages and picture-book scenes of held-out seeds, and photographs (`training.motion_cases` makes the
plans on them). Beside real photographs of known licence there are pictures of ComfyUI's templates, many of which models have made.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from training.motion_cases import COLLAGE, FIRST_SEED, OWN, PHOTOGRAPH, PICTURE_BOOK, Case, busiest_box, on_photograph, on_regions, on_scene
from training.photographs import PHOTOGRAPHS, Photograph, open_photographs, pictures_in, read_square

__all__ = ["COLLAGE", "PHOTOGRAPH", "PICTURE_BOOK", "TEMPLATE", "Case", "held_out_cases", "own_cases"]

TEMPLATE = "template picture"
TURNS = (COLLAGE, PHOTOGRAPH, PICTURE_BOOK, COLLAGE, PHOTOGRAPH, PICTURE_BOOK, COLLAGE, PHOTOGRAPH, PICTURE_BOOK, COLLAGE)

TEMPLATES = "ComfyUI's template packages"
MADE = "MIT; made by a model, or unknown"
TEMPLATE_PICTURES = tuple(
    Photograph(f"comfyui_workflow_templates_media_*/templates/{name}.webp", TEMPLATES, MADE, things, is_fetched=False)
    for name, things in (
        ("ltxv_image_to_video-1", ((0.67, 0.02, 0.32, 0.34),)),
        ("image_mage_flow_edit_turbo_int8-2", ((0.08, 0.1, 0.27, 0.33), (0.45, 0.2, 0.31, 0.36))),
        ("video_ltx2_i2v_lora-1", ((0.27, 0.02, 0.5, 0.45),)),
        ("utility-gan_upscaler-1", ((0.1, 0.08, 0.36, 0.6),)),
        ("flux_schnell_full_text_to_image-1", ((0.03, 0.15, 0.93, 0.7),)),
        ("utility_sdpose_multi_person_video-1", ((0.38, 0.12, 0.42, 0.3),)),
    )
)
"""What the host brings along and looks like photographs."""


def held_out_cases(size: int) -> Iterator[Case]:
    """Cases of `size` x `size` pixels without end, the same ones every time."""
    photographs = _OpenPhotographs(size)
    numbers = {PHOTOGRAPH: itertools.count()}
    for number in itertools.count():
        generator = random.Random(FIRST_SEED + number)
        kind = TURNS[number % len(TURNS)]
        if kind == PHOTOGRAPH:
            found = photographs.number(next(numbers[PHOTOGRAPH]))
            if found is not None:
                photograph, picture = found
                name = TEMPLATE if photograph in TEMPLATE_PICTURES else PHOTOGRAPH
                yield on_photograph(number, generator, name, photograph.source, picture, photograph.things)
                continue
            kind = COLLAGE
        yield on_scene(number, generator, kind, size)


def own_cases(plans: str | None, pictures: str | None, size: int) -> Iterator[Case]:
    """Somebody's plans, or random ones, on somebody's pictures.

    A plan goes with the picture of its name in either folder, else with the pictures in turn. Pictures without plans come again and again.

    Raises:
        SystemExit: a folder without what belongs there, or a file that is no plan.
    """
    if plans is None:
        assert pictures is not None
        files = _pictures_of(pictures)
        for number in itertools.count():
            file = files[number % len(files)]
            picture = read_square(file, size)
            generator = random.Random(FIRST_SEED + number)
            yield on_regions(number, generator, OWN, file.name, picture, [busiest_box(picture, generator)])
        return
    documents = sorted(Path(plans).glob("*.json"))
    if not documents:
        raise SystemExit(f"benchmarks.motion: expected plans in {plans}, got no .json file; put motion plans there")
    beside = {file.stem: file for folder in (pictures, plans) if folder for file in pictures_in(Path(folder))}
    files = _pictures_of(pictures) if pictures else sorted(beside.values())
    if not files:
        raise SystemExit(f"benchmarks.motion: expected pictures for the plans in {plans}, got none; put them beside or name --pictures DIR")
    for number, document in enumerate(documents):
        file = beside.get(document.stem, files[number % len(files)])
        try:
            plan = json.loads(document.read_text(encoding="utf-8-sig"))
        except ValueError as error:
            raise SystemExit(f"benchmarks.motion: expected a motion plan as JSON in {document}, got something else: {error}") from None
        yield Case(number, OWN, f"{document.name} on {file.name}", read_square(file, size), plan)


def _pictures_of(folder: str) -> list[Path]:
    files = pictures_in(Path(folder))
    if not files:
        raise SystemExit(f"benchmarks.motion: expected pictures in {folder}, got none; put .png or .jpg files there")
    return files


class _OpenPhotographs:
    """The photographs that can be had here, in turn."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._found: list[tuple[Photograph, Tensor]] | None = None

    def number(self, number: int) -> tuple[Photograph, Tensor] | None:
        """The photographs in turn; None where there is none at all."""
        if self._found is None:
            opened = open_photographs((*PHOTOGRAPHS, *TEMPLATE_PICTURES), _tell)
            self._found = [(photograph, read_square(file, self.size)) for photograph, file in opened]
        return self._found[number % len(self._found)] if self._found else None


def _tell(text: str) -> None:
    print(f"benchmarks.motion: {text}", file=sys.stderr, flush=True)
