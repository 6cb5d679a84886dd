"""A wider VAE computes what the narrow one did, and can learn with the room it got."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny_weights import write_vae
from torch import Tensor

from models.vae import CausalVideoVAE
from training import train_vae
from training.run import Average
from training.standing import forget_the_past
from training.train_vae import DEFAULTS, train
from training.widen import FAINT, widened


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CausalVideoVAE]:
    path = write_vae(tmp_path_factory.mktemp("weights") / "vae.safetensors")
    vae = CausalVideoVAE.from_state_dict(train_vae.load_file(path))
    forget_the_past(vae)
    return path, vae


def clip() -> Tensor:
    return torch.rand(1, 3, 9, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.no_grad()
def test_silent_new_channels_change_nothing(narrow: tuple[Path, CausalVideoVAE]):
    vae, video = narrow[1], clip()
    wide = widened(vae, 12, faint=0)
    forget_the_past(wide)
    assert wide.config.base_width == 12 and wide.encoder.forgets
    latent = vae.encode(video)
    torch.testing.assert_close(wide.encode(video), latent, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(wide.decode(latent), vae.decode(latent), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_faint_new_channels_change_little_and_are_drawn_by_seed(narrow: tuple[Path, CausalVideoVAE]):
    vae, video = narrow[1], clip()
    wide, again, other = (widened(vae, 12, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in wide.state_dict().items())
    assert any(not torch.equal(value, other.state_dict()[name]) for name, value in wide.state_dict().items())
    latent = vae.encode(video)
    assert 0 < (wide.encode(video) - latent).square().mean().sqrt() < FAINT * latent.std()
    decoded = vae.decode(latent)
    assert 0 < (wide.decode(latent) - decoded).square().mean().sqrt() < FAINT * decoded.std()


def test_a_width_that_is_no_wider_is_refused(narrow: tuple[Path, CausalVideoVAE]):
    with pytest.raises(ValueError, match="expected a base width above 8, that of the weights, got 8"):
        widened(narrow[1], 8)


def test_new_channels_learn(narrow: tuple[Path, CausalVideoVAE], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train_vae, "held_out_psnr", lambda vae, device: {})
    monkeypatch.setattr(train_vae, "sample_sheet", lambda vae, path: 0.0)
    monkeypatch.setattr(Average, "update", lambda average, model, step: None)
    config: dict[str, Any] = {
        **DEFAULTS, "start_from": str(narrow[0]), "base_width": 12, "picture": 32, "crop": 16, "frames": [5], "batch": 2, "pool": 16,
        "steps": 3, "latent_weight": 0.1, "device": "cpu",
    }  # fmt: skip
    train(config, tmp_path)
    made = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["model"]
    name = "decoder.upsamples.0.residual.2.weight"
    assert made[name].shape[:2] == (48, 48)
    assert made[name][:, 32:].abs().amax((0, 2, 3, 4)).min() > 0  # nothing was read from these
