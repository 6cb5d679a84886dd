"""The API workflows as they are shipped, on the weights in the box, with fewer steps."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from support.live_client import Workflow, run

from spacetime_cli.server import HostServer

WORKFLOWS = Path(__file__).parents[2] / "workflows" / "api"
STEPS = 2
BOX = "spacetime_tiny_vae.safetensors"
RUNNABLE = [path.stem for path in sorted(WORKFLOWS.glob("*.json")) if BOX in path.read_text(encoding="utf-8")]
"""The others need models that are not in the box."""


def shipped(name: str, seed: int = 0) -> Workflow:
    """A shipped workflow, changed only to take fewer steps from another seed."""
    workflow = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    for node in workflow.values():
        if "steps" in node["inputs"]:
            node["inputs"].update(steps=STEPS, seed=seed)
    return workflow


def video_of(server: HostServer, workflow: Workflow) -> np.ndarray:
    """Frames [T, H, W, 3] uint8 of the one video that the workflow saves."""
    ending = run(server.url, workflow)
    assert ending.kind == "success", ending
    (saved,) = [item for output in ending.outputs.values() for item in output.get("images", []) if item["filename"].endswith(".mp4")]
    with av.open(str(server.output_folder / saved["subfolder"] / saved["filename"])) as container:
        assert container.streams.video[0].average_rate == 16
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("name", RUNNABLE)
def test_makes_two_seconds_of_video(live_server: HostServer, name: str) -> None:
    frames = video_of(live_server, shipped(name))
    assert frames.shape == (17, 128, 128, 3)
    assert frames.std() > 5  # not one flat colour


def test_stock_nodes_alone_make_the_same_video(live_server: HostServer) -> None:
    """Ours decodes in the fastest precision and rounds to the nearest byte, so the codec is given slightly different frames."""
    ours = video_of(live_server, shipped("text_to_video", seed=5)).astype(float)
    stock = video_of(live_server, shipped("stock_nodes_only", seed=5)).astype(float)
    other = video_of(live_server, shipped("stock_nodes_only", seed=6)).astype(float)
    assert np.abs(ours - stock).mean() < 0.2 * np.abs(other - stock).mean()


def test_the_picture_decides_the_video(live_server: HostServer) -> None:
    """Another picture, another video, all else being equal."""
    workflow = shipped("image_to_video")
    with_picture = video_of(live_server, workflow).astype(float)
    (picture,) = [node for node in workflow.values() if node["class_type"] == "LoadImage"]
    picture["class_type"], picture["inputs"] = "EmptyImage", {"width": 96, "height": 96, "batch_size": 1, "color": 0xFF0000}
    with_red = video_of(live_server, workflow).astype(float)
    assert np.abs(with_picture - with_red).mean() > 5
