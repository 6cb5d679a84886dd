"""Saving any VIDEO of the host into a numbered file of its output folder, in any codec; copied where nothing changes."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import folder_paths
from comfy.cli_args import args

from .codecs import CODECS, SUFFIXES, available_codecs, bit_depths, crf_for, hardware_encoders, software_encoder
from .contact_sheet import contact_sheet
from .encode import Encoding, appearing_at_the_end, check_size
from .file_source import file_stream
from .host_copy import PictureFile, picture_file
from .host_progress import interruption
from .host_video import LazyVideo, stream_of, temporary_path
from .resize import even, fitted, in_size
from .stream import FrameStream

NODE = "Spacetime Save Video"
AUTO = "auto"
CONTAINER_CHOICES = {AUTO: AUTO, "mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}
"""What a person chooses -> what PyAV calls it."""
BIT_DEPTHS = (AUTO, "8", "10")
MAX_QUALITY = 100.0
PREVIEW_SIDE = 640
_LONGEST_NAME = 180


@dataclass(frozen=True)
class SaveSettings:
    """How a person wants a video saved; `quality` is 0 (smallest file) to 100 (best picture)."""

    codec: str = AUTO
    container: str = AUTO
    quality: float = 75.0
    bit_depth: str = AUTO
    reencode: bool = False
    contact_sheet: bool = False

    def check(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ValueError: one sentence that begins with the node's name.
        """
        for what, value, possible in (
            ("codec", self.codec, codec_choices()),
            ("container", self.container, list(CONTAINER_CHOICES)),
            ("bit depth", self.bit_depth, list(BIT_DEPTHS)),
        ):
            if value not in possible:
                raise ValueError(f"{NODE}: expected one of the choices {', '.join(possible)} for {what}, got '{value}'; use {AUTO}")
        if not (math.isfinite(self.quality) and 0 <= self.quality <= MAX_QUALITY):
            raise ValueError(f"{NODE}: expected a quality of 0 to {MAX_QUALITY:g}, got {self.quality:g}; use 75")


@dataclass(frozen=True)
class SavedFiles:
    """What was written: the video, a picture of it that plays in a browser (in the folder for temporary files), the contact sheet."""

    video: Path
    subfolder: str
    preview: Path | None
    sheet: Path | None


def codec_choices() -> list[str]:
    """What can be chosen on this machine."""
    return [AUTO, *available_codecs(), *hardware_encoders()]


def save(video: Any, filename_prefix: str, settings: SaveSettings, metadata: dict[str, Any]) -> SavedFiles:
    """Write a VIDEO into a new file of the output folder.

    A file whose pictures are coded as asked already is copied, unless `settings.reencode`.

    Raises:
        ValueError: a setting or the name is none, or the codec cannot hold the video; nothing is written then.
        Whatever making or writing the frames raises; no file is left then.
    """
    settings.check()
    with interruption():
        stream = stream_of(video, NODE)
    found = None if settings.reencode else picture_file(video)
    copied = found if found and found.encoding is None and _is_as_asked(found, settings) else None
    encoding = _encoding(stream, settings, metadata)
    if copied is None:
        check_size(stream, encoding.codec, NODE)
    container = _container_of_copy(copied, settings) if copied else encoding.container
    target, subfolder = _new_file(filename_prefix, SUFFIXES[container], stream)
    if copied is not None:
        copied.copy_to(target, container, metadata, stream)
        codec, bit_depth = copied.facts.codec, copied.facts.bit_depth
    else:
        lazy = video if isinstance(video, LazyVideo) else LazyVideo(stream)
        lazy.save_as(target, encoding)
        codec, bit_depth = encoding.codec, encoding.bit_depth
    with interruption():
        sheet = _write_sheet(target) if settings.contact_sheet else None
    plays = _plays_in_a_browser(codec, container, bit_depth)
    return SavedFiles(target, subfolder, None if plays else _write_preview(target), sheet)


def workflow_metadata(prompt: Any, extra_pnginfo: Any) -> dict[str, Any]:
    """The workflow as the host's own Save Video embeds it; nothing where the host was started with --disable-metadata."""
    if args.disable_metadata:
        return {}
    metadata = dict(extra_pnginfo or {})
    if prompt is not None:
        metadata["prompt"] = prompt
    return metadata


def _chosen(choice: str) -> tuple[str | None, str | None]:
    """Codec and hardware encoder of a choice; no codec for "auto"."""
    if choice == AUTO:
        return None, None
    return hardware_encoders().get(choice, (choice, None))


