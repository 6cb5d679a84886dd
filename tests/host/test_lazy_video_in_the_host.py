"""A lazy VIDEO behind the host's own video nodes, and the host's videos as streams: sound, depth, errors, cancel, one bar."""

from __future__ import annotations

import importlib
import io
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av
import comfy.model_management
import comfy.utils
import folder_paths
import pytest
import server
import torch
from comfy_api.latest import InputImpl
from comfy_execution.utils import CurrentNodeContext
from comfy_extras.nodes_video import GetVideoComponents, SaveVideo, VideoSlice

RATE = Fraction(24)
SAMPLE_RATE = 8000
WORKER = "spacetime-frames"


@pytest.fixture(scope="module")
def rooms(pack: ModuleType) -> SimpleNamespace:
    names = ("host_video", "host_progress", "stream", "sound", "preflight")
    return SimpleNamespace(**{name: importlib.import_module(f"{pack.__name__}.video.{name}") for name in names})


@pytest.fixture(autouse=True)
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's folders for results and temporary files, for this test alone."""
    folder = tmp_path / "output"
    folder.mkdir()
    monkeypatch.setattr(folder_paths, "output_directory", str(folder))
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path / "temp"))
    return folder


class Film:
    """A stream of numbered grey frames with a click at 0.5 s, that counts what was made and how often it was closed."""

    def __init__(
        self, rooms: SimpleNamespace, frames: int = 48, sound: bool = True, on_frame: Callable[[int], None] = lambda n: None
    ) -> None:
        self.made: list[int] = []
        self.closed = 0
        waveform = torch.zeros(2, round(frames / RATE * SAMPLE_RATE))
        waveform[:, SAMPLE_RATE // 2 : SAMPLE_RATE // 2 + 40] = 0.8

        def make_chunks(first: int) -> Iterator[torch.Tensor]:
            try:
                for number in range(first, frames, 4):
                    on_frame(number)
                    self.made.append(number)
                    numbers = torch.arange(number, min(number + 4, frames)).view(-1, 1, 1, 1)
                    yield ((3 * numbers + 16) / 255).expand(-1, 32, 48, 3).clone()
            finally:
                self.closed += 1

        track = rooms.sound.TensorSound(waveform, SAMPLE_RATE)
        self.stream = rooms.stream.FrameStream("Film", 48, 32, frames, RATE, make_chunks, sound=track)
        self.video = rooms.host_video.LazyVideo(self.stream)


def numbers(images: torch.Tensor) -> list[int]:
    return [round((frame.mean().item() * 255 - 16) / 3) for frame in images]


def click(audio: dict[str, Any]) -> float:
    return audio["waveform"][0, 0].abs().argmax().item() / audio["sample_rate"]


def save(video: Any, prefix: str = "clip") -> Any:
    node = SaveVideo.PREPARE_CLASS_CLONE(None)
    return node.execute(video, prefix, "auto", {"codec": "auto"})


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == WORKER]


def test_stock_save_video_writes_frames_and_sound(rooms: SimpleNamespace, output: Path) -> None:
    film = Film(rooms)
    save(film.video)
    assert files(output) == ["clip_00001_.mp4"]
    saved = InputImpl.VideoFromFile(str(output / "clip_00001_.mp4")).get_components()
    assert saved.frame_rate == RATE and numbers(saved.images) == list(range(48))
    assert abs(click(saved.audio) - 0.5) < 1 / 24
    assert film.closed == 1 and workers() == []


def test_stock_save_video_twice_makes_the_frames_once(rooms: SimpleNamespace, output: Path) -> None:
    film = Film(rooms)
    save(film.video)
    save(film.video)
    assert files(output) == ["clip_00001_.mp4", "clip_00002_.mp4"] and film.made == list(range(0, 48, 4))
    one, two = (InputImpl.VideoFromFile(str(output / name)).get_components() for name in files(output))
    assert torch.equal(one.images, two.images) and torch.equal(one.audio["waveform"], two.audio["waveform"])


def test_stock_get_video_components_gives_images_sound_and_rate(rooms: SimpleNamespace) -> None:
    images, audio, fps, bit_depth = GetVideoComponents.execute(Film(rooms).video).args
    assert images.shape == (48, 32, 48, 3) and images.dtype == torch.float32 and numbers(images) == list(range(48))
    assert (fps, bit_depth, audio["sample_rate"]) == (24.0, 8, SAMPLE_RATE)
    assert audio["waveform"].shape == (1, 2, 2 * SAMPLE_RATE) and abs(click(audio) - 0.5) < 1e-3


