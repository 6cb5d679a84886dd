"""Spacetime Decode on the VAEs of several model families: the host's own whole decode is what the frames must equal."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import comfy.ldm.wan.vae2_2
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.utils
import pytest
import torch
from comfy.cli_args import args
from comfy.ldm.lightricks.vae.causal_video_autoencoder import VideoVAE
from comfy_api.latest import io
from support.compare import PARITY, relative_error
from support.tiny_weights import random_vae, randomize
from torch import nn


@pytest.fixture(scope="module")
def room(pack: ModuleType) -> ModuleType:
    return importlib.import_module(f"{pack.__name__}.video.host_decode")


@pytest.fixture(autouse=True)
def float32() -> Iterator[None]:
    """What starting the host with --fp32-vae sets."""
    args.fp32_vae = True
    yield
    args.fp32_vae = False


def around(network: nn.Module, channels: int, time: int, space: int) -> Any:
    """A VAE object of the host around a small network of another family: what its constructor sets for that family's published files."""
    vae = comfy.sd.VAE(sd=random_vae(8).state_dict())
    vae.first_stage_model = network.eval().requires_grad_(False)
    vae.latent_channels = channels
    vae.upscale_ratio = (lambda count: max(0, count * time - time + 1), space, space)
    vae.memory_used_decode = lambda shape, dtype: 1000 * shape[-1] * shape[-2] * space * space
    vae.patcher = comfy.model_patcher.CoreModelPatcher(
        vae.first_stage_model, load_device=vae.device, offload_device=comfy.model_management.vae_offload_device()
    )
    return vae


@pytest.fixture(scope="module")
def wan21() -> Any:
    return comfy.sd.VAE(sd=random_vae(8).state_dict())


@pytest.fixture(scope="module")
def wan22() -> Any:
    network = comfy.ldm.wan.vae2_2.WanVAE(dim=8, dec_dim=16, z_dim=48, temperal_downsample=[False, True, True])
    return around(randomize(network, 5), channels=48, time=4, space=16)


LTX_BLOCKS = [["res_x", 1], ["compress_all", {"residual": True, "multiplier": 2}], ["compress_all", {"residual": True, "multiplier": 2}],
              ["compress_all", {"residual": True, "multiplier": 2}], ["res_x", 1]]  # fmt: skip


@pytest.fixture(scope="module")
def ltx() -> Any:
    config = {
        "_class_name": "CausalVideoAutoencoder", "dims": 3, "in_channels": 3, "out_channels": 3, "latent_channels": 128,
        "encoder_blocks": [["res_x", 1], ["compress_all", 1], ["compress_all", 1], ["compress_all", 1], ["res_x", 1]],
        "decoder_blocks": LTX_BLOCKS, "scaling_factor": 1.0, "norm_layer": "pixel_norm", "patch_size": 4,
        "latent_log_var": "uniform", "use_quant_conv": False, "causal_decoder": False,
        "encoder_base_channels": 8, "decoder_base_channels": 4,
    }  # fmt: skip
    network = VideoVAE(version=2, config=config)
    randomize(network, 6)
    network.per_channel_statistics.get_buffer("std-of-means").fill_(1.0)
    network.per_channel_statistics.get_buffer("mean-of-means").fill_(0.0)
    return around(network, channels=128, time=8, space=32)


def latent(channels: int, frames: int, batch: int = 1) -> dict[str, torch.Tensor]:
    return {"samples": torch.randn(batch, channels, frames, 2, 3, generator=torch.Generator().manual_seed(1))}


def frames(video: Any) -> torch.Tensor:
    chunks = list(video.stream.chunks())
    images = torch.cat(chunks)
    assert images.shape == (video.get_frame_count(), *reversed(video.get_dimensions()), 3)
    assert max(len(chunk) for chunk in chunks) <= 8
    return images


@pytest.mark.parametrize("count", [1, 2, 6])
def test_wan22_is_the_hosts_whole_decode_bit_for_bit(room: ModuleType, wan22: Any, count: int) -> None:
    (video,) = room.decode_to_videos(wan22, latent(48, count), 24.0)
    assert video.get_dimensions() == (48, 32) and video.get_frame_count() == 4 * count - 3
    assert torch.equal(frames(video), wan22.decode(latent(48, count)["samples"])[0])


@pytest.mark.parametrize("family", ["wan21", "wan22"])
@pytest.mark.parametrize("keep_state", [True, False])
def test_a_clip_in_two_pieces_is_the_clip_bit_for_bit(
    room: ModuleType, family: str, keep_state: bool, request: pytest.FixtureRequest
) -> None:
    vae = request.getfixturevalue(family)
    samples = latent(vae.latent_channels, 7, batch=2)["samples"]
    wholes = room.decode_to_videos(vae, {"samples": samples}, 16.0)
    first, state = room.decode(vae, {"samples": samples[:, :, :4]}, 16.0, keep_state=keep_state)
    second, _ = room.decode(vae, {"samples": samples[:, :, 2:]}, 16.0, continue_from=state, overlap=2)
    for whole, one, other in zip(wholes, first, second, strict=True):
        assert (one.get_frame_count(), other.get_frame_count()) == (13, 12)
        assert torch.equal(torch.cat([frames(one), frames(other)]), frames(whole))


