"""The VIDEO of Spacetime Decode: the host's frames, made while they are saved, again without being made again."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import comfy.model_management
import comfy.sd
import pytest
import torch
from comfy.cli_args import args
from comfy_api.latest import Input, InputImpl, Types
from support.compare import PARITY, relative_error
from support.tiny_weights import random_vae

LATENT_FRAMES = 5
FRAMES = 17


@pytest.fixture(scope="module")
def room(pack: ModuleType) -> ModuleType:
    return importlib.import_module(f"{pack.__name__}.video.host_decode")


@pytest.fixture(scope="module")
def vae() -> Any:
    return comfy.sd.VAE(sd=random_vae(8).state_dict())


@pytest.fixture
def float32() -> Iterator[None]:
    """What starting the host with --fp32-vae sets."""
    args.fp32_vae = True
    yield
    args.fp32_vae = False


def latent(batch: int = 1) -> dict[str, torch.Tensor]:
    return {"samples": torch.randn(batch, 16, LATENT_FRAMES, 4, 6, generator=torch.Generator().manual_seed(1))}


def count_decodes(video: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows whenever the frames of `video` are made anew."""
    stream, calls = video.stream, []

    def make_chunks(first: int) -> Iterator[torch.Tensor]:
        calls.append(1)
        yield from stream.chunks(first)

    monkeypatch.setattr(video, "_stream", replace(stream, make_chunks=make_chunks))
    return calls


def frames_in(source: Any) -> torch.Tensor:
    return InputImpl.VideoFromFile(source).get_components().images


