"""ComfyUI's page in Chromium: one server, one browser and one page for each language. Without Chromium these tests are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response

from spacetime_cli.page import choose_settings, chromium, find_chromium, pack_folder, page_of, visit
from spacetime_cli.server import HostServer

REPORTED = ("error", "warning")


@dataclass
class Watch:
    """What went wrong in a page through the pack's doing: its files, its texts, or any uncaught exception."""

    marks: tuple[str, ...]
    complaints: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("console", self._hear)
        page.on("response", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        told = f"{message.text} ({message.location.get('url', '')})"
        if message.type in REPORTED and any(mark in told for mark in self.marks):
            self.complaints.append(f"console {message.type}: {told}")

    def _see(self, response: Response) -> None:
        if response.status >= 400 and any(mark in response.url for mark in self.marks):
            self.complaints.append(f"HTTP {response.status}: {response.url}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all browser tests."""
    if find_chromium() is None:
        pytest.skip("no Chromium found: install one (Debian: apt install chromium) or name it in CHROMIUM")
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def watch(live_server: HostServer) -> Watch:
    choose_settings(live_server.url)
    return Watch(marks=("Spacetime", "spacetime_tiny", pack_folder(live_server.url)))


@pytest.fixture(autouse=True)
def nothing_complains(watch: Watch) -> Iterator[None]:
    """Each test ends without an error in the page that is of our making."""
    yield
    told, watch.complaints[:] = list(watch.complaints), []
    assert told == []


@pytest.fixture(scope="session")
def english(browser: Browser, live_server: HostServer, watch: Watch) -> Iterator[Page]:
    """The page, opened once for all tests in English."""
    with page_of(browser, "en") as page:
        watch.over(page)
        visit(page, live_server.url)
        yield page


@pytest.fixture(scope="session")
def chinese(browser: Browser, live_server: HostServer, watch: Watch) -> Iterator[Page]:
    """The page in a Chinese browser, opened once."""
    with page_of(browser, "zh") as page:
        watch.over(page)
        visit(page, live_server.url)
        yield page


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Where a test may leave a picture of its page for a person to look at."""
    yield tmp_path / f"{request.node.name}.png"
