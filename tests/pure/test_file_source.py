"""Files as streams: every frame once, exact lengths and rates, from any frame on, sound beside them, nothing held."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from rooms.video.encode import Encoding, encode
from rooms.video.file_source import file_stream
from rooms.video.sound import TensorSound
from rooms.video.stream import FrameStream, StageError

NODE = "Spacetime Thing"
FRAMES = 60


def numbered(frames: int = FRAMES, rate: Fraction = Fraction(24), **more: object) -> FrameStream:
    """Frames whose brightness tells their number, three steps each."""

    def make_chunks(first: int):
        for number in range(first, frames):
            yield torch.full((1, 32, 48, 3), (3 * number + 16) / 255)

    return FrameStream("Numbered", 48, 32, frames, rate, make_chunks, **more)  # type: ignore[arg-type]


def numbers(stream: FrameStream, first: int = 0) -> list[int]:
    found = []
    for chunk in stream.chunks(first):
        values = chunk.float().mean(dim=(1, 2, 3)) * (1 if chunk.dtype == torch.uint8 else 255)
        found += [round((value.item() - 16) / 3) for value in values]
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    target = tmp_path_factory.mktemp("files") / "clip.mp4"
    encode(numbered(), target, Encoding(crf=1))
    return str(target)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30000, 1001), Fraction(16), Fraction(24000, 1001), Fraction(60)])
def test_length_rate_and_frames_are_exact(tmp_path: Path, ending: str, rate: Fraction) -> None:
    target = tmp_path / f"clip.{ending}"
    encode(numbered(23, rate), target, Encoding("matroska" if ending == "mkv" else ending, crf=1))
    stream = file_stream(str(target), node=NODE)
    assert (stream.frames, stream.frame_rate, stream.width, stream.height) == (23, rate, 48, 32)
    assert numbers(stream) == list(range(23))


def test_eight_bits_stay_bytes_in_small_chunks(path: str) -> None:
    stream = file_stream(path, node=NODE)
    chunks = list(stream.chunks())
    assert all(chunk.dtype == torch.uint8 and chunk.shape[0] <= 16 for chunk in chunks) and len(chunks) > 2
    assert stream.bit_depth == 8


@pytest.mark.parametrize("first", [0, 1, 7, 12, 13, 31, 59])
def test_reading_may_begin_at_any_frame(path: str, first: int) -> None:
    assert numbers(file_stream(path, node=NODE), first) == list(range(first, FRAMES))


@pytest.mark.parametrize(("window", "expected"), [((0.5, 1.0), range(12, 36)), ((0.49, 0.0), range(12, 60)), ((0.0, 0.25), range(6))])
def test_a_window_holds_the_frames_shown_in_it(path: str, window: tuple[float, float], expected: range) -> None:
    stream = file_stream(path, node=NODE, window=window)
    assert stream.frames == len(expected) and numbers(stream) == list(expected)
    assert numbers(stream, 2) == list(expected)[2:]


def test_a_buffer_is_read_by_two_at_once_and_left_alone(path: str) -> None:
    buffer = io.BytesIO(Path(path).read_bytes())
    buffer.seek(5)
    stream = file_stream(buffer, node=NODE)
    one, other = stream.chunks(), stream.chunks()
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True)) and buffer.tell() == 5


def test_ten_bits_are_kept(tmp_path: Path) -> None:
    ramp = torch.linspace(0.2, 0.3, 1024).view(1, 1, 1024, 1).expand(4, 32, -1, 3)
    stream = FrameStream("Ramp", 1024, 32, 4, Fraction(16), lambda first: iter([ramp[first:]]), bit_depth=10)
    encode(stream, tmp_path / "deep.mp4", Encoding(bit_depth=10, crf=0))
    read = file_stream(str(tmp_path / "deep.mp4"), node=NODE)
    frames = torch.cat(list(read.chunks()))
    assert read.bit_depth == 10 and frames.dtype == torch.float32 and frames.max() <= 1
    assert len(frames[0, 16, :, 1].unique()) > 60  # eight bits have 26 steps there
    assert (frames - ramp).abs().max() < 0.01


def test_a_turned_picture_is_upright(tmp_path: Path) -> None:
    left_to_right = np.zeros((32, 48, 3), np.uint8)
    left_to_right[:, :24] = 200
    source = tmp_path / "turned.mp4"
    with av.open(str(source), "w") as container:
        video = container.add_stream("h264", rate=16)
        video.width, video.height, video.pix_fmt = 48, 32, "yuv420p"
        for _ in range(3):
            container.mux(video.encode(av.VideoFrame.from_ndarray(left_to_right)))
        container.mux(video.encode(None))
    turned = tmp_path / "rotated.mp4"
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 36  # version and flags, then the 3x3 matrix of a version 0 header
    matrix = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    turned.write_bytes(data)
    stream = file_stream(str(turned), node=NODE)
    frame = next(stream.chunks())[0].float()
    assert (stream.width, stream.height) == (32, 48) and frame.shape == (48, 32, 3)
    assert abs(frame[:20].mean() - frame[-20:].mean()) > 150 and abs(frame[:, :14].mean() - frame[:, -14:].mean()) < 5


def test_sound_lies_beside_the_frames(tmp_path: Path) -> None:
    """A click at 1.25 s, in the file and in a window that begins at one second."""
    waveform = torch.zeros(2, 48_000 * 5 // 2)
    waveform[:, 60_000:60_100] = 0.9
    target = tmp_path / "clip.mkv"
    encode(numbered(sound=TensorSound(waveform, 48_000)), target, Encoding("matroska"))
    for window, at in (((0.0, 0.0), 1.25), ((1.0, 1.0), 0.25)):
        stream = file_stream(str(target), node=NODE, window=window)
        assert stream.sound is not None and (stream.sound.channels, stream.sound.sample_rate) == (2, 48_000)
        samples = torch.cat(list(stream.sound.blocks()), dim=1)
        assert abs(samples[0].abs().argmax().item() / 48_000 - at) < 0.01


def test_a_damaged_file_keeps_its_length(path: str, tmp_path: Path) -> None:
    data = bytearray(Path(path).read_bytes())
    begin = data.index(b"mdat") + 600
    data[begin + 200 : begin + 1500] = bytes(1300)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    stream = file_stream(str(broken), node=NODE)
    assert stream.frames == FRAMES
    assert sum(len(chunk) for chunk in stream.chunks()) == FRAMES


def test_files_that_are_none_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        audio = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(audio.encode(frame))
    for name, sentence in (
        ("missing.mp4", "which is not there; choose another file"),
        ("text.mp4", "Spacetime Thing: expected a video file, got 'text.mp4'"),
        ("sound.wav", "Spacetime Thing: expected a file with pictures, got 'sound.wav', which has none"),
    ):
        with pytest.raises(ValueError) as caught:
            file_stream(str(tmp_path / name), node=NODE)
        assert sentence in str(caught.value) and str(caught.value).startswith(NODE) and "\n" not in str(caught.value)


def test_a_trim_behind_the_end_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="expected a trim inside the video"):
        file_stream(path, node=NODE, window=(90.0, 1.0))


def test_a_file_that_vanishes_before_it_is_read(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    encode(numbered(5), target, Encoding())
    stream = file_stream(str(target), node=NODE)
    target.unlink()
    with pytest.raises(StageError, match=r"^Reading 'clip\.mp4': "):
        list(stream.chunks())