def test_everything_is_known_without_decoding(room: ModuleType, vae: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (video,) = room.decode_to_videos(vae, latent(), 16.0)
    calls = count_decodes(video, monkeypatch)
    assert isinstance(video, Input.Video)
    assert video.get_dimensions() == (48, 32)
    assert video.get_frame_count() == FRAMES
    assert video.get_frame_rate() == Fraction(16)
    assert video.get_duration() == FRAMES / 16
    assert video.get_bit_depth() == 8
    assert video.get_active_trim_window() == (0.0, 0.0)
    trimmed = video.as_trimmed(0.25, 0.5)
    assert trimmed.get_frame_count() == 8
    assert calls == []


def test_frames_are_the_hosts(room: ModuleType, vae: Any, float32: None) -> None:
    (video,) = room.decode_to_videos(vae, latent(), 16.0)
    components = video.get_components()
    expected = vae.decode(latent()["samples"])[0]
    assert components.frame_rate == Fraction(16)
    assert relative_error(components.images, expected) <= PARITY


def test_bfloat16_is_close(room: ModuleType, vae: Any, float32: None, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = room.decode_to_videos(vae, latent(), 16.0)[0].get_components().images
    monkeypatch.setattr(vae, "vae_dtype", torch.bfloat16)
    got = room.decode_to_videos(vae, latent(), 16.0)[0].get_components().images
    assert 0 < relative_error(got, expected) < 0.05


def test_saved_file_holds_the_frames(room: ModuleType, vae: Any, tmp_path: Path) -> None:
    (video,) = room.decode_to_videos(vae, {"samples": latent()["samples"] * 0.05}, 16.0)
    video.save_to(str(tmp_path / "clip.mp4"), crf=1.0, metadata={"prompt": {"1": "x"}})
    saved = frames_in(str(tmp_path / "clip.mp4"))
    assert saved.shape == (FRAMES, 32, 48, 3)
    assert (saved.mean(dim=(1, 2, 3)) - video.get_components().images.mean(dim=(1, 2, 3))).abs().max() < 0.02
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.metadata["prompt"] == '{"1": "x"}'
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_second_save_copies_the_first(room: ModuleType, vae: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (video,) = room.decode_to_videos(vae, latent(), 16.0)
    calls = count_decodes(video, monkeypatch)
    video.save_to(str(tmp_path / "first.mp4"))
    video.save_to(str(tmp_path / "second.mp4"), format=Types.VideoContainer.MP4, codec=Types.VideoCodec.H264, metadata={"a": "b"})
    buffer = io.BytesIO()
    video.save_to(buffer)
    assert video.get_stream_source() == str(tmp_path / "first.mp4")
    assert len(calls) == 1
    assert torch.equal(frames_in(str(tmp_path / "first.mp4")), frames_in(str(tmp_path / "second.mp4")))
    assert torch.equal(frames_in(str(tmp_path / "first.mp4")), frames_in(buffer))
    with av.open(str(tmp_path / "second.mp4")) as container:
        assert container.metadata["a"] == "b"
    assert {path.name for path in tmp_path.iterdir()} == {"first.mp4", "second.mp4"}


def test_a_copy_in_matroska_has_every_frame(room: ModuleType, vae: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first packets tell no decoding time, for which they are easily left out."""
    encode = importlib.import_module(f"{room.__package__}.encode")
    (video,) = room.decode_to_videos(vae, latent(), 16.0)
    calls = count_decodes(video, monkeypatch)
    for name in ("first.mkv", "second.mkv"):
        video.save_as(str(tmp_path / name), encode.Encoding("matroska"))
    assert len(calls) == 1
    first, second = (frames_in(str(tmp_path / name)) for name in ("first.mkv", "second.mkv"))
    assert len(first) == FRAMES and torch.equal(first, second)


def test_other_settings_or_a_lost_file_make_the_frames_again(
    room: ModuleType, vae: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (video,) = room.decode_to_videos(vae, latent(), 16.0)
    calls = count_decodes(video, monkeypatch)
    video.save_to(str(tmp_path / "a.mp4"))
    video.save_to(str(tmp_path / "b.mp4"), crf=40.0)
    assert len(calls) == 2
    (tmp_path / "b.mp4").unlink()
    video.save_to(str(tmp_path / "c.mp4"), crf=40.0)
    assert len(calls) == 3
    assert frames_in(str(tmp_path / "c.mp4")).shape[0] == FRAMES


def test_components_do_not_depend_on_what_was_saved(room: ModuleType, vae: Any, tmp_path: Path) -> None:
    (video,) = room.decode_to_videos(vae, latent(), 16.0)
    before = video.get_components().images
    video.save_to(str(tmp_path / "a.mp4"), crf=51.0)
    assert torch.equal(video.get_components().images, before)


def test_a_trim_is_the_same_frames_and_decodes_no_further(room: ModuleType, vae: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (video,) = room.decode_to_videos(vae, latent(), 16.0)
    whole = video.get_components().images
    assert torch.equal(video.as_trimmed(0.25, 0.25).get_components().images, whole[4:8])
    assert torch.equal(video.as_trimmed(-0.25, 0.0).get_components().images, whole[-4:])
    assert torch.equal(video.as_trimmed(0.25).as_trimmed(0.25).get_components().images, whole[8:])
    assert video.as_trimmed(5.0, 1.0) is None
    assert video.as_trimmed(0.5, 1.0, strict_duration=True) is None
    assert video.as_trimmed(0.5, 1.0).get_frame_count() == 9


def test_a_trim_agrees_with_the_hosts_own_on_the_saved_file(room: ModuleType, vae: Any, tmp_path: Path) -> None:
    (video,) = room.decode_to_videos(vae, latent(), 16.0)
    video.save_to(str(tmp_path / "clip.mp4"))
    for start, duration in ((0.25, 0.5), (0.3, 0.4), (-0.5, 0.25), (0.0, 0.0)):
        host = InputImpl.VideoFromFile(str(tmp_path / "clip.mp4")).as_trimmed(start, duration, strict_duration=False)
        assert video.as_trimmed(start, duration).get_frame_count() == host.get_components().images.shape[0]


def test_every_clip_of_a_batch_is_a_video(room: ModuleType, vae: Any) -> None:
    videos = room.decode_to_videos(vae, latent(batch=3), 16.0)
    alone = room.decode_to_videos(vae, {"samples": latent(batch=3)["samples"][2:]}, 16.0)
    assert len(videos) == 3
    assert torch.equal(videos[2].get_components().images, alone[0].get_components().images)
    assert not torch.equal(videos[0].get_components().images, videos[2].get_components().images)


def test_a_cancelled_job_ends_within_a_chunk_and_leaves_no_file(room: ModuleType, vae: Any, tmp_path: Path) -> None:
    (video,) = room.decode_to_videos(vae, latent(), 16.0)
    stream = video.stream
    made = []

    def make_chunks(first: int) -> Iterator[torch.Tensor]:
        for chunk in stream.chunks(first):
            made.append(len(chunk))
            if len(made) == 2:
                comfy.model_management.interrupt_current_processing()
            yield chunk

    video._stream = replace(stream, make_chunks=make_chunks)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        video.save_to(str(tmp_path / "clip.mp4"))
    assert made[:2] == [1, 4] and len(made) <= 5 and list(tmp_path.iterdir()) == []
    video.save_to(str(tmp_path / "clip.mp4"))  # the next job is not touched by it
    assert frames_in(str(tmp_path / "clip.mp4")).shape[0] == FRAMES


def test_wan21_is_told_from_other_vaes(pack: ModuleType, vae: Any) -> None:
    is_wan21 = importlib.import_module(f"{pack.__name__}.model_loaders.vae").is_wan21

    class Other:
        def __init__(self, state_dict: dict[str, torch.Tensor]) -> None:
            self.get_sd = lambda: state_dict

    assert is_wan21(vae)
    weights = vae.get_sd()
    assert not is_wan21(Other({"decoder.conv_in.weight": torch.zeros(1)}))
    assert not is_wan21(Other({name: tensor for name, tensor in weights.items() if name != "conv1.bias"}))
    assert not is_wan21(Other({**weights, "decoder.extra.weight": torch.zeros(1)}))


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (torch.zeros(1, 48, 3, 4, 4), "Spacetime Decode: expected a 16-channel latent for this VAE, got 48 channels; load the VAE"),
        (torch.zeros(1, 16, 4, 4), "Spacetime Decode: expected a video latent [B, C, T, H, W], got [1, 16, 4, 4]; "),
    ],
)
def test_latents_of_another_kind(room: ModuleType, vae: Any, samples: torch.Tensor, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        room.decode_to_videos(vae, {"samples": samples}, 16.0)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("fps", [0.0, float("nan"), -3.0])
def test_frame_rates_that_are_none(room: ModuleType, vae: Any, fps: float) -> None:
    with pytest.raises(ValueError, match=r"^Spacetime Decode: expected an fps above 0"):
        room.decode_to_videos(vae, latent(), fps)