def test_the_node_keeps_a_state_only_where_it_is_connected(pack: ModuleType, wan21: Any) -> None:
    node = importlib.import_module(f"{pack.__name__}.nodes.decode").SpacetimeDecode

    def run(prompt: dict[str, Any], **inputs: Any) -> tuple[Any, Any]:
        prepared = node.PREPARE_CLASS_CLONE({"hidden_inputs": {io.Hidden.prompt: prompt, io.Hidden.unique_id: "4"}})
        return prepared.execute(wan21, **inputs).args

    samples = latent(16, 6)["samples"]
    connected = {"4": {"inputs": {}}, "9": {"inputs": {"continue_from": ["4", 1]}}}
    elsewhere = {"4": {"inputs": {}}, "9": {"inputs": {"video": ["4", 0], "continue_from": ["5", 1]}}}
    for prompt, kept in ((connected, True), (elsewhere, False)):
        (video,), state = run(prompt, samples={"samples": samples[:, :, :3]}, fps=16.0)
        frames(video)
        assert (state.clips[0]._end is not None) is kept
        (rest,), _ = run({}, samples={"samples": samples[:, :, 2:]}, fps=16.0, continue_from=state, overlap=1)
        whole = run({}, samples={"samples": samples}, fps=16.0)[0][0]
        assert torch.equal(torch.cat([frames(video), frames(rest)]), frames(whole))


@pytest.mark.parametrize("family", ["wan21", "wan22"])
def test_a_loop_leads_into_itself(room: ModuleType, family: str, request: pytest.FixtureRequest) -> None:
    vae = request.getfixturevalue(family)
    samples = latent(vae.latent_channels, 5)["samples"]
    (video,) = room.decode_to_videos(vae, {"samples": samples}, 16.0, loop=True)
    assert video.get_frame_count() == 20
    endless = frames(room.decode_to_videos(vae, {"samples": samples.repeat(1, 1, 11, 1, 1)}, 16.0)[0])
    assert relative_error(frames(video), endless[-20:]) < 2e-3


def test_ltx_in_one_window_is_the_hosts_decode(room: ModuleType, ltx: Any) -> None:
    (video,) = room.decode_to_videos(ltx, latent(128, 4), 24.0)
    assert video.get_dimensions() == (96, 64) and video.get_frame_count() == 25
    assert relative_error(frames(video), ltx.decode(latent(128, 4)["samples"])[0]) <= PARITY


def test_ltx_in_windows_is_near_the_hosts_decode_and_says_so(room: ModuleType, ltx: Any, caplog: Any) -> None:
    samples = latent(128, 14)
    caplog.set_level("INFO")
    windowed = frames(room.decode_to_videos(ltx, samples, 24.0)[0])
    whole = ltx.decode(samples["samples"])[0]
    assert windowed.shape == whole.shape == (105, 64, 96, 3)
    assert any("in windows of 8 latent frames that overlap by 3" in record.getMessage() for record in caplog.records)
    assert relative_error(windowed, whole) < 0.2
    assert relative_error(windowed[:33], whole[:33]) < 0.05  # far from the seams they agree


def test_a_vae_with_a_strange_time_axis_is_decoded_whole_and_says_so(
    room: ModuleType, wan21: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(room, "is_wan21", lambda vae: False)
    monkeypatch.setattr(wan21, "upscale_ratio", (lambda count: 4 * count - 3 if count != 2 else 6, 8, 8))
    (video,) = room.decode_to_videos(wan21, latent(16, 5), 16.0)
    assert torch.equal(frames(video), wan21.decode(latent(16, 5)["samples"])[0])
    assert any("held in memory" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"loop": True}, "Spacetime Decode: expected a Wan VAE to decode a loop, got another kind; turn loop off"),
        ({"continue_from": "state"}, "Spacetime Decode: expected a Wan VAE to continue from a state, got another kind; disconnect"),
    ],
)
def test_only_wan_loops_and_goes_on(room: ModuleType, ltx: Any, wan21: Any, options: dict[str, Any], sentence: str) -> None:
    if "continue_from" in options:
        options = {"continue_from": room.decode(wan21, latent(16, 2), 16.0)[1]}
    with pytest.raises(ValueError) as caught:
        room.decode(ltx, latent(128, 3), 16.0, **options)
    assert str(caught.value).startswith(sentence)


def test_pieces_that_do_not_belong_together_are_refused(room: ModuleType, wan21: Any, wan22: Any) -> None:
    state = room.decode(wan21, latent(16, 2), 16.0)[1]
    for vae, samples, options, sentence in (
        (wan22, latent(48, 2), {"continue_from": state}, "expected to continue 1 clip(s) of 3x2 cells of a Wan 2.1 VAE, got 1 of"),
        (wan21, latent(16, 2, 3), {"continue_from": state}, "got 3 of 3x2 of a Wan 2.1 VAE"),
        (wan21, latent(16, 2), {"continue_from": state, "loop": True}, "expected either a loop or a clip to continue from, got both"),
        (wan21, latent(16, 2), {"overlap": 1}, "expected an overlap of 0 without a clip to continue from, got 1"),
        (wan21, latent(16, 2), {"continue_from": state, "overlap": 2}, "expected an overlap of 0 to 1 latent frames, got 2"),
    ):  # fmt: skip
        with pytest.raises(ValueError) as caught:
            room.decode(vae, samples, 16.0, **options)
        assert str(caught.value).startswith("Spacetime Decode: expected") and sentence in str(caught.value)


@pytest.mark.parametrize("family", ["wan21", "wan22", "ltx"])
def test_a_decode_is_cancelled_inside_a_forward(room: ModuleType, family: str, request: pytest.FixtureRequest) -> None:
    vae = request.getfixturevalue(family)
    (video,) = room.decode_to_videos(vae, latent(vae.latent_channels, 3), 16.0)
    interrupt = importlib.import_module(f"{room.__package__}.interrupt")
    asked = []

    class Cancelled(BaseException):
        pass

    def question() -> None:
        asked.append(1)
        if len(asked) == 7:
            raise Cancelled

    with interrupt.asking(question), pytest.raises(Cancelled):
        list(video.stream.chunks())
    assert len(asked) == 7
    assert not any(module._forward_pre_hooks for module in vae.first_stage_model.modules())
