"""Where things lie, relative to the pack's root."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]
PACK_NAME = "ComfyUI-Spacetime"


def venv_python(venv: Path) -> Path:
    """The interpreter of a virtual environment on this operating system."""
    if os.name == "nt":
        return venv / "Scripts" / "python.exe"
    return venv / "bin" / "python"
