"""Progress bars from websocket events, the time table, the contact sheet, and what the server says in sentences."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from spacetime_cli.client import checked_url, pick_video, refusal
from spacetime_cli.console import Console, clock, columns, fit
from spacetime_cli.errors import CommandError, Exit
from spacetime_cli.progress import Bars, Stage, Stages, where_the_time_went
from spacetime_cli.sheet import make_sheet, read_frames, spread

PROMPT: dict[str, Any] = {
    "1": {"class_type": "Load", "inputs": {}, "_meta": {"title": "Load Spacetime Tiny"}},
    "2": {"class_type": "Denoise", "inputs": {}, "_meta": {"title": "Spacetime Denoise"}},
}


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def state(**nodes: tuple[str, float, float]) -> dict[str, Any]:
    """A `progress_state` event's data: node id (after an n) -> state, value, max."""
    return {
        "prompt_id": "p",
        "nodes": {
            key[1:]: {"state": name, "value": value, "max": maximum, "display_node_id": key[1:]}
            for key, (name, value, maximum) in nodes.items()
        },
    }


def test_events_become_stages_with_times() -> None:
    now = Clock()
    stages = Stages(PROMPT, now)
    now.time = 102.0
    assert stages.update("execution_start", {}) == []
    assert stages.queue_seconds() == 2.0
    (load,) = stages.update("progress_state", state(n1=("running", 0, 1)))
    assert (load.name, load.ended) == ("Load Spacetime Tiny", None)
    now.time = 103.5
    changed = stages.update("progress_state", state(n1=("finished", 1, 1), n2=("running", 0, 1)))
    assert [stage.name for stage in changed] == ["Load Spacetime Tiny", "Spacetime Denoise"]
    now.time = 105.5
    (denoise,) = stages.update("progress_state", state(n1=("finished", 1, 1), n2=("running", 5, 20)))
    assert denoise.line(now()) == "Spacetime Denoise [######------------------] 5/20 2.0 s, 6.0 s left"
    now.time = 111.5
    stages.update("progress_state", state(n1=("finished", 1, 1), n2=("finished", 1, 1)))
    assert denoise.line(now()) == "Spacetime Denoise [########################] 20/20 8.0 s"
    now.time = 200.0
    assert stages.times() == [("Load Spacetime Tiny", 1.5), ("Spacetime Denoise", 8.0)]


def test_what_a_node_shows_is_told_under_its_name() -> None:
    console = Console(io.StringIO())
    bars = Bars(PROMPT, console)
    bars.on_event(("executed", {"node": "2.0.4", "display_node": "2", "output": {"text": ["Set cfg to 1."]}}))
    bars.on_event(("executed", {"node": "1", "display_node": "1", "output": {"images": [{"filename": "a.png"}]}}))
    bars.on_event(("executed", {"node": "1", "display_node": "1", "output": None}))
    bars.on_event(("executed", {"node": "1", "display_node": "1", "output": {"text": "One text, no list."}}))
    assert console.stream.getvalue() == "Spacetime Denoise: Set cfg to 1.\nLoad Spacetime Tiny: One text, no list.\n"


def test_an_event_that_changes_nothing_gives_no_stage() -> None:
    stages = Stages(PROMPT, Clock())
    event = state(n2=("running", 5, 20))
    assert len(stages.update("progress_state", event)) == 1
    assert stages.update("progress_state", event) == []


def test_a_node_made_while_running_is_shown_under_the_one_that_made_it() -> None:
    stages = Stages(PROMPT, Clock())
    data = {"nodes": {"2.0.4": {"state": "running", "value": 0, "max": 1, "display_node_id": "2"}}}
    (stage,) = stages.update("progress_state", data)
    assert stage.name == "Spacetime Denoise"


def test_a_node_without_steps_shows_its_time_alone() -> None:
    assert Stage("Load", began=0.0).line(3.21) == "Load 3.2 s"


