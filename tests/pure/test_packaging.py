"""What a registry, an installer and another machine rely on."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACK_ROOMS = ("model_loaders", "models", "motion", "nodes", "sampling", "video")
FROM_THE_HOST = {
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "folder_paths",
    "latent_preview",
    "node_helpers",
    "nodes",
    "server",
}
IMPORT_NAMES = {"Pillow": "PIL"}


def pack_sources() -> list[Path]:
    rooms = [path for room in PACK_ROOMS for path in (ROOT / room).rglob("*.py")]
    return [*ROOT.glob("*.py"), *rooms]


def requirements() -> list[str]:
    return (ROOT / "requirements.txt").read_text(encoding="utf-8").split()


def imported_modules(file: Path) -> set[str]:
    """The top-level names of a file's absolute imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0]
    return {name.partition(".")[0] for name in names}


def test_the_project_and_requirements_txt_name_the_same_packages() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    assert re.findall(r'"(.+?)"', block.group(1)) == requirements()


def test_requirements_are_floors_that_pin_nothing() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+>=[0-9.]+", line) for line in requirements())


def test_the_pack_imports_only_what_it_requires() -> None:
    required = {re.split(">=", line)[0] for line in requirements()}
    allowed = {IMPORT_NAMES.get(name, name) for name in required} | FROM_THE_HOST | set(sys.stdlib_module_names)
    for file in pack_sources():
        assert imported_modules(file) <= allowed, file


def test_the_metadata_has_no_web_key() -> None:
    """With one, ComfyUI would register the page's folder a second time, under the project's name."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    comfy = text.partition("[tool.comfy]")[2].partition("\n[")[0]
    assert "DisplayName" in comfy
    assert not re.search(r"^\s*web\s*=", comfy, re.MULTILINE)


@pytest.mark.parametrize("file", pack_sources(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_sources_open_on_a_windows_code_page(file: Path) -> None:
    file.read_text(encoding="utf-8").encode("cp1252")


def test_nothing_private_is_published() -> None:
    ignored = (ROOT / ".comfyignore").read_text(encoding="utf-8").split()
    assert {".host/", "tests/", ".ci/"} <= set(ignored)


def test_the_private_comfyui_is_not_in_the_repository() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    listed = subprocess.run(["git", "ls-files", ".host"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed.stdout == ""
