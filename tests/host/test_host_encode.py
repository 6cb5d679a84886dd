"""Encoding by our network on a CPU: the latents that the host's own VAE gives."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import comfy.sd
import pytest
import torch
from support.compare import PARITY, relative_error
from support.tiny_weights import random_vae

from training.standing import forget_the_past


@pytest.fixture(scope="module")
def room(pack: ModuleType) -> ModuleType:
    return importlib.import_module(f"{pack.__name__}.video.host_encode")


@pytest.fixture(scope="module", params=("remembers", "forgets"))
def vae(request: pytest.FixtureRequest) -> Any:
    network = random_vae(8)
    if request.param == "forgets":
        forget_the_past(network)
    return comfy.sd.VAE(sd=network.state_dict())


def clip() -> torch.Tensor:
    """A picture, a group that moves, three grey ones, one that moves: [21, 32, 48, 3]."""
    frames = torch.rand(21, 32, 48, 3, generator=torch.Generator().manual_seed(0))
    frames[5:17] = 0.5
    return frames


@pytest.mark.parametrize("frames", (1, 5, 21))
def test_latents_are_the_hosts(room: ModuleType, vae: Any, frames: int) -> None:
    expected = vae.encode(clip()[:frames])
    found = room.encode_frames(vae, clip()[:frames])
    assert found.shape == expected.shape and found.dtype == expected.dtype and found.device == expected.device
    assert relative_error(found, expected) <= PARITY
    found.add_(1)  # nodes may change it


def test_what_repeats_is_encoded_once_by_an_encoder_that_does_not_look_back(room: ModuleType, vae: Any, monkeypatch) -> None:
    network, pieces = room.CausalVideoVAE, []
    encode = network.encode_moments
    monkeypatch.setattr(network, "encode_moments", lambda self, piece, state: pieces.append(piece) or encode(self, piece, state))
    room.encode_frames(vae, clip())
    forgets = all(not vae.get_sd()[f"encoder.{name}.weight"][:, :, :-1].any() for name in ("conv1", "head.2"))
    assert len(pieces) == (4 if forgets else 6)
