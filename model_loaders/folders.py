"""Where weight files lie: the box's own folders, shown to every loader of the host."""

from __future__ import annotations

from pathlib import Path

import folder_paths

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
BOX_FILES = {
    "diffusion_models": "spacetime_tiny.safetensors",
    "text_encoders": "spacetime_tiny_text.safetensors",
    "vae": "spacetime_tiny_vae.safetensors",
}
"""Folder, as the host names it -> the file of the model in the box."""
SUFFIXES = (".safetensors", ".sft")


def register_weight_folders() -> None:
    """Add the weights in the box to the host's folders, so that its own loaders list and open them."""
    for folder in BOX_FILES:
        folder_paths.add_model_folder_path(folder, str(WEIGHTS / folder))


def weight_files(folder: str) -> list[str]:
    """Safetensors files of one of the host's folders, the box's first, which is listed even while it is missing."""
    box = BOX_FILES[folder]
    return [box, *(name for name in folder_paths.get_filename_list(folder) if name.endswith(SUFFIXES) and name != box)]


def weight_path(folder: str, name: str) -> Path:
    """The file `name` of one of the host's folders; for a missing one, where the box would have it."""
    found = folder_paths.get_full_path(folder, name)
    return Path(found) if found is not None else WEIGHTS / folder / name