def _is_as_asked(found: PictureFile, settings: SaveSettings) -> bool:
    """Whether a file that came from elsewhere can be copied."""
    codec, _ = _chosen(settings.codec)
    depth = None if settings.bit_depth == AUTO else int(settings.bit_depth)
    container = CONTAINER_CHOICES[settings.container]
    return found.fits(codec, depth) and container in (AUTO, *CODECS[found.facts.codec or "h264"].containers)


def _container_of_copy(found: PictureFile, settings: SaveSettings) -> str:
    possible = CODECS[found.facts.codec or "h264"].containers
    asked = CONTAINER_CHOICES[settings.container]
    if asked != AUTO:
        return asked
    return found.facts.container if found.facts.container in possible else possible[0]


def _encoding(stream: FrameStream, settings: SaveSettings, metadata: dict[str, Any]) -> Encoding:
    """How to encode: H.264 where nothing is asked, what the container holds where only that is."""
    container = CONTAINER_CHOICES[settings.container]
    codec, hardware = _chosen(settings.codec)
    if codec is None:
        codec = next(name for name in available_codecs() if container in (AUTO, *CODECS[name].containers))
    possible = CODECS[codec].containers
    if container not in (AUTO, *possible):
        names = [name for name, known_as in CONTAINER_CHOICES.items() if known_as in possible]
        raise ValueError(f"{NODE}: expected a container that holds {codec} ({', '.join(names)}), got {settings.container}; choose auto")
    depths = bit_depths(codec, hardware or software_encoder(codec) or codec)
    wanted = int(settings.bit_depth) if settings.bit_depth != AUTO else min(10 if stream.bit_depth > 8 else 8, max(depths))
    if settings.bit_depth == AUTO and wanted not in depths:
        wanted = depths[0]
    if wanted not in depths:
        possible_depths = " or ".join(map(str, depths))
        raise ValueError(
            f"{NODE}: expected a bit depth of {possible_depths} for {settings.codec}, got {wanted}; choose auto or another codec"
        )
    return Encoding(
        container=possible[0] if container == AUTO else container,
        bit_depth=wanted,
        crf=crf_for(codec, settings.quality),
        metadata=metadata,
        codec=codec,
        encoder=hardware,
    )


def _new_file(prefix: str, ending: str, stream: FrameStream) -> tuple[Path, str]:
    """A path in the output folder at which there is nothing yet, numbered as the host numbers, and its subfolder."""
    name = os.path.basename(os.path.normpath(prefix)) if prefix.strip() else ""
    if name in ("", ".", "..") or "\0" in prefix or len(name.encode()) > _LONGEST_NAME:
        raise ValueError(f"{NODE}: expected a file name of 1 to {_LONGEST_NAME} bytes, got {name[:40]!r}; use video/spacetime")
    output = folder_paths.get_output_directory()
    if not folder_paths.is_within_directory(output, os.path.join(output, os.path.dirname(os.path.normpath(prefix)))):
        raise ValueError(f"{NODE}: expected a place inside the output folder, got {prefix[:80]!r}; use video/spacetime")
    try:
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, output, stream.width, stream.height)
    except OSError as error:
        raise ValueError(f"{NODE}: expected a name for a file, got {prefix[:80]!r}: {error.strerror}; use video/spacetime") from error
    target = Path(folder) / f"{name}_{counter:05}_{ending}"
    while target.exists():
        counter += 1
        target = Path(folder) / f"{name}_{counter:05}_{ending}"
    return target, subfolder


def _write_sheet(video: Path) -> Path:
    """The contact sheet beside a saved video."""
    target = video.with_name(f"{video.stem}contact.png")
    with appearing_at_the_end(target) as temporary:
        contact_sheet(file_stream(str(video), node=NODE)).save(temporary, format="PNG")
    return target


def _plays_in_a_browser(codec: str | None, container: str, bit_depth: int) -> bool:
    return (codec == "h264" and container == "mp4" and bit_depth == 8) or (codec in ("vp9", "av1") and container in ("mp4", "webm"))


def _write_preview(video: Path) -> Path:
    """A small H.264 twin of a saved video that browsers do not play."""
    stream = file_stream(str(video), node=NODE)
    width, height = fitted(stream.width, stream.height, PREVIEW_SIDE, PREVIEW_SIDE) if _is_large(stream) else (stream.width, stream.height)
    small = in_size(replace(stream, bit_depth=8), NODE, even(width), even(height))
    target = temporary_path("preview", ".mp4")
    LazyVideo(small).save_as(target, Encoding())
    return Path(target)


def _is_large(stream: FrameStream) -> bool:
    return max(stream.width, stream.height) > PREVIEW_SIDE
