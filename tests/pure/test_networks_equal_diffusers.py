"""On the same random weights, our networks compute what diffusers' Wan networks compute."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from support.compare import PARITY, relative_error
from support.diffusers_names import DIT, VAE, renamed
from support.tiny_weights import random_dit, random_vae

from models.dit import DiTConfig
from models.vae import CausalState, CausalVideoVAE
from training.standing import forget_the_past

DIT_CONFIGS = (
    DiTConfig(in_dim=16, dim=64, ffn_dim=160, num_layers=3, num_heads=2, text_dim=48),
    DiTConfig(in_dim=36, dim=96, ffn_dim=128, num_layers=2, num_heads=4, text_dim=80),
    DiTConfig(in_dim=36, dim=256, ffn_dim=1024, num_layers=2, num_heads=4, text_dim=256),
    DiTConfig(in_dim=16, dim=256, ffn_dim=512, num_layers=1, num_heads=2, text_dim=4096),
)
FRAMES = (1, 5, 17, 33)


@pytest.mark.parametrize("config", DIT_CONFIGS, ids=lambda config: f"{config.in_dim}ch-{config.dim}x{config.num_layers}")
@torch.no_grad()
def test_dit_equals_diffusers(config: DiTConfig) -> None:
    ours = random_dit(config)
    theirs = WanTransformer3DModel(
        num_attention_heads=config.num_heads,
        attention_head_dim=config.dim // config.num_heads,
        in_channels=config.in_dim,
        out_channels=config.out_dim,
        text_dim=config.text_dim,
        freq_dim=config.freq_dim,
        ffn_dim=config.ffn_dim,
        num_layers=config.num_layers,
    ).eval()
    theirs.load_state_dict(renamed(ours.state_dict(), DIT))
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, config.in_dim, 3, 6, 10, generator=generator)
    context = torch.randn(2, 11, config.text_dim, generator=generator)
    timestep = torch.tensor([937.5, 12.0])
    expected = theirs(x, timestep, context, return_dict=False)[0]
    assert relative_error(ours(x, timestep, context), expected) <= PARITY


def pair(base_width: int) -> tuple[torch.nn.Module, AutoencoderKLWan]:
    ours = random_vae(base_width)
    with torch.no_grad():
        ours.decoder.head[2].weight.mul_(0.2)  # diffusers clamps its frames to -1..1, so stay inside
    theirs = AutoencoderKLWan(base_dim=base_width).eval()
    theirs.load_state_dict(renamed(ours.state_dict(), VAE))
    return ours, theirs


@pytest.mark.parametrize("frames", FRAMES)
@pytest.mark.parametrize("base_width", (8, 12))
@torch.no_grad()
def test_vae_encode_equals_diffusers(base_width: int, frames: int) -> None:
    ours, theirs = pair(base_width)
    video = torch.rand(1, 3, frames, 32, 48, generator=torch.Generator().manual_seed(2)) * 2 - 1
    expected = theirs.encode(video, return_dict=False)[0].mode()
    assert relative_error(ours.encode(video), expected) <= PARITY


@torch.no_grad()
def test_an_encoder_that_need_not_look_back_equals_diffusers() -> None:
    """Ours leaves out what is multiplied by nought."""
    ours, theirs = pair(8)
    forget_the_past(ours)
    theirs.load_state_dict(renamed(ours.state_dict(), VAE))
    video = torch.rand(1, 3, 17, 32, 48, generator=torch.Generator().manual_seed(2)) * 2 - 1
    expected = theirs.encode(video, return_dict=False)[0].mode()
    assert all("downsamples" in name for name in past_after(ours, video)), "only what makes one frame of two keeps any"
    assert relative_error(ours.encode(video), expected) <= PARITY


def past_after(vae: CausalVideoVAE, video: torch.Tensor) -> set[str]:
    """Layers that remember something after a clip."""
    state = CausalState()
    list(vae.encode_stream([video], state))
    return set(state.past)


@pytest.mark.parametrize("frames", FRAMES)
@pytest.mark.parametrize("base_width", (8, 12))
@torch.no_grad()
def test_vae_decode_equals_diffusers(base_width: int, frames: int) -> None:
    ours, theirs = pair(base_width)
    latent = torch.randn(1, 16, (frames - 1) // 4 + 1, 4, 6, generator=torch.Generator().manual_seed(3))
    expected = theirs.decode(latent, return_dict=False)[0]
    assert (expected.abs() < 1).float().mean() > 0.9
    assert relative_error(ours.decode(latent).clamp(-1, 1), expected) <= PARITY
