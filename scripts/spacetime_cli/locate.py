"""Which ComfyUI to use: the one named, the one this pack lies in, or a private one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import CommandError, Exit
from .paths import ROOT, venv_python

Origin = Literal["named", "enclosing", "private"]
_MARKS = ("main.py", "nodes.py", "comfyui_version.py", "comfy")


@dataclass(frozen=True)
class Host:
    """A ComfyUI folder, the Python that runs it, and where we have it from."""

    comfyui: Path
    python: Path
    origin: Origin

    @property
    def custom_nodes(self) -> Path:
        return self.comfyui / "custom_nodes"


def is_comfyui(folder: Path) -> bool:
    """Whether `folder` holds ComfyUI's own files, not just any `main.py`."""
    return all((folder / mark).exists() for mark in _MARKS)


def find_python(comfyui: Path) -> Path:
    """The Python of an existing install: its venv, the portable build's embedded one, else the running one."""
    venvs = [comfyui / "venv", comfyui / ".venv", comfyui.parent / "venv", comfyui.parent / ".venv"]
    candidates = [venv_python(venv) for venv in venvs]
    candidates.insert(2, comfyui.parent / "python_embeded" / "python.exe")  # the portable build's own spelling
    return next((python for python in candidates if python.is_file()), Path(sys.executable))


def find_existing(
    named: str | None, environ: Mapping[str, str] = os.environ, root: Path = ROOT
) -> Host | None:
    """The first existing ComfyUI of: `named`, `COMFYUI_PATH`, the install around `root`; None if there is none.

    Raises CommandError when a named folder is not a ComfyUI.
    """
    for source, value in (("--comfyui", named), ("COMFYUI_PATH", environ.get("COMFYUI_PATH"))):
        if value:
            folder = Path(value).expanduser().absolute()
            if not is_comfyui(folder):
                raise CommandError(
                    f"{source}: expected the folder that holds ComfyUI's main.py, got {folder}; "
                    "name that folder, or leave it out to have one set up",
                    Exit.SETUP,
                )
            return Host(folder, find_python(folder), "named")
    for pack in (root.absolute(), root.resolve()):
        folder = pack.parent.parent
        if pack.parent.name == "custom_nodes" and is_comfyui(folder) and not _is_private(folder, root):
            return Host(folder, find_python(folder), "enclosing")
    return None


def _is_private(comfyui: Path, root: Path) -> bool:
    """Whether `comfyui` is the one under the pack's own `.host/` (reached through its link)."""
    return comfyui.resolve() == (root.resolve() / ".host" / "ComfyUI")