def test_in_a_log_file_only_finished_stages_are_written() -> None:
    sink = io.StringIO()
    bars = Bars(PROMPT, Console(sink))
    for value in range(1, 20):
        bars.on_event(("progress_state", state(n2=("running", value, 20))))
        bars.tick()
    bars.on_event(("progress_state", state(n2=("finished", 1, 1))))
    lines = sink.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Spacetime Denoise [########################] 20/20")


def test_on_a_terminal_the_bar_is_redrawn_in_place() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    sink = Terminal()
    console = Console(sink)
    console.status("one")
    console.status("two")
    console.say("done")
    assert sink.getvalue() == "one\r   \rtwo\r   \rdone\n"


def test_chinese_takes_two_columns_a_character() -> None:
    assert columns("abc") == 3
    assert columns("\u89c6\u9891 a") == 6
    assert fit("\u89c6\u9891\u89c6\u9891", 7) == "\u89c6\u9891..."
    assert fit("abc", 3) == "abc"


def test_the_time_table_sums_up_and_gathers_what_is_small() -> None:
    rows = where_the_time_went([("start ComfyUI", 9.0), ("Load", 0.06), ("Denoise", 90.0), ("Decode", 0.04)])
    assert [row.split("  ")[1] for row in rows] == ["start ComfyUI", "Denoise", "everything else", "in all"]
    assert rows[-1].endswith(clock(99.1))
    assert clock(99.1) == "1 min 39 s"
    assert clock(8.44) == "8.4 s"


def test_the_sheet_takes_the_first_the_last_and_even_steps_between() -> None:
    assert spread(33, 5) == {0, 8, 16, 24, 32}
    assert spread(3, 12) == {0, 1, 2}
    assert spread(1, 12) == {0}


def write_video(file: Path, greys: list[int]) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, 8)
        for grey in greys:
            picture = np.full((48, 64, 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def test_a_sheet_shows_the_frames_in_order_with_their_times(tmp_path: Path) -> None:
    greys = [20 * index for index in range(9)]
    write_video(tmp_path / "v.mp4", greys)
    frames = read_frames(tmp_path / "v.mp4", 5)
    assert [seconds for seconds, _ in frames] == [0.0, 0.25, 0.5, 0.75, 1.0]
    centres = [frame.getpixel((32, 24))[0] for _, frame in frames]
    assert all(abs(centre - 40 * index) <= 8 for index, centre in enumerate(centres))
    make_sheet(tmp_path / "v.mp4", tmp_path / "v.png")
    with Image.open(tmp_path / "v.png") as sheet:
        assert sheet.width > 4 * 320
        assert sheet.getpixel((6 + 160, 6 + 120))[0] <= 8  # the first cell is the first, black frame
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.mp4", "v.png"]


def test_a_broken_video_is_one_sentence_and_no_sheet(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"no video")
    with pytest.raises(CommandError, match="Contact sheet: could not make") as caught:
        make_sheet(tmp_path / "v.mp4", tmp_path / "v.png")
    assert caught.value.code is Exit.OUTPUT
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("127.0.0.1:8188", "http://127.0.0.1:8188"),
        ("http://host:8188/", "http://host:8188"),
        ("https://host/comfy/?x=1", "https://host/comfy"),
    ],
)
def test_server_addresses_are_understood(given: str, used: str) -> None:
    assert checked_url(given) == used


@pytest.mark.parametrize("given", ["", "ftp://host", "http://"])
def test_other_addresses_are_refused(given: str) -> None:
    with pytest.raises(CommandError, match="--server: expected a URL"):
        checked_url(given)


def test_a_saved_video_is_preferred_to_a_preview() -> None:
    picture = {"filename": "a.png", "type": "output"}
    preview = {"filename": "p.mp4", "type": "temp"}
    saved = {"filename": "s.mp4", "type": "output"}
    assert pick_video([picture, preview, saved]) == saved
    assert pick_video([picture, preview]) == preview
    with pytest.raises(CommandError, match=r"expected a video, got a\.png"):
        pick_video([picture])


def test_a_refused_input_names_its_node() -> None:
    body = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation", "details": ""},
        "node_errors": {
            "2": {
                "class_type": "Denoise",
                "errors": [
                    {"message": "Value -5 smaller than min of 1", "details": "steps"},
                    {"message": "Required input is missing", "details": "seed"},
                ],
            }
        },
    }
    told = refusal(json.dumps(body), 400, PROMPT)
    assert told == "Prompt refused: Spacetime Denoise (node 2): Value -5 smaller than min of 1: steps (and 1 more)"


def test_a_reply_that_is_no_json_is_quoted() -> None:
    assert refusal("<h1>Bad gateway</h1>", 502, PROMPT) == "Prompt refused: expected HTTP 200, got 502: <h1>Bad gateway</h1>"
