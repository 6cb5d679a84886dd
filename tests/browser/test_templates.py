"""The templates in the page: they open, they are what the API workflows are, and they make videos."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from playwright.sync_api import Page
from support.page_actions import node_types, open_file, saved_video, set_widgets

from spacetime_cli.server import HostServer

WORKFLOWS = Path(__file__).parents[2] / "workflows"
NAMES = sorted(path.stem for path in (WORKFLOWS / "api").glob("*.json"))
FRAMES = 5
QUICK = {"steps": 1, "cfg": 1.0, "seed": 7}
SMALL = {"width": 64, "height": 64}
UNKNOWN = "() => app.graph.nodes.filter(node => !LiteGraph.registered_node_types[node.type]).map(node => node.type)"
PLAYED_WIDTH = "name => [...document.querySelectorAll('video')].find(video => video.src.includes(name))?.videoWidth"
THUMBNAIL = "id => document.querySelector(`[data-testid=template-workflow-${id}] img`)?.naturalWidth > 100"


def api_twin(name: str) -> dict[str, dict]:
    """Node id -> class and inputs of the API workflow, without titles."""
    prompt = json.loads((WORKFLOWS / "api" / f"{name}.json").read_text(encoding="utf-8"))
    return without_titles(prompt)


def without_titles(prompt: dict[str, dict]) -> dict[str, dict]:
    return {key: {"class_type": node["class_type"], "inputs": node["inputs"]} for key, node in prompt.items()}


def test_every_api_workflow_has_a_template_with_a_thumbnail() -> None:
    assert sorted(path.stem for path in WORKFLOWS.glob("*.json")) == NAMES
    assert sorted(path.stem for path in WORKFLOWS.glob("*.jpg")) == NAMES


def test_the_template_browser_shows_them_and_opens_one(english: Page, picture: Path) -> None:
    english.evaluate("() => app.graph.clear()")
    english.get_by_role("button", name="Templates").first.click()
    english.locator("[role=dialog]").get_by_text("Spacetime", exact=True).click()
    for name in NAMES:
        english.get_by_test_id(f"template-workflow-{name}").scroll_into_view_if_needed()  # pictures below the edge are not loaded yet
        english.wait_for_function(THUMBNAIL, arg=name)
    english.screenshot(path=picture)
    english.get_by_test_id("template-workflow-text_to_video").click()
    english.wait_for_function("() => app.graph.nodes.some(node => node.type === 'SpacetimeDecode')")
    assert {"SpacetimeLoadTiny", "SpacetimeTextEncode", "SpacetimeDenoise", "SpacetimeDecode", "SaveVideo"} < set(node_types(english))


@pytest.mark.parametrize("name", NAMES)
def test_a_template_exports_as_its_api_twin(english: Page, name: str) -> None:
    open_file(english, WORKFLOWS / f"{name}.json")
    assert english.evaluate(UNKNOWN) == []
    assert without_titles(english.evaluate("() => spacetime.exported()")["output"]) == api_twin(name)


def check_video(page: Page, server: HostServer, size: tuple[int, int]) -> None:
    """The video that the page shows is on the server's disk, whole."""
    entry = saved_video(page)
    file = server.output_folder / entry["subfolder"] / entry["filename"]
    with av.open(str(file)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == FRAMES
    assert (frames[0].width, frames[0].height) == size
    shown = page.wait_for_function(PLAYED_WIDTH, arg=entry["filename"])
    assert shown.json_value() == size[0]


def test_text_to_video_runs_with_the_button(english: Page, live_server: HostServer, picture: Path) -> None:
    open_file(english, WORKFLOWS / "text_to_video.json")
    set_widgets(english, "SpacetimeDenoise", **SMALL, **QUICK, length=FRAMES, length_unit="frames")
    english.get_by_test_id("queue-button").click()
    check_video(english, live_server, (64, 64))
    english.screenshot(path=picture)


def test_image_to_video_runs_with_the_keyboard(english: Page, live_server: HostServer, picture: Path) -> None:
    open_file(english, WORKFLOWS / "image_to_video.json")
    set_widgets(english, "WanImageToVideo", **SMALL, length=FRAMES)
    set_widgets(english, "SpacetimeDenoise", **QUICK)
    english.keyboard.press("Control+Enter")
    check_video(english, live_server, (64, 64))
    english.screenshot(path=picture)
