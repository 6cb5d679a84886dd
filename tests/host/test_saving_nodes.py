"""Save Video, Add Audio, Join and Upscale in the host: on its VIDEOs, its AUDIO and its upscaling models."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av
import comfy.model_management
import comfy.model_patcher
import folder_paths
import numpy as np
import pytest
import torch
from comfy.cli_args import args
from comfy_api.latest import InputImpl, Types
from comfy_extras.nodes_upscale_model import ImageUpscaleWithModel
from comfy_extras.nodes_video import SaveVideo
from PIL import Image
from support.clips import SAMPLE_RATE, grey_frames, pictures_in, sine, sound_in, video_packets, write_clip

SETTINGS: dict[str, Any] = {
    "filename_prefix": "clips/test",
    "codec": "auto",
    "container": "auto",
    "quality": 75.0,
    "bit_depth": "auto",
    "contact_sheet": False,
}
SCORE = {
    "start": 0.0,
    "skip": 0.0,
    "loop": False,
    "fade_in": 0.0,
    "fade_out": 0.0,
    "volume": 1.0,
    "existing_sound": "replace",
}
JOIN = {"cross_fade": 0.0, "size": "first", "other_shapes": "fit", "frame_rate": "first"}


@pytest.fixture(scope="module")
def classes(pack: ModuleType) -> dict[str, Any]:
    extension = asyncio.run(pack.comfy_entrypoint())
    return {node.GET_SCHEMA().node_id: node for node in asyncio.run(extension.get_node_list())}


@pytest.fixture(scope="module")
def lazy(pack: ModuleType) -> type:
    return importlib.import_module(f"{pack.__name__}.video.host_video").LazyVideo


@pytest.fixture(autouse=True)
def output(tmp_path: Path) -> Iterator[Path]:
    """Folders of the test's own."""
    before = folder_paths.get_output_directory(), folder_paths.get_temp_directory()
    folder_paths.set_output_directory(str(tmp_path / "output"))
    folder_paths.set_temp_directory(str(tmp_path / "temp"))
    (tmp_path / "output").mkdir()
    yield tmp_path / "output"
    folder_paths.set_output_directory(before[0])
    folder_paths.set_temp_directory(before[1])


