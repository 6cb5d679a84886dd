"""Spacetime Interpolate and its loader in the host: equal to the host's own node, models shared both ways, refusals, a saved file."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import comfy.model_management
import comfy.model_patcher
import folder_paths
import pytest
import torch
from comfy_api.latest import InputImpl, Types
from comfy_extras.frame_interpolation_models.ifnet import IFNet as HostIFNet
from comfy_extras.nodes_frame_interpolation import FrameInterpolate, FrameInterpolationModelLoader
from safetensors.torch import save_file
from support.compare import PARITY, relative_error
from support.plain_rife import PUBLISHED, checkpoint, interpolate
from torch.nn import functional as F

NODE = "Spacetime Interpolate"
LOADER = "Load Interpolation Model"
RATE = 1000


@pytest.fixture(scope="module")
def room(pack: ModuleType) -> ModuleType:
    return importlib.import_module(f"{pack.__name__}.video.host_interpolate")


@pytest.fixture(scope="module")
def loader(pack: ModuleType) -> ModuleType:
    return importlib.import_module(f"{pack.__name__}.model_loaders.interpolation")


@pytest.fixture
def float32(room: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is fastest on this machine, compute in float32."""
    monkeypatch.setattr(room, "fastest_cpu_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of interpolation models that the host knows."""
    path = tmp_path_factory.mktemp("frame_interpolation")
    folder_paths.add_model_folder_path("frame_interpolation", str(path))
    yield path
    folder_paths.folder_names_and_paths["frame_interpolation"][0].remove(str(path))


def random_model(loader: ModuleType, path: Path, version: str) -> Any:
    save_file(checkpoint(PUBLISHED[version], "module.", random=True), path / "random.safetensors")
    return loader.load_interpolation(path / "random.safetensors")


def images(frames: int = 3, height: int = 60, width: int = 90) -> torch.Tensor:
    """A smooth picture that moves [n, H, W, 3] float32."""
    generator = torch.Generator().manual_seed(3)
    picture = F.interpolate(torch.rand(1, 3, 9, 13, generator=generator), size=(height, width), mode="bilinear")[0].movedim(0, -1)
    return torch.stack([picture.roll((number, 2 * number), (0, 1)) for number in range(frames)])


def video(frames: torch.Tensor | None = None, rate: Fraction = Fraction(24), seconds: float = 0.0) -> Any:
    """A stock VIDEO in memory, with a tone of `seconds`."""
    tone = torch.sin(torch.arange(int(seconds * RATE)) / 5).view(1, 1, -1)
    audio = {"waveform": tone, "sample_rate": RATE} if seconds else None
    return InputImpl.VideoFromComponents(Types.VideoComponents(images=images() if frames is None else frames, audio=audio, frame_rate=rate))


def frames_of(made: Any) -> torch.Tensor:
    return made.get_components().images


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(ValueError) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("multiplier", [2, 4])
def test_it_is_what_the_hosts_node_makes(room: ModuleType, loader: ModuleType, tmp_path: Path, float32: None, multiplier: int) -> None:
    tensors = checkpoint(PUBLISHED["4.25"], "module.", random=True)
    save_file(tensors, tmp_path / "random.safetensors")
    hosts = comfy.model_patcher.CoreModelPatcher(
        FrameInterpolationModelLoader._detect_and_load(tensors).eval(), torch.device("cpu"), torch.device("cpu")
    )
    (expected,) = FrameInterpolate.execute(hosts, images(), multiplier).args
    for model in (hosts, loader.load_interpolation(tmp_path / "random.safetensors")):
        made = frames_of(room.interpolate_video(video(), multiplier=multiplier, model=model, cut_threshold=1.0))
        assert made.shape[0] == 3 * multiplier
        assert relative_error(made[: expected.shape[0]], expected) <= PARITY
        assert torch.equal(made[-multiplier:], made[-1:].expand(multiplier, -1, -1, -1))


@pytest.mark.parametrize("version", ["4.0", "4.6", "4.15.lite", "4.25", "4.25.lite"])
def test_the_hosts_node_takes_every_model_of_our_loader(
    room: ModuleType, loader: ModuleType, tmp_path: Path, float32: None, version: str
) -> None:
    model = random_model(loader, tmp_path, version)
    frames = images(2, 100, 90)
    (hosts,) = FrameInterpolate.execute(model, frames, 2).args
    ours = frames_of(room.interpolate_video(video(frames), multiplier=2, model=model, cut_threshold=1.0))
    assert relative_error(ours[:3], hosts) <= PARITY


def test_the_lite_version_that_the_host_reads_wrongly_is_right(room: ModuleType, float32: None) -> None:
    version = PUBLISHED["4.25.lite"]
    tensors = checkpoint(version, "", random=True)
    network = HostIFNet(head_ch=4, channels=list(version.widths)).eval()
    network.load_state_dict({name.replace("block", "blocks.", 1) if name.startswith("block") else name: v for name, v in tensors.items()})
    hosts = comfy.model_patcher.CoreModelPatcher(network, torch.device("cpu"), torch.device("cpu"))
    frames = images(2, 128, 128)
    expected = interpolate(version, tensors, *(frame[None].movedim(-1, 1) for frame in frames), 0.5).movedim(1, -1)
    made = frames_of(room.interpolate_video(video(frames), multiplier=2, model=hosts, cut_threshold=1.0))
    assert relative_error(made[1:2], expected) <= PARITY
    assert relative_error(FrameInterpolate.execute(hosts, frames, 2).args[0][1:2], expected) > 10 * PARITY


class Halfway(torch.nn.Module):
    """Another network with the interface of the host's node, as FILM has it: all times in one call."""

    pad_align = 16

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Identity()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.asked: list[list[float]] = []

    def get_dtype(self) -> torch.dtype:
        return torch.float32

    def memory_used_forward(self, shape: Any, dtype: torch.dtype) -> int:
        return 1000

    def extract_features(self, img: torch.Tensor) -> torch.Tensor:
        return self.layer(img)

    def forward_multi_timestep(self, img0: torch.Tensor, img1: torch.Tensor, times: list[float], cache: dict) -> torch.Tensor:
        assert img0.shape[2] % 16 == img0.shape[3] % 16 == 0 and torch.equal(cache["img0"], img0) and torch.equal(cache["img1"], img1)
        self.asked.append(times)
        return torch.cat([torch.lerp(img0, img1, time) for time in times])


def test_other_networks_of_the_host_are_called_as_its_node_calls_them(room: ModuleType) -> None:
    network = Halfway()
    model = comfy.model_patcher.CoreModelPatcher(network, torch.device("cpu"), torch.device("cpu"))
    frames = images(2)
    made = frames_of(room.interpolate_video(video(frames), fps=96.0, model=model, cut_threshold=1.0))
    expected = torch.stack([torch.lerp(frames[0], frames[1], time) for time in (0, 0.25, 0.5, 0.75, 1, 1, 1, 1)])
    assert torch.allclose(made, expected, atol=1e-6)
    assert network.asked == [[0.25, 0.5, 0.75]]


def test_without_a_model_the_box_is_used_and_is_better_than_blending(room: ModuleType) -> None:
    frames = images(3)
    made = frames_of(room.interpolate_video(video(frames[::2], Fraction(12)), fps=24.0))
    error, blending = (
        (made[1] - frames[1])[8:-8, 8:-8].square().mean(),
        ((frames[0] + frames[2]) / 2 - frames[1])[8:-8, 8:-8].square().mean(),
    )
    assert error < 0.2 * blending


def test_half_precision_is_used_where_it_is_faster_and_is_close(
    room: ModuleType, loader: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model(loader, tmp_path, "4.25")
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(room, "fastest_cpu_dtype", lambda dtype=dtype: dtype)
        results.append(frames_of(room.interpolate_video(video(), multiplier=2, model=model, cut_threshold=1.0)))
    assert 0 < (results[0] - results[1]).abs().mean() < 0.01
    assert model.model_dtype() == torch.float32  # the shared model stays as it was


def test_everything_is_known_before_anything_is_made_and_the_file_is_right(room: ModuleType, tmp_path: Path) -> None:
    made = room.interpolate_video(video(images(12), Fraction(16), seconds=0.75), fps=24.0)
    assert (made.get_frame_count(), made.get_frame_rate(), made.get_duration()) == (18, 24, 0.75)
    assert made.get_dimensions() == (90, 60)
    made.save_to(str(tmp_path / "smooth.mp4"))
    saved = InputImpl.VideoFromFile(str(tmp_path / "smooth.mp4")).get_components()
    assert saved.images.shape[0] == 18 and saved.frame_rate == 24
    assert abs(saved.audio["waveform"].shape[-1] / saved.audio["sample_rate"] - 0.75) < 0.1
    trimmed = made.as_trimmed(0.25, 0.25)
    assert torch.equal(frames_of(trimmed), frames_of(made)[6:12])


def test_the_frames_are_made_in_a_thread_of_their_own(pack: ModuleType, room: ModuleType) -> None:
    stream = importlib.import_module(f"{pack.__name__}.video.stream")
    video_of = importlib.import_module(f"{pack.__name__}.video.host_video").LazyVideo
    makers = []

    def make_chunks(first: int) -> Iterator[torch.Tensor]:
        makers.append(threading.current_thread())
        yield from images(20)[first:].split(4)

    source = stream.FrameStream("Maker", 90, 60, 20, Fraction(8), make_chunks)
    made = room.interpolate_video(video_of(source), multiplier=2).stream
    chunks = made.chunks()
    assert torch.equal(next(chunks)[0], images(1)[0]) and next(chunks).shape == (1, 60, 90, 3)
    assert makers[0] is not threading.current_thread()
    chunks.close()
    assert not makers[0].is_alive()
    assert sum(stage.needs.ram for stage in made.chain()) >= 4 * 60 * 90 * 12  # a chunk that waits
    assert torch.equal(torch.cat(list(made.chunks(10)))[::2], images(20)[5:])


def test_a_cancelled_save_leaves_no_file(room: ModuleType, tmp_path: Path) -> None:
    source = video(images(6))
    made = room.interpolate_video(source, multiplier=2)
    stream = made.stream.sources[0]
    original = stream.make_chunks

    def make_chunks(first: int) -> Iterator[torch.Tensor]:
        for number, chunk in enumerate(original(first)):
            if number:
                comfy.model_management.interrupt_current_processing()
            yield chunk

    object.__setattr__(stream, "make_chunks", make_chunks)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        made.save_to(str(tmp_path / "clip.mp4"))
    assert list(tmp_path.iterdir()) == []
    comfy.model_management.interrupt_current_processing(False)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fps": 0.0}, "expected an fps above 0 and at most 1000, got 0"),
        ({"fps": 24.0, "multiplier": 2}, "expected either fps or a multiplier, got both"),
        ({}, "expected either fps or a multiplier, got neither"),
        ({"multiplier": 1}, "expected a multiplier of 2 or more as a whole number, got 1"),
        ({"multiplier": 2, "cut_threshold": 1.5}, "expected a cut threshold of 0 to 1, got 1.5; use 0.25"),
        ({"multiplier": 2, "model": "rife"}, "expected an interpolation model, got str; connect Load Interpolation Model"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(room: ModuleType, options: dict[str, Any], told: str) -> None:
    assert refusal(room.interpolate_video, video(), **options).startswith(f"{NODE}: {told}")


def test_another_kind_of_model_or_video_is_refused(room: ModuleType) -> None:
    other = comfy.model_patcher.CoreModelPatcher(torch.nn.Linear(2, 2), torch.device("cpu"), torch.device("cpu"))
    assert "got no RIFE network; connect" in refusal(room.interpolate_video, video(), multiplier=2, model=other)
    assert refusal(room.interpolate_video, images(), multiplier=2).startswith(f"{NODE}: expected a VIDEO, got Tensor")


@pytest.mark.parametrize("ending", [".safetensors", ".pkl", ".pth"])
def test_the_loader_opens_every_format(loader: ModuleType, folder: Path, ending: str) -> None:
    tensors = checkpoint(PUBLISHED["4.6"], "module.", random=True)
    path = folder / f"rife46{ending}"
    save_file(tensors, path) if ending == ".safetensors" else torch.save(tensors, path)
    folder_paths.filename_list_cache.clear()
    assert path.name in loader.interpolation_files()
    model = loader.load_interpolation(loader.interpolation_path(path.name))
    assert model.model.config.versions == "4.6"
    assert torch.equal(model.model.block0.conv0[0][0].weight, tensors["module.block0.conv0.0.0.weight"])


class Harmful:
    """What a pickle must not be able to do."""

    def __reduce__(self) -> tuple:
        return os.mkdir, (os.environ["SPACETIME_TEST_FOLDER"],)


def write_bad(kind: str, path: Path) -> None:
    usual = checkpoint(PUBLISHED["4.6"], "module.", random=True)
    if kind == "harmful":
        torch.save({"module.block0.x": Harmful()}, path)
    elif kind == "text":
        path.write_bytes(b"no pickle at all")
    elif kind == "cut short":
        torch.save(usual, path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "a list":
        torch.save([1, 2], path)
    elif kind == "unknown":
        save_file({name: torch.zeros([max(1, size - 1) for size in tensor.shape]) for name, tensor in usual.items()}, path)
    elif kind == "film":
        save_file({"extract.extract_sublevels.convs.0.0.conv.weight": torch.zeros(1)}, path)
    elif kind == "incomplete":
        save_file({name: tensor for name, tensor in usual.items() if name != "module.block3.lastconv.0.bias"}, path)
    elif kind == "other":
        save_file({"decoder.middle.0.residual.0.gamma": torch.zeros(1)}, path)


@pytest.mark.parametrize(
    ("kind", "ending", "told"),
    [
        ("missing", ".safetensors", "expected a weight file at"),
        ("missing", ".pkl", "expected a weight file at"),
        ("harmful", ".pkl", "got one that cannot be read safely in 'bad.pkl'"),
        ("text", ".pth", "got one that cannot be read safely in 'bad.pth'"),
        ("cut short", ".pkl", "got one that cannot be read safely"),
        ("a list", ".pkl", "got a list in 'bad.pkl'; choose another file"),
        ("unknown", ".safetensors", "expected RIFE 4.0 to 4.26, got 4 blocks of 191, 127, 95, 63 channels"),
        ("film", ".safetensors", "got FILM in 'bad.safetensors'; open it with Load Frame Interpolation Model"),
        ("incomplete", ".safetensors", "expected RIFE 4.6 with the tensor 'block3.lastconv.0.bias' of shape (24,), got none"),
        ("other", ".safetensors", "got a Wan VAE in 'bad.safetensors'; choose a file of RIFE"),
    ],
)
def test_the_loader_refuses_in_one_sentence(
    loader: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ending: str, told: str
) -> None:
    monkeypatch.setenv("SPACETIME_TEST_FOLDER", str(tmp_path / "harmed"))
    path = tmp_path / f"bad{ending}"
    write_bad(kind, path)
    message = refusal(loader.load_interpolation, path)
    assert message.startswith(f"{LOADER}: ") and told in message
    assert not (tmp_path / "harmed").exists()


def test_the_nodes(pack: ModuleType, folder: Path) -> None:
    load = importlib.import_module(f"{pack.__name__}.nodes.load_interpolation").SpacetimeLoadInterpolationModel
    node = importlib.import_module(f"{pack.__name__}.nodes.interpolate").SpacetimeInterpolate
    save_file(checkpoint(PUBLISHED["4.6"], random=True), folder / "chosen.safetensors")
    folder_paths.filename_list_cache.clear()
    (model,) = load.execute("chosen.safetensors").args
    widgets = {part.id: part.default for part in node.GET_SCHEMA().inputs if getattr(part, "default", None) is not None}
    (made,) = node.execute(video=video(), interp_model=model, **widgets).args
    assert made.get_frame_rate() == 60
    (made,) = node.execute(video=video(), **{**widgets, "mode": "multiplier", "multiplier": 3}).args
    assert made.get_frame_rate() == 72 and made.get_frame_count() == 9
    assert load.fingerprint_inputs("chosen.safetensors") > 0 == load.fingerprint_inputs("nobody.safetensors")
