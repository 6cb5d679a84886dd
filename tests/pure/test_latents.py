"""Latents of the box: how training shapes them, and how a denoiser is taken over to those of another VAE."""

from __future__ import annotations

import random

import pytest
import torch
from support.tiny_weights import random_vae

from models.dit import DiTConfig, WanDiT
from models.vae import CausalVideoVAE, normalize_latent
from training.pixel_metric import pixel_metric
from training.refit import latent_map, refit
from training.standing import Standing, covariance_of, draw_standing, half_white, standing_loss
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
    fold_statistics(folded, clips=24)
    scenes = [sample_scene(random.Random(f"fold {i}"), "train") for i in range(24)]
    clips = render(scenes, 9, 96, 96).video.float().div(127.5).sub(1).transpose(1, 2)
    latents = torch.cat([normalize_latent(folded.encode_moments(clip[None])[0])[0].flatten(1) for clip in clips], 1)
    assert latents.mean(1).abs().max() < 0.5
    variance = torch.cov(latents)
    assert variance.diagonal().mean() == pytest.approx(1, abs=0.4)
    shown = pixel_metric(folded, plain=0.0)
    _, directions = torch.linalg.eigh(shown.T @ shown)
    spread = (directions.T @ variance @ directions).diagonal()
    assert spread[-4:].mean() > 1.5 * spread[:4].mean()


def test_the_spread_follows_what_is_seen(vae):
    even, half, full = (seen_spread(vae, power) for power in (0.0, 0.5, 1.0))
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


class Colours:
    """A codec whose latents are the colours of 4 x 4 blocks; in a clip they are off by `off` wherever the picture before was another."""

    def __init__(self, off: float) -> None:
        self.off = torch.tensor(off, requires_grad=True)

    def encode_moments(self, video):
        frames = torch.nn.functional.avg_pool3d(video[:, :, ::4], (1, 4, 4))
        changed = (frames.diff(dim=2).abs().amax((1, 3, 4), keepdim=True) > 0).float()
        return frames + torch.cat([torch.zeros_like(frames[:, :1, :1, :1, :1]), changed], dim=2) * self.off, frames

    def decode_chunk(self, latent):
        times = torch.tensor([1] + [4] * (latent.shape[2] - 1))
        return latent.repeat_interleave(times, dim=2).repeat_interleave(4, dim=3).repeat_interleave(4, dim=4)


def blocks(count: int) -> torch.Tensor:
    """Pictures [count, 3, 16, 16] of blocks of 4 x 4 pixels."""
    return torch.randn(count, 3, 4, 4, generator=torch.Generator().manual_seed(0)).repeat_interleave(4, 2).repeat_interleave(4, 3)


def test_a_picture_should_have_the_latents_it_has_alone_after_a_cut_too():
    standing = Standing(blocks(3), torch.tensor([[0, 0, 2, 2, 1], [1, 1, 1, 1, 1]]))
    clips = standing.clips()
    assert clips.shape == (2, 3, 17, 16, 16)
    assert torch.equal(clips[0, :, 4], standing.pictures[0]) and torch.equal(clips[0, :, 5], standing.pictures[2])
    plain = torch.eye(3)
    unlike, error = standing_loss(Colours(0.0), standing, plain)
    assert unlike == 0 and error.abs().max() < 1e-6
    codec = Colours(0.5)
    unlike, error = standing_loss(codec, standing, plain)
    spread = torch.nn.functional.avg_pool2d(standing.pictures, 4)[standing.order].var()
    torch.testing.assert_close(unlike, 0.25 * 2 / 8 / spread)  # two of eight later latent frames come after a cut
    assert error.abs().max() < 1e-6, "the latents of pictures alone are shown, which are right"
    unlike.backward()
    assert codec.off.grad > 0


def test_clips_that_stand_cut_to_each_other_and_to_whole_cells_away():
    pictures, rng = blocks(2), random.Random(0)
    drawn = [draw_standing(pictures, rng) for _ in range(60)]
    orders = torch.cat([one.order for one in drawn])
    assert orders.shape == (120, 5) and torch.equal(orders[:, 0], torch.tensor([0, 1] * 60))
    assert 0.3 < (orders == orders[:, :1]).all(1).float().mean() < 0.6, "some stand still"
    assert ((orders[:, 1:] < 2) & (orders[:, 1:] != orders[:, :1])).any(), "some cut to the other picture"
    shifted = next(one.pictures[2] for one in drawn if len(one.pictures) > 2)
    places = [(y, x, n) for y in (0, 8) for x in (0, 8) for n in range(2)]
    assert any(torch.equal(shifted, pictures[n].roll((y, x), (-2, -1))) for y, x, n in places)


def test_directions_that_hardly_spread_count_when_still_pictures_are_compared():
    latents = torch.randn(4, 3, 5, 8, 8, generator=torch.Generator().manual_seed(1)) * torch.tensor([10.0, 1.0, 0.1]).view(1, 3, 1, 1, 1)
    evened = half_white(covariance_of(latents))
    spread = torch.einsum("ij,bjthw->bithw", evened, latents).transpose(0, 1).flatten(1).std(1)
    torch.testing.assert_close(spread / spread[1], torch.tensor([10.0, 1.0, 0.1]).sqrt(), rtol=0.05, atol=0)