def test_stock_trim_video_trims_frames_and_sound(rooms: SimpleNamespace, output: Path) -> None:
    film = Film(rooms)
    (trimmed,) = VideoSlice.execute(film.video, 0.25, 1.0, False).args
    images, audio, _, _ = GetVideoComponents.execute(trimmed).args
    assert numbers(images) == list(range(6, 30)) and abs(click(audio) - 0.25) < 1e-3
    assert audio["waveform"].shape[2] == SAMPLE_RATE
    save(trimmed)
    saved = InputImpl.VideoFromFile(str(output / "clip_00001_.mp4")).get_components()
    assert numbers(saved.images) == list(range(6, 30)) and abs(click(saved.audio) - 0.25) < 1 / 24
    with pytest.raises(ValueError, match="Failed to slice"):
        VideoSlice.execute(film.video, 1.5, 1.0, True)


def test_whoever_asks_for_a_file_gets_one_and_it_is_made_once(rooms: SimpleNamespace, tmp_path: Path) -> None:
    film = Film(rooms)
    path = film.video.get_stream_source()
    assert Path(path).parent == tmp_path / "temp" and film.video.get_stream_source() == path
    assert film.video.get_container_format() == "mov,mp4,m4a,3gp,3g2,mj2" and film.made == list(range(0, 48, 4))
    with av.open(path) as container:
        assert container.streams.video[0].frames == 48


def test_the_file_that_was_saved_tells_its_format(rooms: SimpleNamespace, output: Path) -> None:
    video = Film(rooms).video
    video.save_to(str(output / "clip.mkv"))
    with av.open(str(output / "clip.mkv")) as container:
        assert video.get_container_format() == container.format.name


def test_a_deep_stream_is_ten_bits_everywhere(rooms: SimpleNamespace, output: Path) -> None:
    video = rooms.host_video.LazyVideo(replace(Film(rooms).stream, bit_depth=16))
    assert video.get_bit_depth() == 10
    save(video)
    assert InputImpl.VideoFromFile(str(output / "clip_00001_.mp4")).get_bit_depth() == 10


def as_host_videos(rooms: SimpleNamespace, folder: Path) -> dict[str, Any]:
    """The same film as every kind of VIDEO that the host has."""
    path = str(folder / "film.mp4")
    Film(rooms).video.save_to(path, crf=1.0)
    components = Film(rooms).video.get_components()
    return {
        "lazy": Film(rooms).video,
        "file": InputImpl.VideoFromFile(path),
        "buffer": InputImpl.VideoFromFile(io.BytesIO(Path(path).read_bytes())),
        "components": InputImpl.VideoFromComponents(components),
    }


