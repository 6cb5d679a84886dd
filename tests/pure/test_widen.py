"""A wider VAE computes what the narrow one did."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from support.tiny_weights import write_vae
from torch import Tensor

from models.vae import CausalVideoVAE
from training.standing import forget_the_past
from training.widen import FAINT, widened


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> CausalVideoVAE:
    vae = CausalVideoVAE.from_state_dict(load_file(write_vae(tmp_path_factory.mktemp("weights") / "vae.safetensors")))
    forget_the_past(vae)
    return vae


def clip() -> Tensor:
    return torch.rand(1, 3, 9, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.no_grad()
def test_silent_new_channels_change_nothing(narrow: CausalVideoVAE):
    vae, video = narrow, clip()
    wide = widened(vae, 12, faint=0)
    forget_the_past(wide)
    assert wide.config.base_width == 12 and wide.encoder.forgets
    latent = vae.encode(video)
    torch.testing.assert_close(wide.encode(video), latent, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(wide.decode(latent), vae.decode(latent), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_faint_new_channels_change_little_and_are_drawn_by_seed(narrow: CausalVideoVAE):
    vae, video = narrow, clip()
    wide, again, other = (widened(vae, 12, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in wide.state_dict().items())
    assert any(not torch.equal(value, other.state_dict()[name]) for name, value in wide.state_dict().items())
    latent = vae.encode(video)
    assert 0 < (wide.encode(video) - latent).square().mean().sqrt() < FAINT * latent.std()
    decoded = vae.decode(latent)
    assert 0 < (wide.decode(latent) - decoded).square().mean().sqrt() < FAINT * decoded.std()


def test_a_width_that_is_no_wider_is_refused(narrow: CausalVideoVAE):
    with pytest.raises(ValueError, match="expected a base width above 8, that of the weights, got 8"):
        widened(narrow, 8)
