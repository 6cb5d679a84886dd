"""The motion nodes: a plan becomes tracks, a mask, a preview, and conditioning equal to the host's where the host is right."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import comfy.ldm.hunyuan_video.model
import comfy.ldm.hunyuan_video.vae_refiner
import comfy.ldm.wan.model
import comfy.ldm.wan.vae2_2
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sample
import comfy.sd
import comfy.utils
import folder_paths
import nodes as host_nodes
import pytest
import torch
from comfy.cli_args import args
from comfy.ldm.lightricks.model import LTXVModel
from comfy.ldm.lightricks.vae.causal_video_autoencoder import VideoVAE
from comfy.ldm.models.autoencoder import AutoencoderKL, AutoencodingEngine
from comfy_extras.nodes_hunyuan import HunyuanImageToVideo, HunyuanVideo15ImageToVideo
from comfy_extras.nodes_wan import WanImageToVideo
from comfy_extras.nodes_wanmove import WanMoveTrackToVideo
from support.tiny_weights import TEXT_DIM, hunyuan_config, random_dit, random_vae, randomize, small_dit_config, write_dit, write_vae

WIDTH, HEIGHT, FRAMES = 48, 32, 9
RIGHT = {
    "version": 1,
    "anchors": False,
    "regions": [{"shapes": [{"type": "rectangle", "box": [0.25, 0.25, 0.25, 0.5]}], "motion": {"direction": 0, "speed": 0.5}}],
}
MASKED = {"version": 1, "regions": [{"shapes": [{"type": "mask"}], "motion": {"direction": 90}}]}
CAMERA = {"pan_x": 0.25, "pan_y": 0.0, "zoom": 1.0, "roll": 0.0, "start": 0.0, "end": 1.0, "easing": "linear"}


@pytest.fixture(scope="module")
def classes(pack: ModuleType) -> dict[str, Any]:
    extension = asyncio.run(pack.comfy_entrypoint())
    asyncio.run(extension.on_load())
    return {node.GET_SCHEMA().node_id: node for node in asyncio.run(extension.get_node_list())}


@pytest.fixture(scope="module")
def plain_model(pack: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = write_dit(tmp_path_factory.mktemp("model") / "random.safetensors")
    return importlib.import_module(f"{pack.__name__}.model_loaders.diffusion").load_model(path)


@pytest.fixture(scope="module")
def vae(pack: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = write_vae(tmp_path_factory.mktemp("vae") / "random.safetensors")
    return importlib.import_module(f"{pack.__name__}.model_loaders.vae").load_vae(path)


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(1, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(0))


def brush(classes: dict[str, Any], plan: dict[str, Any] | str = RIGHT, **inputs: Any) -> tuple[Any, dict, torch.Tensor, Any]:
    text = plan if isinstance(plan, str) else json.dumps(plan)
    return classes["SpacetimeMotionBrush"].execute(**{"plan": text, "length": FRAMES, "fps": 16.0, **inputs}).args


def all_frames(video: Any) -> torch.Tensor:
    with contextlib.closing(video.stream.chunks()) as chunks:
        return torch.cat(list(chunks))


def conditioning() -> list:
    return [[torch.zeros(1, 4, TEXT_DIM), {}]]


def apply(classes: dict[str, Any], model: Any, vae: Any, image: Any, plan: Any, **inputs: Any) -> tuple[Any, list, list, dict]:
    settings = {"backend": "auto", "width": WIDTH, "height": HEIGHT, "length": FRAMES, "strength": 1.0, **inputs}
    return classes["SpacetimeApplyMotion"].execute(model, conditioning(), conditioning(), vae, image, plan, **settings).args


def _package(classes: dict[str, Any]) -> str:
    """The name under which the host loaded the pack."""
    return classes["SpacetimeApplyMotion"].__module__.rsplit(".nodes", 1)[0]


def refusal(function: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(ValueError) as caught:
        function(*arguments, **keywords)
    message = str(caught.value)
    assert message.startswith("Spacetime ") and ": expected " in message and ", got " in message
    assert "; " in message and "\n" not in message
    return message


# Motion Brush


def test_the_tracks_go_where_the_plan_says(classes: dict[str, Any], picture: torch.Tensor) -> None:
    """Half of the shorter side to the right, evenly; the host's TRACKS."""
    _, tracks, _, _ = brush(classes, image=picture)
    path, visible = tracks["track_path"], tracks["track_visibility"]
    assert path.shape[0] == FRAMES and path.shape[2] == 2 and path.dtype == torch.float32
    assert visible.shape == path.shape[:2] and visible.dtype == torch.bool
    moved = path - path[:1]
    torch.testing.assert_close(moved[..., 0], torch.linspace(0, 16, FRAMES)[:, None].expand(moved.shape[:2]), atol=1e-3, rtol=0)
    assert moved[..., 1].abs().max() < 1e-3
    assert (path[0, :, 0] >= 12).all() and (path[0, :, 0] < 24).all()
    assert (path[0, :, 1] >= 8).all() and (path[0, :, 1] < 24).all()


