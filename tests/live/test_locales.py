"""English and Chinese: every word of the nodes is in both, as the server hands them to the page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.live_client import get

from spacetime_cli.server import HostServer

LANGUAGES = ("en", "zh")
CATEGORY = "spacetime"
CHINESE = re.compile("[\u4e00-\u9fff]")
MESSAGE_SYNTAX = re.compile(r"[{}|@]")
"""What the page's translator would take for a command."""


@pytest.fixture(scope="module")
def nodes(live_server: HostServer) -> dict[str, dict[str, Any]]:
    """The pack's nodes as the page is told about them."""
    return {name: node for name, node in get(live_server.url, "/object_info").items() if node["category"] == CATEGORY}


@pytest.fixture(scope="module")
def texts(live_server: HostServer) -> dict[str, dict[str, Any]]:
    """Language -> the pack's texts."""
    served = get(live_server.url, "/i18n")
    return {language: served[language] for language in LANGUAGES}


def input_tooltips(node: dict[str, Any]) -> dict[str, str]:
    """Name -> tooltip of what a person can set or connect."""
    parts = (node["input"].get(part, {}) for part in ("required", "optional"))
    return {name: options["tooltip"] for part in parts for name, (_, options) in part.items()}


def translated(texts: dict[str, Any], language: str) -> dict[str, dict[str, Any]]:
    return {name: node for name, node in texts[language]["nodeDefs"].items() if name.startswith("Spacetime")}


def all_strings(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [text for value in content.values() for text in all_strings(value)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_node_input_and_output_is_there_and_nothing_else(nodes: dict, texts: dict, language: str) -> None:
    ours = translated(texts, language)
    assert sorted(ours) == sorted(nodes)
    for name, node in nodes.items():
        assert ours[name].keys() == {"display_name", "description", "inputs", "outputs"}, name
        assert ours[name]["inputs"].keys() == input_tooltips(node).keys(), name
        assert ours[name]["outputs"].keys() == {str(index) for index in range(len(node["output"]))}, name
        for part in ("inputs", "outputs"):
            assert all(entry.keys() == {"name", "tooltip"} for entry in ours[name][part].values()), (name, part)
    assert all(text.strip() for text in all_strings(ours))


def test_the_english_is_what_the_nodes_say(nodes: dict, texts: dict) -> None:
    for name, ours in translated(texts, "en").items():
        node = nodes[name]
        assert (ours["display_name"], ours["description"]) == (node["display_name"], node["description"])
        assert {key: entry["tooltip"] for key, entry in ours["inputs"].items()} == input_tooltips(node), name
        outputs = [ours["outputs"][str(index)] for index in range(len(node["output"]))]
        assert [entry["name"] for entry in outputs] == node["output_name"]
        assert [entry["tooltip"] for entry in outputs] == node["output_tooltips"]


def test_names_descriptions_and_tooltips_are_chinese(texts: dict) -> None:
    for name, node in translated(texts, "zh").items():
        sentences = [node["display_name"], node["description"]]
        sentences += [entry["tooltip"] for part in ("inputs", "outputs") for entry in node[part].values()]
        assert all(CHINESE.search(sentence) for sentence in sentences), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_category_and_the_templates_have_a_title(texts: dict, language: str) -> None:
    assert texts[language]["nodeCategories"][CATEGORY]
    assert texts[language]["templateWorkflows"]["category"]["ComfyUI-Spacetime"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_looks_like_a_command_to_the_translator(texts: dict, language: str) -> None:
    assert [text for text in all_strings(translated(texts, language)) if MESSAGE_SYNTAX.search(text)] == []
