"""Saved videos in the page: the templates run with its button, and what was saved plays, or a copy of it does."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from support.clips import pictures_in, write_clip
from support.page_actions import open_file, set_widgets

from spacetime_cli.server import HostServer

WORKFLOWS = Path(__file__).parents[2] / "workflows"
SHOWN = """type => {
    const node = app.graph.nodes.find(node => node.type === type);
    return app.nodeOutputs?.[node.id]?.images;
}"""
PLAYED = """name => {
    const video = [...document.querySelectorAll('video')].find(video => video.src.includes(name));
    if (!video || video.readyState < 2) return null;
    video.muted = true;
    video.loop = true;
    if (video.paused) void video.play().catch(() => {});
    return video.currentTime > 0.1 ? [video.videoWidth, video.videoHeight] : null;
}"""


@pytest.fixture
def source(live_server: HostServer) -> str:
    """A file as Load Video names it."""
    live_server.output_folder.mkdir(parents=True, exist_ok=True)
    return write_clip(live_server.output_folder / "browser_clip.mp4", 16, Fraction(16), (96, 64), 440.0).name + " [output]"


def run_template(page: Page, name: str, source: str, **settings: Any) -> list[dict[str, str]]:
    """Run a template on one file with the page's button; what its Spacetime Save Video says it saved."""
    open_file(page, WORKFLOWS / f"{name}.json")
    page.evaluate(
        """source => {
            for (const node of app.graph.nodes)
                for (const widget of node.widgets ?? [])
                    if (["LoadVideo", "LoadAudio"].includes(node.type) && ["file", "audio"].includes(widget.name)) widget.value = source;
        }""",
        source,
    )
    set_widgets(page, "SpacetimeSaveVideo", **settings)
    page.get_by_test_id("queue-button").click()
    page.evaluate("() => spacetime.centre('SpacetimeSaveVideo')")
    return page.wait_for_function(SHOWN, arg="SpacetimeSaveVideo", timeout=60_000).json_value()


@pytest.mark.parametrize(("codec", "container"), [("h264", "auto"), ("vp9", "auto"), ("av1", "auto")])
def test_a_saved_video_plays_in_the_page(english: Page, live_server: HostServer, source: str, codec: str, container: str) -> None:
    (saved,) = run_template(english, "smooth_and_save", source, codec=codec, container=container)
    assert english.wait_for_function(PLAYED, arg=saved["filename"], timeout=30_000).json_value() == [192, 128]
    assert pictures_in(live_server.output_folder / saved["subfolder"] / saved["filename"]).shape == (60, 128, 192, 3)


def test_a_copy_plays_for_what_the_page_cannot_play(english: Page, live_server: HostServer, source: str, picture: Path) -> None:
    preview, saved = run_template(english, "score_a_clip", source, codec="prores")
    assert english.wait_for_function(PLAYED, arg=preview["filename"], timeout=30_000).json_value() == [96, 64]
    english.screenshot(path=picture)
    assert saved["filename"].endswith(".mov")
    assert pictures_in(live_server.output_folder / saved["subfolder"] / saved["filename"]).shape == (24, 64, 96, 3)
