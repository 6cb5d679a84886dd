"""Lazy videos in the real server: pieces that go on from each other, a trim, a cancel in the middle of a save."""

from __future__ import annotations

import time

import av
import pytest
from support.live_client import Workflow, get, post, run, submit, wait

from spacetime_cli.server import HostServer

WEIGHTS = {
    "model_name": "spacetime_tiny.safetensors",
    "text_encoder_name": "spacetime_tiny_text.safetensors",
    "vae_name": "spacetime_tiny_vae.safetensors",
}


def node(class_type: str, **inputs: object) -> dict[str, object]:
    return {"class_type": class_type, "inputs": inputs}


def decoding(frames: int, size: int = 64, **inputs: object) -> Workflow:
    """Empty latents through Spacetime Decode (node 3) into a file (node 4)."""
    return {
        "1": node("SpacetimeLoadTiny", **WEIGHTS),
        "2": node("EmptyHunyuanLatentVideo", width=size, height=size, length=frames, batch_size=1),
        "3": node("SpacetimeDecode", vae=["1", 2], samples=["2", 0], fps=16.0, **inputs),
        "4": node("SaveVideo", video=["3", 0], filename_prefix="lazy", format="auto", codec="auto"),
    }


def lengths(server: HostServer, workflow: Workflow, *sinks: str) -> list[int]:
    """Frames in the file that each sink saved."""
    ending = run(server.url, workflow)
    assert ending.kind == "success", ending
    found = []
    for sink in sinks:
        (saved,) = ending.outputs[sink]["images"]
        with av.open(str(server.output_folder / saved["subfolder"] / saved["filename"])) as container:
            found.append(sum(1 for _ in container.decode(video=0)))
    return found


def test_a_piece_goes_on_from_another(live_server: HostServer) -> None:
    workflow = decoding(17)
    workflow["5"] = node("SpacetimeDecode", vae=["1", 2], samples=["2", 0], fps=16.0, continue_from=["3", 1], overlap=2)
    workflow["6"] = node("SaveVideo", video=["5", 0], filename_prefix="lazy", format="auto", codec="auto")
    assert lengths(live_server, workflow, "4", "6") == [17, 12]


def test_a_loop_and_a_trim(live_server: HostServer) -> None:
    workflow = decoding(17, loop=True)
    workflow["5"] = node("Video Slice", video=["3", 0], start_time=0.25, duration=0.5, strict_duration=True)
    workflow["6"] = node("SaveVideo", video=["5", 0], filename_prefix="lazy", format="auto", codec="auto")
    assert lengths(live_server, workflow, "4", "6") == [20, 8]


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"overlap": 3}, "Spacetime Decode: expected an overlap of 0 without a clip to continue from, got 3; connect continue_from"),
        ({"overlap": 9, "continue_from": ["7", 1]}, "Spacetime Decode: expected an overlap of 0 to 4 latent frames, got 9; lower it"),
        ({"loop": True, "continue_from": ["7", 1]}, "Spacetime Decode: expected either a loop or a clip to continue from, got both"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(live_server: HostServer, inputs: dict[str, object], sentence: str) -> None:
    workflow = decoding(17, **inputs)
    workflow["7"] = node("SpacetimeDecode", vae=["1", 2], samples=["2", 0], fps=16.0)
    ending = run(live_server.url, workflow)
    assert ending.kind == "error" and ending.messages[0].startswith(sentence), ending


def test_a_cancelled_save_ends_soon_and_leaves_no_file(live_server: HostServer) -> None:
    before = set(live_server.output_folder.rglob("*"))
    prompt_id = submit(live_server.url, decoding(1601, size=128))
    assert isinstance(prompt_id, str)
    deadline = time.monotonic() + 60
    while set(live_server.output_folder.rglob("*")) == before:  # until the partial file is there
        assert time.monotonic() < deadline and not get(live_server.url, f"/history/{prompt_id}")
        time.sleep(0.05)
    post(live_server.url, "/interrupt", {})
    ending = wait(live_server.url, prompt_id, seconds=60)
    assert ending.kind == "interrupted" and ending.node_type == "SaveVideo", ending
    assert set(live_server.output_folder.rglob("*")) == before
