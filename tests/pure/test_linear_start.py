"""The linear codec from which the VAE's training starts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.vae import CausalVideoVAE, VAEConfig
from training.linear_start import cascade_of, settle, straight
from training.train_vae import busyness, start_near_identity


@pytest.fixture
def vae() -> CausalVideoVAE:
    torch.manual_seed(0)
    vae = CausalVideoVAE(VAEConfig(base_width=8))
    start_near_identity(vae)
    return vae


@pytest.fixture
def clip() -> Tensor:
    """Blurred noise that moves, [2, 3, 9, 32, 32] in -1..1."""
    coarse = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    noise = torch.nn.functional.interpolate(coarse, size=(48, 48), mode="bicubic")
    return torch.stack([noise[..., t : t + 32, 2 * t : 2 * t + 32] for t in range(9)], dim=2).clamp(-1, 1)


def relative(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).std() / wanted.std())


def test_straight_is_linear(vae: CausalVideoVAE, clip: Tensor) -> None:
    with torch.no_grad():
        nothing, both, half = (straight(vae, x)[1] for x in (torch.zeros_like(clip), clip, clip / 2))
    torch.testing.assert_close(both - nothing, 2 * (half - nothing), atol=1e-4, rtol=1e-3)


def test_the_cascade_is_all_that_straight_uses(vae: CausalVideoVAE, clip: Tensor) -> None:
    straight(vae, clip)[1].sum().backward()
    inside = {id(p) for p in cascade_of(vae).parameters()}
    assert inside == {id(p) for p in vae.parameters() if p.grad is not None}


@torch.no_grad()
def test_settled_network_computes_what_the_cascade_did(vae: CausalVideoVAE, clip: Tensor) -> None:
    latent, rebuilt = straight(vae, clip)
    size = latent.std(dim=(0, 2, 3, 4)).square().mean().sqrt()
    settle(vae, clip)
    mean, log_variance = vae.encode_moments(clip)
    assert relative(mean, latent / size) < 0.2
    assert relative(vae.decode_chunk(latent / size), rebuilt) < 0.2
    assert float(log_variance.min()) == float(log_variance.max()) == -6.0


def test_features_keep_their_size(vae: CausalVideoVAE, clip: Tensor) -> None:
    settle(vae, clip)
    seen: list[Tensor] = []
    vae.decoder.head[0].register_forward_hook(lambda _module, given, _made: seen.append(given[0].detach()))
    vae.decode_chunk(vae.encode_moments(clip)[0])
    features = seen[0]
    assert float(features[:, 0].std()) < 1e-3 * float(features[:, 0].mean())  # the constant
    assert 0.5 < float(features[:, 1:].square().mean().sqrt()) < 2


def test_every_part_learns_from_there(vae: CausalVideoVAE, clip: Tensor) -> None:
    settle(vae, clip)
    mean, _ = vae.encode_moments(clip)
    (vae.decode_chunk(mean) - clip).square().mean().backward()
    last = [p for name, p in vae.named_parameters() if name.endswith("residual.6.weight")]
    assert last and all(float(p.grad.abs().max()) > 0 for p in last)


def test_moving_edges_are_busier_than_still_ones_and_these_than_sky() -> None:
    sky = torch.linspace(0, 40, 16).view(1, 1, 16, 1).expand(5, 3, 16, 16)
    still = sky.clone()
    still[..., 8:] += 100
    moving = torch.stack([frame.roll(t, dims=-1) for t, frame in enumerate(still)])
    assert busyness(sky) < busyness(still) < busyness(moving)
