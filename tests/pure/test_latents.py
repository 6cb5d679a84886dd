"""Latents of the box: how training shapes them, and how a denoiser is taken over to those of another VAE."""

from __future__ import annotations

import random

import pytest
import torch
from support.tiny_weights import random_vae

from models.dit import DiTConfig, WanDiT
from models.vae import CausalVideoVAE, VAEConfig, normalize_latent
from training.pixel_metric import pixel_metric
from training.refit import latent_map, refit
from training.standing import draw_standing, forget_the_past
from training.train_vae import fold, fold_statistics, seen_spread
from training.world import render, sample_scene


def well_conditioned(seed: int) -> torch.Tensor:
    """A matrix [16, 16], float64, not far from a rotation."""
    generator = torch.Generator().manual_seed(seed)
    rotation, _ = torch.linalg.qr(torch.randn(16, 16, generator=generator, dtype=torch.float64))
    return rotation @ torch.diag(torch.linspace(0.6, 1.6, 16, dtype=torch.float64))


def copy_of(vae: CausalVideoVAE) -> CausalVideoVAE:
    return CausalVideoVAE.from_state_dict({name: value.clone() for name, value in vae.state_dict().items()})


@pytest.fixture(scope="module")
def vae() -> CausalVideoVAE:
    return random_vae()


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    scene = sample_scene(random.Random(3), "train")
    return render([scene], 5, 64, 64).video.float().div(127.5).sub(1).transpose(1, 2)


