"""The templates for finished videos as they are shipped, on small files of known content, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from support.clips import pictures_in, sound_in, video_packets, write_clip
from support.live_client import Ending, Workflow, run

from spacetime_cli.server import HostServer

WORKFLOWS = Path(__file__).parents[2] / "workflows" / "api"
FILES = {"my_video.mp4": (8, 16, 300.0), "first_shot.mp4": (24, 16, None), "second_shot.mp4": (36, 24, 500.0), "music.mp3": (0, 0, None)}


@pytest.fixture(scope="module")
def files(live_server: HostServer) -> Iterator[Path]:
    """The files that the templates name, in the server's output folder, which Load Video and Load Audio read too."""
    folder = live_server.output_folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, (frames, rate, hertz) in FILES.items():
        if frames:
            write_clip(folder / name, frames, Fraction(rate), (96, 64), hertz)
    write_clip(folder / "music.mp3.mp4", 16, Fraction(16), (96, 64), 440.0).rename(folder / "music.mp3")
    yield folder
    for name in FILES:
        (folder / name).unlink()


def shipped(name: str, **changes: dict[str, Any]) -> Workflow:
    """A shipped workflow that reads its files from the output folder; `changes` by node, "n3" for node 3."""
    workflow = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    for number, node in workflow.items():
        for key, value in node["inputs"].items():
            if value in FILES if isinstance(value, str) else False:
                node["inputs"][key] = f"{value} [output]"
        node["inputs"].update(changes.get(f"n{number}", {}))
    return workflow


def saved(server: HostServer, ending: Ending, key: str = "images") -> Path:
    assert ending.kind == "success", ending
    (item,) = [item for output in ending.outputs.values() for item in output.get(key, []) if item["type"] == "output"]
    return server.output_folder / item["subfolder"] / item["filename"]


def test_smooth_and_save(live_server: HostServer, files: Path) -> None:
    path = saved(live_server, run(live_server.url, shipped("smooth_and_save")))
    frames = pictures_in(path)
    assert frames.shape == (30, 128, 192, 3)  # half a second at 60 fps, twice the size
    assert np.abs(frames.mean(axis=(1, 2, 3)) - np.minimum(np.arange(30) * 16 / 60, 7)).max() < 2
    samples, rate = sound_in(path)
    assert abs(samples.shape[1] / rate - 0.5) < 0.03
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == 60
        assert json.loads(container.metadata["prompt"])["4"]["class_type"] == "SpacetimeSaveVideo"


def test_score_a_clip(live_server: HostServer, files: Path) -> None:
    ending = run(live_server.url, shipped("score_a_clip"))
    path = saved(live_server, ending)
    frames = pictures_in(path)
    assert frames.shape == (24 + 24 - 8, 64, 96, 3)
    means = frames.mean(axis=(1, 2, 3))
    assert np.abs(means[:16] - np.arange(16)).max() < 3 and np.abs(means[24:] - np.arange(8, 24) * 1.5).max() < 3
    samples, rate = sound_in(path)
    assert abs(samples.shape[1] / rate - 2.5) < 0.03
    assert 0.3 < np.abs(samples[:, rate // 2 : rate - 2000]).max() < 0.45  # the music alone, at 0.8 of 0.5
    sheet = np.asarray(Image.open(saved(live_server, ending, "contact_sheet")))
    assert sheet.ndim == 3 and sheet.shape[0] > 64


def test_music_under_a_file_copies_its_pictures(live_server: HostServer, files: Path) -> None:
    workflow = shipped("score_a_clip", n5={"video": ["2", 0], "existing_sound": "replace"})
    del workflow["3"]
    path = saved(live_server, run(live_server.url, workflow))
    assert video_packets(path) == video_packets(files / "second_shot.mp4")


@pytest.mark.parametrize(
    ("changes", "node_id", "fragments"),
    [
        ({"n6": {"codec": "h264", "container": "webm"}}, "6", ("Spacetime Save Video: expected a container", "got webm; choose auto")),
        ({"n6": {"quality": 1000}}, "6", ("Spacetime Save Video: expected a quality of 0 to 100, got 1000",)),
        ({"n6": {"filename_prefix": "../../outside"}}, "6", ("Spacetime Save Video: expected a place inside the output folder",)),
        ({"n6": {"codec": "mpeg1"}}, "6", ("Value not in list", "codec: 'mpeg1' not in")),
        ({"n5": {"start": 1e6}}, "5", ("Spacetime Add Audio: expected start from 0",)),
        ({"n5": {"volume": -1}}, "5", ("Spacetime Add Audio: expected volume from 0 to 10, got -1; use 1",)),
        ({"n3": {"cross_fade": 30}}, "3", ("Spacetime Join: expected every clip", "shorten the cross-fade")),
        ({"n3": {"cross_fade": "long"}}, "3", ("cross_fade",)),
    ],
)
def test_bad_input_gets_one_sentence_from_its_node(
    live_server: HostServer, files: Path, changes: dict[str, Any], node_id: str, fragments: tuple[str, ...]
) -> None:
    before = sorted(live_server.output_folder.rglob("*.*"))
    ending = run(live_server.url, shipped("score_a_clip", **changes))
    assert ending.kind in ("error", "refused") and ending.node_id == node_id
    assert all(fragment in ending.messages[0] for fragment in fragments), ending
    assert "\n" not in ending.messages[0]
    assert sorted(live_server.output_folder.rglob("*.*")) == before
