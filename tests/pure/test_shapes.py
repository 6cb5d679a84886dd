"""The arithmetic of frames, latent frames, pixels and tokens, against closed formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.shapes import WAN, Compression, LatentShape, VideoShape, frames_for_seconds, is_valid_length, nearest_lengths

LTX = Compression(time=8, space=32, channels=128, patch=(1, 1, 1))
groups = st.integers(0, 10_000)
counts = st.integers(1, 64)
compressions = st.builds(
    Compression, time=st.integers(1, 8), space=st.sampled_from((8, 16, 32)), patch=st.sampled_from(((1, 1, 1), (1, 2, 2)))
)


def test_the_sizes_everybody_knows() -> None:
    assert WAN.latent(VideoShape(81, 480, 832)) == LatentShape(21, 60, 104, 16)
    assert WAN.tokens(LatentShape(21, 60, 104)) == 32_760  # 1.3B at 480p, as published
    assert WAN.tokens(LatentShape(21, 90, 160)) == 75_600  # 720p
    assert WAN.latent(VideoShape(33, 128, 128)) == LatentShape(9, 16, 16, 16)
    assert WAN.pixel_multiple == 16
    assert LTX.latent(VideoShape(121, 512, 768)) == LatentShape(16, 16, 24, 128)


@pytest.mark.parametrize(
    ("seconds", "fps", "frames"), [(2, 16, 33), (5, 16, 81), (1, 24, 25), (0.01, 16, 1), (1 / 16, 16, 1), (3 / 16, 16, 5), (60, 24, 1441)]
)
def test_seconds_become_the_nearest_valid_length(seconds: float, fps: float, frames: int) -> None:
    assert frames_for_seconds(seconds, fps) == frames


@given(groups)
@settings(deadline=None)
def test_4n_plus_1_frames_are_n_plus_1_latent_frames(n: int) -> None:
    assert is_valid_length(4 * n + 1)
    assert WAN.latent_frames(4 * n + 1) == n + 1


@given(st.integers(1, 100_000))
@settings(deadline=None)
def test_other_lengths_are_refused_with_their_neighbours(frames: int) -> None:
    below, above = nearest_lengths(frames)
    assert below <= frames <= above
    assert is_valid_length(below) and is_valid_length(above)
    if (frames - 1) % 4 == 0:
        assert below == above == frames
        return
    assert above - below == 4
    with pytest.raises(ValueError, match=f"got {frames}; use {below} or {above}"):
        WAN.latent_frames(frames)


@given(compressions, groups, counts, counts)
@settings(deadline=None)
def test_there_and_back(compression: Compression, n: int, height: int, width: int) -> None:
    video = VideoShape(n * compression.time + 1, height * compression.space, width * compression.space)
    latent = compression.latent(video)
    assert latent == LatentShape(n + 1, height, width, compression.channels)
    assert compression.video(latent) == video


@given(compressions, counts, counts, counts)
@settings(deadline=None)
def test_tokens_are_whole_patches(compression: Compression, frames: int, height: int, width: int) -> None:
    t, h, w = compression.patch
    expected = math.ceil(frames / t) * math.ceil(height / h) * math.ceil(width / w)
    assert compression.tokens(LatentShape(frames, height, width)) == expected


@given(compressions, st.integers(-100, 100_000))
@settings(deadline=None)
def test_nearest_sides_are_multiples_around(compression: Compression, side: int) -> None:
    multiple = compression.pixel_multiple
    below, above = compression.nearest_sides(side)
    assert below % multiple == above % multiple == 0
    assert multiple <= below <= above <= below + multiple
    if side >= multiple:
        assert below <= side <= above


@given(st.floats(0.001, 1000), st.floats(0.1, 240))
@settings(deadline=None)
def test_no_valid_length_is_nearer_than_the_chosen_one(seconds: float, fps: float) -> None:
    frames = frames_for_seconds(seconds, fps)
    assert is_valid_length(frames)
    assert abs(frames - seconds * fps) <= 2 + 1e-6 or frames == 1


@pytest.mark.parametrize(("height", "width"), [(0, 64), (64, 100), (-8, 64)])
def test_sides_that_are_no_multiple_are_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        WAN.latent(VideoShape(5, height, width))