@torch.inference_mode()
def test_a_fold_changes_the_latents_and_not_the_pictures(vae, video):
    matrix, mean = well_conditioned(0), torch.linspace(-1, 1, 16, dtype=torch.float64)
    folded = copy_of(vae)
    fold(folded, matrix, mean)
    before, after = vae.encode_moments(video)[0], folded.encode_moments(video)[0]
    assert (after - before).abs().max() > 0.1
    torch.testing.assert_close(folded.decode_chunk(after), vae.decode_chunk(before), rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_folded_latents_have_the_published_mean_and_spread_by_what_they_show(vae):
    folded = copy_of(vae)
    fold_statistics(folded, clips=12)
    scenes = [sample_scene(random.Random(f"fold {i}"), "train") for i in range(12)]
    clips = render(scenes, 9, 96, 96).video.float().div(127.5).sub(1).transpose(1, 2)
    latents = torch.cat([normalize_latent(folded.encode_moments(clip[None])[0])[0].flatten(1) for clip in clips], 1)
    assert latents.mean(1).abs().max() < 0.5
    variance = torch.cov(latents)
    assert variance.diagonal().mean() == pytest.approx(1, abs=0.4)
    shown = pixel_metric(folded, plain=0.0, clips=3)
    _, directions = torch.linalg.eigh(shown.T @ shown)
    spread = (directions.T @ variance @ directions).diagonal()
    assert spread[-4:].mean() > 1.5 * spread[:4].mean()


def test_the_spread_follows_what_is_seen(vae):
    shown = pixel_metric(vae, plain=0.0, clips=2)
    even, half, full = (seen_spread(shown, power) for power in (0.0, 0.5, 1.0))
    torch.testing.assert_close(even, torch.eye(16, dtype=torch.float64))
    ratios = [float(torch.linalg.cond(spread)) for spread in (half, full)]
    assert ratios[0] == pytest.approx(ratios[1] ** 0.5, rel=1e-3) and ratios[1] > 1.2


@torch.inference_mode()
def test_a_refitted_denoiser_says_the_same_of_the_new_latents():
    torch.manual_seed(0)
    dit = WanDiT(DiTConfig(in_dim=36, text_dim=32, dim=48, ffn_dim=64, num_layers=2, num_heads=2)).eval()
    torch.nn.init.normal_(dit.head.head.weight)
    torch.nn.init.normal_(dit.head.head.bias)
    noisy, mask, known = torch.randn(2, 16, 2, 4, 6), torch.randn(2, 4, 2, 4, 6), torch.randn(2, 16, 2, 4, 6)
    text, level, matrix = torch.randn(2, 5, 32), torch.tensor([300.0, 800.0]), well_conditioned(1)

    def turned(latent: torch.Tensor) -> torch.Tensor:
        return torch.einsum("ij,bjthw->bithw", matrix.float(), latent)

    expected = turned(dit(torch.cat([noisy, mask, known], 1), level, text))
    refit(dit, matrix)
    found = dit(torch.cat([turned(noisy), mask, turned(known)], 1), level, text)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_map_between_two_vaes_is_found(vae):
    other, matrix = copy_of(vae), well_conditioned(2)
    fold(other, matrix, torch.zeros(16, dtype=torch.float64))
    folded = copy_of(vae)
    fold(folded, torch.eye(16, dtype=torch.float64), torch.zeros(16, dtype=torch.float64))
    found = latent_map(folded, other, count=6)
    assert (found - matrix).abs().max() < 0.02


def test_another_kind_of_denoiser_is_refused():
    dit = WanDiT(DiTConfig(in_dim=16, text_dim=32, dim=48, ffn_dim=64, num_layers=1, num_heads=2))
    with pytest.raises(ValueError, match="expected a denoiser of 36 channels"):
        refit(dit, well_conditioned(0))


@pytest.fixture(scope="module")
def forgetful() -> CausalVideoVAE:
    """Random weights whose encoder has forgotten the past."""
    torch.manual_seed(3)
    vae = CausalVideoVAE(VAEConfig(base_width=4)).eval()
    forget_the_past(vae)
    return vae


def clip_of(*pictures: torch.Tensor) -> torch.Tensor:
    """[1, 3, 4n + 1, H, W]: the first picture once, each other one for a latent frame."""
    return torch.stack([pictures[0]] + [one for one in pictures[1:] for _ in range(4)], dim=1)[None]


@torch.no_grad()
def test_what_stands_in_a_latent_frame_has_the_latents_it_has_alone_whatever_came_before(forgetful):
    red, moved, other = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    order = (red, moved, moved, red, other)
    latent = forgetful.encode(clip_of(*order))
    alone = torch.cat([forgetful.encode(clip_of(one)) for one in order], dim=2)
    torch.testing.assert_close(latent, alone, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_what_moves_in_a_latent_frame_is_told_and_does_not_show_in_the_next(forgetful):
    clip = torch.randn(1, 3, 13, 16, 16, generator=torch.Generator().manual_seed(1))
    changed = clip.clone()
    changed[:, :, 5] = 0  # the first picture of the third latent frame
    differs = (forgetful.encode(clip) - forgetful.encode(changed)).abs().amax((0, 1, 3, 4))
    assert differs[2] > 1e-3 and differs[[0, 1, 3]].max() == 0


@torch.no_grad()
def test_forgetting_leaves_the_latents_of_single_pictures_and_the_decoder_as_they_are():
    torch.manual_seed(4)
    vae = CausalVideoVAE(VAEConfig(base_width=4)).eval()
    picture, latent = torch.randn(1, 3, 1, 16, 16), torch.randn(1, 16, 3, 2, 2)
    before = vae.encode(picture), vae.decode(latent)
    forget_the_past(vae)
    torch.testing.assert_close(vae.encode(picture), before[0], rtol=1e-4, atol=1e-5)
    assert torch.equal(vae.decode(latent), before[1])
    kept = {name: value.clone() for name, value in vae.state_dict().items()}
    forget_the_past(vae)
    for name, value in vae.state_dict().items():
        torch.testing.assert_close(value, kept[name], msg=f"{name} changed when it had nothing to forget")


def test_clips_that_stand_cut_to_each_other_and_to_whole_cells_away():
    pictures = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    rng, kinds = random.Random(0), set()
    for _ in range(40):
        for number, clip in enumerate(draw_standing(pictures, rng, 17)):
            groups = clip[:, 1:].unflatten(1, (4, 4))
            assert torch.equal(clip[:, 0], pictures[number]) and torch.equal(groups, groups[:, :, :1].expand_as(groups))
            for picture in groups[:, :, 0].unbind(1):
                places = [(n, y, x) for n in range(2) for y in (0, 8) for x in (0, 8)]
                (n, *shift), *_ = (one for one in places if torch.equal(picture, pictures[one[0]].roll(one[1:], (-2, -1))))
                kinds.add("same" if n == number and not any(shift) else "shifted" if n == number else "other")
    assert kinds == {"same", "shifted", "other"}
