"""Chromium, driven by Playwright. Without one these tests are skipped, and say so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


def find_chromium() -> str | None:
    """The path of a Chromium: `CHROMIUM` names one, else the first on PATH."""
    return os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all browser tests."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium found: install one (Debian: apt install chromium) or name it in CHROMIUM")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    options = ["--disable-dev-shm-usage", "--disable-gpu", *(["--no-sandbox"] if is_root else [])]  # its sandbox refuses root
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=options)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page, in English, in a window large enough for the graph; slow machines get two minutes for each step."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000}, locale="en-US")
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()
