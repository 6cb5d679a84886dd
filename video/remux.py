"""A video file's pictures in another file, packet by packet, without decoding them; its own sound beside them, or another one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any

import av

from .codecs import CODECS, CONTAINERS
from .encode import opened_for_writing, sound_codec, writing
from .sound import Sound
from .sound_track import SoundTrack

_SOUND_THAT_FITS = {
    "mp4": {"aac", "mp3", "opus", "flac", "ac3", "eac3", "alac"},
    "mov": {"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s24le"},
    "matroska": None,
    "webm": {"opus", "vorbis"},
}
"""Container -> codecs of sound that are copied into it; None: all."""


@dataclass(frozen=True)
class PictureFacts:
    """How the pictures of a file are coded: `codec` is a name in CODECS, None where we cannot write it; `container` by its file name."""

    codec: str | None
    bit_depth: int
    container: str | None


def picture_facts(path: str) -> PictureFacts | None:
    """How a file's pictures are coded; None where it has none."""
    with av.open(path) as source:
        if not source.streams.video:
            return None
        stream = source.streams.video[0]
        codec = next((name for name, codec in CODECS.items() if codec.known_as == stream.codec.name), None)
        if stream.codec.name == "libdav1d":
            codec = "av1"
        depth = max((component.bits for component in stream.format.components), default=8) if stream.format else 8
    return PictureFacts(codec, depth, CONTAINERS.get(os.path.splitext(path)[1].lower()))


def remux(
    path: str,
    target: str | os.PathLike[str] | IO[bytes],
    container: str,
    metadata: dict[str, Any],
    duration: Fraction,
    sound: Sound | None = None,
    on_packets: Callable[[float], None] = lambda seconds: None,
) -> None:
    """Copy the pictures of the file at `path`.

    Args:
        metadata: laid over that of the file.
        duration: of the pictures in seconds; `sound` is written to this length.
        sound: to write instead of the file's own, which is copied where this is None and the container holds it.
        on_packets: called with the time that was reached; whatever it raises ends the work.
    Raises:
        What `encode.encode` raises; no file is left then.
    """
    with writing(target) as place, av.open(path) as source:
        merged = {**{key: value for key, value in source.metadata.items() if key not in metadata}, **metadata}
        with opened_for_writing(place, container, merged) as output:
            if sound is None:
                _copy(source, output, _streams_that_fit(source, container), on_packets)
            else:
                _copy_under(source, output, sound, duration, on_packets)


def can_keep_sound(path: str, container: str) -> bool:
    """Whether every sound of a file can be copied into a container."""
    fits = _SOUND_THAT_FITS[container]
    with av.open(path) as source:
        return fits is None or all(stream.codec_context is not None and stream.codec.name in fits for stream in source.streams.audio)


def _streams_that_fit(source: Any, container: str) -> list[Any]:
    fits = _SOUND_THAT_FITS[container]
    sounds = [stream for stream in source.streams.audio if stream.codec_context is not None]
    return [source.streams.video[0], *(stream for stream in sounds if fits is None or stream.codec.name in fits)]


def _copy(source: Any, output: Any, streams: list[Any], on_packets: Callable[[float], None]) -> None:
    copies = {stream.index: output.add_stream_from_template(template=stream, opaque=True) for stream in streams}
    for packet in _packets(source, streams, on_packets):
        packet.stream = copies[packet.stream.index]
        output.mux(packet)


def _copy_under(source: Any, output: Any, sound: Sound, duration: Fraction, on_packets: Callable[[float], None]) -> None:
    """Copy the pictures, moved to begin at 0, and encode a sound beside them."""
    video = source.streams.video[0]
    copy = output.add_stream_from_template(template=video, opaque=True)
    track = SoundTrack(output, sound, sound_codec(output.format.name.split(",")[0], None))
    begin = video.start_time or 0
    for packet in _packets(source, [video], on_packets):
        if packet.pts is not None:
            packet.pts -= begin
        packet.dts -= begin
        reached = packet.dts * packet.time_base
        packet.stream = copy
        output.mux(packet)
        track.write_until(min(max(reached, Fraction(0)), duration))
    track.finish(duration)


def _packets(source: Any, streams: list[Any], on_packets: Callable[[float], None]) -> Iterator[Any]:
    """The packets that hold something, each with a decoding time."""
    waiting: list[Any] = []
    for packet in source.demux(streams):
        if packet.dts is not None:
            yield from _timed(waiting, packet)
            waiting = []
            on_packets(float(packet.dts * packet.time_base))
            yield packet
        elif packet.size and packet.pts is not None:
            waiting.append(packet)
    yield from _timed(waiting, None)


def _timed(packets: list[Any], following: Any) -> Iterator[Any]:
    """Packets whose file tells no decoding time, as Matroska does not for the first ones, placed before the one that follows."""
    for place, packet in enumerate(packets):
        if following is None or packet.stream.index != following.stream.index:
            packet.dts = packet.pts
        else:
            step = packet.duration or max(1, round(1 / (packet.stream.average_rate or 24) / packet.time_base))
            packet.dts = min(following.dts, packet.pts) - step * (len(packets) - place)
        yield packet
