"""How well clips keep the frames that they are given: first, last, both, or the first five."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from models.vae import CausalVideoVAE, normalize_latent
from training.evaluation import FRAMES, Evaluation
from training.known_frames import conditioning, grey_unknown, known_mask
from training.round_trip import rendered, through_vae
from training.rows import Row
from training.run import psnr
from training.world import caption, sample_scene

KNOWN = {"first frame": (1, 0), "last frame": (0, 1), "first and last frame": (1, 1), "first five frames": (5, 0)}
"""How many frames at the beginning and at the end are known."""
TARGET = 1.0  # dB


@dataclass(frozen=True)
class Kept:
    """How clips kept their known frames: mean PSNR in dB to the VAE's reconstruction of those frames, and what is lost in PSNR to the
    frames themselves against that reconstruction."""

    to_rebuilt: float
    lost: float
    count: int


def known_flags(first: int, last: int, frames: int) -> list[bool]:
    """Of `frames` frames so many at the beginning and at the end are known."""
    return [i < first or i >= frames - last for i in range(frames)]


@torch.inference_mode()
def known_channels(vae: CausalVideoVAE, clips: Tensor, known: list[bool]) -> Tensor:
    """The denoiser's 20 extra channels [B, 20, T', h, w] of clips [B, 3, T, H, W] in -1..1, of which only the `known` frames are told."""
    dtype = next(vae.parameters()).dtype
    seen = grey_unknown(clips, known)
    latent = torch.cat([normalize_latent(vae.encode_moments(clip[None].to(dtype))[0].float()) for clip in seen])
    mask = known_mask(known, *latent.shape[-2:]).expand(len(clips), -1, -1, -1, -1)
    return conditioning(mask, latent)


def kept(made: Tensor, clips: Tensor, rebuilt: Tensor, known: list[bool]) -> Kept:
    """Clips that were `made` from known frames of `clips`, beside what the VAE `rebuilt` of those; all [B, 3, T, H, W] in -1..1."""
    frames = torch.tensor(known)
    made, clips, rebuilt = (video[:, :, frames] for video in (made, clips, rebuilt))
    return Kept(psnr(made, rebuilt), psnr(rebuilt, clips) - psnr(made, clips), len(clips))


@torch.inference_mode()
def frame_rows(evaluation: Evaluation) -> list[Row]:
    """Clips of held-out scenes with their captions, some frames known."""
    count, size = evaluation.count("frames"), evaluation.settings.size
    generator = random.Random("first frame")
    scenes = [sample_scene(generator, "held_out") for _ in range(count)]
    texts = [caption(scene, generator) for scene in scenes]
    clips = rendered(scenes, FRAMES, size)
    rebuilt = through_vae(evaluation.models.vae, clips)
    rows = []
    for name, (first, last) in KNOWN.items():
        known = known_flags(first, last, FRAMES)
        extra = known_channels(evaluation.models.vae, clips, known)
        made = torch.cat(list(evaluation.clips(texts, sampler=evaluation.settings.picture, extra=extra)))
        found = kept(made, clips, rebuilt, known)
        evaluation.tell(f"frames: {name} measured")
        note = f"PSNR less than the VAE's own reconstruction has; PSNR to that: {found.to_rebuilt:.1f} dB"
        rows.append(Row(f"{name}, lost", found.lost, "dB", found.count, TARGET, at_most=True, note=note))
    return rows
