"""The editor's maths in JavaScript say the same as Python's: both are held to tests/golden/motion."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rooms.motion.plan import from_data, from_json

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "golden" / "motion").glob("*.json"))
SCRIPT = ROOT / "tests" / "support" / "motion_page_maths.mjs"
NODE = shutil.which("node")
PIXELS = 1e-3
MAP_ORDER = [0, 3, 1, 4, 2, 5]
"""A map in the golden files is the two rows of a matrix; the canvas takes it by columns."""

pytestmark = pytest.mark.skipif(NODE is None, reason="no Node.js; the browser tests prove the same in Chromium")


@pytest.fixture(scope="module")
def golden() -> dict[str, dict[str, Any]]:
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in GOLDEN}


@pytest.fixture(scope="module")
def answers(golden: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the editor's modules make of every golden plan."""
    assert NODE is not None
    asked = json.dumps([case for case in golden.values()])
    run = subprocess.run([NODE, str(SCRIPT)], input=asked, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return dict(zip(golden, json.loads(run.stdout), strict=True))


@pytest.mark.parametrize("name", [file.stem for file in GOLDEN])
class TestGolden:
    def test_regions_and_boxes_move_alike(self, golden: dict[str, Any], answers: dict[str, Any], name: str) -> None:
        expected, found = golden[name]["expected"]["movers"], answers[name]["movers"]
        assert [mover["id"] for mover in found] == [mover["id"] for mover in expected]
        assert [mover["rank"] for mover in found] == [mover["rank"] for mover in expected]
        for ours, theirs in zip(found, expected, strict=True):
            if theirs["bounds"] is None:
                assert ours["bounds"] is None
                continue
            np.testing.assert_allclose(ours["bounds"], theirs["bounds"], atol=PIXELS)
            np.testing.assert_allclose(ours["maps"], np.array(theirs["maps"])[:, MAP_ORDER], atol=PIXELS)

    def test_the_camera_moves_alike(self, golden: dict[str, Any], answers: dict[str, Any], name: str) -> None:
        expected = np.array(golden[name]["expected"]["camera"])[:, MAP_ORDER]
        np.testing.assert_allclose(answers[name]["camera"], expected, atol=PIXELS)

    def test_the_same_tracks(self, golden: dict[str, Any], answers: dict[str, Any], name: str) -> None:
        expected, found = golden[name]["expected"]["tracks"], answers[name]["tracks"]
        assert found["owner"] == expected["owner"]
        points = np.array(found["points"]).transpose(1, 0, 2)  # n, frame, xy
        np.testing.assert_allclose(points, expected["points"], atol=PIXELS)
        visible = np.array(found["visible"]).T
        assert ["".join("01"[int(seen)] for seen in row) for row in visible] == expected["visible"]

    def test_what_the_editor_writes_means_the_same(self, golden: dict[str, Any], answers: dict[str, Any], name: str) -> None:
        assert from_json(answers[name]["written"]) == from_data(golden[name]["plan"])
        assert answers[name]["again"] == answers[name]["written"]


def test_there_is_something_to_compare() -> None:
    assert len(GOLDEN) >= 5


def test_both_languages_have_the_same_texts() -> None:
    texts = [json.loads((ROOT / "web" / "motion" / f"text.{language}.json").read_text(encoding="utf-8")) for language in ("en", "zh")]
    assert texts[0].keys() == texts[1].keys()
    assert all(isinstance(text, str) and text.strip() for language in texts for text in language.values())


def test_every_text_that_the_editor_asks_for_exists() -> None:
    """A key is asked for as text("key") or say("key"); the table may not hold others."""
    import re

    source = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "web" / "motion").glob("*.mjs")))
    keys = json.loads((ROOT / "web" / "motion" / "text.en.json").read_text(encoding="utf-8")).keys()
    asked = set(re.findall(r"(?<![#\w])(?:text|say|refuse)\(\s*\"([A-Za-z]+)\"", source))
    assert asked <= keys, asked - keys
    assert [key for key in keys if f'"{key}"' not in source and not re.match(r"(tool|easing|camera|help)", key)] == []