@pytest.fixture
def hidden(classes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    holder = SimpleNamespace(prompt={"1": {"class_type": "X"}}, extra_pnginfo={"workflow": {"nodes": []}}, unique_id="1")
    monkeypatch.setattr(classes["SpacetimeSaveVideo"], "hidden", holder)
    monkeypatch.setattr(SaveVideo, "hidden", holder)


@pytest.fixture
def save(classes: dict[str, Any], hidden: None, output: Path) -> Any:
    """Run the node; the path of the video that it says it saved, and all that it says."""

    def run(video: Any, **settings: Any) -> tuple[Path, dict[str, Any]]:
        result = classes["SpacetimeSaveVideo"].execute(video, **{**SETTINGS, **settings})
        assert result.args[0] is video
        (saved,) = [item for item in result.ui["images"] if item["type"] == "output"]
        return output / saved["subfolder"] / saved["filename"], result.ui

    return run


def from_memory(frames: int = 8, size: tuple[int, int] = (96, 64), seconds: float = 0.0, bit_depth: int = 8) -> Any:
    images = grey_frames(range(frames), *size).float() / 255
    audio = {"waveform": sine(seconds)[None], "sample_rate": SAMPLE_RATE} if seconds else None
    return InputImpl.VideoFromComponents(Types.VideoComponents(images=images, audio=audio, frame_rate=Fraction(16)), bit_depth=bit_depth)


def audio(seconds: float = 1.0, hertz: float = 440.0) -> dict[str, Any]:
    return {"waveform": sine(seconds, hertz)[None], "sample_rate": SAMPLE_RATE}


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refused(call: Any, *fragments: str) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    message = str(caught.value)
    assert message.startswith("Spacetime ") and ": expected " in message and ", got " in message and "\n" not in message, message
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize(
    ("codec", "container", "ending", "known_as"),
    [
        ("auto", "auto", ".mp4", "h264"),
        ("h265", "auto", ".mp4", "hevc"),
        ("vp9", "auto", ".webm", "vp9"),
        ("prores", "auto", ".mov", "prores"),
        ("ffv1", "auto", ".mkv", "ffv1"),
        ("auto", "webm", ".webm", "av1"),
        ("h264", "mkv", ".mkv", "h264"),
    ],
)
def test_saves_frames_sound_and_workflow(save: Any, codec: str, container: str, ending: str, known_as: str) -> None:
    path, told = save(from_memory(seconds=0.5), codec=codec, container=container)
    assert path.name == f"test_00001_{ending}" and told["animated"] == (True,)
    with av.open(str(path)) as file:
        assert file.streams.video[0].codec.name.replace("libdav1d", "av1") == known_as
        metadata = {key.lower(): json.loads(value) for key, value in file.metadata.items() if key.lower() in ("prompt", "workflow")}
    assert metadata == {"prompt": {"1": {"class_type": "X"}}, "workflow": {"nodes": []}}
    frames = pictures_in(path)
    assert frames.shape == (8, 64, 96, 3) and np.abs(frames.mean(axis=(1, 2, 3)) - np.arange(8)).max() < 1.5
    samples, rate = sound_in(path)
    assert abs(samples.shape[1] / rate - 0.5) < 0.03


def test_the_workflow_is_embedded_as_the_stock_node_does(save: Any, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = save(from_memory())
    stock = SaveVideo.execute(from_memory(), "clips/stock", "auto", {"codec": "auto"}).ui.as_dict()["images"][0]
    tags = []
    for file in (path, output / stock["subfolder"] / stock["filename"]):
        with av.open(str(file)) as container:
            tags.append({key: container.metadata[key] for key in ("prompt", "workflow")})
    assert tags[0] == tags[1]
    monkeypatch.setattr(args, "disable_metadata", True)
    with av.open(str(save(from_memory())[0])) as container:
        assert "prompt" not in container.metadata and "workflow" not in container.metadata


def test_nothing_is_overwritten(save: Any, output: Path) -> None:
    names = [save(from_memory(2), codec=codec)[0].name for codec in ("h264", "ffv1", "h264")]
    assert names == ["test_00001_.mp4", "test_00002_.mkv", "test_00003_.mp4"]
    assert everything(output) == [f"clips/{name}" for name in names]


def test_what_a_browser_cannot_play_is_shown_as_a_small_copy(save: Any, output: Path) -> None:
    for codec in ("prores", "ffv1", "h265"):
        path, told = save(from_memory(5, (1000, 64)), codec=codec)
        preview, saved = told["images"]
        assert (preview["type"], saved["filename"]) == ("temp", path.name)
        shown = Path(folder_paths.get_temp_directory()) / preview["filename"]
        assert pictures_in(shown).shape == (5, 40, 640, 3)
        with av.open(str(shown)) as file:
            assert file.streams.video[0].format.name == "yuv420p"
    assert len(save(from_memory(5))[1]["images"]) == 1


def test_a_contact_sheet_lies_beside_the_video(save: Any, output: Path) -> None:
    path, told = save(from_memory(30), contact_sheet=True)
    (sheet,) = told["contact_sheet"]
    assert everything(output) == [f"clips/{path.name}", f"clips/{sheet['filename']}"] and sheet["subfolder"] == "clips"
    pixels = np.asarray(Image.open(output / "clips" / sheet["filename"]))
    assert pixels.shape[2] == 3 and abs(int(pixels[100, 100, 0]) - 0) <= 2
    assert save(from_memory(2))[0].name == "test_00002_.mp4"


@pytest.mark.parametrize(("name", "codec"), [("clip.mp4", "libx264"), ("clip.mkv", "libx265"), ("clip.webm", "libvpx-vp9")])
def test_a_file_with_the_asked_codec_is_copied(save: Any, tmp_path: Path, name: str, codec: str) -> None:
    source = write_clip(tmp_path / name, 20, size=(96, 64), codec=codec)
    path, _ = save(InputImpl.VideoFromFile(str(source)))
    assert path.suffix == source.suffix and video_packets(path) == video_packets(source)
    with av.open(str(path)) as file:
        assert "prompt" in {key.lower() for key in file.metadata}


def test_a_file_is_encoded_anew_where_something_changes(save: Any, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", 20, size=(96, 64), hertz=300.0)
    video = InputImpl.VideoFromFile(str(source))
    packets = video_packets(source)
    assert video_packets(save(video, container="mkv")[0])[5:] and video_packets(save(video, codec="h264", container="mov")[0]) == packets
    for change in ({"reencode": True}, {"codec": "vp9"}, {"bit_depth": "10"}):
        path, _ = save(video, **change)
        assert video_packets(path) != packets and len(pictures_in(path)) == 20
        assert abs(sound_in(path)[0].shape[1] / sound_in(path)[1] - 1.25) < 0.03
    trimmed, _ = save(video.as_trimmed(0.5, 0.5, False))
    assert len(pictures_in(trimmed)) == 8 and np.abs(pictures_in(trimmed).mean(axis=(1, 2, 3)) - np.arange(8, 16)).max() < 2


def test_a_lazy_video_is_made_once_for_the_same_settings(save: Any, lazy: type, classes: dict[str, Any], tmp_path: Path) -> None:
    made = classes["SpacetimeUpscale"].execute(from_memory(6), 2.0, 0, 0).args[0]
    first, _ = save(made)
    second, _ = save(made)
    other, _ = save(made, quality=10.0)
    assert video_packets(first) == video_packets(second) != video_packets(other)


@pytest.mark.parametrize("prefix", ["", "  ", "..", "../out", "/etc/passwd", "a/../../b", "x" * 300, "nul\0byte"])
def test_names_that_are_none_are_refused(save: Any, output: Path, prefix: str) -> None:
    refused(lambda: save(from_memory(2), filename_prefix=prefix), "Spacetime Save Video", "use video/spacetime")
    assert everything(output.parent) == []


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ({"codec": "h266"}, "got 'h266'"),
        ({"quality": float("nan")}, "quality of 0 to 100, got nan"),
        ({"quality": 101.0}, "got 101"),
        ({"codec": "prores", "container": "mp4"}, "container that holds prores (mov, mkv), got mp4"),
        ({"codec": "vp9", "bit_depth": "10"}, "bit depth of 8 for vp9, got 10"),
        ({"codec": "prores", "bit_depth": "8"}, "bit depth of 10 for prores, got 8"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(save: Any, output: Path, settings: dict[str, Any], fragment: str) -> None:
    refused(lambda: save(from_memory(2), **settings), "Spacetime Save Video", fragment)
    assert everything(output) == []


def test_sizes_that_a_codec_cannot_hold_are_refused_or_kept_by_one_that_can(save: Any, output: Path) -> None:
    refused(lambda: save(from_memory(2, (95, 64))), "Spacetime Save Video", "got 95x64")
    refused(lambda: save(from_memory(2, (48, 32)), codec="h265"), "Spacetime Save Video", "got 48x32")
    assert pictures_in(save(from_memory(2, (95, 63)), codec="ffv1")[0]).shape == (2, 63, 95, 3)


def test_a_cancel_leaves_no_file(save: Any, output: Path, monkeypatch: pytest.MonkeyPatch, classes: dict[str, Any]) -> None:
    asked = 0

    def cancelled() -> None:
        nonlocal asked
        asked += 1
        if asked > 40:
            raise comfy.model_management.InterruptProcessingException

    video = classes["SpacetimeUpscale"].execute(from_memory(400), 1.5, 0, 0).args[0]
    monkeypatch.setattr(comfy.model_management, "throw_exception_if_processing_interrupted", cancelled)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        save(video)
    assert everything(output) == []


@pytest.mark.parametrize("stock", [True, False])
def test_added_sound_leaves_the_packets_of_a_file_alone(
    classes: dict[str, Any], save: Any, output: Path, tmp_path: Path, stock: bool
) -> None:
    source = write_clip(tmp_path / "clip.mp4", 32, size=(96, 64), hertz=300.0)
    scored = classes["SpacetimeAddAudio"].execute(InputImpl.VideoFromFile(str(source)), audio(9.0), **SCORE).args[0]
    if stock:
        saved = SaveVideo.execute(scored, "clips/stock", "auto", {"codec": "auto"}).ui.as_dict()["images"][0]
        path = output / saved["subfolder"] / saved["filename"]
    else:
        path, _ = save(scored)
    assert video_packets(path) == video_packets(source)
    samples, _ = sound_in(path)
    assert 0 <= samples.shape[1] - 2 * SAMPLE_RATE <= 1024
    assert np.abs(samples[:, 4000:90_000] - sine(2.0).numpy()[:, 4000:90_000]).max() < 0.05
    assert scored.get_components().audio["waveform"].shape == (1, 2, 2 * SAMPLE_RATE)


def test_added_sound_leaves_the_packets_of_a_saved_video_alone(classes: dict[str, Any], save: Any) -> None:
    made = classes["SpacetimeUpscale"].execute(from_memory(16), 1.5, 0, 0).args[0]
    silent, _ = save(made)
    twice = classes["SpacetimeAddAudio"].execute(made, audio(1.0), **SCORE).args[0]
    twice = classes["SpacetimeAddAudio"].execute(twice, audio(1.0, 880.0), **{**SCORE, "existing_sound": "mix"}).args[0]
    path, _ = save(twice)
    assert video_packets(path) == video_packets(silent)
    samples, _ = sound_in(path)
    expected = (sine(1.0) + sine(1.0, 880.0)).numpy()[:, 4000:40_000]
    assert np.abs(samples[:, 4000:40_000] - expected).max() < 0.08
    other, _ = save(twice, quality=20.0)
    assert video_packets(other) != video_packets(silent) and len(sound_in(other)[0]) == 2


def test_a_scored_video_gives_a_file_and_can_be_trimmed(classes: dict[str, Any], tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", 32, size=(96, 64))
    scored = classes["SpacetimeAddAudio"].execute(InputImpl.VideoFromFile(str(source)), audio(2.0), **SCORE).args[0]
    assert video_packets(scored.get_stream_source()) == video_packets(source)
    part = scored.as_trimmed(0.5, 1.0).get_components()
    assert part.images.shape[0] == 16 and part.audio["waveform"].shape[2] == SAMPLE_RATE
    assert torch.equal(part.audio["waveform"][0], sine(2.0)[:, 24_000:72_000])


@pytest.mark.parametrize("what", ["start", "skip", "fade_in", "fade_out", "volume"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_scores_that_are_none_are_refused(classes: dict[str, Any], what: str, value: float) -> None:
    node = classes["SpacetimeAddAudio"]
    refused(lambda: node.execute(from_memory(2), audio(), **{**SCORE, what: value}), "Spacetime Add Audio", what)


def test_sounds_that_are_none_are_refused(classes: dict[str, Any]) -> None:
    node = classes["SpacetimeAddAudio"]
    empty = {"waveform": torch.zeros(1, 2, 0), "sample_rate": SAMPLE_RATE}
    flat = {"waveform": torch.zeros(2, 100), "sample_rate": SAMPLE_RATE}
    for bad in (None, {}, empty, flat):
        refused(lambda bad=bad: node.execute(from_memory(2), bad, **SCORE), "Spacetime Add Audio")  # type: ignore[misc]
    refused(lambda: node.execute(from_memory(16), audio(), **{**SCORE, "start": 5.0}), "a start inside the video of 1 s, got 5 s")


def test_joined_videos_of_every_kind(classes: dict[str, Any], save: Any, tmp_path: Path) -> None:
    file = InputImpl.VideoFromFile(str(write_clip(tmp_path / "clip.mp4", 30, Fraction(24), size=(64, 96), hertz=440.0)))
    videos = {"video10": from_memory(8), "video2": file, "video0": from_memory(16), "video3": None}
    joined = classes["SpacetimeJoin"].execute(videos, **JOIN).args[0]
    assert (joined.get_frame_count(), joined.get_dimensions(), joined.get_frame_rate()) == (16 + 20 + 8, (96, 64), Fraction(16))
    path, _ = save(joined)
    frames = pictures_in(path)
    assert (
        np.abs(frames[:16].mean(axis=(1, 2, 3)) - np.arange(16)).max() < 2
        and np.abs(frames[36:].mean(axis=(1, 2, 3)) - np.arange(8)).max() < 2
    )
    middle = frames[16:36].astype(float)
    assert middle[:, :, :20].max() < 4 and np.abs(middle[:, :, 40:56].mean(axis=(1, 2, 3)) - np.arange(20) * 1.5).max() < 3
    samples, rate = sound_in(path)
    assert abs(samples.shape[1] / rate - 44 / 16) < 0.03
    assert np.abs(samples[:, : rate - 2000]).max() < 0.01 < 0.4 < np.abs(samples[:, rate + 2000 : 2 * rate]).max()
    largest = classes["SpacetimeJoin"].execute(
        {"video0": from_memory(2), "video1": from_memory(2, (201, 101))}, **{**JOIN, "size": "largest"}
    )
    assert largest.args[0].get_dimensions() == (202, 102)
    fastest = classes["SpacetimeJoin"].execute({"video0": from_memory(8), "video1": file}, **{**JOIN, "frame_rate": "highest"}).args[0]
    assert (fastest.get_frame_rate(), fastest.get_frame_count()) == (Fraction(24), 12 + 30)


@pytest.mark.parametrize(
    ("videos", "settings", "fragment"),
    [
        ({}, {}, "at least one video, got none"),
        ({"video0": None}, {}, "at least one video, got none"),
        ({"video0": 5}, {}, "expected a VIDEO, got int"),
        ({"video0": "a", "video1": "b"}, {"cross_fade": 9.0}, "shorten the cross-fade"),
        ({"video0": "a", "video1": "b"}, {"cross_fade": -1.0}, "cross_fade from 0"),
        ({"video0": "a"}, {"size": "smallest"}, "got 'smallest'"),
    ],
)
def test_joins_that_are_none_are_refused(classes: dict[str, Any], videos: dict[str, Any], settings: dict[str, Any], fragment: str) -> None:
    given = {name: from_memory(4) if isinstance(value, str) else value for name, value in videos.items()}
    refused(lambda: classes["SpacetimeJoin"].execute(given, **{**JOIN, **settings}), "Spacetime Join", fragment)


class TinyUpscaler:
    """What Load Upscale Model gives: a network with a scale, in a patcher."""

    def __init__(self, scale: int, fail_above: int | None = None) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 3 * scale**2, 3, padding=1),
            torch.nn.PixelShuffle(scale),
        ).eval()
        self.scale = scale
        self.sides: list[int] = []
        self._fail_above = fail_above
        cpu = torch.device("cpu")
        self.patcher = comfy.model_patcher.CoreModelPatcher(self.model, load_device=cpu, offload_device=cpu)

    def __call__(self, tile: torch.Tensor) -> torch.Tensor:
        self.sides.append(max(tile.shape[2:]))
        if self._fail_above and self.sides[-1] > self._fail_above:
            raise comfy.model_management.OOM_EXCEPTION("out of memory")
        with torch.no_grad():
            return self.model(tile) * 0.3 + 0.5


def noise(frames: int, width: int, height: int) -> Any:
    images = torch.rand(frames, height, width, 3, generator=torch.Generator().manual_seed(0))
    return InputImpl.VideoFromComponents(Types.VideoComponents(images=images, frame_rate=Fraction(16)))


def test_a_model_makes_what_the_stock_node_makes(classes: dict[str, Any]) -> None:
    video, model = noise(3, 530, 40), TinyUpscaler(2)
    stock = ImageUpscaleWithModel.execute(model, video.get_components().images).args[0]
    large = classes["SpacetimeUpscale"].execute(video, 0.0, 0, 0, model).args[0]
    assert large.get_dimensions() == (1060, 80)
    torch.testing.assert_close(large.get_components().images, stock.float().cpu(), atol=1e-6, rtol=0)


def test_tiles_are_halved_once_where_memory_is_short(classes: dict[str, Any]) -> None:
    video, model = noise(2, 300, 20), TinyUpscaler(2, fail_above=256)
    large = classes["SpacetimeUpscale"].execute(video, 0.0, 0, 0, model).args[0].get_components().images
    assert model.sides.count(300) == 1 and max(model.sides[1:]) == 256  # remembered for the second frame
    whole = ImageUpscaleWithModel.execute(TinyUpscaler(2), video.get_components().images).args[0]
    assert (large - whole).abs().max() < 0.02
    with pytest.raises(Exception, match="out of memory"):
        classes["SpacetimeUpscale"].execute(video, 0.0, 0, 0, TinyUpscaler(2, fail_above=64)).args[0].get_components()


def test_a_model_and_another_size(classes: dict[str, Any]) -> None:
    large = classes["SpacetimeUpscale"].execute(noise(2, 48, 32), 2.0, 0, 0, TinyUpscaler(4)).args[0]
    assert large.get_components().images.shape == (2, 64, 96, 3)


def test_without_a_model_it_is_lanczos_at_the_videos_depth(classes: dict[str, Any]) -> None:
    picture = noise(1, 48, 32).get_components().images
    eight = classes["SpacetimeUpscale"].execute(noise(1, 48, 32), 2.0, 0, 0).args[0].get_components().images
    expected = Image.fromarray((picture[0] * 255).round().to(torch.uint8).numpy()).resize((96, 64), Image.Resampling.LANCZOS)
    assert torch.equal((eight[0] * 255).round().to(torch.uint8), torch.from_numpy(np.asarray(expected).copy()))
    ramp = torch.linspace(0.4, 0.41, 64).view(1, 1, 64, 1).expand(1, 32, 64, 3)
    deep = InputImpl.VideoFromComponents(Types.VideoComponents(images=ramp, frame_rate=Fraction(16)), bit_depth=10)
    large = classes["SpacetimeUpscale"].execute(deep, 2.0, 0, 0).args[0]
    assert large.get_bit_depth() == 10 and len(large.get_components().images.unique()) > 100


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [((-1.0, 0, 0), "factor of 0 to 16"), ((2.0, -5, 0), "width of 0"), ((2.0, 0, 99_999), "height of 0"), ((16.0, 0, 0), "16384 pixels")],
)
def test_sizes_that_are_none_are_refused(classes: dict[str, Any], settings: tuple, fragment: str) -> None:
    refused(lambda: classes["SpacetimeUpscale"].execute(from_memory(1, (1100, 32)), *settings), "Spacetime Upscale", fragment)


def test_a_failing_model_is_named_and_leaves_no_file(classes: dict[str, Any], save: Any, output: Path) -> None:
    model = TinyUpscaler(2)
    model.model = None  # type: ignore[assignment]
    video = classes["SpacetimeUpscale"].execute(noise(2, 48, 32), 0.0, 0, 0, model).args[0]
    with pytest.raises(RuntimeError, match=r"^Spacetime Upscale: "):
        save(video)
    assert everything(output) == []