def test_the_preview_moves_the_pixels_and_starts_with_the_picture(classes: dict[str, Any], picture: torch.Tensor) -> None:
    _, _, mask, video = brush(classes, image=picture)
    frames = all_frames(video)
    assert frames.shape == (FRAMES, HEIGHT, WIDTH, 3)
    torch.testing.assert_close(frames[0], picture[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(frames[-1, 8:24, 28:40], picture[0, 8:24, 12:24], atol=1e-3, rtol=0)
    expected = torch.zeros(HEIGHT, WIDTH)
    expected[8:24, 12:24] = 1
    torch.testing.assert_close(mask[0], expected)
    torch.testing.assert_close(mask[-1], expected.roll(16, dims=1), atol=1e-3, rtol=0)


def test_the_preview_is_made_only_when_it_is_read(
    pack: ModuleType, classes: dict[str, Any], picture: torch.Tensor, monkeypatch: Any
) -> None:
    """Counted by the frames that the warp gives out."""
    module = importlib.import_module(f"{pack.__name__}.sampling.motion_nodes")
    made: list[int] = []
    warp = module.warp
    monkeypatch.setattr(module, "warp", lambda *arguments: (made.append(1) or frame for frame in warp(*arguments)))
    still = {"version": 1}
    *_, video = brush(classes, still, image=picture)  # a plan without regions needs no warp for its mask
    assert made == []
    with contextlib.closing(video.stream.chunks(3)) as chunks:
        next(chunks)
    assert len(made) == 4


def test_without_a_picture_it_needs_a_size(classes: dict[str, Any]) -> None:
    _, _, mask, video = brush(classes, width=64, height=48)
    assert mask.shape == (FRAMES, 48, 64)
    assert video.get_dimensions() == (64, 48)
    assert all_frames(video)[0].std() > 0.05
    assert "expected a picture or a width and height, got neither" in refusal(brush, classes)


def test_the_picture_is_shown_to_the_editor(classes: dict[str, Any], picture: torch.Tensor) -> None:
    output = classes["SpacetimeMotionBrush"].execute(plan=json.dumps(RIGHT), length=5, fps=16.0, image=picture)
    (shown,) = output.ui["spacetime_picture"]
    assert (Path(folder_paths.get_temp_directory()) / shown["subfolder"] / shown["filename"]).is_file()
    assert shown["type"] == "temp"


@pytest.mark.parametrize(("source", "target"), [((60, 32), (48, 32)), ((48, 60), (48, 32)), ((31, 57), (64, 48)), ((96, 64), (48, 32))])
def test_another_shape_is_cropped_as_the_host_crops(classes: dict[str, Any], source: tuple[int, int], target: tuple[int, int]) -> None:
    """A track that begins on a pixel of the picture is on the same content in the clip; the first frame is the host's own crop."""
    wide, high = source
    across = torch.linspace(0, 1, wide).expand(high, wide)
    down = torch.linspace(0, 1, high)[:, None].expand(high, wide)
    gradients = torch.stack([across, down, torch.zeros(high, wide)], dim=-1)[None]
    _, tracks, _, video = brush(classes, image=gradients, width=target[0], height=target[1])
    cropped = comfy.utils.common_upscale(gradients.movedim(-1, 1), *target, "bilinear", "center").movedim(1, -1)[0]
    torch.testing.assert_close(all_frames(video)[0], cropped, atol=1e-5, rtol=0)
    _, whole, _, _ = brush(classes, image=gradients)
    for placed, origin, seen in zip(tracks["track_path"][0], whole["track_path"][0], tracks["track_visibility"][0], strict=True):
        if seen:
            column, row = (int(value) for value in placed)
            content = cropped[min(row, target[1] - 1), min(column, target[0] - 1), :2]
            expected = (origin - 0.5) / (torch.tensor(source) - 1)
            assert (content - expected).abs().max() < 1.2 / min(*source, *target)


def test_a_mask_region_takes_the_mask(classes: dict[str, Any], picture: torch.Tensor) -> None:
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 4:12, 8:24] = 1
    _, _, moved, _ = brush(classes, MASKED, image=picture, mask=mask)
    torch.testing.assert_close(moved[0], mask[0])
    assert "mask" in refusal(brush, classes, MASKED, image=picture)


def test_a_bad_plan_is_one_sentence_with_the_place(classes: dict[str, Any], picture: torch.Tensor) -> None:
    bad = json.loads(json.dumps(RIGHT))
    bad["regions"][0]["motion"]["speed"] = "fast"
    message = refusal(brush, classes, bad, image=picture)
    assert message.startswith("Spacetime Motion Brush: regions[0].motion.speed: expected")
    assert "expected JSON" in refusal(brush, classes, "{", image=picture)


@pytest.mark.parametrize("inputs", [{"length": 0}, {"width": 9000}, {"fps": 0.0}, {"points": 0}])
def test_a_bad_number_is_one_sentence(classes: dict[str, Any], picture: torch.Tensor, inputs: dict[str, Any]) -> None:
    refusal(brush, classes, image=picture, **inputs)


def test_the_default_plan_is_a_plan(classes: dict[str, Any], picture: torch.Tensor) -> None:
    default = {part.id: part for part in classes["SpacetimeMotionBrush"].GET_SCHEMA().inputs}["plan"].default
    _, tracks, mask, _ = brush(classes, default, image=picture)
    assert tracks["track_path"].shape[1] > 0 and mask.any()


# Plans without painting


def test_a_plan_file_of_the_input_folder(classes: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(folder_paths, "get_input_directory", lambda: str(tmp_path))
    (tmp_path / "mine.json").write_text(json.dumps(RIGHT), encoding="utf-8")
    (tmp_path.parent / "outside.json").write_text(json.dumps(RIGHT), encoding="utf-8")
    node = classes["SpacetimeLoadMotionPlan"]
    assert {part.id: part for part in node.define_schema().inputs}["file"].options == ["none", "mine.json"]
    (from_file,) = node.execute("", "mine.json").args
    (from_text,) = node.execute(json.dumps(RIGHT)).args
    assert from_file.plan == from_text.plan
    for name in ("nobody.json", "../outside.json"):
        assert "input folder" in refusal(node.execute, "", name)
    before = node.fingerprint_inputs("", "mine.json")
    (tmp_path / "mine.json").write_bytes(b"\xff\xfe")
    assert "UTF-8" in refusal(node.execute, "", "mine.json")
    assert node.fingerprint_inputs("", "mine.json") != before
    assert node.fingerprint_inputs("", "nobody.json") == 0


def test_the_camera_pans_everything(classes: dict[str, Any], picture: torch.Tensor) -> None:
    """A quarter of the width to the right: what is seen goes a quarter of the width to the left."""
    (camera,) = classes["SpacetimeCameraMotion"].execute(**CAMERA).args
    _, tracks, mask, _ = brush(classes, {"version": 1}, image=picture, with_plan=camera)
    moved = tracks["track_path"][-1] - tracks["track_path"][0]
    torch.testing.assert_close(moved, torch.tensor([-12.0, 0.0]).expand_as(moved), atol=1e-3, rtol=0)
    assert not mask.any()


def test_the_camera_joins_a_plan(classes: dict[str, Any], picture: torch.Tensor) -> None:
    value, *_ = brush(classes, image=picture)
    (joined,) = classes["SpacetimeCameraMotion"].execute(**{**CAMERA, "zoom": 2.0, "roll": 10.0}, plan=value).args
    assert len(joined.plan.regions) == 1
    assert [move.type for move in joined.plan.camera] == ["pan", "zoom", "roll"]


@pytest.mark.parametrize("change", [{"start": 1.0}, {"zoom": 0.0}, {"pan_x": 11.0}, {"roll": float("nan")}, {"end": 2.0}])
def test_a_camera_that_cannot_be(classes: dict[str, Any], change: dict[str, float]) -> None:
    refusal(classes["SpacetimeCameraMotion"].execute, **{**CAMERA, **change})


def test_combined_plans_keep_their_own_masks(classes: dict[str, Any], picture: torch.Tensor) -> None:
    first, second = torch.zeros(1, HEIGHT, WIDTH), torch.zeros(1, 2 * HEIGHT, 2 * WIDTH)
    first[:, :8, :8], second[:, 32:48, 64:80] = 1, 1
    load = classes["SpacetimeLoadMotionPlan"]
    plans = [load.execute(json.dumps(MASKED), mask=mask).args[0] for mask in (first, second)]
    (both,) = classes["SpacetimeCombinePlans"].execute(*plans).args
    _, _, moved, _ = brush(classes, {"version": 1}, image=picture, with_plan=both)
    expected = first[0].clone()
    expected[16:24, 32:40] = 1
    torch.testing.assert_close((moved[0] > 0.5).float(), expected)  # stretching the smaller mask softens its edges


def test_tracks_become_a_plan_and_tracks_again(classes: dict[str, Any], picture: torch.Tensor) -> None:
    _, tracks, _, _ = brush(classes, image=picture, points=8)
    node = classes["SpacetimePlanFromTracks"]
    settings = {"width": 1, "height": 1, "tolerance": 0.5, "radius": 0.02}
    (value,) = node.execute(**settings, tracks=tracks, image=picture).args
    _, again, _, _ = brush(classes, {"version": 1, "anchors": False}, image=picture, with_plan=value)
    movers = again["track_path"][:, (again["track_path"][-1] - again["track_path"][0])[:, 0] > 8]
    assert movers.shape[1] >= 8
    moved = movers[-1] - movers[0]
    torch.testing.assert_close(moved, torch.tensor([16.0, 0.0]).expand_as(moved), atol=0.5, rtol=0)


def test_coordinates_become_a_plan(classes: dict[str, Any]) -> None:
    node = classes["SpacetimePlanFromTracks"]
    settings = {"width": 100, "height": 100, "tolerance": 0.5, "radius": 0.02}
    (value,) = node.execute(**settings, coordinates='[{"x": 10, "y": 20}, {"x": 30, "y": 20}]').args
    assert value.plan.regions[0].motion.path.points == ((0.1, 0.2), (0.3, 0.2))
    assert "neither" in refusal(node.execute, **settings)
    assert "both" in refusal(node.execute, **settings, coordinates="[]", tracks={"track_path": torch.zeros(2, 1, 2)})
    assert "coordinates" in refusal(node.execute, **settings, coordinates="hello")
    refusal(node.execute, **settings, tracks={"track_path": torch.zeros(2, 1)})
    refusal(node.execute, **settings, tracks={"track_path": torch.zeros(2, 3, 2), "track_visibility": torch.ones(2, 2)})


# Apply Motion


def test_the_picture_is_given_as_wan_image_to_video_gives_it(
    classes: dict[str, Any], plain_model: Any, vae: Any, picture: torch.Tensor
) -> None:
    value, *_ = brush(classes, image=picture)
    wide = torch.rand(1, 40, 80, 3)
    _, positive, negative, latent = apply(classes, plain_model, vae, wide, value)
    theirs = WanImageToVideo.execute(conditioning(), conditioning(), vae, WIDTH, HEIGHT, FRAMES, 1, start_image=wide).args
    for ours, host in zip((positive, negative), theirs[:2], strict=True):
        torch.testing.assert_close(ours[0][1]["concat_latent_image"], host[0][1]["concat_latent_image"])
        torch.testing.assert_close(ours[0][1]["concat_mask"], host[0][1]["concat_mask"])
    torch.testing.assert_close(latent["samples"], theirs[2]["samples"])


def test_wan_move_equals_the_host_but_leaves_the_negative_alone(
    classes: dict[str, Any], plain_model: Any, vae: Any, picture: torch.Tensor
) -> None:
    """One point, so that the host's dice do not matter."""
    value, tracks, _, _ = brush(classes, image=picture, points=1)
    module = importlib.import_module(f"{_package(classes)}.sampling.motion")
    count, module.DEFAULT_COUNT = module.DEFAULT_COUNT, 1
    try:
        _, positive, negative, _ = apply(classes, plain_model, vae, picture, value, backend="wan_move")
    finally:
        module.DEFAULT_COUNT = count
    theirs, _, _ = WanMoveTrackToVideo.execute(
        conditioning(), conditioning(), vae, WIDTH, HEIGHT, FRAMES, 1, 1.0, tracks=tracks, start_image=picture
    ).args
    torch.testing.assert_close(positive[0][1]["concat_latent_image"], theirs[0][1]["concat_latent_image"])
    plain = WanImageToVideo.execute(conditioning(), conditioning(), vae, WIDTH, HEIGHT, FRAMES, 1, start_image=picture).args[1]
    torch.testing.assert_close(negative[0][1]["concat_latent_image"], plain[0][1]["concat_latent_image"])
    assert not torch.equal(positive[0][1]["concat_latent_image"], negative[0][1]["concat_latent_image"])


def test_ati_blends_features_and_opens_its_mask(classes: dict[str, Any], plain_model: Any, vae: Any, picture: torch.Tensor) -> None:
    value, *_ = brush(classes, image=picture)
    _, positive, negative, _ = apply(classes, plain_model, vae, picture, value, backend="ati")
    mask = positive[0][1]["concat_mask"]
    assert mask.shape == (1, 4, 3, 4, 6)
    assert not mask[:, :, 0].any() and mask[:, :, 1:].min() < 0.5  # known where tracks are
    first = [extras["concat_latent_image"][:, :, 0] for _, extras in (positive[0], negative[0])]
    torch.testing.assert_close(*first, atol=1e-4, rtol=1e-4)


def test_it_says_which_backend_and_why(
    pack: ModuleType, classes: dict[str, Any], plain_model: Any, vae: Any, picture: torch.Tensor, tmp_path: Path
) -> None:
    value, *_ = brush(classes, image=picture)

    def told(model: Any, **inputs: Any) -> str:
        settings = {"backend": "auto", "width": WIDTH, "height": HEIGHT, "length": FRAMES, "strength": 1.0, **inputs}
        output = classes["SpacetimeApplyMotion"].execute(model, conditioning(), conditioning(), vae, picture, value, **settings)
        return output.ui["text"][0]

    assert told(plain_model).startswith("Time-to-Move: the model takes a first picture")
    assert told(plain_model, backend="ati") == "ATI: chosen on the node"
    load_model = importlib.import_module(f"{pack.__name__}.model_loaders.diffusion").load_model
    named = load_model(write_dit(tmp_path / "Wan21-WanMove_fp8.safetensors"))
    assert told(named) == "Wan-Move: the model's file is named 'Wan21-WanMove_fp8.safetensors'"


@pytest.fixture
def trained_model(pack: ModuleType, tmp_path: Path) -> Any:
    """A small model whose file says that it was trained for Wan-Move."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    plain = write_dit(tmp_path / "plain.safetensors")
    with safe_open(plain, framework="pt") as file:
        metadata = file.metadata()
    path = tmp_path / "trained.safetensors"
    save_file(load_file(plain), path, metadata={**metadata, "spacetime.motion": "wan_move"})
    return importlib.import_module(f"{pack.__name__}.model_loaders.diffusion").load_model(path)


def test_the_file_tells_what_it_was_trained_for(pack: ModuleType, trained_model: Any) -> None:
    facts = importlib.import_module(f"{pack.__name__}.sampling.motion").model_facts(trained_model)
    assert (facts.layout, facts.latent_channels, facts.picture_channels, facts.trained_for) == ("wan", 16, 20, "wan_move")
    assert facts.family == "narrow"


def test_a_small_model_that_knows_tracks_is_held_and_gets_the_tracks_too(
    classes: dict[str, Any], plain_model: Any, trained_model: Any, vae: Any, picture: torch.Tensor
) -> None:
    value, *_ = brush(classes, image=picture)
    held, positive, negative, _ = apply(classes, trained_model, vae, picture, value)
    by_tracks, moved, plain, _ = apply(classes, trained_model, vae, picture, value, backend="wan_move")
    assert held is not trained_model and by_tracks is trained_model
    torch.testing.assert_close(positive[0][1]["concat_latent_image"], moved[0][1]["concat_latent_image"])
    torch.testing.assert_close(negative[0][1]["concat_latent_image"], plain[0][1]["concat_latent_image"])
    _, untold, _, _ = apply(classes, plain_model, vae, picture, value, backend="time_to_move")
    torch.testing.assert_close(untold[0][1]["concat_latent_image"], plain[0][1]["concat_latent_image"])


def test_a_plan_in_which_nothing_moves_leaves_the_model_alone(
    classes: dict[str, Any], plain_model: Any, vae: Any, picture: torch.Tensor
) -> None:
    value, *_ = brush(classes, {"version": 1}, image=picture)
    model, _, _, _ = apply(classes, plain_model, vae, picture, value)
    assert model is plain_model


@pytest.mark.parametrize("backend", ["wan_move", "time_to_move"])
def test_a_cancel_ends_it(classes: dict[str, Any], plain_model: Any, vae: Any, picture: torch.Tensor, backend: str) -> None:
    value, *_ = brush(classes, image=picture)
    comfy.model_management.interrupt_current_processing(True)
    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            apply(classes, plain_model, vae, picture, value, backend=backend)
    finally:
        comfy.model_management.interrupt_current_processing(False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": 40}, "multiple of 16, got 40; use 32 or 48"),
        ({"length": 10}, "4n+1 frames, got 10; use 9 or 13"),
        ({"length": 0}, "got 0"),
        ({"strength": 2.0}, "strength of 0 to 1, got 2"),
        ({"strength": float("nan")}, "strength of 0 to 1"),
        ({"backend": "magic"}, "got 'magic'"),
    ],
)
def test_a_request_that_cannot_be(
    classes: dict[str, Any], plain_model: Any, vae: Any, picture: torch.Tensor, change: dict[str, Any], words: str
) -> None:
    value, *_ = brush(classes, image=picture)
    assert words in refusal(apply, classes, plain_model, vae, picture, value, **change)


def test_a_model_without_picture_channels_cannot_do_wan_move(
    pack: ModuleType, classes: dict[str, Any], vae: Any, picture: torch.Tensor, tmp_path: Path
) -> None:
    load_model = importlib.import_module(f"{pack.__name__}.model_loaders.diffusion").load_model
    model = load_model(write_dit(tmp_path / "text_only.safetensors", in_dim=16))
    value, *_ = brush(classes, image=picture)
    message = refusal(apply, classes, model, vae, picture, value, backend="wan_move")
    assert "image-to-video model in the Wan 2.1 layout" in message and "choose time_to_move" in message


# Other families


def around(network: Any, channels: int, time: int, space: int) -> Any:
    """A VAE object of the host around a small network of another family: what its constructor sets for that family's published files."""
    vae = comfy.sd.VAE(sd=random_vae(8).state_dict())
    vae.first_stage_model = network.eval().requires_grad_(False)
    vae.latent_channels = channels
    vae.upscale_ratio = (lambda count: max(0, count * time - time + 1), space, space)
    vae.downscale_ratio = (lambda count: max(0, (count + time - 1) // time), space, space)
    vae.patcher = comfy.model_patcher.CoreModelPatcher(
        vae.first_stage_model, load_device=vae.device, offload_device=comfy.model_management.vae_offload_device()
    )
    return vae


def wan22() -> tuple[Any, Any, int]:
    config = dataclasses.replace(small_dit_config(48), out_dim=48)
    metadata = {"config": json.dumps(config.metadata())}
    model = comfy.sd.load_diffusion_model_state_dict(dict(random_dit(config).state_dict()), metadata=metadata)
    network = comfy.ldm.wan.vae2_2.WanVAE(dim=8, dec_dim=8, z_dim=48, temperal_downsample=[False, True, True])
    return model, around(randomize(network, 5), 48, 4, 16), 4


def ltx() -> tuple[Any, Any, int]:
    sizes = {"num_layers": 1, "num_attention_heads": 2, "attention_head_dim": 32, "cross_attention_dim": 64, "caption_channels": TEXT_DIM}
    network = LTXVModel(**sizes, in_channels=128, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init)
    metadata = {"config": json.dumps({"transformer": {**sizes, "in_channels": 128}})}
    model = comfy.sd.load_diffusion_model_state_dict(dict(randomize(network, 2).state_dict()), metadata=metadata)
    config = {
        "_class_name": "CausalVideoAutoencoder", "dims": 3, "in_channels": 3, "out_channels": 3, "latent_channels": 128,
        "encoder_blocks": [["res_x", 1], ["compress_all", 1], ["compress_all", 1], ["compress_all", 1], ["res_x", 1]],
        "decoder_blocks": [["res_x", 1], ["compress_all", 1], ["compress_all", 1], ["compress_all", 1], ["res_x", 1]],
        "scaling_factor": 1.0, "norm_layer": "pixel_norm", "patch_size": 4, "latent_log_var": "uniform", "use_quant_conv": False,
        "causal_decoder": False, "encoder_base_channels": 8, "decoder_base_channels": 4,
    }  # fmt: skip
    vae_network = VideoVAE(version=2, config=config)
    randomize(vae_network, 6)
    vae_network.per_channel_statistics.get_buffer("std-of-means").fill_(1.0)
    vae_network.per_channel_statistics.get_buffer("mean-of-means").fill_(0.0)
    return model, around(vae_network, 128, 8, 32), 8


def hunyuan_model(in_channels: int) -> Any:
    network = comfy.ldm.hunyuan_video.model.HunyuanVideo(
        **hunyuan_config(in_channels), dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init
    )
    return comfy.sd.load_diffusion_model_state_dict(dict(randomize(network, 2).state_dict()))


def hunyuan_vae() -> Any:
    sizes = {
        "double_z": True, "z_channels": 16, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 32, "ch_mult": [1, 1, 1, 1],
        "num_res_blocks": 1, "attn_resolutions": [], "dropout": 0.0, "conv3d": True, "time_compress": 4,
    }  # fmt: skip
    return around(randomize(AutoencoderKL(ddconfig=sizes, embed_dim=16), 6), 16, 4, 8)


def hunyuan15_vae() -> Any:
    sizes = {
        "in_channels": 3, "out_channels": 3, "z_channels": 32, "block_out_channels": [64] * 5, "num_res_blocks": 1,
        "ffactor_spatial": 16, "ffactor_temporal": 4,
    }  # fmt: skip
    parts = ("Encoder", "Decoder")
    encoder, decoder = ({"target": f"comfy.ldm.hunyuan_video.vae_refiner.{part}", "params": sizes} for part in parts)
    plain = {"target": "comfy.ldm.models.autoencoder.EmptyRegularizer"}
    network = AutoencodingEngine(regularizer_config=plain, encoder_config=encoder, decoder_config=decoder)
    return around(randomize(network, 6), 32, 4, 16)


def hunyuan() -> tuple[Any, Any, int]:
    return hunyuan_model(16), hunyuan_vae(), 4


def hunyuan_i2v() -> tuple[Any, Any, int]:
    return hunyuan_model(33), hunyuan_vae(), 4


def hunyuan_skyreels() -> tuple[Any, Any, int]:
    return hunyuan_model(32), hunyuan_vae(), 4


def hunyuan15() -> tuple[Any, Any, int]:
    return hunyuan_model(65), hunyuan15_vae(), 4


@pytest.fixture
def float32() -> Iterator[None]:
    """What starting the host with --fp32-vae sets."""
    args.fp32_vae = True
    yield
    args.fp32_vae = False


@pytest.mark.parametrize("build", [wan22, ltx, hunyuan])
def test_families_with_a_noise_mask_begin_at_the_picture(classes: dict[str, Any], picture: torch.Tensor, float32: None, build: Any) -> None:
    """The picture's latent is in the LATENT, kept by its noise mask, and stays while stock KSampler holds the moving part."""
    model, vae, time = build()
    value, *_ = brush(classes, image=picture, width=128, height=64)
    size = {"width": 128, "height": 64, "length": 2 * time + 1}
    model, positive, negative, latent = apply(classes, model, vae, picture, value, **size)
    resized = comfy.utils.common_upscale(picture.movedim(-1, 1), 128, 64, "bilinear", "center").movedim(1, -1)
    first = vae.encode(resized)
    assert latent["samples"].shape[2] == 3
    torch.testing.assert_close(latent["samples"][:, :, :1], first)
    assert not latent["noise_mask"][:, :, 0].any() and latent["noise_mask"][:, :, 1:].min() == 1
    for extras in (positive[0][1], negative[0][1]):
        assert extras.get("guiding_frame_index") == (0 if build is hunyuan else None)
        extras.update(attention_mask=torch.ones(1, 4), pooled_output=torch.zeros(1, 768))
    (result,) = host_nodes.common_ksampler(model, 1, 3, 1.0, "euler", "simple", positive, negative, latent)
    assert result["samples"].shape == latent["samples"].shape and torch.isfinite(result["samples"]).all()
    torch.testing.assert_close(result["samples"][:, :, :1], first, atol=1e-3, rtol=1e-3)
    assert "choose time_to_move" in refusal(apply, classes, model, vae, picture, value, **size, backend="wan_move")


def hosts_picture(build: Any, vae: Any, picture: torch.Tensor) -> dict[str, Any]:
    """What the host's own node for HunyuanVideo puts into the conditioning."""
    if build is hunyuan15:
        return HunyuanVideo15ImageToVideo.execute(conditioning(), conditioning(), vae, 128, 64, FRAMES, 1, picture).args[0][0][1]
    kind = "v2 (replace)" if build is hunyuan else "v1 (concat)"
    return HunyuanImageToVideo.execute(conditioning(), vae, 128, 64, FRAMES, 1, kind, picture).args[0][0][1]


@pytest.mark.parametrize("build", [hunyuan, hunyuan_i2v, hunyuan_skyreels, hunyuan15])
def test_hunyuan_is_shown_the_picture_as_the_host_shows_it_and_holds_the_crude_video(
    classes: dict[str, Any], picture: torch.Tensor, float32: None, build: Any
) -> None:
    """Every form of HunyuanVideo sees, under stock KSampler, the host's own picture channels and the latents of the crude video."""
    model, vae, _ = build()
    value, _, moved, video = brush(classes, image=picture, width=128, height=64)
    patched, positive, negative, latent = apply(classes, model, vae, picture, value, width=128, height=64)
    seen = []

    def keep(run: Any, given: dict[str, Any]) -> torch.Tensor:
        seen.append((float(given["timestep"].flatten()[0]), given["input"].clone(), given["c"]))
        return run(given["input"], given["timestep"], **given["c"])

    patched.set_model_unet_function_wrapper(keep)
    for extras in (positive[0][1], negative[0][1]):
        extras["pooled_output"] = torch.zeros(1, 768)
    (result,) = host_nodes.common_ksampler(patched, 1, 20, 1.0, "euler", "simple", positive, negative, latent)
    assert torch.isfinite(result["samples"]).all()

    crude = model.model.process_latent_in(vae.encode(all_frames(video)))
    noise = comfy.sample.prepare_noise(latent["samples"], 1)
    inside = importlib.import_module(f"{_package(classes)}.motion.backends.time_to_move").to_cells(moved, *latent["samples"].shape[2:])
    inside[0] = 0
    first, begun, given = seen[0]
    assert 0.9 < first < 1 and inside.any()
    for sigma, x, _ in seen[:3]:
        here = inside.expand_as(x) > 0
        torch.testing.assert_close(x[here], (sigma * noise + (1 - sigma) * crude)[here], atol=1e-4, rtol=1e-4)
    free = latent.get("noise_mask", torch.ones(1)).expand_as(begun) > 0
    torch.testing.assert_close(begun[free], (first * noise + (1 - first) * crude)[free], atol=1e-4, rtol=1e-4)

    theirs = hosts_picture(build, vae, picture)
    if build is hunyuan:
        assert theirs["guiding_frame_index"] == 0 == given["guiding_frame_index"].item()
    else:
        expected = model.model.concat_cond(**theirs, noise=noise, device=noise.device)
        torch.testing.assert_close(given["c_concat"], expected)


def test_a_hunyuan_that_makes_small_videos_larger_is_refused(classes: dict[str, Any], picture: torch.Tensor) -> None:
    value, *_ = brush(classes, image=picture)
    message = refusal(apply, classes, hunyuan_model(98), None, picture, value)
    assert "a family it was tested with" in message and "HunyuanVideo15_SR_Distilled" in message


def test_the_vae_of_another_model_is_refused(classes: dict[str, Any], plain_model: Any, picture: torch.Tensor) -> None:
    value, *_ = brush(classes, image=picture)
    _, vae, _ = wan22()
    assert "VAE of the model, with 16 channels, got 48" in refusal(apply, classes, plain_model, vae, picture, value)


def test_a_family_that_was_not_tested_is_refused(classes: dict[str, Any], vae: Any, picture: torch.Tensor) -> None:
    """A Wan-layout model of another sort: VACE."""
    config = small_dit_config(16)
    vace = comfy.ldm.wan.model.VaceWanModel(
        model_type="vace", dim=config.dim, ffn_dim=config.ffn_dim, num_layers=2, num_heads=2, text_dim=TEXT_DIM, in_dim=16, vace_layers=1,
        vace_in_dim=96, device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init,
    )  # fmt: skip
    randomize(vace, 3)
    tensors = dict(vace.state_dict())
    model = comfy.sd.load_diffusion_model_state_dict(tensors, metadata={"config": json.dumps(config.metadata())})
    value, *_ = brush(classes, image=picture)
    assert "a family it was tested with" in refusal(apply, classes, model, vae, picture, value)
