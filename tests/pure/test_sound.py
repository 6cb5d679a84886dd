"""Sounds are read in blocks, composed without being held, and exact to the sample."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rooms.video.sound import FileSound, SilentSound, TensorSound
from rooms.video.sound_edits import Delayed, Exact, Faded, Looped, Louder, Mixed, Resampled, equal_power
from support.clips import SAMPLE_RATE, heard, sine, write_clip

RATE = 1000


def ramp(samples: int, channels: int = 1) -> TensorSound:
    return TensorSound((torch.arange(samples, dtype=torch.float32) / 10_000).expand(channels, -1), RATE)


def test_a_waveform_comes_in_small_blocks_and_whole() -> None:
    sound = ramp(2500, 2)
    assert [block.shape[1] for block in sound.blocks()] == [1000, 1000, 500]
    assert (sound.duration, sound.channels, sound.sample_rate) == (2.5, 2, RATE)
    assert torch.equal(heard(sound), torch.arange(2500).div(10_000).expand(2, -1))


@pytest.mark.parametrize(("waveform", "rate"), [(torch.zeros(3), 1000), (torch.zeros(0, 5), 1000), (torch.zeros(1, 5), 0)])
def test_what_is_no_waveform_is_refused(waveform: torch.Tensor, rate: int) -> None:
    with pytest.raises(ValueError, match="expected a waveform"):
        TensorSound(waveform, rate)


@given(st.floats(0, 4), st.floats(0, 4))
@settings(deadline=None, max_examples=50)
def test_every_sound_is_trimmed_to_the_same_samples(start: float, duration: float) -> None:
    first, end = round(start * RATE), min(3000, round((start + duration) * RATE))
    for sound in (ramp(3000), Louder(ramp(3000), 1.0), Mixed([(0, ramp(3000))], 3000)):
        part = sound.trimmed(start, duration)
        if first >= end:
            assert part is None
        else:
            torch.testing.assert_close(heard(part), heard(sound)[:, first:end], rtol=0, atol=0)


def test_silence() -> None:
    assert torch.equal(heard(SilentSound(2.5, RATE, 2)), torch.zeros(2, 2500))
    assert heard(SilentSound(2.5, RATE).trimmed(2.0, 9.0)).shape == (1, 500)


def test_loops_cuts_delays_and_volume() -> None:
    short = ramp(300)
    assert torch.equal(heard(Looped(short, 1000)), heard(short).repeat(1, 4)[:, :1000])
    assert torch.equal(heard(Exact(short, 100)), heard(short)[:, :100])
    assert torch.equal(heard(Exact(short, 2300)), torch.nn.functional.pad(heard(short), (0, 2000)))
    assert torch.equal(heard(Delayed(short, 1500)), torch.nn.functional.pad(heard(short), (1500, 0)))
    assert torch.equal(heard(Louder(short, 0.5)), heard(short) * 0.5)
    with pytest.raises(ValueError, match="an empty one"):
        Looped(ramp(0), 10)


def test_fades_follow_their_formula() -> None:
    ones = TensorSound(torch.ones(1, 2500), RATE)
    gain = heard(Faded(ones, 1000, 500))[0]
    n = torch.arange(2500) + 0.5
    torch.testing.assert_close(gain, torch.minimum((n / 1000).clamp(max=1), ((2500 - n) / 500).clamp(max=1)))
    one, other = heard(Faded(ones, 2500, 0, equal_power)), heard(Faded(ones, 0, 2500, equal_power))
    torch.testing.assert_close(one**2 + other**2, torch.ones(1, 2500))


def test_a_mix_adds_each_sound_where_it_belongs() -> None:
    parts = [(0, ramp(1200)), (700, ramp(900)), (1600, ramp(100))]
    expected = torch.zeros(1, 2000)
    for begin, sound in parts:
        expected[:, begin : begin + sound.samples] += heard(sound)
    torch.testing.assert_close(heard(Mixed(parts, 2000)), expected)
    with pytest.raises(ValueError, match="resample them first"):
        Mixed([(0, ramp(5)), (0, ramp(5, 2))], 10)


def test_a_mix_opens_a_sound_only_when_it_begins() -> None:
    opened: list[int] = []

    class Late(SilentSound):
        def blocks(self):  # type: ignore[no-untyped-def]
            opened.append(1)
            yield from super().blocks()

    blocks = Mixed([(0, ramp(100)), (5000, Late(1.0, RATE))], 6000).blocks()
    next(blocks)
    assert opened == []


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 96_000])
def test_resampling_keeps_the_tone_and_the_length(rate: int) -> None:
    got = heard(Resampled(TensorSound(sine(1.5, channels=1), SAMPLE_RATE), rate, 2))
    expected = sine(1.5, sample_rate=rate)
    assert got.shape[0] == 2 and abs(got.shape[1] - expected.shape[1]) <= 0.001 * rate
    middle = slice(rate // 10, rate)
    assert (got[:, middle] - expected[:, middle]).abs().max() < 0.01


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("sound") / "clip.mp4", 48, hertz=440.0)


@pytest.mark.parametrize(("start", "duration"), [(0.0, 3.0), (1.25, 1.0), (2.5, 9.0)])
def test_a_file_is_heard_from_any_time_on(file: Path, start: float, duration: float) -> None:
    sound = FileSound(str(file), 1, 0.0, 3.0).trimmed(start, duration)
    assert sound is not None and sound.channels == 2
    got, expected = heard(sound), sine(3.0)[:, round(start * SAMPLE_RATE) :]
    assert sound.samples == min(round(duration * SAMPLE_RATE), expected.shape[1])
    inner = slice(2000, got.shape[1] - 2000)
    assert got.shape[1] == sound.samples
    assert (got[:, inner] - expected[:, inner]).abs().max() < 0.03  # AAC


def test_a_buffer_is_read_by_two_at_once_and_left_as_it_is(file: Path) -> None:
    buffer = io.BytesIO(file.read_bytes())
    buffer.seek(5)
    one, other = FileSound(buffer, 1, 0.0, 3.0).blocks(), FileSound(buffer, 1, 0.0, 3.0).blocks()
    for _ in range(20):
        assert torch.equal(next(one), next(other))
    assert buffer.tell() == 5


def test_sound_that_begins_after_the_pictures_is_preceded_by_silence(file: Path) -> None:
    got = heard(FileSound(str(file), 1, 0.0, 3.5, origin=-0.5))
    assert torch.equal(got[:, :24_000], torch.zeros(2, 24_000))
    assert np.abs(got[:, 26_000:100_000].numpy() - sine(3.5)[:, 2000:76_000].numpy()).max() < 0.03
