"""Interpolation as a stage: exact times, source frames untouched, cuts, repeats, loops, sound, little memory, cancel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import pytest
import torch
from rooms.models.interpolator import IFNet
from rooms.video import interrupt
from rooms.video.interpolate import (
    FlowInterpolator,
    RifeInterpolator,
    Rules,
    interpolated,
    is_repeat,
    multiplied_rate,
    target_rate,
    timing_at,
)
from rooms.video.stream import FrameStream
from support.plain_rife import PUBLISHED, checkpoint

HEIGHT, WIDTH = 4, 6
NTSC = Fraction(30000, 1001)
BLENDING = Rules(cut_threshold=1.0)


class Linear:
    """Frames between that tell what they were made from: a picture's value is its frame's number."""

    def __init__(self) -> None:
        self.encoded: list[float] = []
        self.calls: list[list[float]] = []

    def encode(self, frame: torch.Tensor) -> torch.Tensor:
        picture = frame.float() / 255 if frame.dtype == torch.uint8 else frame
        self.encoded.append(round(picture.mean().item() * 255, 3))
        return picture

    def between(self, before: Any, after: Any, times: Sequence[float]) -> Iterator[torch.Tensor]:
        self.calls.append(list(times))
        yield torch.stack([torch.lerp(before, after, time) for time in times])


def clip(
    values: Sequence[float], rate: Fraction = Fraction(24), chunk: int = 1, pulled: list[int] | None = None, **more: Any
) -> FrameStream:
    """Frames of uint8 whose pixels all have the given values."""

    def make_chunks(first: int) -> Iterator[torch.Tensor]:
        for start in range(first, len(values), chunk):
            some = values[start : start + chunk]
            if pulled is not None:
                pulled.append(start + len(some))
            yield torch.stack([torch.full((HEIGHT, WIDTH, 3), value, dtype=torch.uint8) for value in some])

    return FrameStream("Clip", WIDTH, HEIGHT, len(values), rate, make_chunks, **more)


def run(source: FrameStream, rate: Fraction, rules: Rules = BLENDING, first: int = 0) -> tuple[list[float], Linear, list[torch.Tensor]]:
    """The values of all frames made (0..255), the interpolator, and the chunks."""
    interpolator = Linear()
    chunks = list(interpolated(source, rate, lambda: interpolator, "Interpolate", rules).chunks(first))
    values = [frame.float().mean().item() * (1 if chunk.dtype == torch.uint8 else 255) for chunk in chunks for frame in chunk]
    return [round(value, 3) for value in values], interpolator, chunks


RATES = [
    # source frames, source rate, target rate, frames
    (24, Fraction(24), Fraction(60), 60),
    (97, Fraction(24), Fraction(60), 243),
    (16, Fraction(16), Fraction(24), 24),
    (81, Fraction(16), Fraction(24), 122),
    (48, Fraction(24), NTSC, 60),
    (1440, Fraction(24), Fraction(60000, 1001), 3596),
    (25, Fraction(25), Fraction(50), 50),
    (60, Fraction(60), Fraction(24), 24),
    (30, NTSC, 2 * NTSC, 60),
    (1, Fraction(24), Fraction(60), 3),
    (1, Fraction(24), Fraction(1), 1),
    (7, Fraction(1, 2), Fraction(1001, 1000), 14),
    (33, Fraction(16), Fraction(16 * 7), 231),
]


@pytest.mark.parametrize(("frames", "rate", "target", "expected"), RATES)
def test_number_length_and_times_of_frames_are_exact(frames: int, rate: Fraction, target: Fraction, expected: int) -> None:
    timing = timing_at(frames, rate, target)
    assert timing.frames == expected
    if expected > 1:
        assert abs(Fraction(timing.frames) / target - frames / rate) <= 1 / (2 * target)
    assert all(timing.position(number) / rate == number / target for number in (0, 1, expected - 1))


@pytest.mark.parametrize(("frames", "rate", "target", "expected"), [row for row in RATES if row[0] < 100])
def test_every_frame_shows_its_moment(frames: int, rate: Fraction, target: Fraction, expected: int) -> None:
    source = clip(range(frames), rate)
    values, _, chunks = run(source, target)
    assert sum(len(chunk) for chunk in chunks) == expected
    moments = [min(float(number * rate / target), frames - 1) for number in range(expected)]
    assert values == pytest.approx(moments, abs=2e-3)
    stream = interpolated(source, target, Linear, "Interpolate")
    assert (stream.frames, stream.frame_rate, stream.width, stream.height) == (expected, target, WIDTH, HEIGHT)


def test_frames_of_the_source_come_through_untouched_and_are_encoded_once() -> None:
    values, interpolator, chunks = run(clip([0, 10, 20, 30]), Fraction(72))
    assert [chunk.dtype for chunk in chunks] == [torch.uint8, torch.float32] * 3 + [torch.uint8] * 3
    assert values[::3] == [0, 10, 20, 30]
    assert interpolator.encoded == [0, 10, 20, 30]
    assert interpolator.calls == [[pytest.approx(1 / 3), pytest.approx(2 / 3)]] * 3  # several times of a pair in one call


@pytest.mark.parametrize("first", [0, 1, 2, 3, 7, 11, 23])
@pytest.mark.parametrize("rules", [Rules(1.0), Rules(1.0, loop=True), Rules(1.0, repair_repeats=True)])
def test_starting_late_is_the_same_frames(first: int, rules: Rules) -> None:
    source = clip([0, 10, 10, 10, 10, 10, 40, 40, 60, 70], Fraction(10), chunk=3)
    assert run(source, Fraction(24), rules, first)[0] == run(source, Fraction(24), rules)[0][first:]


def test_starting_late_does_not_read_what_came_before() -> None:
    pulled: list[int] = []
    run(clip(range(20), pulled=pulled), Fraction(48), first=30)
    assert pulled == [16, 17, 18, 19, 20]


def test_a_cut_is_kept() -> None:
    source = clip([10, 20, 230, 240])
    values, interpolator, _ = run(source, Fraction(96), Rules(cut_threshold=0.25))
    assert values[4:9] == [20, 20, 20, 230, 230]  # the nearest frame of its own shot
    assert len(interpolator.calls) == 2
    assert run(source, Fraction(96))[0][6] == 125  # a threshold of 1 finds none


def test_repeated_frames_are_made_anew_up_to_a_pause() -> None:
    twos = clip([0, 0, 20, 20, 40, 40, 60])
    assert run(twos, Fraction(24))[0] == [0, 0, 20, 20, 40, 40, 60]
    repair = Rules(1.0, repair_repeats=True)
    assert run(twos, Fraction(24), repair)[0] == pytest.approx([0, 10, 20, 30, 40, 50, 60], abs=0.01)
    assert run(twos, Fraction(48), repair)[0][:5] == pytest.approx([0, 5, 10, 15, 20], abs=0.01)
    threes = clip([0, 0, 0, 30, 30, 30, 60])
    assert run(threes, Fraction(24), repair)[0] == pytest.approx([0, 10, 20, 30, 40, 50, 60], abs=0.01)
    pause = clip([0, 50, 50, 50, 50, 50, 50, 100])
    assert run(pause, Fraction(24), repair)[0] == [0, 50, 50, 50, 50, 50, 50, 100]
    at_the_end = clip([0, 30, 30])
    assert run(at_the_end, Fraction(24), repair)[0] == [0, 30, 30]


def test_a_repeat_before_a_cut_belongs_to_its_shot() -> None:
    values, _, _ = run(clip([10, 10, 230, 230]), Fraction(24), Rules(0.25, repair_repeats=True))
    assert values == [10, 10, 230, 230]


def test_traces_of_an_encoder_do_not_hide_a_repeat_but_a_small_thing_that_moves_does() -> None:
    picture = torch.randint(40, 200, (64, 64, 3), dtype=torch.uint8)
    noisy = picture + torch.randint(0, 2, picture.shape, dtype=torch.uint8)
    moved = picture.clone()
    moved[8:16, 8:16] = 255
    assert is_repeat(picture, noisy) and is_repeat(picture, picture.float() / 255)
    assert not is_repeat(picture, moved)


def test_a_loop_leads_from_the_last_frame_to_the_first_in_even_steps() -> None:
    source = clip([0, 40, 80, 40], chunk=3)
    values, _, _ = run(source, Fraction(48), Rules(1.0, loop=True))
    assert values == pytest.approx([0, 20, 40, 60, 80, 60, 40, 20], abs=0.01)
    assert run(source, Fraction(48))[0] == pytest.approx([0, 20, 40, 60, 80, 60, 40, 40], abs=0.01)
    uneven = timing_at(7, Fraction(16), Fraction(24), loop=True)
    steps = {uneven.position(number + 1) - uneven.position(number) for number in range(uneven.frames)}
    assert len(steps) == 1 and uneven.position(uneven.frames) == 7


def test_frames_that_stand_still_are_not_computed() -> None:
    values, interpolator, _ = run(clip([50, 50, 50]), Fraction(72))
    assert values == [50] * 9 and interpolator.calls == []


def test_the_sound_is_kept() -> None:
    sound: Any = object()
    assert interpolated(clip(range(4), sound=sound), Fraction(60), Linear, "Interpolate").sound is sound


@pytest.mark.parametrize("rules", [Rules(1.0), Rules(1.0, loop=True), Rules(1.0, repair_repeats=True)])
def test_the_source_is_read_just_ahead_and_closed_when_the_consumer_stops(rules: Rules) -> None:
    closed = []

    def make_chunks(first: int) -> Iterator[torch.Tensor]:
        try:
            for number in range(first, 200):
                read.append(number)
                yield torch.full((1, HEIGHT, WIDTH, 3), number, dtype=torch.uint8)
        finally:
            closed.append(1)

    read: list[int] = []
    stream = interpolated(FrameStream("Clip", WIDTH, HEIGHT, 200, Fraction(24), make_chunks), Fraction(48), Linear, "Interpolate", rules)
    chunks, out = stream.chunks(), 0
    for chunk in chunks:
        out += len(chunk)
        assert read[-1] - out / 2 <= 3
        if out > 150:
            break
    chunks.close()
    assert closed == [1] and read[-1] < 80


@pytest.mark.parametrize(
    ("fps", "rate"),
    [(60.0, Fraction(60)), (29.97, NTSC), (23.976, Fraction(24000, 1001)), (23.98, Fraction(24000, 1001)), (59.94, Fraction(60000, 1001)),
     (12.5, Fraction(25, 2)), (30.0, Fraction(30)), (1000.0, Fraction(1000)), (0.1, Fraction(1, 10)), (119.88, Fraction(120000, 1001))],
)  # fmt: skip
def test_rates_as_people_write_them(fps: float, rate: Fraction) -> None:
    assert target_rate(fps, "Node") == rate


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf"), 1001.0])
def test_an_fps_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(ValueError, match=r"^Node: expected an fps above 0"):
        target_rate(fps, "Node")


@pytest.mark.parametrize("multiplier", [1, 0, -2, 2.5])
def test_a_multiplier_that_is_none_is_refused(multiplier: float) -> None:
    with pytest.raises(ValueError, match=r"^Node: expected a multiplier of 2 or more as a whole number, got .*; use 2"):
        multiplied_rate(Fraction(24), multiplier, "Node")
    assert multiplied_rate(NTSC, 3, "Node") == 3 * NTSC
    with pytest.raises(ValueError, match=r"^Node: expected at most 1000 frames a second, got 24 times 64"):
        multiplied_rate(Fraction(24), 64, "Node")


@pytest.mark.parametrize("memory", [0, 10**9])
def test_rife_gives_frames_of_the_clips_size_in_order_whatever_the_batch(memory: int) -> None:
    network = IFNet.from_state_dict(checkpoint(PUBLISHED["4.6"], random=True))
    source = clip([40, 90, 160], Fraction(10))
    stream = interpolated(source, Fraction(30), lambda: RifeInterpolator(network, memory), "Interpolate", Rules(1.0))
    frames = torch.cat([chunk.float() / (255 if chunk.dtype == torch.uint8 else 1) for chunk in stream.chunks()])
    assert frames.shape == (9, HEIGHT, WIDTH, 3)
    means = frames.mean(dim=(1, 2, 3))
    assert (means[0], means[3], means[6]) == pytest.approx((40 / 255, 90 / 255, 160 / 255), abs=1e-3)
    assert all(40 / 255 - 1e-3 <= mean <= 160 / 255 + 1e-3 for mean in means)


class Cancelled(BaseException):
    """As the host's exception, no Exception."""


@pytest.mark.parametrize("method", ["rife", "flow"])
def test_a_cancel_ends_the_work_inside_one_frame(method: str) -> None:
    network = IFNet.from_state_dict(checkpoint(PUBLISHED["4.6"], random=True))
    made = RifeInterpolator(network, 0) if method == "rife" else FlowInterpolator()
    first, second = (torch.rand(40, 56, 3) for _ in range(2))
    before, after = made.encode(first), made.encode(second)
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        if len(asked) >= 5:
            raise Cancelled

    with interrupt.asking(ask), pytest.raises(Cancelled):
        next(made.between(before, after, [0.5]))
    assert len(asked) == 5
    assert next(made.between(before, after, [0.5])).shape == (1, 40, 56, 3)  # the next job is not touched by it


def test_what_goes_wrong_names_the_stage() -> None:
    class Broken(Linear):
        def between(self, before: Any, after: Any, times: Sequence[float]) -> Iterator[torch.Tensor]:
            raise RuntimeError("out of paper")
            yield

    stream = interpolated(clip([0, 200]), Fraction(48), Broken, "Interpolate", Rules(1.0))
    with pytest.raises(RuntimeError, match=r"^Interpolate: out of paper"):
        list(stream.chunks())
