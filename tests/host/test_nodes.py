"""The four nodes in the host: schemas it accepts, loaders it shares, samples equal to those of its own nodes."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import folder_paths
import nodes as host_nodes
import pytest
import torch
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from comfy_extras.nodes_wan import WanFirstLastFrameToVideo, WanImageToVideo
from support.tiny_weights import CHINESE, TEXT_DIM, write_dit, write_text_encoder, write_vae

from models.dit import STEPS_KEY

NAMES = {
    "SpacetimeLoadTiny": "Load Spacetime Tiny",
    "SpacetimeTextEncode": "Spacetime Text Encode",
    "SpacetimeDenoise": "Spacetime Denoise",
    "SpacetimeDecode": "Spacetime Decode",
    "SpacetimeLoadInterpolationModel": "Load Interpolation Model",
    "SpacetimeInterpolate": "Spacetime Interpolate",
    "SpacetimeUpscale": "Spacetime Upscale",
    "SpacetimeJoin": "Spacetime Join",
    "SpacetimeAddAudio": "Spacetime Add Audio",
    "SpacetimeSaveVideo": "Spacetime Save Video",
    "SpacetimeMotionBrush": "Spacetime Motion Brush",
    "SpacetimeLoadMotionPlan": "Spacetime Load Motion Plan",
    "SpacetimeCameraMotion": "Spacetime Camera Motion",
    "SpacetimeCombinePlans": "Spacetime Combine Plans",
    "SpacetimePlanFromTracks": "Spacetime Plan from Tracks",
    "SpacetimeApplyMotion": "Spacetime Apply Motion",
    "SpacetimeMotionAdherence": "Spacetime Motion Adherence",
    "SpacetimeMotionGuides": "Spacetime Motion Guides",
}
PROMPT = "a red ball rolls across green grass"
WIDGETS = {
    "width": 32,
    "height": 48,
    "length": 5.0,
    "length_unit": "frames",
    "fps": 16.0,
    "steps": 3,
    "cfg": 3.0,
    "shift": 5.0,
    "sampler_name": "euler",
    "scheduler": "simple",
    "seed": 7,
    "denoise": 1.0,
}


@pytest.fixture(scope="module")
def extension(pack: ModuleType) -> Any:
    found = asyncio.run(pack.comfy_entrypoint())
    asyncio.run(found.on_load())
    return found


@pytest.fixture(scope="module")
def classes(extension: Any) -> dict[str, Any]:
    return {node.GET_SCHEMA().node_id: node for node in asyncio.run(extension.get_node_list())}


@pytest.fixture(scope="module")
def box(extension: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Random weights in folders that the host knows, as the widgets of Load Spacetime Tiny."""
    root = tmp_path_factory.mktemp("weights")
    writers = {"diffusion_models": write_dit, "text_encoders": write_text_encoder, "vae": write_vae}
    names = {"diffusion_models": "model_name", "text_encoders": "text_encoder_name", "vae": "vae_name"}
    chosen = {}
    for folder, write in writers.items():
        (root / folder).mkdir()
        chosen[names[folder]] = write(root / folder / f"random_{folder}.safetensors").name
        folder_paths.add_model_folder_path(folder, str(root / folder))
    yield chosen
    for folder in writers:
        folder_paths.folder_names_and_paths[folder][0].remove(str(root / folder))


@pytest.fixture(scope="module")
def loaded(classes: dict[str, Any], box: dict[str, str]) -> tuple[Any, Any, Any]:
    return classes["SpacetimeLoadTiny"].execute(**box).args


@pytest.fixture(scope="module")
def encoded(classes: dict[str, Any], loaded: tuple[Any, Any, Any]) -> tuple[list, list]:
    return classes["SpacetimeTextEncode"].execute(loaded[1], PROMPT).args


def run(classes: dict[str, Any], **inputs: Any) -> torch.Tensor:
    return classes["SpacetimeDenoise"].execute(**{**WIDGETS, **inputs}).args[0]["samples"]


