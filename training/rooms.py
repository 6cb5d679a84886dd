"""Modules of the pack whose imports of each other are relative, as `motion.adherence`, for programs that run from the project's root.

There every room is a package of its own, so that "from ..video" has nothing above it. Here they have a common parent, which imports
neither the pack's nodes nor ComfyUI.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
PARENT = "spacetime_rooms"


def room(name: str) -> ModuleType:
    """One module below the project's root, such as "motion.adherence"."""
    if PARENT not in sys.modules:
        spec = importlib.machinery.ModuleSpec(PARENT, None, is_package=True)
        spec.submodule_search_locations = [str(ROOT)]
        sys.modules[PARENT] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{PARENT}.{name}")
