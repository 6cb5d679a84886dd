"""Whatever a client sends, it gets one clear error that names the node, and the server goes on working."""

from __future__ import annotations

import copy
import json
import math
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import torch
from safetensors.torch import save_file
from support.live_client import Ending, Workflow, get, post, run, submit, wait
from support.tiny_weights import write_dit, write_text_encoder, write_vae

from spacetime_cli.locate import Host
from spacetime_cli.server import HostServer

ROOT = Path(__file__).parents[2]
LOAD, TEXT, DENOISE, DECODE = "1", "2", "3", "4"
TEN_THOUSAND = "a red ball " * 909 + "!"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of weights, good and bad, as the host wants them."""
    root = tmp_path_factory.mktemp("weights")
    writers = {"diffusion_models": write_dit, "text_encoders": write_text_encoder, "vae": write_vae}
    for folder, write in writers.items():
        (root / folder).mkdir()
        good = write(root / folder / f"good_{folder}.safetensors").read_bytes()
        (root / folder / "truncated.safetensors").write_bytes(good[: len(good) // 2])
        (root / folder / "corrupt.safetensors").write_bytes(good[:8] + bytes(64) + good[72:])
        (root / folder / "garbage.safetensors").write_bytes(bytes(range(256)) * 64)
        (root / folder / "empty.safetensors").write_bytes(b"")
        (root / folder / "pickle.safetensors").write_bytes(pickle.dumps({"weight": [1.0, 2.0]}))
        torch.save({"weight": torch.ones(3)}, root / folder / "torch.safetensors")
        save_file({"lora_unet_blocks_0.lora_down.weight": torch.ones(2, 2)}, root / folder / "lora.safetensors")
        save_file({"encoder.block.23.layer.0.SelfAttention.q.weight": torch.ones(2, 2)}, root / folder / "foreign.safetensors")
    (root / "paths.yaml").write_text(json.dumps({"test": {"base_path": str(root), **{folder: folder for folder in writers}}}))
    return root


@pytest.fixture(scope="module")
def server(comfyui: Host, files: Path) -> Iterator[HostServer]:
    options = ("--extra-model-paths-config", str(files / "paths.yaml"))
    with HostServer(comfyui, private_folders=True, options=options) as running:
        yield running


def workflow(**changes: dict[str, Any]) -> Workflow:
    """The shipped text-to-video workflow on small random weights and a small clip; `changes` by node, "n3" for node 3."""
    made = json.loads((ROOT / "workflows" / "api" / "text_to_video.json").read_text(encoding="utf-8"))
    made[LOAD]["inputs"] = {
        "model_name": "good_diffusion_models.safetensors",
        "text_encoder_name": "good_text_encoders.safetensors",
        "vae_name": "good_vae.safetensors",
    }
    made[TEXT]["inputs"]["prompt"] = "a red ball rolls across green grass"
    made[DENOISE]["inputs"].update(width=32, height=32, length=5, length_unit="frames", steps=2)
    for node, inputs in changes.items():
        made[node.removeprefix("n")]["inputs"].update(inputs)
    return copy.deepcopy(made)


def assert_works(server: HostServer, seed: int) -> None:
    """A good prompt makes a video with the right number of frames."""
    ending = run(server.url, workflow(n3={"seed": seed}))
    assert ending.kind == "success", ending.messages
    (saved,) = ending.outputs["5"]["images"]
    with av.open(str(server.output_folder / saved["subfolder"] / saved["filename"])) as container:
        assert container.streams.video[0].frames == 5
        assert (container.streams.video[0].width, container.streams.video[0].height) == (32, 32)


def assert_one_sentence(ending: Ending, node_id: str, node_type: str, *fragments: str) -> None:
    assert (ending.kind in ("error", "refused"), ending.node_id, ending.node_type) == (True, node_id, node_type), ending
    (message,) = ending.messages
    assert "\n" not in message and len(message) < 400
    for fragment in fragments:
        assert fragment in message


def assert_ours(ending: Ending, node_id: str, node_type: str, name: str, *fragments: str) -> None:
    """One of our own sentences: node, what was expected, what came, what to do."""
    assert_one_sentence(ending, node_id, node_type, "expected", "got", "; ", *fragments)
    assert ending.messages[0].startswith(f"{name}: expected ")


def test_a_good_prompt_works(server: HostServer) -> None:
    assert_works(server, seed=1)


@pytest.mark.parametrize(
    ("prompt", "fragment"),
    [
        ("", "got an empty one"),
        (" \n\t ", "got an empty one"),
        ("\u200b", "got an empty one"),
        ("a red\x00 ball", "U+0000 at position 5"),
        ("a red\x07 ball", "U+0007"),
        ("a red \ud83d ball", "U+D83D"),
        ("a red ball \U0001f600", "cannot read: \U0001f600"),
        ("\u043a\u0440\u0430\u0441\u043d\u044b\u0439 \u043c\u044f\u0447", "cannot read: "),
        (TEN_THOUSAND, "at most 512 tokens, got"),
    ],
    ids=["empty", "blank", "invisible", "null byte", "bell", "half a character", "emoji", "another script", "10,000 characters"],
)
def test_prompts(server: HostServer, prompt: str, fragment: str) -> None:
    assert_ours(run(server.url, workflow(n2={"prompt": prompt})), TEXT, "SpacetimeTextEncode", "Spacetime Text Encode", fragment)


def test_a_long_prompt_names_both_numbers(server: HostServer) -> None:
    assert len(TEN_THOUSAND) == 10_000
    (message,) = run(server.url, workflow(n2={"prompt": TEN_THOUSAND})).messages
    assert "512 tokens" in message and "(10,000 characters)" in message


def test_a_bad_negative_prompt(server: HostServer) -> None:
    ending = run(server.url, workflow(n2={"negative": "blur\x00"}))
    assert_ours(ending, TEXT, "SpacetimeTextEncode", "Spacetime Text Encode", "in negative", "U+0000")


def test_unknown_words_are_told_and_are_no_error(server: HostServer) -> None:
    ending = run(server.url, workflow(n2={"prompt": "a red gherkin"}))
    assert ending.kind == "success"
    assert "gherkin" in ending.outputs[TEXT]["text"][0]
    assert "gherkin" in server.log.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"width": 100}, "a width that is a multiple of 16, got 100; use 96 or 112"),
        ({"height": 40}, "a height that is a multiple of 16, got 40; use 32 or 48"),
        ({"width": 0}, "a width of 16 to 8192 pixels, got 0"),
        ({"height": -128}, "a height of 16 to 8192 pixels, got -128"),
        ({"width": 1_000_000}, "a width of 16 to 8192 pixels, got 1000000"),
        ({"width": 10**30}, "a width of 16 to 8192 pixels"),
        ({"width": 8192, "height": 8192, "length": 4001}, "262,406,144 tokens"),
        ({"length": 32}, "4n+1 frames, got 32; use 29 or 33"),
        ({"length": 0}, "a length above 0 frames, got 0"),
        ({"length": -5}, "a length above 0 frames, got -5"),
        ({"length": 5.5}, "a whole number of frames, got 5.5"),
        ({"length": math.nan}, "a length above 0 frames, got nan"),
        ({"length": math.inf, "length_unit": "seconds"}, "a length above 0 seconds, got inf"),
        ({"length": 1e300, "length_unit": "seconds"}, "at most 10,000,000 frames, got 1.6e+301"),
        ({"length": 10_000_001}, "at most 10,000,000 frames, got 1e+07"),
        ({"length": 4_000_001}, "tokens, about"),
        ({"length": 0.0, "length_unit": "seconds"}, "a length above 0 seconds, got 0"),
        ({"length": 2.0, "length_unit": "seconds", "fps": 0}, "an fps above 0"),
        ({"length": 2.0, "length_unit": "seconds", "fps": math.nan}, "an fps above 0"),
        ({"steps": 0}, "steps of 1 to 10000, got 0"),
        ({"steps": -1}, "steps of 1 to 10000, got -1"),
        ({"cfg": math.nan}, "cfg of 0 to 100, got nan"),
        ({"shift": 0.0}, "shift of 0.01 to 100, got 0.0"),
        ({"denoise": 2.0}, "denoise of 0 to 1, got 2.0"),
        ({"seed": -1}, "seed of 0 to"),
        ({"seed": 2**64}, "seed of 0 to"),
    ],
    ids=str,
)
def test_sizes_lengths_and_settings(server: HostServer, changes: dict[str, Any], fragment: str) -> None:
    assert_ours(run(server.url, workflow(n3=changes)), DENOISE, "SpacetimeDenoise", "Spacetime Denoise", fragment)


@pytest.mark.parametrize(
    ("node", "changes", "fragment"),
    [
        (DENOISE, {"width": "wide"}, "width"),
        (DENOISE, {"width": math.nan}, "width"),
        (DENOISE, {"length_unit": "minutes"}, "length_unit: 'minutes' not in ['seconds', 'frames']"),
        (DENOISE, {"sampler_name": "magic"}, "sampler_name: 'magic' not in"),
        (LOAD, {"model_name": "../../secret.safetensors"}, "model_name"),
        (LOAD, {"vae_name": "nobody.safetensors"}, "vae_name"),
    ],
    ids=str,
)
def test_values_of_another_type_are_refused_by_the_host(server: HostServer, node: str, changes: dict[str, Any], fragment: str) -> None:
    kind = {LOAD: "SpacetimeLoadTiny", DENOISE: "SpacetimeDenoise"}[node]
    assert_one_sentence(run(server.url, workflow(**{f"n{node}": changes})), node, kind, fragment)


@pytest.mark.parametrize("fps", [0, -16, math.nan, math.inf])
def test_frame_rates_of_the_video(server: HostServer, fps: float) -> None:
    ending = run(server.url, workflow(n4={"fps": fps}))
    assert_ours(ending, DECODE, "SpacetimeDecode", "Spacetime Decode", "an fps above 0")


SLOTS = {"model_name": "diffusion_models", "text_encoder_name": "text_encoders", "vae_name": "vae"}
BAD_FILES = {
    "truncated": "cut short",
    "corrupt": "damaged",
    "garbage": "unknown data",
    "empty": "the empty file",
    "pickle": "a Python pickle",
    "torch": "a zip archive, as PyTorch writes",
    "lora": "a LoRA",
    "foreign": "a T5-XXL text encoder",
}


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize(("name", "fragment"), BAD_FILES.items(), ids=BAD_FILES)
def test_files(server: HostServer, slot: str, name: str, fragment: str) -> None:
    ending = run(server.url, workflow(n1={slot: f"{name}.safetensors"}))
    assert_ours(ending, LOAD, "SpacetimeLoadTiny", "Load Spacetime Tiny", fragment, f"{name}.safetensors")


def test_latents_that_are_no_video(server: HostServer) -> None:
    made = workflow(n4={"samples": ["9", 0]})
    made["9"] = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
    assert_ours(run(server.url, made), DECODE, "SpacetimeDecode", "Spacetime Decode", "a video latent [B, C, T, H, W], got [1, 4, 8, 8]")


@pytest.mark.parametrize(
    ("stage", "changes"),
    [("3", {"steps": 10_000}), ("5", {"steps": 1, "length": 4001})],
    ids=["while denoising", "while decoding and saving"],
)
def test_a_cancelled_job_ends_soon_and_leaves_nothing(server: HostServer, stage: str, changes: dict[str, Any]) -> None:
    before = sorted(server.output_folder.rglob("*.*"))
    prompt_id = submit(server.url, workflow(n3=changes))
    assert isinstance(prompt_id, str)
    _wait_for_progress(server, prompt_id, stage)
    began = time.monotonic()
    post(server.url, "/interrupt", {"prompt_id": prompt_id})
    ending = wait(server.url, prompt_id)
    assert (ending.kind, ending.node_id) == ("interrupted", stage)
    assert time.monotonic() - began < 5  # a second on a quiet machine
    assert sorted(server.output_folder.rglob("*.*")) == before
    assert_works(server, seed=2 + int(stage))


def _wait_for_progress(server: HostServer, prompt_id: str, stage: str) -> None:
    """Wait until the node `stage` has begun its loop, which the log tells by loading what the loop runs."""
    begun = {"3": "WAN21", "5": "CausalVideoVAE"}[stage]
    start = len(_log(server))
    deadline = time.monotonic() + 120
    while f"Requested to load {begun}" not in _log(server)[start:] and time.monotonic() < deadline:
        assert not get(server.url, f"/history/{prompt_id}"), "the job ended before it could be cancelled"
        time.sleep(0.05)
    time.sleep(0.5)


def _log(server: HostServer) -> str:
    return server.log.read_text(encoding="utf-8", errors="replace")


def test_after_all_that_a_good_prompt_still_works(server: HostServer) -> None:
    assert_works(server, seed=99)
