"""ComfyUI's page with the pack in it, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page

from spacetime_cli.server import HostServer

NODES = {
    "SpacetimeLoadTiny": "Load Spacetime Tiny",
    "SpacetimeTextEncode": "Spacetime Text Encode",
    "SpacetimeDenoise": "Spacetime Denoise",
    "SpacetimeDecode": "Spacetime Decode",
}
REGISTERED = """() => Object.fromEntries(
    Object.entries(window.LiteGraph?.registered_node_types ?? {}).map(([id, node]) => [id, node.title]))"""


def test_the_page_opens_and_lists_the_nodes_of_the_pack(page: Page, live_server: HostServer) -> None:
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(live_server.url)
    page.wait_for_function("() => window.LiteGraph?.registered_node_types?.SpacetimeDecode !== undefined")
    titles = page.evaluate(REGISTERED)
    assert {node: titles.get(node) for node in NODES} == NODES
    assert failures == []
