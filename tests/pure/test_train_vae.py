"""A run of the VAE: stopped and gone on with, its decoder alone, with latents held where they were, and made wider."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.tiny_weights import write_vae

from models.vae import CausalVideoVAE, normalize_latent
from training import train_vae
from training.round_trip import rendered
from training.standing import forget_the_past
from training.train_vae import DEFAULTS, export, train, vae_loss
from training.world import sample_scene


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The full measure of held-out clips takes half a minute."""
    monkeypatch.setattr(train_vae, "held_out_psnr", lambda vae, device: {})
    whole = train_vae.sample_sheet
    monkeypatch.setattr(train_vae, "sample_sheet", lambda vae, path: whole(vae, path, size=32))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vae(tmp_path_factory.mktemp("weights") / "vae.safetensors")


@pytest.fixture
def config(start: Path) -> dict[str, Any]:
    return {**DEFAULTS, "start_from": str(start), "base_width": 8, "picture": 32, "crop": 16, "frames": [5], "batch": 2, "pool": 16,
            "steps": 3, "standing_share": 0.5, "device": "cpu"}  # fmt: skip


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)["model"]


def test_a_run_stops_and_goes_on_and_shows_what_came_of_it(config: dict[str, Any], tmp_path: Path):
    train({**config, "steps": 1}, tmp_path)
    before = weights_of(tmp_path)
    (tmp_path / "sample_end.png").unlink()
    train({**config, "sample_every_minutes": 0}, tmp_path)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["step"] == 3
    assert any(not torch.equal(value, before[name]) for name, value in state["model"].items())
    assert {path.name for path in tmp_path.glob("sample_*.png")} == {"sample_000002.png", "sample_end.png"}
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines if "held_out" in line] == [1, 2, 3]


def test_the_decoder_alone_leaves_the_latents(config: dict[str, Any], start: Path, tmp_path: Path):
    train({**config, "decoder_only": True}, tmp_path)
    after, before = weights_of(tmp_path), CausalVideoVAE.from_state_dict(load_file(start))
    forget_the_past(before)
    changed = {name.split(".")[0] for name, value in before.state_dict().items() if not torch.allclose(after[name], value, atol=1e-6)}
    assert changed == {"decoder", "conv2"}


def test_latents_are_held_to_those_of_the_file(config: dict[str, Any], start: Path, tmp_path: Path):
    video = rendered([sample_scene(random.Random(0), "train", "picture_book")], 5, 32)
    reference = CausalVideoVAE.from_state_dict({name: value.float() for name, value in load_file(start).items()})
    forget_the_past(reference)
    moved = []
    for weight in (0.0, 1000.0):
        folder = tmp_path / str(weight)
        train({**config, "steps": 5, "lr": 3e-3, "muon_lr": 0.0, "warmup": 0, "latent_weight": weight}, folder)
        vae = CausalVideoVAE.from_state_dict(weights_of(folder))
        with torch.no_grad():
            difference = normalize_latent(vae.encode_moments(video)[0]) - normalize_latent(reference.encode_moments(video)[0])
            _, parts = vae_loss(vae, video, 0.0, 0.1, reference, weight)
        moved.append(float(difference.square().mean()))
        assert float(parts["moved"]) == pytest.approx(moved[-1], rel=1e-4)
    assert moved[1] < 0.5 * moved[0]
    export(folder, tmp_path / "held.safetensors")
    held, average = load_file(tmp_path / "held.safetensors"), torch.load(folder / "checkpoint.pt", weights_only=True)["average"]
    assert torch.equal(held["conv1.weight"], average["conv1.weight"].half()), "nothing is folded in"


def test_nothing_to_hold_latents_to_is_refused(config: dict[str, Any], tmp_path: Path):
    with pytest.raises(SystemExit, match="name that file"):
        train({**config, "start_from": None, "latent_weight": 0.4}, tmp_path)


def test_the_new_channels_of_a_wider_network_learn(config: dict[str, Any], tmp_path: Path):
    train({**config, "base_width": 12, "latent_weight": 0.1}, tmp_path)
    made = weights_of(tmp_path)["decoder.upsamples.0.residual.2.weight"]
    assert made.shape[:2] == (48, 48)
    assert made[:, 32:].abs().amax((0, 2, 3, 4)).min() > 0, "at first nothing was read from these"
