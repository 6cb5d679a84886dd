"""Motion Adherence and Motion Guides on the host's values: any VIDEO is followed as a stream, and videos come back as lazy ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import comfy.model_management
import torch
from torch import Tensor

from ..motion.adherence import Adherence, asked, measure
from ..motion.adherence_pictures import enlargement, overlay
from ..motion.backends.guides import GuideStyle, guide_frames
from ..motion.drawing import colour_of
from ..motion.tracks import plan_tracks
from ..video import interrupt
from ..video.host_progress import Pull
from ..video.host_video import LazyVideo, stream_of
from ..video.stream import FrameStream, Needs, as_uint8, frame_rate
from .motion_nodes import MAX_FRAMES, MAX_SIDE, MotionPlan, first_picture, refusing

ADHERENCE, GUIDES = "Spacetime Motion Adherence", "Spacetime Motion Guides"
MAX_POINTS = 10_000
KEPT_BYTES = 128 * 2**20
"""A video of at most so many bytes is kept in memory for the overlay; a larger one is read again while the overlay is saved."""


@dataclass(frozen=True)
class GuideSettings:
    """What Motion Guides' widgets say."""

    width: int
    height: int
    length: int
    fps: float
    points: int
    radius: float
    canvas: str
    trails: bool


def adherence(value: MotionPlan, video: Any, image: Tensor | None, count: int) -> tuple[Adherence, LazyVideo]:
    """How well a VIDEO keeps to a plan, and the overlay as a VIDEO.

    Args:
        image: IMAGE that the plan was painted on; None where it has the video's shape.
    Raises:
        ValueError: one sentence that begins with the node's name.
    """
    _check_points(count, ADHERENCE)
    stream = stream_of(video, ADHERENCE)
    size = (stream.width, stream.height)
    picture = None if image is None else first_picture(image, ADHERENCE)
    source = size if picture is None else (picture.shape[1], picture.shape[0])
    ask = comfy.model_management.throw_exception_if_processing_interrupted
    kept = _Kept(stream)
    with refusing(ADHERENCE):
        wanted = asked(value.plan, size, stream.frames, value.masks, count, source, ask)
        with Pull(stream, "following the points") as pull, contextlib.closing(pull.stream.chunks()) as chunks:
            result = measure(wanted, _one_by_one(chunks, pull, kept))
    return result, LazyVideo(_overlay_stream(result, kept.stream()))


def guides(value: MotionPlan, settings: GuideSettings) -> LazyVideo:
    """The plan's points as circles on a canvas, as a VIDEO that is drawn while it is saved.

    Raises:
        ValueError: one sentence that begins with the node's name.
    """
    _check_points(settings.points, GUIDES)
    for name, side, most in (
        ("width", settings.width, MAX_SIDE),
        ("height", settings.height, MAX_SIDE),
        ("length", settings.length, MAX_FRAMES),
    ):
        if not 1 <= side <= most:
            raise ValueError(f"{GUIDES}: expected a {name} of 1 to {most:,}, got {side}; use the size and length of the video")
    rate: Fraction = frame_rate(settings.fps, GUIDES)
    with refusing(GUIDES):
        style = GuideStyle(settings.radius, settings.canvas, settings.trails)
        ask = comfy.model_management.throw_exception_if_processing_interrupted
        tracks = plan_tracks(value.plan, settings.width, settings.height, settings.length, settings.points, value.masks, ask)
    colours = [colour_of(part.color) for part in value.plan.shown]

    def make_chunks(first: int) -> Iterator[Tensor]:
        return guide_frames(tracks, style, colours, first)

    held = settings.width * settings.height * 3 * 12
    return LazyVideo(FrameStream(GUIDES, settings.width, settings.height, settings.length, rate, make_chunks, needs=Needs(ram=held)))


class _Kept:
    """Remembers the frames that it is shown, uint8, where they are few enough."""

    def __init__(self, source: FrameStream) -> None:
        self.source = source
        fits = source.frames * source.height * source.width * 3 <= KEPT_BYTES
        self.frames = torch.empty(source.frames, source.height, source.width, 3, dtype=torch.uint8) if fits else None

    def see(self, number: int, frame: Tensor) -> None:
        if self.frames is not None:
            self.frames[number] = frame

    def stream(self) -> FrameStream:
        """The same video, from memory where it is there."""
        if self.frames is None:
            return self.source
        frames = self.frames

        def make_chunks(first: int) -> Iterator[Tensor]:
            return iter(frames[first:].split(4))

        return replace(self.source, make_chunks=make_chunks, sources=(), bit_depth=8, needs=Needs())


def _one_by_one(chunks: Iterator[Tensor], pull: Pull, kept: _Kept) -> Iterator[Tensor]:
    number = 0
    for chunk in chunks:
        for frame in as_uint8(chunk):
            interrupt.check()
            kept.see(number, frame)
            yield frame
            number += 1
            pull.advance(number)


def _overlay_stream(result: Adherence, source: FrameStream) -> FrameStream:
    times = enlargement(source.width, source.height)
    width, height = source.width * times, source.height * times

    def make_chunks(first: int) -> Iterator[Tensor]:
        chunks = source.chunks(first)
        with contextlib.closing(chunks):
            yield from overlay(result, (as_uint8(chunk) for chunk in chunks), first)

    return FrameStream(
        ADHERENCE,
        width,
        height,
        source.frames,
        source.frame_rate,
        make_chunks,
        sources=(source,),
        sound=source.sound,
        needs=Needs(ram=width * height * 3 * 24),
    )


def _check_points(count: int, node: str) -> None:
    if not 1 <= count <= MAX_POINTS:
        raise ValueError(f"{node}: expected 1 to {MAX_POINTS:,} points, got {count}; use 100")
