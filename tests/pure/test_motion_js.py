"""The editor's maths in JavaScript say the same as Python's: both are held to tests/golden/motion."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rooms.motion.plan import from_data, from_json
from support.motion_golden import assert_camera, assert_movers, assert_tracks, golden_cases

ROOT = Path(__file__).parents[2]
GOLDEN = golden_cases()
SCRIPT = ROOT / "tests" / "support" / "motion_page_maths.mjs"
EDITOR = ROOT / "web" / "motion"
NODE = shutil.which("node")

needs_node = pytest.mark.skipif(NODE is None, reason="no Node.js; the browser tests prove the same in Chromium")


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    """What the editor's modules make of every golden plan."""
    assert NODE is not None
    asked = json.dumps(list(GOLDEN.values()))
    run = subprocess.run([NODE, str(SCRIPT)], input=asked, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return dict(zip(GOLDEN, json.loads(run.stdout)))


@needs_node
@pytest.mark.parametrize("name", list(GOLDEN))
class TestGolden:
    def test_regions_and_boxes_move_alike(self, answers: dict[str, Any], name: str) -> None:
        assert_movers(GOLDEN[name]["expected"]["movers"], answers[name]["movers"])

    def test_the_camera_moves_alike(self, answers: dict[str, Any], name: str) -> None:
        assert_camera(GOLDEN[name]["expected"]["camera"], answers[name]["camera"])

    def test_the_same_tracks(self, answers: dict[str, Any], name: str) -> None:
        assert_tracks(GOLDEN[name]["expected"]["tracks"], answers[name]["tracks"])

    def test_what_the_editor_writes_means_the_same(self, answers: dict[str, Any], name: str) -> None:
        assert from_json(answers[name]["written"]) == from_data(GOLDEN[name]["plan"])
        assert answers[name]["again"] == answers[name]["written"]


SLICED = """
import { SlicedWork } from "./slices.mjs";

const said = [];
function* count(name, most) {
    for (let step = 1; step <= most; step += 1) {
        said.push(`${name}${step}`);
        const until = performance.now() + 4; // more than a slice for every two steps
        while (performance.now() < until);
        yield;
    }
}
function* fail() {
    yield;
    throw new Error("as meant");
}
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const errors = [];
process.on("uncaughtException", (error) => errors.push(error.message));

const work = new SlicedWork();
work.begin(count("a", 100));
const atOnce = said.length;
await pause(30);
const meanwhile = said.length;
work.begin(count("b", 3));
while (work.isGoingOn) await pause(1);
const heirs = said.filter((step) => step.startsWith("b"));
work.begin(count("c", 3));
work.finish();
const finished = [said.slice(-3), work.isGoingOn];
work.begin(count("d", 3));
work.stop();
work.begin(fail());
await pause(30);
const failed = work.isGoingOn;
work.begin(count("e", 1));
await pause(30);
console.log(JSON.stringify({ atOnce, meanwhile, heirs, finished, errors, failed, last: said.slice(-1) }));
"""


@needs_node
def test_long_work_goes_on_in_slices_and_gives_way_to_its_heir() -> None:
    assert NODE is not None
    command = [NODE, "--input-type=module", "-e", SLICED]
    run = subprocess.run(command, cwd=EDITOR, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["atOnce"] == 0, "the one who begins it goes on first"
    assert 0 < told["meanwhile"] < 100, "others had their turn before it was done"
    assert told["heirs"] == ["b1", "b2", "b3"]
    assert told["finished"] == [["c1", "c2", "c3"], False]
    assert (told["errors"], told["failed"]) == (["as meant"], False)
    assert told["last"] == ["e1"], "what was stopped did nothing, and work can begin after a failure"


def test_there_is_something_to_compare() -> None:
    assert len(GOLDEN) >= 5


def texts(language: str) -> dict[str, str]:
    return json.loads((EDITOR / f"text.{language}.json").read_text(encoding="utf-8"))


def test_both_languages_have_the_same_texts() -> None:
    english, chinese = texts("en"), texts("zh")
    assert english.keys() == chinese.keys()
    assert all(text.strip() for text in [*english.values(), *chinese.values()])
    places = re.compile(r"{\w+}")
    assert {key: sorted(places.findall(text)) for key, text in english.items()} == {
        key: sorted(places.findall(text)) for key, text in chinese.items()
    }


def test_every_text_that_the_editor_asks_for_exists_and_no_other() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in sorted(EDITOR.glob("*.mjs")))
    asked = set(re.findall(r"(?<![#\w])(?:text|say|refuse)\(\s*\"([A-Za-z]+)\"", source))
    keys = texts("en").keys()
    assert asked <= keys, asked - keys
    made = re.compile(r"(tool|easing|camera)_|(regions|camera|plan)Page$|Tip$")  # of parts, in the source
    words = set(re.findall(r"\w+", source))
    assert [key for key in keys if key not in words and not made.search(key)] == []


def test_only_the_extension_itself_is_loaded_by_the_page() -> None:
    """The page imports every .js below web; the editor's modules are for the extension to import."""
    assert [file.name for file in (ROOT / "web").rglob("*.js")] == ["spacetime_motion_brush.js"]
