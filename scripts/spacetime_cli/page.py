"""ComfyUI's page in a real Chromium, driven by Playwright: for templates, pictures and browser tests."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright

from .errors import CommandError, Exit

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
QUIET = (  # nothing but the page may talk to the network or wait for a graphics card
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SETTINGS = {
    "Comfy.TutorialCompleted": True,  # no welcome dialog over the graph
    "Comfy.Minimap.Visible": False,
    "Comfy.Graph.CanvasInfo": False,
    "Comfy.Notification.ShowVersionUpdates": False,
    "Comfy.Workflow.Persist": False,  # every page starts with the same graph
}
TOOLS = Path(__file__).with_name("page_tools.js")
READY = "() => window.app?.graph?.nodes?.length && window.LiteGraph?.registered_node_types?.SpacetimeDecode"
"""The first graph is there, which is the last thing that the page does by itself."""
PATIENCE_SECONDS = 120.0
LANGUAGES = {"en": "en-US", "zh": "zh-CN"}


def find_chromium() -> str | None:
    """The path of a Chromium: `CHROMIUM` names one, else the first on PATH."""
    return os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium for the body.

    Raises:
        CommandError: there is none on this machine.
    """
    path = find_chromium()
    if path is None:
        advice = "install it (Debian: apt install chromium) or name it in CHROMIUM"
        raise CommandError(f"Page: expected Chromium, got none; {advice}", Exit.SETUP)
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    options = [*QUIET, *(["--no-sandbox"] if is_root else [])]  # its sandbox refuses root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            browser.close()


def choose_settings(url: str, settings: dict[str, Any] | None = None) -> None:
    """Give the server's only user settings that keep dialogs and overlays away from the graph."""
    request = urllib.request.Request(
        f"{url}/settings", json.dumps(settings or SETTINGS).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    direct.open(request, timeout=30).close()


@contextlib.contextmanager
def page_of(browser: Browser, language: str = "en", size: tuple[int, int] = (1600, 1000), scale: float = 1.0) -> Iterator[Page]:
    """A page of its own, with nothing in its storage; slow machines get two minutes for each step.

    Args:
        language: of the browser, "en" or "zh"; ComfyUI follows it.
        size: of the window in CSS pixels.
        scale: screen pixels for each CSS pixel.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, locale=LANGUAGES[language], device_scale_factor=scale
    )
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    try:
        yield context.new_page()
    finally:
        context.close()


def visit(page: Page, url: str, template: str | None = None) -> None:
    """Open ComfyUI and wait until its graph can be used; `template` names one of the pack's to open."""
    query = f"?{urlencode({'template': template, 'source': pack_folder(url)})}" if template else ""
    page.goto(f"{url}/{query}")
    page.wait_for_function(READY)
    page.add_script_tag(path=TOOLS)
    if template:
        page.wait_for_function("() => app.graph.nodes.some(node => node.type.startsWith('Spacetime'))")


def pack_folder(url: str) -> str:
    """The name under which the server knows the pack's folder."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{url}/object_info/SpacetimeDecode", timeout=30) as reply:
        return str(json.load(reply)["SpacetimeDecode"]["python_module"]).rpartition(".")[2]
