"""The host's AUDIO under the host's VIDEO, and several VIDEOs in one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from .host_copy import ScoredVideo
from .host_progress import interruption
from .host_video import LazyVideo, sound_of, stream_of
from .join import NAME as JOIN
from .join import join
from .resize import WAYS
from .score import NAME as ADD_AUDIO
from .score import Score
from .stream import FrameStream

LONGEST = 86_400.0
LOUDEST = 10.0
SIZES = ("first", "largest")
RATES = ("first", "highest")


def add_audio(video: Any, audio: dict[str, Any] | None, score: Score) -> LazyVideo:
    """The VIDEO with a sound laid under it; its pictures stay as they are and are copied where they lie in a file.

    Raises:
        ValueError: a number is out of range, or the sound is empty; one sentence that begins with the node's name.
    """
    for what, value, most in (
        ("start", score.start, LONGEST),
        ("skip", score.skip, LONGEST),
        ("fade_in", score.fade_in, LONGEST),
        ("fade_out", score.fade_out, LONGEST),
        ("volume", score.volume, LOUDEST),
    ):
        _check_range(ADD_AUDIO, what, value, most, "1" if what == "volume" else "0")
    with interruption():
        stream = stream_of(video, ADD_AUDIO)
        sound = _sound(audio)
    return ScoredVideo(replace(stream, sound=score.laid_under(stream, sound)), video)


def join_videos(videos: Sequence[Any], size: str, way: str, rate: str, cross_fade: float) -> LazyVideo:
    """The VIDEOs one after the other.

    Args:
        size, rate: whose size and frame rate the whole has, of SIZES and RATES.
        way: how others are brought to that size, of `resize.WAYS`.
    Raises:
        ValueError: there is no video, a choice or number is none, or a video is shorter than its cross-fades.
    """
    if not videos:
        raise ValueError(f"{JOIN}: expected at least one video, got none; connect one")
    for what, value, possible in (("size", size, SIZES), ("other_shapes", way, WAYS), ("frame_rate", rate, RATES)):
        if value not in possible:
            raise ValueError(f"{JOIN}: expected {' or '.join(possible)} for {what}, got '{value}'; use {possible[0]}")
    _check_range(JOIN, "cross_fade", cross_fade, LONGEST, "0")
    with interruption():
        streams = [stream_of(video, JOIN) for video in videos]
    width, height = _size(streams, size)
    return LazyVideo(join(streams, width, height, way, _rate(streams, rate), cross_fade))


def _size(streams: Sequence[FrameStream], size: str) -> tuple[int, int]:
    """Even, because most codecs need it."""
    chosen = streams[0] if size == "first" else max(streams, key=lambda stream: stream.width * stream.height)
    return chosen.width + chosen.width % 2, chosen.height + chosen.height % 2


def _rate(streams: Sequence[FrameStream], rate: str) -> Fraction:
    return streams[0].frame_rate if rate == "first" else max(stream.frame_rate for stream in streams)


def _sound(audio: Any) -> Any:
    waveform = audio.get("waveform") if isinstance(audio, dict) else None
    if waveform is None or waveform.ndim != 3 or not waveform.shape[0] * waveform.shape[1]:
        got = "nothing" if waveform is None else str(list(waveform.shape))
        raise ValueError(f"{ADD_AUDIO}: expected an AUDIO [1, channels, samples], got {got}; connect Load Audio")
    sound = sound_of(audio)
    if sound is None:
        raise ValueError(f"{ADD_AUDIO}: expected a sound, got one of no length; load another file")
    return sound


def _check_range(node: str, what: str, value: float, most: float, instead: str) -> None:
    if not (math.isfinite(value) and 0 <= value <= most):
        raise ValueError(f"{node}: expected {what} from 0 to {most:g}, got {value:g}; use {instead}")
