"""A sound under a clip to its exact length; pictures copied bit for bit; the contact sheet; the size of an enlarged picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from rooms.video.contact_sheet import CELL, GAP, LABEL, clock, contact_sheet, frame_numbers
from rooms.video.remux import can_keep_sound, picture_facts, remux
from rooms.video.score import Score
from rooms.video.sound import TensorSound
from rooms.video.stream import FrameStream
from rooms.video.upscale import target_size
from support.clips import SAMPLE_RATE, heard, numbered_chunks, pictures_in, sine, sound_in, video_packets, write_clip

FRAMES, RATE = 40, Fraction(16)
SAMPLES = 120_000


def clip(sound: TensorSound | None = None) -> FrameStream:
    return FrameStream("Test", 48, 32, FRAMES, RATE, lambda first: numbered_chunks(FRAMES, first), sound=sound)


def tone(seconds: float, hertz: float = 440.0) -> TensorSound:
    return TensorSound(sine(seconds, hertz), SAMPLE_RATE)


def test_a_sound_is_as_long_as_the_pictures() -> None:
    for seconds in (0.5, 2.5, 9.0):
        assert heard(Score().laid_under(clip(), tone(seconds))).shape == (2, SAMPLES)
    assert torch.equal(heard(Score().laid_under(clip(), tone(9.0))), sine(2.5))
    assert heard(Score().laid_under(clip(), tone(0.5)))[:, 24_000:].abs().max() == 0


def test_start_skip_and_loop() -> None:
    got = heard(Score(start=0.5, skip=0.25, loop=True).laid_under(clip(), tone(1.0)))
    piece = sine(1.0)[:, 12_000:]
    assert torch.equal(got, torch.cat([torch.zeros(2, 24_000), piece.repeat(1, 3)[:, :96_000]], dim=1))


def test_fades_are_of_what_is_heard() -> None:
    ones = TensorSound(torch.ones(1, 96_000), SAMPLE_RATE)
    got = heard(Score(start=0.25, fade_in=0.5, fade_out=1.0, volume=0.5).laid_under(clip(), ones))[0]
    n = torch.arange(96_000) + 0.5
    piece = 0.5 * (n / 24_000).clamp(max=1) * ((96_000 - n) / 48_000).clamp(max=1)
    expected = torch.nn.functional.pad(piece, (12_000, 12_000))
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


def test_mixing_keeps_what_was_there() -> None:
    stream = clip(TensorSound(0.25 * sine(9.0, 1000.0), SAMPLE_RATE))
    mixed = heard(Score(keep_existing=True).laid_under(stream, tone(1.0)))
    expected = 0.25 * sine(2.5, 1000.0)
    expected[:, :48_000] += sine(1.0)
    torch.testing.assert_close(mixed, expected)
    replaced = heard(Score().laid_under(stream, tone(1.0)))
    assert replaced[:, 48_000:].abs().max() == 0


@pytest.mark.parametrize(("score", "words"), [(Score(start=2.5), "start inside the video of 2.5 s"), (Score(skip=1.0), "skip inside")])
def test_a_sound_of_which_nothing_is_heard_is_refused(score: Score, words: str) -> None:
    with pytest.raises(ValueError, match=rf"^Spacetime Add Audio: expected a {words}"):
        score.laid_under(clip(), tone(1.0))


@pytest.mark.parametrize(("codec", "name"), [("libx264", "clip.mp4"), ("libvpx-vp9", "clip.webm"), ("libx265", "clip.mkv")])
@pytest.mark.parametrize("with_sound", [True, False])
def test_pictures_are_copied_bit_for_bit_under_another_sound(tmp_path: Path, codec: str, name: str, with_sound: bool) -> None:
    hertz = 300.0 if with_sound and not name.endswith("webm") else None
    source = write_clip(tmp_path / name, FRAMES, size=(96, 64), hertz=hertz, codec=codec)
    target = tmp_path / f"scored_{name}"
    facts = picture_facts(str(source))
    assert facts is not None and facts.container is not None
    remux(str(source), target, facts.container, {"prompt": {"a": 1}}, FRAMES / RATE, tone(2.5))
    assert video_packets(target) == video_packets(source)
    assert np.array_equal(pictures_in(target), pictures_in(source))
    samples, rate = sound_in(target)
    expected = sine(2.5, sample_rate=rate).numpy()
    assert 0 <= samples.shape[1] - expected.shape[1] <= 1024
    assert np.abs(samples[:, 4000:100_000] - expected[:, 4000:100_000]).max() < 0.05
    with av.open(str(target)) as file:
        assert {key.lower(): value for key, value in file.metadata.items()}["prompt"] == '{"a": 1}'
        assert file.streams.video[0].average_rate == RATE


def test_a_copy_keeps_the_files_own_sound_and_its_metadata(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", FRAMES, hertz=300.0)
    remux(str(source), tmp_path / "a.mp4", "mp4", {"first": "1", "both": "old"}, FRAMES / RATE)
    remux(str(tmp_path / "a.mp4"), tmp_path / "b.mov", "mov", {"both": "new"}, FRAMES / RATE)
    for copy in ("a.mp4", "b.mov"):
        assert video_packets(tmp_path / copy) == video_packets(source)
        assert np.array_equal(sound_in(tmp_path / copy)[0], sound_in(source)[0])
    with av.open(str(tmp_path / "b.mov")) as file:
        assert (file.metadata["first"], file.metadata["both"]) == ("1", "new")
    assert can_keep_sound(str(source), "mp4") and not can_keep_sound(str(source), "webm")


def test_a_cancelled_copy_leaves_no_file(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", FRAMES)

    def cancel(seconds: float) -> None:
        if seconds > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remux(str(source), tmp_path / "copy.mp4", "mp4", {}, FRAMES / RATE, tone(2.5), cancel)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_contact_sheet_shows_the_frames_it_says() -> None:
    assert frame_numbers(100, 5) == [0, 25, 50, 74, 99] and frame_numbers(2, 12) == [0, 1] and frame_numbers(1, 9) == [0]
    assert [clock(t) for t in (0, 1.5, Fraction(1001, 30), 65.25)] == ["0:00.000", "0:01.500", "0:33.367", "1:05.250"]
    sheet = np.asarray(contact_sheet(clip(), 9))
    width, height = CELL[0], round(CELL[0] * 32 / 48)
    assert sheet.shape == (GAP + 3 * (height + LABEL + GAP), GAP + 3 * (width + GAP), 3)
    for place, number in enumerate(frame_numbers(FRAMES, 9)):
        top, left = GAP + place // 3 * (height + LABEL + GAP), GAP + place % 3 * (width + GAP)
        assert (sheet[top : top + height, left : left + width] == number).all()
        assert (sheet[top + height : top + height + LABEL, left : left + width] > 150).any()  # the time


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ((2.0, 0, 0, None), (192, 108)),
        ((0.0, 0, 0, None), (192, 108)),
        ((0.0, 0, 0, 4.0), (384, 216)),
        ((1.5, 0, 0, 4.0), (144, 80)),
        ((2.0, 48, 0, None), (48, 28)),
        ((2.0, 0, 108, None), (192, 108)),
        ((2.0, 101, 50, 4.0), (100, 50)),
    ],
)
def test_the_size_that_is_meant(asked: tuple, size: tuple[int, int]) -> None:
    assert target_size((96, 54), *asked) == size


@pytest.mark.parametrize("asked", [(-1.0, 0, 0, None), (float("nan"), 0, 0, None), (2.0, -2, 0, None), (2.0, 20_000, 0, None)])
def test_sizes_that_are_none(asked: tuple) -> None:
    with pytest.raises(ValueError, match=r"^Spacetime Upscale: expected a .*, got .*; use "):
        target_size((96, 54), *asked)
    with pytest.raises(ValueError, match="at most 16384 pixels a side"):
        target_size((4096, 54), 5.0, 0, 0, None)
