"""ComfyUI's page with the pack in it, in a real browser: names, search and help, in English and Chinese."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.page_actions import open_file, open_help, search_and_add

ROOT = Path(__file__).parents[2]
NODES = ("SpacetimeLoadTiny", "SpacetimeTextEncode", "SpacetimeDenoise", "SpacetimeDecode")
TITLES = """ids => Object.fromEntries(ids.map(id => [id, LiteGraph.registered_node_types[id].title]))"""
LABELS = """() => {
    const node = app.graph.nodes.find(node => node.type === 'SpacetimeDenoise');
    return Object.fromEntries([...node.inputs, ...node.widgets].map(part => [part.name, part.label ?? part.localized_name ?? part.name]));
}"""
SHOWN_PICTURES = """() => [...document.querySelectorAll('.node-help-content img')].map(image => image.naturalWidth)"""


def texts(language: str) -> dict[str, dict]:
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def page_in(language: str, request: pytest.FixtureRequest) -> Page:
    return request.getfixturevalue({"en": "english", "zh": "chinese"}[language])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_nodes_are_listed_by_their_names(request: pytest.FixtureRequest, language: str) -> None:
    page = page_in(language, request)
    assert page.evaluate(TITLES, list(NODES)) == {node: texts(language)[node]["display_name"] for node in NODES}


@pytest.mark.parametrize(
    ("language", "words", "node"),
    [
        ("en", "Spacetime Denoise", "SpacetimeDenoise"),
        ("zh", "Spacetime \u964d\u566a", "SpacetimeDenoise"),
        ("zh", "\u52a0\u8f7d Spacetime", "SpacetimeLoadTiny"),
    ],
)
def test_a_node_is_found_by_its_name_and_added(request: pytest.FixtureRequest, language: str, words: str, node: str) -> None:
    assert search_and_add(page_in(language, request), words) == node


@pytest.mark.parametrize("language", ["en", "zh"])
def test_inputs_have_names_in_the_language_of_the_page(request: pytest.FixtureRequest, language: str) -> None:
    page = page_in(language, request)
    open_file(page, ROOT / "workflows" / "text_to_video.json")
    shown = page.evaluate(LABELS)
    del shown["control_after_generate"]  # the page adds it beside a seed, with a name of its own
    assert shown == {name: entry["name"] for name, entry in texts(language)["SpacetimeDenoise"]["inputs"].items()}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_help_page_opens_with_its_picture(request: pytest.FixtureRequest, language: str, picture: Path) -> None:
    page = page_in(language, request)
    open_file(page, ROOT / "workflows" / "text_to_video.json")
    for node in NODES:
        open_help(page, node)
        written = (ROOT / "web" / "docs" / node / f"{language}.md").read_text(encoding="utf-8")
        expect(page.locator(".node-help-content h1")).to_have_text(written.splitlines()[0].removeprefix("# "))
        page.wait_for_function(f"() => ({SHOWN_PICTURES})().some(width => width > 0)")
        assert all(width > 100 for width in page.evaluate(SHOWN_PICTURES)), node
    page.screenshot(path=picture)
