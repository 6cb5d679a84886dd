"""The motion brush on the model in the box, headless: its template's API twin on the real server, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.live_client import Workflow, run

from spacetime_cli.server import HostServer

WORKFLOW = Path(__file__).parents[2] / "workflows" / "api" / "motion_brush_box.json"
STEPS = 4
LEFT = {
    "version": 1,
    "regions": [{"shapes": [{"type": "rectangle", "box": [0.3, 0.3, 0.4, 0.4]}], "motion": {"direction": 180, "speed": 0.3}}],
}


def shipped(**changes: Any) -> Workflow:
    """The shipped workflow with few steps; `changes` are the brush's inputs."""
    workflow = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    node(workflow, "SpacetimeDenoise")["inputs"]["steps"] = STEPS
    node(workflow, "SpacetimeMotionBrush")["inputs"].update(changes)
    return workflow


def node(workflow: Workflow, class_type: str) -> dict[str, Any]:
    (found,) = [entry for entry in workflow.values() if entry["class_type"] == class_type]
    return found


def key_of(workflow: Workflow, class_type: str) -> str:
    (found,) = [key for key, entry in workflow.items() if entry["class_type"] == class_type]
    return found


def frames_of(server: HostServer, outputs: dict[str, Any], node_id: str) -> np.ndarray:
    (saved,) = outputs[node_id]["images"]
    with av.open(str(server.output_folder / saved["subfolder"] / saved["filename"])) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(float)


def test_the_plan_moves_the_picture(live_server: HostServer) -> None:
    """The default plan and one that goes the other way make different videos of the same size; the node says how it steers the model.

    The preview, saved beside the video, begins with the same picture and shows the motion exactly.
    """
    results = []
    for changes in ({}, {"plan": json.dumps(LEFT)}):
        workflow = shipped(**changes)
        brush, apply, save = (key_of(workflow, name) for name in ("SpacetimeMotionBrush", "SpacetimeApplyMotion", "SaveVideo"))
        workflow["90"] = {"class_type": "SaveVideo", "inputs": {**workflow[save]["inputs"], "video": [brush, 3]}}
        ending = run(live_server.url, workflow)
        assert ending.kind == "success", ending
        assert ": " in ending.outputs[apply]["text"][0]
        (shown,) = ending.outputs[brush]["spacetime_picture"]
        assert shown["type"] == "temp"
        results.append((frames_of(live_server, ending.outputs, save), frames_of(live_server, ending.outputs, "90")))
    (right, right_preview), (left, left_preview) = results
    assert right.shape == left.shape == right_preview.shape == (17, 128, 128, 3)
    assert np.abs(right - left).mean() > 1
    assert np.abs(right_preview[0] - left_preview[0]).mean() < 4  # what H.264 loses, depending on the frames that follow
    assert np.abs(right_preview[-1] - left_preview[-1]).mean() > 15


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("{", "Spacetime Motion Brush: motion plan: expected JSON"),
        ('{"version": 2}', "version"),
        ('{"version": 1, "regions": [{"shapes": [{"type": "mask"}]}]}', "mask"),
    ],
)
def test_a_bad_plan_is_refused_in_a_sentence_and_the_server_goes_on(live_server: HostServer, plan: str, words: str) -> None:
    ending = run(live_server.url, shipped(plan=plan))
    assert (ending.kind, ending.node_type) == ("error", "SpacetimeMotionBrush")
    assert words in ending.messages[0] and "; " in ending.messages[0] and "\n" not in ending.messages[0]


def test_numbers_that_cannot_be_are_refused_by_the_node(live_server: HostServer) -> None:
    workflow = shipped()
    node(workflow, "SpacetimeApplyMotion")["inputs"]["width"] = 100
    ending = run(live_server.url, workflow)
    assert (ending.kind, ending.node_type) == ("error", "SpacetimeApplyMotion")
    assert "multiple of 16, got 100; use 96 or 112" in ending.messages[0]
