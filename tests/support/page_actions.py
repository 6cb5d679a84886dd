"""What a person does in the page, for the tests."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, TimeoutError, expect

ATTEMPTS, ATTEMPT_SECONDS = 8, 8
MIDDLE, BESIDE = (800, 500), (780, 480)
NODE_TYPES = "() => app.graph.nodes.map(node => node.type)"


def node_types(page: Page) -> list[str]:
    return page.evaluate(NODE_TYPES)


def open_file(page: Page, file: Path) -> None:
    """Choose a workflow file, as Workflow > Open does, and wait for its graph."""
    page.evaluate("() => app.graph.clear()")
    page.set_input_files("#comfy-file-input", file)
    page.wait_for_function("() => app.graph.nodes.length > 1")


def search_and_add(page: Page, words: str) -> str:
    """Double-click an empty canvas, type `words`, take the first result and put it down; its type."""
    box = open_search(page)
    box.fill(words)
    first = page.get_by_test_id("result-item").first
    expect(first).to_contain_text("Spacetime")
    first.click()
    expect(box).to_have_count(0)
    page.mouse.move(*BESIDE)  # the new node follows the pointer until the next click
    page.mouse.click(*MIDDLE)
    page.wait_for_function("() => app.graph.nodes.length === 1 && !app.graph.nodes[0].flags.ghost")
    return node_types(page)[0]


def open_search(page: Page) -> Locator:
    """Double-click an empty canvas, again if the page was too busy to take two clicks for a double one; the search's text box."""
    box = page.locator("input[aria-controls=results-list]")
    for _ in range(ATTEMPTS):
        page.evaluate("() => app.graph.clear()")
        page.mouse.dblclick(*MIDDLE)
        with contextlib.suppress(TimeoutError):
            box.wait_for(timeout=ATTEMPT_SECONDS * 1000)
            break
    return box


def set_widgets(page: Page, node_type: str, **values: Any) -> None:
    """Give the widgets of the one node of a type new values, as typing into them does."""
    page.evaluate(
        """([type, values]) => {
            const [node] = app.graph.nodes.filter(node => node.type === type);
            for (const [name, value] of Object.entries(values)) {
                const widget = node.widgets.find(widget => widget.name === name);
                widget.value = value;
                widget.callback?.(value);
            }
        }""",
        [node_type, values],
    )


def open_help(page: Page, node_type: str) -> None:
    """Select the node and press the info button of the toolbox above it."""
    page.evaluate(
        """type => {
            spacetime.centre(type);
            app.canvas.selectNode(app.graph.nodes.find(node => node.type === type));
        }""",
        node_type,
    )
    page.get_by_test_id("info-button").click()


def saved_video(page: Page) -> dict[str, str]:
    """Look at Save Video and wait for its video; the entry that the page got: filename, subfolder, type."""
    page.evaluate("() => spacetime.centre('SaveVideo')")  # previews are made for nodes in view only
    shown = page.wait_for_function(
        """() => {
            const node = app.graph.nodes.find(node => node.type === 'SaveVideo');
            return app.nodeOutputs?.[node.id]?.images?.[0];
        }"""
    )
    return shown.json_value()
