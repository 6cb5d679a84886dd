"""What the file that a host's MODEL came from says about it, in the metadata of its header."""

from __future__ import annotations

from typing import Any

from safetensors import safe_open

from ..models.dit import STEPS_KEY


def file_name(model: Any) -> str:
    """The name of the file that the host loaded a MODEL from; empty where it does not tell."""
    return _path(model).replace("\\", "/").rpartition("/")[2]


def _path(model: Any) -> str:
    loaded = getattr(model, "cached_patcher_init", None)
    path = loaded[1][0] if loaded and loaded[1] else ""
    return path if isinstance(path, str) else ""


def metadata_of(model: Any) -> dict[str, str]:
    """The metadata of that file; empty where there is none, or no safetensors file any more."""
    path = _path(model)
    if not path.endswith(".safetensors"):
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, RuntimeError, ValueError):
        return {}


def guidance_note(model: Any, cfg: float) -> str:
    """One sentence where guidance is asked of a network that was distilled to need none; else empty."""
    steps = metadata_of(model).get(STEPS_KEY) if cfg != 1 else None
    if steps is None:
        return ""
    return (
        f"{file_name(model)} was made for {steps} steps without guidance: a cfg of {cfg:g} makes its colours harsh "
        "and takes twice as long. Set cfg to 1."
    )
