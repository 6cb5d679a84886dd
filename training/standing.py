"""Latents that stand for themselves: clips that stand still or cut from one picture to another, for `training/train_vae.py`.

A causal video VAE may write into a later latent frame only what has changed since those before it. A denoiser then learns every picture
once for the first latent frame and again for each past, and a latent cell that is carried to another place (Wan-Move) shows something else
there. So clips of pictures, each of which stands for whole latent frames, are asked to have the latents that their pictures have alone; and
the latents of pictures alone, put one after another, are asked to show those pictures.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from models.shapes import WAN
from models.vae import CausalVideoVAE

LATENT_FRAMES = 5  # only from the fifth on does a network see nothing else any more
CUT = 0.5  # how often a clip that cuts has another picture in the next latent frame
STILL = 0.4  # of the clips
SHIFTED = 0.6  # of the cuts go to the picture itself, shifted by whole latent cells
FORGET = 0.05  # how fast the covariance of the latents forgets


@dataclass(frozen=True)
class Standing:
    """Pictures [N, 3, H, W] in -1..1 and which of them each latent frame of each clip shows, [B, T']."""

    pictures: Tensor
    order: Tensor

    def clips(self) -> Tensor:
        """[B, 3, 4 T' - 3, H, W]."""
        repeats = torch.tensor([1] + [WAN.time] * (self.order.shape[1] - 1))
        return self.pictures[self.order.repeat_interleave(repeats, dim=1)].transpose(1, 2)


def draw_standing(pictures: Tensor, rng: random.Random, frames: int = LATENT_FRAMES) -> Standing:
    """A clip that begins with each of `pictures` [B, 3, H, W]."""
    shown, order = list(pictures), []
    cells = [side // WAN.space for side in pictures.shape[-2:]]
    for number, picture in enumerate(pictures):
        row = [number]
        cuts = rng.random() >= STILL
        while len(row) < frames:
            if not cuts or rng.random() >= CUT:
                row.append(row[-1])
            elif rng.random() < SHIFTED or len(pictures) == 1:
                shown.append(picture.roll([WAN.space * rng.randrange(side) for side in cells], (-2, -1)))
                row.append(len(shown) - 1)
            else:
                row.append(rng.choice([other for other in range(len(pictures)) if other != number]))
        order.append(row)
    return Standing(torch.stack(shown), torch.tensor(order))


def standing_loss(vae: CausalVideoVAE, standing: Standing, evened: Tensor) -> tuple[Tensor, Tensor]:
    """How far the clips' latents are from those of their pictures alone, in shares of the variance of these; and the error [B, 3, T, H, W]
    of what the pictures' latents show one after another.

    Latents are compared after the map `evened` [16, 16] (`half_white`): as a network in training gives them, three of sixteen directions
    are all that counts, while a denoiser is given all of them.
    """
    clips = standing.clips()
    alone = vae.encode_moments(standing.pictures[:, :, None])[0].float()[:, :, 0]  # [N, 16, h, w]
    wanted = alone[standing.order].transpose(1, 2)  # [B, 16, T', h, w]
    found = vae.encode_moments(clips)[0].float()
    fixed = wanted.detach()
    off, spread = (torch.einsum("ij,bjthw->bithw", evened, part) for part in (found[:, :, 1:] - fixed[:, :, 1:], fixed))
    shown = vae.decode_chunk(wanted.to(clips.dtype)).float()
    return off.square().mean() / spread.var(), shown - clips


def covariance_of(latents: Tensor) -> Tensor:
    """[C, C], double, of latents [B, C, T, h, w]."""
    return torch.cov(latents.transpose(0, 1).flatten(1).double())


def symmetric_power(matrix: Tensor, power: float, least: float) -> Tensor:
    """A symmetric, positive matrix to a power; eigenvalues below the share `least` of the largest count as that much."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp_min(values.max() * least) ** power) @ vectors.T


def half_white(covariance: Tensor) -> Tensor:
    """The symmetric map, float32, halfway to white: latents of this covariance [16, 16] then spread like the roots of what they had."""
    return symmetric_power(covariance, -0.25, 1e-4).float()


class Evened:
    """`half_white` of the latents of late, kept up to date."""

    def __init__(self) -> None:
        self.covariance: Tensor | None = None

    def __call__(self, latents: Tensor) -> Tensor:
        """The map, after another batch of latents [B, 16, T', h, w]."""
        seen = covariance_of(latents)
        self.covariance = seen if self.covariance is None else torch.lerp(self.covariance, seen, FORGET)
        return half_white(self.covariance)
