"""Whatever codec, container and depth: every frame, its colour, the time and the sound come back from the file."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import ColorRange, Colorspace
from rooms.video.codecs import (
    CODECS,
    SUFFIXES,
    available_codecs,
    bit_depths,
    crf_for,
    hardware_encoders,
    pixel_format,
    software_encoder,
)
from rooms.video.encode import Encoding, container_for, encode
from rooms.video.sound import TensorSound
from rooms.video.stream import FrameStream
from support.clips import SAMPLE_RATE, greys, numbered_chunks, pictures_in, sine, sound_in

FRAMES = 30
RATE = Fraction(30000, 1001)
CASES = [
    (name, container, depth)
    for name in available_codecs()
    for container in CODECS[name].containers
    for depth in bit_depths(name, software_encoder(name) or "")
]
COLOURS = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [128, 64, 191]], dtype=torch.uint8)
FFMPEG = shutil.which("ffmpeg")


def clip(sound: bool = True, frames: int = FRAMES, rate: Fraction = RATE) -> FrameStream:
    tone = TensorSound(sine(float(frames / rate) + 2), SAMPLE_RATE) if sound else None
    return FrameStream("Test", 96, 64, frames, rate, lambda first: numbered_chunks(frames, first, width=96, height=64), sound=tone)


def colours() -> FrameStream:
    frames = COLOURS[:, None, None, :].expand(-1, 64, 96, 3)
    return FrameStream("Colours", 96, 64, len(COLOURS), Fraction(16), lambda first: iter([frames[first:]]))


@pytest.mark.parametrize(("codec", "container", "depth"), CASES)
def test_frames_time_and_sound_come_back(tmp_path: Path, codec: str, container: str, depth: int) -> None:
    path = tmp_path / f"clip{SUFFIXES[container]}"
    encode(clip(), path, Encoding(container, depth, crf_for(codec, 80), {"prompt": {"1": 2}}, codec))
    with av.open(str(path)) as file:
        assert abs(file.streams.video[0].average_rate - RATE) < 0.01
        assert abs(float(file.duration / av.time_base) - float(FRAMES / RATE)) < 0.035
        assert json.loads({key.lower(): value for key, value in file.metadata.items()}["prompt"]) == {"1": 2}
    frames = pictures_in(path)
    assert frames.shape == (FRAMES, 64, 96, 3)
    assert np.abs(frames.mean(axis=(1, 2, 3)) - np.arange(FRAMES)).max() < 1.5
    samples, rate = sound_in(path)
    expected = sine(float(FRAMES / RATE), sample_rate=rate).numpy()
    assert 0 <= samples.shape[1] - expected.shape[1] <= 1024
    inner = slice(3000, 40_000)
    assert np.abs(samples[:, inner] - expected[:, inner]).max() < 0.05


@pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg binary")
@pytest.mark.parametrize(("codec", "container", "depth"), CASES)
def test_another_ffmpeg_decodes_it_without_complaint(tmp_path: Path, codec: str, container: str, depth: int) -> None:
    path = tmp_path / f"clip{SUFFIXES[container]}"
    encode(clip(frames=9), path, Encoding(container, depth, crf_for(codec, 80), {}, codec))
    command = [FFMPEG, "-v", "warning", "-xerror", "-i", path, "-map", "0:v", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0 and len(done.stdout) == 9 * 96 * 64 * 3, done.stderr


@pytest.mark.parametrize("codec", available_codecs())
def test_colours_are_bt709_in_the_limited_range_and_survive(tmp_path: Path, codec: str) -> None:
    container, depth = CODECS[codec].containers[0], bit_depths(codec, software_encoder(codec) or "")[0]
    path = tmp_path / f"colours{SUFFIXES[container]}"
    encode(colours(), path, Encoding(container, depth, crf_for(codec, 100), {}, codec))
    with av.open(str(path)) as file:
        frame = next(file.decode(video=0))
    if not CODECS[codec].is_rgb:
        assert (frame.colorspace, frame.color_range) == (Colorspace.ITU709, ColorRange.MPEG)
        red = list(frame.reformat(format="yuv444p").to_ndarray().mean(axis=(1, 2)))
        assert np.abs(np.array(red) - [63, 102, 240]).max() <= 2  # BT.709's red in 16..235, 16..240
    worst = np.abs(pictures_in(path).mean(axis=(1, 2)) - COLOURS.numpy()).max()
    assert worst < (0.01 if CODECS[codec].is_rgb else 5)


def test_ffv1_loses_nothing_at_any_size(tmp_path: Path) -> None:
    noise = torch.randint(0, 256, (3, 31, 47, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    stream = FrameStream("Noise", 47, 31, 3, Fraction(16), lambda first: iter([noise[first:]]))
    encode(stream, tmp_path / "noise.mkv", Encoding("matroska", 8, None, {}, "ffv1"))
    assert np.array_equal(pictures_in(tmp_path / "noise.mkv"), noise.numpy())


def test_ten_bits_keep_what_eight_lose(tmp_path: Path) -> None:
    ramp = torch.linspace(0.2, 0.3, 512).view(1, 1, 512, 1).expand(1, 32, 512, 3)
    stream = FrameStream("Ramp", 512, 32, 1, Fraction(16), lambda first: iter([ramp]), bit_depth=10)
    levels = {}
    for depth in (8, 10):
        path = tmp_path / f"{depth}.mp4"
        encode(stream, path, Encoding("mp4", depth, 1.0))
        with av.open(str(path)) as file:
            luma = next(file.decode(video=0)).reformat(format="gray16le").to_ndarray()
        levels[depth] = len(np.unique(luma[16]))
    assert levels[10] > 2.5 * levels[8]


@pytest.mark.parametrize("codec", [name for name in available_codecs() if CODECS[name].best is not None])
def test_a_higher_quality_is_a_larger_file(tmp_path: Path, codec: str) -> None:
    noise = torch.randint(0, 256, (8, 16, 24, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    noise = noise.repeat_interleave(4, 1).repeat_interleave(4, 2)
    stream = FrameStream("Noise", 96, 64, 8, Fraction(16), lambda first: iter([noise[first:]]))
    container, depth = CODECS[codec].containers[0], max(bit_depths(codec, software_encoder(codec) or ""))
    sizes = []
    for quality in (10, 60, 100):
        buffer = io.BytesIO()
        encode(stream, buffer, Encoding(container, depth, crf_for(codec, quality), {}, codec))
        sizes.append(len(buffer.getvalue()))
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_the_index_comes_first(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    encode(clip(), path, Encoding(container_for(path, "auto")))
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_sound_stays_within_a_frame_after_sixty_seconds(tmp_path: Path) -> None:
    """A white frame and a click every five seconds, at a rate whose frames do not fit the samples."""
    frames = round(61 * RATE)
    flashes = [round(t * RATE) for t in range(0, 61, 5)]

    def make_chunks(first: int):  # type: ignore[no-untyped-def]
        for start in range(first, frames, 50):
            numbers = range(start, min(start + 50, frames))
            yield torch.stack([torch.full((32, 32, 3), 255 * (number in flashes), dtype=torch.uint8) for number in numbers])

    clicks = torch.zeros(1, 61 * SAMPLE_RATE)
    for flash in flashes:
        at = round(flash / RATE * SAMPLE_RATE)
        clicks[:, at : at + 240] = 0.9
    stream = FrameStream("Flash", 32, 32, frames, RATE, make_chunks, sound=TensorSound(clicks, SAMPLE_RATE))
    path = tmp_path / "flash.mp4"
    encode(stream, path, Encoding(crf=20))
    with av.open(str(path)) as file:
        seen = [float(frame.pts * frame.time_base) for frame in file.decode(video=0) if frame.to_ndarray(format="gray").mean() > 128]
    samples, rate = sound_in(path)
    loud = np.flatnonzero(np.abs(samples[0]) > 0.4) / rate
    heard = [loud[0], *(b for a, b in zip(loud[:-1], loud[1:], strict=True) if b - a > 1)]
    assert len(seen) == len(heard) == len(flashes) and seen[-1] > 59.9
    assert np.abs(np.array(seen) - np.array(heard)).max() < float(1 / RATE)


def test_a_short_sound_is_followed_by_silence_and_a_long_one_cut(tmp_path: Path) -> None:
    for seconds in (0.5, 9.0):
        stream = FrameStream(
            "Test", 48, 32, 32, Fraction(16), lambda first: numbered_chunks(32, first), sound=TensorSound(sine(seconds), SAMPLE_RATE)
        )
        path = tmp_path / f"{seconds}.mov"
        encode(stream, path, Encoding("mov", 10, None, {}, "prores"))
        samples, _ = sound_in(path)
        assert samples.shape[1] == 2 * SAMPLE_RATE
        assert (np.abs(samples[:, 30_000:]).max() < 0.001) == (seconds == 0.5)


@pytest.mark.parametrize(("rate", "channels"), [(11_025, 1), (44_100, 2), (192_000, 2), (50_000, 3), (48_000, 6)])
def test_sounds_of_any_rate_and_channels_are_written(tmp_path: Path, rate: int, channels: int) -> None:
    sound = TensorSound(sine(1.0, channels=channels, sample_rate=rate), rate)
    stream = FrameStream("Test", 48, 32, 16, Fraction(16), lambda first: numbered_chunks(16, first), sound=sound)
    for container, codec in (("mp4", "h264"), ("webm", "vp9"), ("matroska", "ffv1"), ("mov", "prores")):
        path = tmp_path / f"clip{SUFFIXES[container]}"
        encode(stream, path, Encoding(container, bit_depths(codec, software_encoder(codec) or "")[0], None, {}, codec))
        samples, written = sound_in(path)
        assert abs(samples.shape[1] / written - 1) < 0.03
        assert samples.shape[0] == (channels if channels in (1, 2, 6) else 2)
        assert 0.4 < np.abs(samples[:, written // 4 : written // 2]).max() < 0.6


def test_a_full_disk_is_said_so_and_leaves_nothing(tmp_path: Path) -> None:
    class FullDisk(io.BytesIO):
        def write(self, data: object) -> int:  # type: ignore[override]
            raise OSError(errno.ENOSPC, "No space left on device")

    full = FullDisk()
    with pytest.raises(OSError, match="got a full disk; free some space"):
        encode(clip(), full, Encoding("matroska"))
    assert full.getvalue() == b""


def test_what_a_codec_cannot_hold_is_refused(tmp_path: Path) -> None:
    odd = FrameStream("Odd", 47, 32, 1, RATE, lambda first: numbered_chunks(1, first, width=47))
    with pytest.raises(ValueError, match=r"even width and height for h264, got 47x32; .* ffv1"):
        encode(odd, tmp_path / "odd.mp4", Encoding())
    with pytest.raises(ValueError, match="at least 64x64 pixels for h265, got 47x32; enlarge it or choose h264"):
        encode(odd, tmp_path / "odd.mp4", Encoding(codec="h265"))
    with pytest.raises(ValueError, match="expected a bit depth of 10 for prores, got 8"):
        encode(clip(), tmp_path / "clip.mov", Encoding("mov", 8, codec="prores"))
    with pytest.raises(ValueError, match="got 'webm'; choose auto"):
        container_for("clip", "webm", "h264")
    assert list(tmp_path.iterdir()) == []


def test_hardware_is_listed_only_with_an_encoder_that_works() -> None:
    for label, (codec, encoder) in hardware_encoders().items():
        assert label.startswith(codec) and software_encoder(codec)
        context = av.CodecContext.create(encoder, "w")
        assert context.name == encoder and pixel_format(codec, encoder, 8)
    assert hardware_encoders() is hardware_encoders()


def test_greys_of_the_clip_are_what_the_tests_think() -> None:
    assert greys(next(clip().chunks(3))) == list(range(3, 10))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows how each thread is scheduled")
@pytest.mark.parametrize("codec", available_codecs())
def test_no_encoder_makes_real_time_threads(codec: str) -> None:
    """Run by root, SVT-AV1 would; whatever is started afterwards would inherit it and could keep the whole machine from running."""
    before, seen = os.sched_getscheduler(0), set()

    def look(_frames: int) -> None:
        for thread in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                seen.add(os.sched_getscheduler(int(thread.name)))

    encode(
        clip(), io.BytesIO(), Encoding(CODECS[codec].containers[0], bit_depths(codec, software_encoder(codec) or "")[0], codec=codec), look
    )
    assert os.sched_getscheduler(0) == before
    assert seen == {before}
