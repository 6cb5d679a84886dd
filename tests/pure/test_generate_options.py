"""How the generate command's options find their way into a workflow."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from spacetime_cli.errors import CommandError, Exit
from spacetime_cli.workflow import Options, Setting, load, name_nodes, value_of

OURS: dict[str, Any] = {
    "1": {"class_type": "SpacetimeTextEncode", "inputs": {"clip": ["9", 1], "prompt": "", "negative": "blur"}},
    "2": {
        "class_type": "SpacetimeDenoise",
        "_meta": {"title": "Denoise v1.0"},
        "inputs": {
            "positive": ["1", 0],
            "negative": ["1", 1],
            "width": 64,
            "height": 64,
            "length": 2.0,
            "length_unit": "seconds",
            "fps": 8,
            "steps": 20,
            "cfg": 5,
            "seed": 0,
        },
    },
    "3": {"class_type": "SpacetimeDecode", "inputs": {"samples": ["2", 0], "fps": 8, "tiled": False}},
}
STOCK: dict[str, Any] = {
    "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["9", 1]}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["9", 1]}},
    "3": {"class_type": "EmptyHunyuanLatentVideo", "inputs": {"width": 64, "height": 64, "length": 17, "batch_size": 1}},
    "4": {"class_type": "KSampler", "inputs": {"positive": ["1", 0], "negative": ["2", 0], "seed": 0, "steps": 20}},
    "5": {"class_type": "CreateVideo", "inputs": {"images": ["4", 0], "fps": 16.0}},
}


def frames(seconds: float, fps: float) -> int:
    return round(seconds * fps) + 1


def applied(workflow: dict[str, Any], seconds: float | None = None, settings: tuple[str, ...] = (), **values: Any) -> dict[str, Any]:
    prompt = copy.deepcopy(workflow)
    Options(values, seconds, [Setting.parse(text) for text in settings]).apply(prompt, frames)
    return prompt


def test_options_go_to_every_input_of_their_name_and_never_to_a_link() -> None:
    prompt = applied(OURS, prompt="a red ball", negative="noise", fps=12, width=96, height=80, steps=4, seed=7)
    assert prompt["1"]["inputs"] == {"clip": ["9", 1], "prompt": "a red ball", "negative": "noise"}
    assert prompt["2"]["inputs"]["negative"] == ["1", 1]
    assert {key: prompt["2"]["inputs"][key] for key in ("width", "height", "steps", "seed", "fps")} == {
        "width": 96,
        "height": 80,
        "steps": 4,
        "seed": 7,
        "fps": 12,
    }
    assert prompt["3"]["inputs"]["fps"] == 12


def test_options_left_out_change_nothing() -> None:
    assert applied(OURS, prompt=None, seed=None) == OURS


def test_seconds_are_given_as_seconds_where_the_node_has_a_unit() -> None:
    workflow = copy.deepcopy(OURS)
    workflow["2"]["inputs"].update(length=17, length_unit="frames")
    inputs = applied(workflow, seconds=3.5)["2"]["inputs"]
    assert (inputs["length"], inputs["length_unit"]) == (3.5, "seconds")


def test_seconds_become_frames_at_the_workflows_rate_where_a_node_counts_frames() -> None:
    assert applied(STOCK, seconds=2.0)["3"]["inputs"]["length"] == 33
    assert applied(STOCK, seconds=2.0, fps=8)["3"]["inputs"]["length"] == 17


def test_in_a_stock_workflow_the_prompts_are_the_texts_behind_the_sampler() -> None:
    prompt = applied(STOCK, prompt="yes", negative="no")
    assert prompt["1"]["inputs"]["text"] == "yes"
    assert prompt["2"]["inputs"]["text"] == "no"
    assert value_of(applied(OURS, seed=9), "seed") == 9


def test_an_option_without_an_input_is_refused() -> None:
    with pytest.raises(CommandError, match="--width: expected a node with an input named width") as caught:
        applied({"1": {"class_type": "X", "inputs": {}}}, width=64)
    assert caught.value.code is Exit.USAGE


@pytest.mark.parametrize("node", ["2", "SpacetimeDenoise", "Denoise v1.0"])
def test_set_finds_a_node_by_id_class_or_title(node: str) -> None:
    assert applied(OURS, settings=(f"{node}.steps=3",))["2"]["inputs"]["steps"] == 3


@pytest.mark.parametrize(
    ("setting", "node", "key", "value"),
    [
        ("2.cfg=5.5", "2", "cfg", 5.5),
        ("2.cfg=6", "2", "cfg", 6),
        ("3.tiled=True", "3", "tiled", True),
        ("3.tiled=0", "3", "tiled", False),
        ("1.prompt=a = b. c", "1", "prompt", "a = b. c"),
        ("1.prompt=", "1", "prompt", ""),
    ],
)
def test_set_keeps_the_type_that_the_workflow_has(setting: str, node: str, key: str, value: object) -> None:
    result = applied(OURS, settings=(setting,))[node]["inputs"][key]
    assert result == value
    assert type(result) is type(value)


def test_set_has_the_last_word() -> None:
    assert applied(OURS, steps=9, settings=("2.steps=3",))["2"]["inputs"]["steps"] == 3


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("steps", "expected NODE.input=value, got 'steps'"),
        ("2.=3", "expected NODE.input=value"),
        ("7.steps=3", r"expected a node of this workflow, got 7; it has 1 \(SpacetimeTextEncode\)"),
        ("2.stepz=3", "expected an input of that node, which has width, height"),
        ("2.positive=3", "that input is fed by SpacetimeTextEncode"),
        ("2.steps=many", "expected a number, got 'many'"),
        ("3.tiled=perhaps", "expected true or false, got 'perhaps'"),
    ],
)
def test_an_unknown_or_wrong_set_is_one_clear_sentence(setting: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as caught:
        applied(OURS, settings=(setting,))
    assert caught.value.code is Exit.USAGE
    assert "\n" not in caught.value.sentence


def test_a_class_that_occurs_twice_needs_an_id() -> None:
    with pytest.raises(CommandError, match="got 2; use its id: 1, 2"):
        applied(STOCK, settings=("CLIPTextEncode.text=x",))


def test_nodes_without_a_title_get_the_servers_name() -> None:
    prompt = copy.deepcopy(OURS)
    name_nodes(prompt, {"SpacetimeDenoise": "Spacetime Denoise", "SpacetimeDecode": "Spacetime Decode"})
    assert [prompt[key]["_meta"]["title"] for key in "123"] == ["SpacetimeTextEncode", "Denoise v1.0", "Spacetime Decode"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "expected JSON"),
        (json.dumps({"nodes": [], "links": []}), "expected the API format"),
        (json.dumps({"1": {"inputs": {}}}), "expected nodes with a class_type"),
        ("[]", "expected nodes with a class_type"),
        ("{}", "expected nodes with a class_type"),
    ],
)
def test_a_file_that_is_no_api_workflow_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    file = tmp_path / "workflow.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match=sentence) as caught:
        load(file)
    assert caught.value.code is Exit.USAGE


def test_a_missing_workflow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot read"):
        load(tmp_path / "none.json")
