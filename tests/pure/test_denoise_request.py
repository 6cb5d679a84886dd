"""What cannot be made is refused with one sentence that says what to use instead."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from rooms.models.shapes import WAN, Compression, VideoShape
from rooms.sampling.request import ClipSize, SamplerSettings

GOOD = ClipSize(width=128, height=128, length=2.0, length_unit="seconds", fps=16.0)
SETTINGS = SamplerSettings(steps=20, cfg=3.0, shift=3.0, sampler_name="euler", scheduler="simple", seed=0, denoise=1.0)


def refusal(size: ClipSize, compression: Compression = WAN) -> str:
    with pytest.raises(ValueError) as caught:
        size.video_shape(compression)
    message = str(caught.value)
    assert message.startswith("Spacetime Denoise: expected ") and ", got " in message and "; " in message
    return message


def test_seconds_and_frames_come_to_the_same_clip() -> None:
    assert GOOD.video_shape(WAN) == VideoShape(33, 128, 128)
    assert replace(GOOD, length=33, length_unit="frames").video_shape(WAN) == VideoShape(33, 128, 128)


@pytest.mark.parametrize(("width", "nearest"), [(100, "use 96 or 112"), (8, "use 16"), (129, "use 128 or 144")])
def test_a_width_that_is_no_multiple_names_its_neighbours(width: int, nearest: str) -> None:
    assert refusal(replace(GOOD, width=width)).endswith(nearest)


@pytest.mark.parametrize("side", [0, -16, 8208, 10**9])
def test_zero_negative_and_huge_sides(side: int) -> None:
    assert f"got {side};" in refusal(replace(GOOD, width=side))
    assert f"height of 16 to 8192 pixels, got {side};" in refusal(replace(GOOD, height=side))


@pytest.mark.parametrize(("frames", "nearest"), [(32, "use 29 or 33"), (34, "use 33 or 37"), (2, "use 1 or 5")])
def test_a_length_that_is_not_4n_plus_1_names_its_neighbours(frames: int, nearest: str) -> None:
    assert refusal(replace(GOOD, length=frames, length_unit="frames")).endswith(nearest)


def test_the_rule_is_that_of_the_model() -> None:
    eights = Compression(time=8, space=32, channels=128, patch=(1, 1, 1))
    assert replace(GOOD, length=33, length_unit="frames").video_shape(eights).frames == 33
    assert refusal(replace(GOOD, length=37, length_unit="frames"), eights).endswith("use 33 or 41")
    assert "multiple of 32" in refusal(replace(GOOD, width=144), eights)


@pytest.mark.parametrize("length", [0.0, -1.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("unit", ["seconds", "frames"])
def test_lengths_that_are_none(length: float, unit: str) -> None:
    assert "expected a length above 0" in refusal(replace(GOOD, length=length, length_unit=unit))


@pytest.mark.parametrize(("length", "unit"), [(1e300, "seconds"), (10_000_001, "frames")])
def test_lengths_beyond_all_measure(length: float, unit: str) -> None:
    assert "at most 10,000,000 frames" in refusal(replace(GOOD, length=length, length_unit=unit))


def test_half_a_frame() -> None:
    assert "expected a whole number of frames, got 33.5" in refusal(replace(GOOD, length=33.5, length_unit="frames"))


@pytest.mark.parametrize("fps", [0.0, -16.0, math.nan, math.inf, 1001.0])
def test_frame_rates_that_are_none(fps: float) -> None:
    assert "expected an fps above 0" in refusal(replace(GOOD, fps=fps))
    assert replace(GOOD, length=5, length_unit="frames", fps=fps).video_shape(WAN).frames == 5  # not needed then


def test_an_unknown_unit() -> None:
    assert "seconds or frames, got 'minutes'" in refusal(replace(GOOD, length_unit="minutes"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0), ("steps", 10_001), ("cfg", -1.0), ("cfg", math.nan), ("shift", 0.0), ("shift", math.inf),
        ("denoise", 1.5), ("denoise", math.nan), ("seed", -1), ("seed", 2**64),
    ],
)  # fmt: skip
def test_sampler_settings_out_of_range(name: str, value: float) -> None:
    SETTINGS.check()
    with pytest.raises(ValueError, match=f"^Spacetime Denoise: expected {name} of .* got .*; use "):
        replace(SETTINGS, **{name: value}).check()
