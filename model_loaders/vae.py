"""A Wan 2.1 video VAE as a native VAE of the host, and the host's VAE as our streaming network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.utils
import torch

from ..models.vae import CausalVideoVAE, VAEConfig
from .files import WeightFileError, check_complete, inspect_safetensors, wrong_model

EXPECTED = "a Wan 2.1 video VAE"


def load_vae(path: str | os.PathLike[str], node_name: str = "Load Spacetime Tiny") -> Any:
    """Open a VAE that `models/vae.py` describes as a VAE that every stock node accepts; the host itself loads it.

    Raises:
        WeightFileError: one sentence that begins with `node_name`, for a missing or damaged file or another model.
    """
    tensors, metadata = inspect_safetensors(path, node_name)
    if "decoder.middle.0.residual.0.gamma" not in tensors:
        raise wrong_model(path, node_name, EXPECTED, tensors)
    try:
        with torch.device("meta"):
            network = CausalVideoVAE(VAEConfig.from_state_dict(tensors))
    except ValueError as error:
        raise WeightFileError(f"{node_name}: '{Path(path).name}' holds no usable VAE: {error}") from error
    check_complete(path, node_name, EXPECTED, network, tensors)
    vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(os.fspath(path)), metadata=metadata)
    vae.patcher.cached_patcher_init = (comfy.sd.load_vae_patcher, (os.fspath(path), metadata, None))
    return vae


def is_wan21(vae: Any) -> bool:
    """Whether a host's VAE is one that `models/vae.py` decodes: Wan 2.1's layout at any base width."""
    state_dict = vae.get_sd()
    try:
        with torch.device("meta"):
            network = CausalVideoVAE(VAEConfig.from_state_dict(state_dict))
    except ValueError:
        return False
    return {name: tensor.shape for name, tensor in network.state_dict().items()} == {
        name: tensor.shape for name, tensor in state_dict.items()
    }


def streaming_patcher(vae: Any, dtype: torch.dtype, memory: float) -> comfy.model_patcher.ModelPatcher:
    """A copy of a host's Wan 2.1 VAE as our network (`.model`), in `dtype`, loaded on the device where the host runs it.

    Keep the patcher while the network is in use: through it the host counts the memory and frees other models.
    `memory` is how many bytes decoding will need beside the weights.
    """
    state_dict = {name: tensor.detach().to(dtype) for name, tensor in vae.get_sd().items()}
    network = CausalVideoVAE.from_state_dict(state_dict, assign=True).requires_grad_(False).optimize_layout()
    patcher = comfy.model_patcher.ModelPatcher(network, load_device=vae.device, offload_device=comfy.model_management.vae_offload_device())
    comfy.model_management.load_models_gpu([patcher], memory_required=memory, force_full_load=True)
    return patcher
