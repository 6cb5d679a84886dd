"""What all tests share. A test's tier is the folder it lies in: pure, host, live or browser."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PACK = "comfyui_spacetime"
TIERS = ("pure", "host", "live", "browser")

sys.path += [str(ROOT / "scripts"), str(TESTS)]
from spacetime_cli.locate import Host, find_existing  # noqa: E402
from spacetime_cli.provision import Provisioner  # noqa: E402

if TYPE_CHECKING:
    from spacetime_cli.server import HostServer


def find_host() -> Host | None:
    """The ComfyUI that the commands would use, if it is there already."""
    found = find_existing(None) or Provisioner().host
    return found if found.comfyui.is_dir() else None


def _order_import_path() -> None:
    """ComfyUI first and the project's root last: both have a `nodes`, and ComfyUI's must win, as when it runs."""
    root = str(ROOT)
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != root] + [root]
    found = find_host()
    if found is not None:
        sys.path.insert(0, str(found.comfyui))


_order_import_path()


def _register_rooms() -> None:
    """`import rooms.video.stream` imports one room with its relative imports, but not the pack's nodes, hence no ComfyUI."""
    spec = importlib.machinery.ModuleSpec("rooms", None, is_package=True)
    spec.submodule_search_locations = [str(ROOT)]
    sys.modules["rooms"] = importlib.util.module_from_spec(spec)


_register_rooms()


def load_pack() -> ModuleType:
    """The pack imported as a package, under the name `comfyui_spacetime`, as ComfyUI would import its folder."""
    if PACK not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            PACK, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[PACK] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[PACK]
            raise
    return sys.modules[PACK]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with its tier, and run quick tiers first; the browser's come last because it keeps an event loop running."""
    for item in items:
        if _tier(item) in TIERS:
            item.add_marker(_tier(item))
    items.sort(key=lambda item: TIERS.index(_tier(item)) if _tier(item) in TIERS else len(TIERS))


def _tier(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def comfyui() -> Host:
    """The ComfyUI under test."""
    found = find_host()
    if found is None:
        pytest.fail("expected a ComfyUI, got none; run `python scripts/host.py` first")
    return found


@pytest.fixture(scope="session")
def pack(comfyui: Host) -> ModuleType:
    """The pack, loaded lazily; afterwards `import comfyui_spacetime.nodes...` works. For tests in `host/`."""
    return load_pack()


@pytest.fixture(scope="session")
def live_server(comfyui: Host) -> Iterator[HostServer]:
    """The real server on the CPU, started once for all live and browser tests."""
    from spacetime_cli.server import HostServer

    with HostServer(comfyui, private_folders=True) as server:
        yield server
