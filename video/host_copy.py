"""VIDEOs of the host whose pictures lie in a file already, so that they can be copied instead of made again."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import IO, Any

import comfy.utils
from comfy_api.latest import InputImpl, Types

from . import interrupt
from .encode import Encoding, container_for
from .host_progress import interruption
from .host_video import LazyVideo, SavedFile, plain
from .remux import PictureFacts, can_keep_sound, picture_facts, remux
from .stream import FrameStream


@dataclass(frozen=True)
class PictureFile:
    """A file with the pictures of a VIDEO.

    `encoding` is how this process wrote it, None for a file that came from elsewhere. `has_own_sound`: the VIDEO's sound is the file's.
    """

    path: str
    facts: PictureFacts
    encoding: Encoding | None
    has_own_sound: bool = True

    def fits(self, codec: str | None, bit_depth: int | None) -> bool:
        """Whether its pictures are coded as asked; None asks for nothing."""
        return (
            self.facts.codec is not None
            and (codec is None or codec == self.facts.codec)
            and (bit_depth is None or bit_depth == self.facts.bit_depth)
        )

    def copy_to(self, target: str | os.PathLike[str] | IO[bytes], container: str, metadata: dict[str, Any], stream: FrameStream) -> None:
        """Copy the pictures, with the sound of `stream`, whose pictures they are."""
        keeps = self.has_own_sound and can_keep_sound(self.path, container)
        progress = comfy.utils.ProgressBar(1000)
        duration = Fraction(stream.frames) / stream.frame_rate

        def told(seconds: float) -> None:
            interrupt.check()
            progress.update_absolute(max(0, min(1000, round(1000 * seconds / float(duration)))))

        with interruption():
            remux(self.path, target, container, metadata, duration, None if keeps else stream.sound, told)


class ScoredVideo(LazyVideo):
    """The pictures of another VIDEO with a sound of its own. Where the pictures lie in a file, saving copies them."""

    def __init__(self, stream: FrameStream, pictures: Any) -> None:
        super().__init__(stream)
        self.pictures = pictures

    def save_to(
        self,
        path: str | IO[bytes],
        format: Types.VideoContainer = Types.VideoContainer.AUTO,
        codec: Types.VideoCodec = Types.VideoCodec.AUTO,
        metadata: dict | None = None,
        bit_depth: int | None = None,
        crf: float | None = None,
    ) -> None:
        found = picture_file(self) if crf is None else None
        wanted = None if plain(codec) == "auto" else plain(codec)
        if found is None or found.encoding is not None or not found.fits(wanted, bit_depth):
            super().save_to(path, format, codec, metadata, bit_depth, crf)
            return
        try:
            container = container_for(path, plain(format), found.facts.codec or "h264")
        except ValueError:
            super().save_to(path, format, codec, metadata, bit_depth, crf)
            return
        self._copy(found, path, container, metadata or {})

    def save_as(self, path: str | os.PathLike[str] | IO[bytes], encoding: Encoding) -> None:
        found = picture_file(self)
        if found is not None and found.encoding is not None and _alike(found.encoding, encoding):
            self._copy(found, path, encoding.container, encoding.metadata)
        else:
            super().save_as(path, encoding)

    def _copy(self, found: PictureFile, path: str | os.PathLike[str] | IO[bytes], container: str, metadata: dict[str, Any]) -> None:
        found.copy_to(path, container, metadata, self.stream)
        if isinstance(path, (str, os.PathLike)):
            self._saved = SavedFile(os.fspath(path), Encoding(container, codec="copied"))


def picture_file(video: Any) -> PictureFile | None:
    """The file that holds exactly the pictures of a VIDEO, None where they are still to be made or only a part of a file."""
    if isinstance(video, ScoredVideo):
        found = picture_file(video.pictures)
        return replace(found, has_own_sound=False) if found else None
    if isinstance(video, LazyVideo):
        saved = video.saved_file()
        facts = picture_facts(saved.path) if saved else None
        return PictureFile(saved.path, facts, saved.encoding) if saved and facts else None
    if not isinstance(video, InputImpl.VideoFromFile) or video.get_active_trim_window() != (0.0, 0.0):
        return None
    source = video.get_stream_source()
    facts = picture_facts(source) if isinstance(source, str) else None
    return PictureFile(source, facts, None) if facts else None


def _alike(one: Encoding, other: Encoding) -> bool:
    return replace(one, metadata={}, container="") == replace(other, metadata={}, container="")