def refusal(function: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(ValueError) as caught:
        function(*arguments, **keywords)
    message = str(caught.value)
    assert ": expected " in message and ", got " in message and "; " in message and "\n" not in message
    return message


def test_the_entry_point_gives_the_four_nodes(classes: dict[str, Any]) -> None:
    assert {node_id: node.GET_SCHEMA().display_name for node_id, node in classes.items()} == NAMES


@pytest.mark.parametrize("node_id", NAMES)
def test_every_schema_is_valid_and_explains_itself(classes: dict[str, Any], node_id: str) -> None:
    schema = classes[node_id].GET_SCHEMA()
    schema.validate()
    info = schema.get_v1_info(classes[node_id])
    assert schema.category == "spacetime" and len(schema.description) > 40
    assert any(alias.isascii() for alias in info.search_aliases)
    assert any(not alias.isascii() for alias in info.search_aliases)
    assert all(len(part.tooltip or "") > 10 for part in [*schema.inputs, *schema.outputs])


def test_stock_loaders_list_the_box(extension: Any, root: Path) -> None:
    for folder in ("diffusion_models", "vae", "text_encoders"):
        assert str((root / "weights" / folder).resolve()) in folder_paths.get_folder_paths(folder)
        assert ".safetensors" in folder_paths.folder_names_and_paths[folder][1]


def test_the_box_is_the_default_even_where_it_is_missing(classes: dict[str, Any]) -> None:
    inputs = {part.id: part for part in classes["SpacetimeLoadTiny"].GET_SCHEMA().inputs}
    assert inputs["model_name"].default == inputs["model_name"].options[0] == "spacetime_tiny.safetensors"
    assert inputs["text_encoder_name"].default == "spacetime_tiny_text.safetensors"
    assert inputs["vae_name"].default == "spacetime_tiny_vae.safetensors"


def test_a_missing_file_is_one_sentence(classes: dict[str, Any], box: dict[str, str]) -> None:
    message = refusal(classes["SpacetimeLoadTiny"].execute, **{**box, "model_name": "nobody.safetensors"})
    assert message.startswith("Load Spacetime Tiny: expected a weight file at") and "nobody.safetensors" in message


@pytest.mark.parametrize(
    ("slot", "other", "expected"),
    [
        ("model_name", "vae", "expected a Wan-layout video diffusion model, got a Wan VAE"),
        ("vae_name", "diffusion_models", "expected a Wan 2.1 video VAE, got a Wan video diffusion model"),
        ("text_encoder_name", "vae", "expected a Spacetime text encoder, got a Wan VAE"),
    ],
)
def test_a_file_in_the_wrong_slot(classes: dict[str, Any], box: dict[str, str], slot: str, other: str, expected: str) -> None:
    folder = {"model_name": "diffusion_models", "vae_name": "vae", "text_encoder_name": "text_encoders"}[slot]
    source = Path(folder_paths.get_full_path_or_raise(other, f"random_{other}.safetensors"))
    target = Path(folder_paths.get_full_path_or_raise(folder, f"random_{folder}.safetensors")).with_name("misplaced.safetensors")
    target.write_bytes(source.read_bytes())
    assert expected in refusal(classes["SpacetimeLoadTiny"].execute, **{**box, slot: target.name})


@pytest.mark.parametrize("slot", ["model_name", "vae_name"])
def test_a_file_that_lacks_a_layer_is_refused(classes: dict[str, Any], box: dict[str, str], slot: str) -> None:
    from safetensors.torch import load_file, save_file

    folder, lost = {"model_name": ("diffusion_models", "blocks.1.norm3.weight"), "vae_name": ("vae", "decoder.conv1.bias")}[slot]
    source = Path(folder_paths.get_full_path_or_raise(folder, box[slot]))
    tensors = load_file(source)
    del tensors[lost]
    save_file(tensors, source.with_name("incomplete.safetensors"), metadata={"config": '{"transformer": {"num_heads": 2, "text_dim": 64}}'})
    assert f"tensor '{lost}'" in refusal(classes["SpacetimeLoadTiny"].execute, **{**box, slot: "incomplete.safetensors"})


def test_a_file_without_its_metadata_is_refused(classes: dict[str, Any], box: dict[str, str]) -> None:
    from safetensors.torch import load_file, save_file

    source = Path(folder_paths.get_full_path_or_raise("diffusion_models", box["model_name"]))
    save_file(load_file(source), source.with_name("untold.safetensors"))
    message = refusal(classes["SpacetimeLoadTiny"].execute, **{**box, "model_name": "untold.safetensors"})
    assert f"text width {TEXT_DIM}, got none" in message


def test_text_encode_is_what_the_stock_node_gives(loaded: tuple[Any, Any, Any], encoded: tuple[list, list]) -> None:
    for ours, text in zip(encoded, (PROMPT, ""), strict=True):
        ((stock,),) = host_nodes.CLIPTextEncode().encode(loaded[1], text)
        assert torch.equal(ours[0][0], stock[0])


def test_unknown_words_are_named_and_no_error(classes: dict[str, Any], loaded: tuple[Any, Any, Any]) -> None:
    node = classes["SpacetimeTextEncode"]
    output = node.execute(loaded[1], f"a red zeppelin, {CHINESE}", "a gherkin")
    assert "zeppelin, gherkin" in output.ui["text"][0]
    assert node.execute(loaded[1], PROMPT).ui is None


def test_bad_prompts_are_refused_before_anything_is_loaded(classes: dict[str, Any], loaded: tuple[Any, Any, Any]) -> None:
    node = classes["SpacetimeTextEncode"]
    start = "Spacetime Text Encode: expected "
    for blank in ("", "  \n\t", "\u200b\ufeff"):
        assert refusal(node.check_lazy_status, prompt=blank).startswith(start + "a prompt, got an empty one")
    assert "U+0000 at position 5" in refusal(node.check_lazy_status, prompt="a red\x00 ball")
    assert "U+001B" in refusal(node.check_lazy_status, prompt=PROMPT, negative="\x1b[31m")
    assert node.check_lazy_status(prompt="a\nred\tball", clip=None) == ["clip"]
    assert node.check_lazy_status(prompt=PROMPT, clip=loaded[1], negative="") == []


def test_prompts_that_the_box_cannot_read(classes: dict[str, Any], loaded: tuple[Any, Any, Any]) -> None:
    node = classes["SpacetimeTextEncode"]
    assert "cannot read: \u26bd" in refusal(node.execute, loaded[1], "a red \u26bd")
    long = refusal(node.execute, loaded[1], "a red ball " * 909)
    assert "at most 512 tokens, got" in long and "(9,999 characters)" in long


@pytest.fixture(scope="module")
def another_clip() -> Any:
    """The host's CLIP-L; its weights are whatever the memory held, only what goes in and out matters."""
    import comfy.sd

    return comfy.sd.load_text_encoder_state_dicts([{"text_model.encoder.layers.1.mlp.fc1.weight": torch.zeros(3072, 768)}])


def test_another_text_encoder_keeps_its_own_rules(classes: dict[str, Any], loaded: tuple[Any, Any, Any], another_clip: Any) -> None:
    output = classes["SpacetimeTextEncode"].execute(another_clip, "a red \u26bd, " * 300)
    assert output.ui is None
    positive, _ = output.args
    assert positive[0][0].shape[-1] == 768
    assert f"{TEXT_DIM} values per token, got 768" in refusal(run, classes, model=loaded[0], positive=positive)


def test_no_text_encoder_at_all(classes: dict[str, Any]) -> None:
    assert "expected a text encoder, got none" in refusal(classes["SpacetimeTextEncode"].execute, None, PROMPT)


@pytest.mark.parametrize("guided", [True, False])
def test_denoise_is_the_stock_sampler(
    classes: dict[str, Any], loaded: tuple[Any, Any, Any], encoded: tuple[list, list], guided: bool
) -> None:
    positive, negative = encoded
    ours = run(classes, model=loaded[0], positive=positive, negative=negative if guided else None)
    (model,) = ModelSamplingSD3().patch(loaded[0], 5.0)
    empty = {"samples": torch.zeros(1, 16, 2, 6, 4)}
    cfg = 3.0 if guided else 1.0
    (stock,) = host_nodes.KSampler().sample(model, 7, 3, cfg, "euler", "simple", positive, negative, empty)
    assert ours.shape == (1, 16, 2, 6, 4)
    assert torch.equal(ours, stock["samples"])


def test_guidance_asked_of_a_model_made_for_none_is_no_error_but_said(
    classes: dict[str, Any], box: dict[str, str], encoded: tuple[list, list]
) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    source = Path(folder_paths.get_full_path_or_raise("diffusion_models", box["model_name"]))
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
    save_file(load_file(source), source.with_name("few_steps.safetensors"), metadata={**metadata, STEPS_KEY: "8"})
    positive, negative = encoded
    notes = {}
    for name in (box["model_name"], "few_steps.safetensors"):
        model = classes["SpacetimeLoadTiny"].execute(**{**box, "model_name": name}).args[0].clone()
        for cfg in (1.0, 3.0):
            output = classes["SpacetimeDenoise"].execute(**{**WIDGETS, "cfg": cfg}, model=model, positive=positive, negative=negative)
            notes[name, cfg] = output.ui and output.ui["text"][0]
    said = notes.pop(("few_steps.safetensors", 3.0))
    assert said.startswith("few_steps.safetensors was made for 8 steps") and said.endswith("Set cfg to 1.")
    assert list(notes.values()) == [None] * 3


def test_known_frames_come_through_the_stock_node(
    classes: dict[str, Any], loaded: tuple[Any, Any, Any], encoded: tuple[list, list]
) -> None:
    picture = torch.rand(1, 48, 32, 3, generator=torch.Generator().manual_seed(0))
    positive, negative, latent = WanImageToVideo.execute(*encoded, loaded[2], 32, 48, 9, 2, start_image=picture).args
    ours = run(classes, model=loaded[0], positive=positive, negative=negative, latent=latent)
    known, free = torch.zeros(2, 16, 3, 6, 4), torch.ones(2, 1, 3, 6, 4)
    known[:, :, 0], free[:, :, 0] = positive[0][1]["concat_latent_image"][:, :, 0], 0
    (model,) = ModelSamplingSD3().patch(loaded[0], 5.0)
    kept = {"samples": known, "noise_mask": free}
    (stock,) = host_nodes.KSampler().sample(model, 7, 3, 3.0, "euler", "simple", positive, negative, kept)
    assert ours.shape == (2, 16, 3, 6, 4)
    assert torch.equal(ours, stock["samples"])
    torch.testing.assert_close(ours[:, :, 0], known[:, :, 0])
    without = run(classes, model=loaded[0], positive=encoded[0], negative=encoded[1], latent=latent)
    assert not torch.equal(ours, without)


def test_only_frames_known_from_the_first_on_are_kept(
    classes: dict[str, Any], loaded: tuple[Any, Any, Any], encoded: tuple[list, list], pack: ModuleType
) -> None:
    with_known_frames = importlib.import_module(f"{pack.__name__}.sampling.known_frames").with_known_frames
    pictures = torch.rand(6, 48, 32, 3, generator=torch.Generator().manual_seed(0))

    def kept(first: int, last: int) -> int:
        start, end = pictures[:first] if first else None, pictures[-last:] if last else None
        positive, _, latent = WanFirstLastFrameToVideo.execute(*encoded, loaded[2], 32, 48, 17, 1, start_image=start, end_image=end).args
        return int((with_known_frames(loaded[0], positive, latent).get("noise_mask", torch.ones(1, 1, 5, 6, 4))[0, 0, :, 0, 0] == 0).sum())

    assert [kept(1, 0), kept(0, 1), kept(1, 1), kept(5, 0), kept(4, 0)] == [1, 0, 1, 2, 1]
    positive, _, latent = WanImageToVideo.execute(*encoded, loaded[2], 32, 48, 17, 1, start_image=pictures[:1]).args
    own = {"samples": torch.ones_like(latent["samples"])}
    assert with_known_frames(loaded[0], positive, own) is own
    masked = {**latent, "noise_mask": torch.ones(1, 1, 5, 6, 4)}
    assert with_known_frames(loaded[0], positive, masked) is masked
    assert with_known_frames(loaded[0], encoded[0], latent) is latent
    told = {**latent, "downscale_ratio_spacial": 8}  # which the host takes away with the noise that it was told for
    (given,) = classes["SpacetimeDenoise"].execute(loaded[0], positive, latent=told, **WIDGETS).args
    assert set(given) == {"samples"} and not torch.count_nonzero(latent["samples"])


def test_a_noise_mask_and_strength_are_honoured(classes: dict[str, Any], loaded: tuple[Any, Any, Any], encoded: tuple[list, list]) -> None:
    start = torch.randn(1, 16, 2, 6, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 2, 6, 4)
    mask[:, :, 1] = 1
    ours = run(classes, model=loaded[0], positive=encoded[0], latent={"samples": start, "noise_mask": mask})
    torch.testing.assert_close(ours[:, :, 0], start[:, :, 0])
    assert not torch.allclose(ours[:, :, 1], start[:, :, 1])
    untouched = run(classes, model=loaded[0], positive=encoded[0], latent={"samples": start}, denoise=0.0)
    assert torch.equal(untouched, start)


def test_bad_sizes_are_refused_as_soon_as_they_can_be(classes: dict[str, Any], loaded: tuple[Any, Any, Any]) -> None:
    check = classes["SpacetimeDenoise"].check_lazy_status
    waiting = dict.fromkeys(("model", "positive", "negative"))
    assert "width of 16 to 8192" in refusal(check, **{**WIDGETS, **waiting, "width": 0})
    assert "steps of 1 to" in refusal(check, **{**WIDGETS, **waiting, "steps": 0})
    assert check(**{**WIDGETS, **waiting}) == ["model"]
    assert check(**{**WIDGETS, **waiting, "model": loaded[0]}) == ["positive", "negative"]
    assert "4n+1 frames, got 32; use 29 or 33" in refusal(check, **{**WIDGETS, **waiting, "model": loaded[0], "length": 32.0})
    assert "multiple of 16, got 100" in refusal(check, **{**WIDGETS, **waiting, "model": loaded[0], "width": 100})
    huge = {"width": 8192, "height": 8192, "length": 4001.0}
    message = refusal(check, **{**WIDGETS, **waiting, "model": loaded[0], **huge})
    assert "262,406,144 tokens" in message and "GB of memory" in message  # 1001 latent frames of 512 x 512 patches
    assert check(**{**WIDGETS, **waiting, "latent": None, "width": 100}) == ["model", "positive", "negative", "latent"]


def test_conditioning_of_another_text_encoder(classes: dict[str, Any], loaded: tuple[Any, Any, Any], encoded: tuple[list, list]) -> None:
    wide = [[torch.zeros(1, 5, 4096), {}]]
    message = refusal(run, classes, model=loaded[0], positive=wide)
    assert f"positive conditioning with {TEXT_DIM} values per token, got 4096" in message
    assert "negative conditioning" in refusal(run, classes, model=loaded[0], positive=encoded[0], negative=wide)


def test_latents_of_another_model(classes: dict[str, Any], loaded: tuple[Any, Any, Any], encoded: tuple[list, list]) -> None:
    other = {"samples": torch.ones(1, 48, 2, 6, 4)}
    assert "16 channels, got 48" in refusal(run, classes, model=loaded[0], positive=encoded[0], latent=other)
    sound = {"samples": torch.ones(1, 64, 100)}
    assert "expected a video latent [B, C, T, H, W], got [1, 64, 100]" in refusal(
        run, classes, model=loaded[0], positive=encoded[0], latent=sound
    )


def test_known_frames_for_another_length(classes: dict[str, Any], loaded: tuple[Any, Any, Any], encoded: tuple[list, list]) -> None:
    picture = torch.rand(1, 48, 32, 3)
    positive, _, _ = WanImageToVideo.execute(*encoded, loaded[2], 32, 48, 17, 1, start_image=picture).args
    assert "for 2 latent frames in positive, got 5" in refusal(run, classes, model=loaded[0], positive=positive)


def test_a_picture_given_to_a_text_only_model_is_said_to_be_ignored(
    pack: ModuleType, classes: dict[str, Any], loaded: tuple[Any, Any, Any], encoded: tuple[list, list], tmp_path: Path, caplog: Any
) -> None:
    load_model = importlib.import_module(f"{pack.__name__}.model_loaders.diffusion").load_model
    model = load_model(write_dit(tmp_path / "text_only.safetensors", in_dim=16))
    picture = torch.rand(1, 48, 32, 3)
    positive, _, latent = WanImageToVideo.execute(*encoded, loaded[2], 32, 48, 5, 1, start_image=picture).args
    run(classes, model=model, positive=positive, latent=latent)
    assert any("pictures in the conditioning are ignored" in record.getMessage() for record in caplog.records)


def test_the_shift_of_every_flow_model_is_the_same_curve(pack: ModuleType, loaded: tuple[Any, Any, Any]) -> None:
    """Models with Flux's sampling keep theirs, with the logarithm of the shift: time t becomes s*t / (1 + (s-1)*t)."""
    import comfy.model_base

    with_shift = importlib.import_module(f"{pack.__name__}.sampling.host_model").with_shift
    time = torch.tensor([0.1, 0.5, 0.9])
    expected = 4 * time / (1 + 3 * time)
    flow = with_shift(loaded[0], 4.0).get_model_object("model_sampling")
    torch.testing.assert_close(flow.sigma(time * 1000), expected)
    like_flux = loaded[0].clone()
    config = loaded[0].model.model_config
    like_flux.add_object_patch("model_sampling", comfy.model_base.model_sampling(config, comfy.model_base.ModelType.FLUX))
    flux = with_shift(like_flux, 4.0).get_model_object("model_sampling")
    torch.testing.assert_close(flux.sigma(time), expected)