@pytest.mark.parametrize("kind", ["lazy", "file", "buffer", "components"])
def test_every_video_of_the_host_is_a_stream(rooms: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    stream = rooms.host_video.stream_of(as_host_videos(rooms, tmp_path)[kind], "Spacetime Thing")
    assert (stream.width, stream.height, stream.frames, stream.frame_rate) == (48, 32, 48, RATE)
    for first in (0, 5):
        assert numbers(rooms.stream.as_float(torch.cat(list(stream.chunks(first))))) == list(range(first, 48))
    samples = torch.cat(list(stream.sound.blocks()), dim=1)
    assert abs(samples[0].abs().argmax().item() / stream.sound.sample_rate - 0.5) < 1 / 24


@pytest.mark.parametrize("window", [(0.25, 1.0), (0.5, 0.0), (-0.5, 0.25), (0.26, 0.5)])
def test_a_trimmed_file_is_the_frames_that_the_host_shows_of_it(
    rooms: SimpleNamespace, tmp_path: Path, window: tuple[float, float]
) -> None:
    trimmed = as_host_videos(rooms, tmp_path)["file"].as_trimmed(*window, strict_duration=False)
    stream = rooms.host_video.stream_of(trimmed, "Spacetime Thing")
    components = trimmed.get_components()
    assert numbers(rooms.stream.as_float(torch.cat(list(stream.chunks())))) == numbers(components.images)
    assert stream.frames == len(components.images)
    samples = torch.cat(list(stream.sound.blocks()), dim=1)
    if components.audio["waveform"].abs().max() > 0.3:
        assert abs(samples[0].abs().argmax().item() / stream.sound.sample_rate - click(components.audio)) < 1 / 24


def test_frames_of_a_file_are_the_hosts_frames(rooms: SimpleNamespace, tmp_path: Path) -> None:
    noise = torch.rand(6, 4, 8, 3, generator=torch.Generator().manual_seed(0))
    noise = torch.nn.functional.interpolate(noise.movedim(-1, 1), scale_factor=32, mode="bilinear").movedim(1, -1)[:, :, :250]
    rooms.host_video.LazyVideo(rooms.stream.FrameStream("Noise", 250, 128, 6, RATE, lambda first: iter(noise[first:].split(2)))).save_to(
        str(tmp_path / "noise.mp4"), crf=5.0
    )
    file = InputImpl.VideoFromFile(str(tmp_path / "noise.mp4"))
    ours = rooms.stream.as_float(torch.cat(list(rooms.host_video.stream_of(file, "Thing").chunks())))
    assert (ours - file.get_components().images).abs().max() < 0.51 / 255
    assert (ours - noise).abs().mean() < 0.01  # and the colours are the ones that were saved


def test_what_is_no_video_is_refused(rooms: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match=r"^Spacetime Thing: expected a VIDEO, got str; connect Load Video"):
        rooms.host_video.stream_of("clip.mp4", "Spacetime Thing")


def test_a_fault_names_its_stage_and_leaves_nothing(rooms: SimpleNamespace, output: Path) -> None:
    def fail_late(number: int) -> None:
        if number >= 24:
            raise ArithmeticError("it is too much")

    film = Film(rooms, on_frame=fail_late)
    with pytest.raises(RuntimeError, match=r"^Film: it is too much$"):
        save(film.video)
    assert files(output) == [] and film.closed == 1 and workers() == []


@pytest.mark.parametrize("stage", range(0, 21, 5))
def test_a_cancel_in_any_stage_of_twenty_ends_the_save(rooms: SimpleNamespace, output: Path, stage: int) -> None:
    film = Film(rooms, frames=4000)

    def cancelling(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        for number, chunk in enumerate(chunks):
            if number == 3:
                comfy.model_management.interrupt_current_processing()
            yield chunk

    def passing(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        yield from chunks

    stream = film.stream
    for number in range(21):
        stream = stream.then(f"Stage {number}", cancelling if number == stage else passing)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        save(rooms.host_video.LazyVideo(stream))
    assert files(output) == [] and film.closed == 1 and len(film.made) < 20 and workers() == []
    assert not comfy.model_management.processing_interrupted()
    save(Film(rooms).video)  # the next job is not touched by it
    assert files(output) == ["clip_00001_.mp4"]


def test_a_pull_is_one_bar_and_tells_frames_a_second_and_the_slowest_stage(rooms: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    lines: list[tuple[str, str]] = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda value, total, preview, node_id=None: seen.append((value, total)))
    page = SimpleNamespace(client_id="page", send_progress_text=lambda text, node, sid: lines.append((text, node)))
    monkeypatch.setattr(server.PromptServer, "instance", page, raising=False)
    with CurrentNodeContext("prompt", "7"):
        save(Film(rooms, on_frame=lambda number: threading.Event().wait(0.02)).video)
    assert seen[-1] == (48, 48) and {total for _, total in seen} == {48}
    assert [value for value, _ in seen] == sorted(value for value, _ in seen)
    text, node = lines[-1]
    assert node == "7" and text.startswith("48 of 48 frames, ") and text.endswith(" frames/s, slowest: Film")


def test_a_process_without_the_web_server_does_not_load_it_to_tell_a_line(
    rooms: SimpleNamespace, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "server")
    with CurrentNodeContext("prompt", "7"):
        save(Film(rooms).video)
    assert files(output) == ["clip_00001_.mp4"] and "server" not in sys.modules


def test_what_cannot_fit_is_refused_before_a_frame_is_made(
    rooms: SimpleNamespace, output: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    film = Film(rooms)
    caplog.set_level("INFO")
    monkeypatch.setattr(rooms.preflight, "available_ram", lambda: 1000)
    with pytest.raises(ValueError, match=r"^Film: expected .* of free memory for 48 frames of 48x32, got 0 MB; "):
        save(film.video)
    with pytest.raises(ValueError, match=r"^Film: expected .* of free memory"):
        film.video.get_components()
    monkeypatch.undo()
    monkeypatch.setattr(rooms.preflight, "free_disk", lambda target: 10)
    with pytest.raises(ValueError, match=r"^Film: expected .* of free disk"):
        film.video.save_to(str(output / "clip.mp4"))
    assert film.made == [] and files(output) == []
    assert any("will take about" in record.getMessage() for record in caplog.records)
