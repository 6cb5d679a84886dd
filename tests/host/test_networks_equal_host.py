"""On the same random weights, our networks compute what the host's Wan networks compute."""

from __future__ import annotations

import json
from pathlib import Path

import comfy.ldm.wan.model
import comfy.ldm.wan.vae
import comfy.model_management
import comfy.ops
import comfy.sd
import pytest
import torch
from safetensors.torch import save_file
from support.compare import PARITY, relative_error
from support.tiny_weights import random_dit, random_vae

from models.dit import DiTConfig

DIT_CONFIGS = (
    DiTConfig(in_dim=16, dim=64, ffn_dim=160, num_layers=3, num_heads=2, text_dim=48),
    DiTConfig(in_dim=36, dim=96, ffn_dim=128, num_layers=2, num_heads=4, text_dim=80),
    DiTConfig(in_dim=36, dim=256, ffn_dim=1024, num_layers=2, num_heads=4, text_dim=256),
    DiTConfig(in_dim=16, dim=256, ffn_dim=512, num_layers=1, num_heads=2, text_dim=4096),
)
SIZES = ((3, 6, 10), (1, 4, 4), (5, 7, 9))  # the last has sides that are no whole number of patches
FRAMES = (1, 5, 17, 33)


def host_dit(config: DiTConfig) -> torch.nn.Module:
    sizes = {name: getattr(config, name) for name in ("in_dim", "out_dim", "dim", "ffn_dim", "num_layers", "num_heads", "text_dim")}
    return comfy.ldm.wan.model.WanModel(**sizes, operations=comfy.ops.disable_weight_init, dtype=torch.float32).eval()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("config", DIT_CONFIGS, ids=lambda config: f"{config.in_dim}ch-{config.dim}x{config.num_layers}")
@torch.inference_mode()
def test_dit_equals_the_hosts(config: DiTConfig, size: tuple[int, int, int]) -> None:
    ours, theirs = random_dit(config), host_dit(config)
    theirs.load_state_dict(ours.state_dict())
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, config.in_dim, *size, generator=generator)
    context = torch.randn(2, 11, config.text_dim, generator=generator)
    timestep = torch.tensor([937.5, 12.0])
    expected = theirs(x, timestep, context)
    assert relative_error(ours(x, timestep, context), expected) <= PARITY


@pytest.mark.parametrize("in_dim", (16, 36))
@torch.inference_mode()
def test_a_file_of_ours_loaded_by_the_host_computes_the_same(in_dim: int, tmp_path: Path) -> None:
    """Through the stock loader: sizes from shapes, heads and text width from the file's metadata; the flow of both is compared."""
    config = DiTConfig(in_dim=in_dim, dim=96, ffn_dim=128, num_layers=2, num_heads=4, text_dim=80)
    ours, path = random_dit(config), tmp_path / "dit.safetensors"
    save_file(ours.state_dict(), path, metadata={"config": json.dumps(config.metadata())})
    patcher = comfy.sd.load_diffusion_model(str(path))
    comfy.model_management.load_models_gpu([patcher])
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 16, 3, 6, 8, generator=generator)
    context = torch.randn(1, 9, config.text_dim, generator=generator)
    sigma = torch.tensor([0.7])
    known = torch.zeros(1, in_dim - 16, 3, 6, 8)
    denoised = patcher.model.apply_model(x, sigma, c_crossattn=context, c_concat=known if in_dim == 36 else None)
    flow = (x - denoised) / sigma
    assert relative_error(ours(torch.cat([x, known], dim=1), sigma * 1000, context), flow) <= PARITY


def host_vae(base_width: int) -> torch.nn.Module:
    return comfy.ldm.wan.vae.WanVAE(
        dim=base_width, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[], temperal_downsample=[False, True, True]
    ).eval()


@pytest.mark.parametrize("frames", FRAMES)
@pytest.mark.parametrize("base_width", (8, 12))
@torch.inference_mode()
def test_vae_encode_equals_the_hosts(base_width: int, frames: int) -> None:
    ours, theirs = random_vae(base_width), host_vae(base_width)
    theirs.load_state_dict(ours.state_dict())
    video = torch.rand(1, 3, frames, 32, 48, generator=torch.Generator().manual_seed(2)) * 2 - 1
    assert relative_error(ours.encode(video), theirs.encode(video)) <= PARITY


@pytest.mark.parametrize("frames", FRAMES)
@pytest.mark.parametrize("base_width", (8, 12))
@torch.inference_mode()
def test_vae_decode_equals_the_hosts(base_width: int, frames: int) -> None:
    ours, theirs = random_vae(base_width), host_vae(base_width)
    theirs.load_state_dict(ours.state_dict())
    latent = torch.randn(1, 16, (frames - 1) // 4 + 1, 4, 6, generator=torch.Generator().manual_seed(3))
    assert relative_error(ours.decode(latent), theirs.decode(latent)) <= PARITY
