"""A RIFE checkpoint of any version -> INTERP_MODEL, for our node and for the host's own."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import folder_paths
import torch

from ..models.interpolator import IFNet, IFNetConfig, canonical_names
from .files import WeightFileError, check_complete, describe_contents, read_safetensors
from .folders import SUFFIXES

FOLDER = "frame_interpolation"
"""The host's name for the folder of interpolation models."""
EXPECTED = "a RIFE model, 4.0 to 4.26"
PICKLES = (".pkl", ".pth", ".pt")
_FILM = "extract.extract_sublevels.convs.0.0.conv.weight"


def interpolation_files() -> list[str]:
    """Names of the files that the loader can open."""
    return [name for name in folder_paths.get_filename_list(FOLDER) if name.endswith((*SUFFIXES, *PICKLES))]


def interpolation_path(name: str) -> Path:
    """The file `name` of the host's folder; for a missing one, where it would be."""
    found = folder_paths.get_full_path(FOLDER, name)
    return Path(found) if found is not None else Path(folder_paths.get_folder_paths(FOLDER)[0]) / name


def load_interpolation(path: str | os.PathLike[str], node_name: str = "Load Interpolation Model") -> Any:
    """Open a checkpoint as a model patcher of the host; which version it is, is read from its tensors.

    Raises:
        WeightFileError: one sentence that begins with `node_name`, for a missing or damaged file, another model or an unknown version.
    """
    path = Path(path)
    found = _read_pickle(path, node_name) if path.suffix in PICKLES else read_safetensors(path, node_name)[0]
    tensors = canonical_names(found)
    try:
        config = IFNetConfig.from_state_dict(tensors)
    except ValueError as error:
        raise _refusal(path, node_name, str(error), found, tensors) from error
    with torch.device("meta"):
        network = IFNet(config)
    check_complete(path, node_name, f"RIFE {config.versions}", network, tensors)
    network = IFNet.from_state_dict(tensors, assign=True).to(_precision())
    return comfy.model_patcher.CoreModelPatcher(
        network,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def _precision() -> torch.dtype:
    """The host's choice for interpolation models."""
    half = comfy.model_management.should_use_fp16(comfy.model_management.get_torch_device())
    return torch.float16 if half else torch.float32


def _read_pickle(path: Path, node_name: str) -> dict[str, torch.Tensor]:
    """The tensors of a PyTorch file, which is read without running anything that is in it."""
    if not path.is_file():
        raise WeightFileError(f"{node_name}: expected a weight file at '{path}', got nothing; check the name or put the file there")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (
        RuntimeError,
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        OSError,
        zipfile.BadZipFile,
    ) as error:
        raise WeightFileError(
            f"{node_name}: expected a PyTorch file of tensors alone, got one that cannot be read safely in '{path.name}'; download it "
            "again, or use a .safetensors version"
        ) from error
    if not isinstance(found, dict):
        raise WeightFileError(f"{node_name}: expected {EXPECTED}, got a {type(found).__name__} in '{path.name}'; choose another file")
    return {str(name): tensor for name, tensor in found.items() if isinstance(tensor, torch.Tensor)}


def _refusal(path: Path, node_name: str, reason: str, found: dict[str, torch.Tensor], named: dict[str, torch.Tensor]) -> WeightFileError:
    if _FILM in found:
        return WeightFileError(
            f"{node_name}: expected {EXPECTED}, got FILM in '{path.name}'; open it with Load Frame Interpolation Model, "
            "whose output Spacetime Interpolate takes too"
        )
    if any(name.startswith("block0.") for name in named):
        return WeightFileError(f"{node_name}: {reason} in '{path.name}'; use one of these versions")
    return WeightFileError(f"{node_name}: expected {EXPECTED}, got {describe_contents(found)} in '{path.name}'; choose a file of RIFE")
