"""A denoiser in the open Wan layout as a native MODEL of the host, refused with one sentence where it is something else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import comfy.sd
import torch

from ..models.dit import DiTConfig, WanDiT
from .files import WeightFileError, check_complete, inspect_safetensors, wrong_model

EXPECTED = "a Wan-layout video diffusion model"
USUAL_TEXT_DIM = 4096  # what the host assumes where a file's metadata says nothing


def load_model(path: str | os.PathLike[str], node_name: str = "Load Spacetime Tiny") -> Any:
    """Open a denoiser that `models/dit.py` describes; the host itself loads it.

    Raises:
        WeightFileError: one sentence that begins with `node_name`, for a missing or damaged file or another model.
    """
    tensors, metadata = inspect_safetensors(path, node_name)
    if "patch_embedding.weight" not in tensors or "head.modulation" not in tensors:
        raise wrong_model(path, node_name, EXPECTED, tensors)
    try:
        told = json.loads(metadata.get("config", "{}")).get("transformer", {})
        config = DiTConfig.from_state_dict(tensors, told)
        with torch.device("meta"):
            network = WanDiT(config)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightFileError(f"{node_name}: '{Path(path).name}' holds no usable denoiser: {error}") from error
    check_complete(path, node_name, EXPECTED, network, tensors)
    if told.get("text_dim", USUAL_TEXT_DIM) != config.text_dim:
        raise WeightFileError(
            f"{node_name}: expected metadata with 'config' that tells the text width {config.text_dim}, "
            f"got {told.get('text_dim', 'none')} in '{Path(path).name}'; save the file with the metadata of the network"
        )
    return comfy.sd.load_diffusion_model(os.fspath(path))
