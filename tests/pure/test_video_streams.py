"""Frames are made when they are pulled, written as they come, and a file appears only when it is whole."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import weakref
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rooms.video.encode import Encoding, container_for, encode
from rooms.video.stream import FrameStream, StageError, frame_rate

RATE = Fraction(16)
ROOT = Path(__file__).parents[2]


class Counter:
    """A stream of numbered grey frames that counts how many were made and whether it was ended early."""

    def __init__(self, frames: int, chunk: int = 4, fail_at: int | None = None) -> None:
        self.frames, self.chunk, self.fail_at = frames, chunk, fail_at
        self.made = 0
        self.closed = 0

    def stream(self) -> FrameStream:
        return FrameStream("Counter", width=48, height=32, frames=self.frames, frame_rate=RATE, make_chunks=self._chunks)

    def _chunks(self, first: int = 0) -> Iterator[torch.Tensor]:
        try:
            for start in range(first, self.frames, self.chunk):
                if self.fail_at is not None and start >= self.fail_at:
                    raise RuntimeError("the middle of the stream is broken")
                count = min(self.chunk, self.frames - start)
                self.made += count
                numbers = torch.arange(start, start + count).float().view(-1, 1, 1, 1)
                yield (numbers / 255).expand(-1, 32, 48, 3).clone()
        finally:
            self.closed += 1


def numbers(stream: FrameStream) -> list[int]:
    return [round(frame.mean().item() * 255) for chunk in stream.chunks() for frame in chunk]


def decoded(source: Path | io.BytesIO) -> np.ndarray:
    with av.open(str(source) if isinstance(source, Path) else source) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_nothing_is_made_before_it_is_pulled() -> None:
    counter = Counter(33)
    stream = counter.stream()
    assert (stream.frames, stream.duration, counter.made) == (33, 33 / 16, 0)
    next(stream.chunks())
    assert counter.made == 4


@given(st.integers(1, 60), st.floats(-5, 5), st.floats(0, 5), st.integers(1, 9))
@settings(deadline=None)
def test_trimming_keeps_the_frames_shown_in_that_time(frames: int, start: float, duration: float, chunk: int) -> None:
    stream = Counter(frames, chunk).stream()
    begin = max(frames / 16 + start, 0.0) if start < 0 else start
    times = [frame / 16 for frame in range(frames)]
    tolerance = 1e-3 / 16
    expected = [i for i, t in enumerate(times) if t >= begin - tolerance and (not duration or t < begin + duration - tolerance)]
    trimmed = stream.trimmed(start, duration)
    assert (numbers(trimmed) if trimmed else []) == expected
    assert (trimmed.frames if trimmed else 0) == len(expected)


def test_a_trimmed_stream_stops_making_frames_after_its_end() -> None:
    counter = Counter(400)
    trimmed = counter.stream().trimmed(0.5, 0.5)
    assert trimmed is not None and numbers(trimmed) == list(range(8, 16))
    assert counter.made == 8 and counter.closed == 1  # it begins where the trim begins


@pytest.mark.parametrize(
    ("fps", "exact"), [(16, Fraction(16)), (29.97, Fraction(2997, 100)), (23.976, Fraction(2997, 125)), (0.5, Fraction(1, 2))]
)
def test_frame_rates_are_exact_fractions(fps: float, exact: Fraction) -> None:
    assert frame_rate(fps, "Node") == exact


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1001])
def test_frame_rates_that_are_none(fps: float) -> None:
    with pytest.raises(ValueError, match=r"^Node: expected an fps above 0"):
        frame_rate(fps, "Node")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv"])
def test_every_frame_arrives_in_the_file(tmp_path: Path, name: str) -> None:
    seen: list[int] = []
    encode(Counter(33).stream(), tmp_path / name, Encoding(container_for(tmp_path / name, "auto"), crf=1), seen.append)
    frames = decoded(tmp_path / name)
    assert frames.shape == (33, 32, 48, 3)
    assert np.abs(frames.mean(axis=(1, 2, 3)) - np.arange(33)).max() < 2
    assert seen == [4, 8, 12, 16, 20, 24, 28, 32, 33]
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].average_rate == RATE
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_metadata_and_ten_bits(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    encode(Counter(5).stream(), path, Encoding(bit_depth=10, metadata={"prompt": {"1": {"a": 2}}}))
    with av.open(str(path)) as container:
        assert container.streams.video[0].format.name == "yuv420p10le"
        assert container.metadata["prompt"] == '{"1": {"a": 2}}'


def test_a_lower_crf_is_a_larger_file(tmp_path: Path) -> None:
    noise = torch.rand(9, 32, 48, 3, generator=torch.Generator().manual_seed(0))
    stream = FrameStream("Noise", 48, 32, 9, RATE, lambda first: iter(noise[first:].split(3)))
    for crf in (0, 40):
        encode(stream, tmp_path / f"{crf}.mp4", Encoding(crf=crf))
    assert (tmp_path / "0.mp4").stat().st_size > 2 * (tmp_path / "40.mp4").stat().st_size


def test_colours_survive(tmp_path: Path) -> None:
    colours = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0], [0.5, 0.25, 0.75]])
    frames = colours[:, None, None, :].expand(-1, 32, 48, 3)
    encode(FrameStream("Colours", 48, 32, 6, RATE, lambda first: iter([frames[first:]])), tmp_path / "c.mp4", Encoding(crf=1))
    assert np.abs(decoded(tmp_path / "c.mp4").mean(axis=(1, 2)) - colours.numpy() * 255).max() < 6


def test_no_more_than_two_chunks_exist_at_a_time(tmp_path: Path) -> None:
    counter = Counter(200)
    alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    most = 0

    def make_chunks(first: int) -> Iterator[torch.Tensor]:
        nonlocal most
        for chunk in counter.stream().chunks(first):
            alive.add(chunk)
            most = max(most, len(alive))
            yield chunk
            del chunk

    encode(FrameStream("Watched", 48, 32, 200, RATE, make_chunks), tmp_path / "clip.mp4", Encoding())
    assert counter.made == 200 and 1 <= most <= 2


def test_an_error_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    counter = Counter(400, fail_at=40)
    with pytest.raises(RuntimeError, match="broken"):
        encode(counter.stream(), tmp_path / "clip.mp4", Encoding())
    assert list(tmp_path.iterdir()) == [] and counter.closed == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, BaseException])
def test_an_interruption_leaves_no_file_and_keeps_an_older_one(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupt(frames: int) -> None:
        if frames >= 12:
            raise error

    path = tmp_path / "clip.mp4"
    path.write_bytes(b"an older clip")
    counter = Counter(400)
    with pytest.raises(error):
        encode(counter.stream(), path, Encoding(), interrupt)
    assert counter.made == 12
    assert [found.name for found in tmp_path.iterdir()] == ["clip.mp4"] and path.read_bytes() == b"an older clip"


def test_a_buffer_is_as_it_was_after_an_error() -> None:
    buffer = io.BytesIO(b"header")
    buffer.seek(6)
    with pytest.raises(RuntimeError, match="broken"):
        encode(Counter(40, fail_at=20).stream(), buffer, Encoding())
    assert buffer.getvalue() == b"header"


def test_a_buffer_holds_the_clip() -> None:
    buffer = io.BytesIO()
    encode(Counter(9).stream(), buffer, Encoding())
    buffer.seek(0)
    assert len(decoded(buffer)) == 9


def test_odd_sizes_and_unknown_formats_are_refused(tmp_path: Path) -> None:
    odd = FrameStream("Odd", 47, 32, 1, RATE, lambda first: iter([torch.zeros(1, 32, 47, 3)]))
    with pytest.raises(ValueError, match=r"even width and height.*got 47x32"):
        encode(odd, tmp_path / "odd.mp4", Encoding())
    with pytest.raises(ValueError, match="got 'avi'"):
        container_for("clip.mp4", "avi")
    with pytest.raises(ValueError, match=r"got '\.gif'"):
        container_for("clip.gif", "auto")


def passing(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
    yield from chunks


def chained(stream: FrameStream, stages: int, faulty: int | None = None, fault: type[BaseException] = ArithmeticError) -> FrameStream:
    """`stream` through so many stages that add nothing; number `faulty` fails at its third chunk."""

    def failing(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        for number, chunk in enumerate(chunks):
            if number == 2:
                raise fault("it is too much")
            yield chunk

    for number in range(stages):
        stream = stream.then(f"Stage {number}", failing if number == faulty else passing)
    return stream


def test_twenty_stages_pass_every_frame_and_are_all_closed(tmp_path: Path) -> None:
    counter = Counter(33)
    stream = chained(counter.stream(), 20)
    assert numbers(stream) == list(range(33)) and counter.closed == 1
    assert [stage.name for stage in stream.chain()] == ["Counter", *(f"Stage {number}" for number in range(20))]
    encode(stream, tmp_path / "clip.mp4", Encoding())
    assert len(decoded(tmp_path / "clip.mp4")) == 33 and counter.closed == 2


@pytest.mark.parametrize("faulty", range(0, 20, 3))
def test_a_fault_in_any_stage_names_it_closes_all_and_leaves_no_file(tmp_path: Path, faulty: int) -> None:
    counter = Counter(400)
    with pytest.raises(StageError, match=f"^Stage {faulty}: it is too much$"):
        encode(chained(counter.stream(), 20, faulty), tmp_path / "clip.mp4", Encoding())
    assert counter.closed == 1 and counter.made == 12 and list(tmp_path.iterdir()) == []


def test_a_fault_that_already_says_where_is_told_once() -> None:
    def failing(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        yield from ()
        raise ValueError("Spacetime Thing: expected more; do less")

    with pytest.raises(StageError, match=r"^Spacetime Thing: expected more; do less$"):
        numbers(Counter(4).stream().then("Spacetime Thing", failing))


def test_a_reader_that_stops_early_closes_every_stage() -> None:
    counter = Counter(400)
    with contextlib.closing(chained(counter.stream(), 5).chunks()) as chunks:
        next(chunks)
    assert counter.closed == 1 and counter.made == 4


def test_a_full_disk_is_one_sentence_and_leaves_no_file(tmp_path: Path) -> None:
    """A limit on the size of files, in a process of its own, is to the writer what a full disk is."""
    script = tmp_path / "fill.py"
    script.write_text(FILL_THE_DISK, encoding="utf-8")
    folder = tmp_path / "out"
    folder.mkdir()
    done = subprocess.run([sys.executable, str(script), str(ROOT), str(folder)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("stopped") and list(folder.iterdir()) == [], done.stdout


FILL_THE_DISK = """
import errno, resource, signal, sys
sys.path.insert(0, sys.argv[1] + "/tests")
import conftest  # noqa: F401 (makes `rooms` importable)
import torch
from fractions import Fraction
from pathlib import Path
from rooms.video.encode import Encoding, encode
from rooms.video.stream import FrameStream
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = torch.rand(40, 64, 64, 3)
stream = FrameStream("Noise", 64, 64, 40, Fraction(16), lambda first: iter(noise[first:].split(4)))
try:
    encode(stream, Path(sys.argv[2]) / "clip.mp4", Encoding(crf=0))
except OSError as error:
    print("stopped", error)
"""
