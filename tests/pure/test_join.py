"""Joined clips: counts, durations, nearest frames, the formula of the cross-fade, sizes, and sounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import pytest
import torch
from rooms.video.join import at_rate, join
from rooms.video.resize import even, in_size, placed, resized
from rooms.video.sound import TensorSound
from rooms.video.stream import FrameStream
from support.clips import SAMPLE_RATE, grey_frames, greys, heard, numbered_chunks, shown, sine

RATES = [Fraction(16), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(24000, 1001)]


class Clip:
    """Grey frames from a number on, counting how many readers are open."""

    def __init__(self, frames: int, rate: Fraction = Fraction(16), begin: int = 0, size: tuple[int, int] = (48, 32)) -> None:
        self.frames, self.rate, self.begin, self.size = frames, rate, begin, size
        self.made = self.open = 0

    def stream(self, sound: TensorSound | None = None) -> FrameStream:
        return FrameStream("Clip", *self.size, self.frames, self.rate, self._chunks, sound=sound)

    def _chunks(self, first: int) -> Iterator[torch.Tensor]:
        self.open += 1
        try:
            for start in range(first, self.frames, 5):
                numbers = range(self.begin + start, self.begin + min(start + 5, self.frames))
                self.made += len(numbers)
                yield grey_frames(numbers, *self.size)
        finally:
            self.open -= 1


def joined(*clips: FrameStream, rate: Fraction = Fraction(16), cross_fade: float = 0.0) -> FrameStream:
    return join(clips, 48, 32, "fit", rate, cross_fade)


@pytest.mark.parametrize("old", RATES)
@pytest.mark.parametrize("new", RATES)
def test_another_rate_shows_the_nearest_frame_for_as_long(old: Fraction, new: Fraction) -> None:
    stream = at_rate(Clip(50, old).stream(), new)
    assert stream.frames == round(50 / old * new)
    assert abs(stream.duration - 50 / old) <= 0.5 / new + 1e-9
    frames = greys(shown(stream))
    assert len(frames) == stream.frames
    for number, frame in enumerate(frames):
        distance = [abs(Fraction(number) / new - Fraction(k) / old) for k in range(50)]
        assert distance[frame] == min(distance)
    assert greys(shown(stream, 7)) == frames[7:]


@pytest.mark.parametrize("new", RATES)
def test_counts_and_durations_of_a_cut(new: Fraction) -> None:
    clips = [Clip(20, Fraction(16)), Clip(33, Fraction(24)), Clip(7, Fraction(30000, 1001))]
    stream = joined(*(clip.stream() for clip in clips), rate=new)
    assert stream.frames == sum(round(clip.frames / clip.rate * new) for clip in clips)
    assert (stream.frame_rate, len(shown(stream))) == (new, stream.frames)


def test_a_cut_is_the_frames_one_after_the_other() -> None:
    clips = [Clip(13), Clip(1, begin=50), Clip(12, begin=100)]
    stream = joined(*(clip.stream() for clip in clips))
    expected = [*range(13), 50, *range(100, 112)]
    for first in range(0, 26, 3):
        assert greys(shown(stream, first)) == expected[first:]
    assert all(clip.open == 0 for clip in clips)


def test_a_cross_fade_follows_its_formula() -> None:
    shared = 8
    stream = joined(Clip(20).stream(), Clip(30, begin=100).stream(), Clip(9, begin=200).stream(), cross_fade=0.5)
    assert stream.frames == 20 + 30 + 9 - 2 * shared
    expected = [float(n) for n in range(12)]
    expected += [(12 + k) * (1 - (k + 1) / 9) + (100 + k) * (k + 1) / 9 for k in range(shared)]
    expected += [float(n) for n in range(108, 122)]
    expected += [(122 + k) * (1 - (k + 1) / 9) + (200 + k) * (k + 1) / 9 for k in range(shared)]
    expected += [208.0]
    got = shown(stream)[:, 0, 0, 0].tolist()
    assert max(abs(a - b) for a, b in zip(got, expected, strict=True)) <= 0.5 + 1e-3
    for first in (5, 12, 15, 20, 40):
        assert shown(stream, first)[:, 0, 0, 0].tolist() == got[first:]


def test_only_two_clips_are_open_at_a_time_and_all_are_closed_on_stopping_early() -> None:
    clips = [Clip(20, begin=30 * i) for i in range(6)]
    chunks = joined(*(clip.stream() for clip in clips), cross_fade=0.25).chunks()
    most = 0
    for _ in range(12):
        next(chunks)
        most = max(most, sum(clip.open for clip in clips))
    chunks.close()
    assert most <= 2 and clips[5].made == 0 and all(clip.open == 0 for clip in clips)


def test_clips_too_short_for_their_fades_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^Spacetime Join: expected every clip .* got video 2 of 0\.625 s with 2 of 0\.5 s; shorten"):
        joined(Clip(30).stream(), Clip(10).stream(), Clip(30).stream(), cross_fade=0.5)
    assert joined(Clip(30).stream(), Clip(16).stream(), Clip(30).stream(), cross_fade=0.5).frames == 60


def test_sounds_are_joined_where_the_pictures_are() -> None:
    tones = [TensorSound(sine(2.0, 500.0), SAMPLE_RATE), None, TensorSound(sine(0.5, 1000.0, 1, 24_000), 24_000)]
    clips = [Clip(16).stream(tones[0]), Clip(16).stream(), Clip(16).stream(tones[2])]
    sound = joined(*clips).sound
    assert sound is not None and (sound.sample_rate, sound.channels, sound.duration) == (SAMPLE_RATE, 2, 3.0)
    got = heard(sound)
    assert (got[:, :48_000] - sine(1.0, 500.0)).abs().max() < 1e-6
    assert got[:, 48_000:96_000].abs().max() == 0
    assert (got[:, 98_000:118_000] - sine(0.5, 1000.0)[:, 2000:22_000]).abs().max() < 0.01
    assert got[:, 121_000:].abs().max() == 0
    assert joined(Clip(5).stream(), Clip(5).stream()).sound is None


def test_sounds_cross_fade_with_equal_power() -> None:
    ones = TensorSound(torch.ones(1, 48_000), SAMPLE_RATE)
    sound = joined(Clip(16).stream(ones), Clip(16).stream(ones), cross_fade=0.5).sound
    assert sound is not None
    got = heard(sound)[0]
    rise = (torch.arange(24_000) + 0.5) / 24_000 * math.pi / 2
    expected = torch.cat([torch.ones(24_000), rise.sin() + rise.cos(), torch.ones(24_000)])
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_shapes_fit_with_bars_are_cropped_or_stretched() -> None:
    wide = torch.zeros(1, 32, 64, 3, dtype=torch.uint8)
    wide[:, :, :32, 0], wide[:, :, 32:, 1] = 255, 255
    fit = placed(wide, 32, 32, "fit")[0]
    assert fit[:8].max() == 0 and fit[24:].max() == 0 and fit[8:24, :12, 0].min() == 255 and fit[8:24, 20:, 1].min() == 255
    crop = placed(wide, 32, 32, "crop")[0]
    assert crop[:, :12, 0].min() == 255 and crop[:, 20:, 1].min() == 255
    stretch = placed(wide, 32, 32, "stretch")[0]
    assert stretch[:, :12, 0].min() == 255 and stretch[:, 20:, 1].min() == 255
    for way in ("fit", "crop", "stretch"):
        assert placed(wide, 48, 20, way).shape == (1, 20, 48, 3)


def test_a_smaller_picture_is_not_aliased_and_floats_keep_their_depth() -> None:
    stripes = torch.zeros(1, 64, 64, 3)
    stripes[:, :, ::2] = 1.0
    small = resized(stripes, 16, 16)
    assert (small - 0.5).abs().max() < 0.06
    flat = torch.full((1, 9, 9, 3), 0.123456)
    assert (resized(flat, 20, 20) - flat[0, 0, 0, 0]).abs().max() < 1e-6
    assert resized((stripes * 255).to(torch.uint8), 16, 16).dtype == torch.uint8


def test_a_stream_of_that_size_is_left_alone() -> None:
    stream = Clip(5).stream()
    assert in_size(stream, "Node", 48, 32) is stream
    assert [even(side) for side in (0.2, 3, 47.4, 48, 101)] == [2, 4, 48, 48, 100]


def test_a_hundred_clips_join(frames: int = 4) -> None:
    stream = joined(*(FrameStream("Clip", 48, 32, frames, Fraction(16), lambda first: numbered_chunks(frames, first)) for _ in range(100)))
    assert greys(shown(stream)) == list(range(frames)) * 100
