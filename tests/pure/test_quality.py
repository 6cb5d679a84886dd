"""The rules of the house, by the tools that know them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACK_ROOMS = ("model_loaders", "models", "motion", "nodes", "sampling", "video")


def run(tool: str, *arguments: str, cwd: Path = ROOT) -> None:
    command = [sys.executable, "-m", tool, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def mypy(*arguments: str, cwd: Path = ROOT) -> None:
    """One cache for all, since most of the time goes into the types of Python's and other people's modules."""
    run("mypy", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache"), *arguments, cwd=cwd)


def has_python(room: str) -> bool:
    return any((ROOT / room).rglob("*.py"))


def test_ruff_finds_nothing() -> None:
    run("ruff", "check", "--quiet", "--no-cache", ".")


def test_mypy_finds_nothing_in_the_commands() -> None:
    mypy(".", cwd=ROOT / "scripts")


def test_mypy_finds_nothing_in_the_training_and_the_benchmarks() -> None:
    mypy("training", "models", "benchmarks")


def test_mypy_finds_nothing_in_the_pack(tmp_path: Path) -> None:
    """Seen through a link with a name that Python allows, because the pack's imports are relative to its root."""
    try:
        (tmp_path / "comfyui_spacetime").symlink_to(ROOT, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make symbolic links")
    rooms = [f"comfyui_spacetime/{room}" for room in PACK_ROOMS if has_python(room)]
    mypy(*rooms, cwd=tmp_path)
