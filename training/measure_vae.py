"""How well the VAE rebuilds held-out scenes and photographs."""

from __future__ import annotations

import torch

from training.evaluation import Evaluation
from training.photographs import own_pictures, read_square, squares
from training.round_trip import exact, through_vae
from training.rows import Row
from training.run import psnr
from training.train_vae import held_out_psnr

TARGETS = {"picture_book": 36.0, "collage": 30.0, "photographs": 27.0}


@torch.inference_mode()
def vae_rows(evaluation: Evaluation) -> list[Row]:
    """PSNR of reconstructions in float32 through posterior means; photographs are clips of one frame."""
    vae, size, count = exact(evaluation.models.vae), evaluation.settings.size, evaluation.count("vae")
    found = held_out_psnr(vae, torch.device("cpu"), count, size)
    rows = [Row(f"VAE, held-out {style.replace('_', ' ')}", value, "dB", count, TARGETS[style]) for style, value in found.items()]
    evaluation.tell("vae: held-out scenes measured")
    pictures, note = _photographs(evaluation)
    if len(pictures):
        clips = pictures.movedim(-1, 1)[:, :, None].mul(2).sub(1)  # [N, 3, 1, S, S]
        rows.append(Row("VAE, photographs", psnr(through_vae(vae, clips), clips), "dB", len(clips), TARGETS["photographs"], note=note))
    return rows


def _photographs(evaluation: Evaluation) -> tuple[torch.Tensor, str]:
    """Squares [N, S, S, 3] in 0..1, and what they are of."""
    size, count = evaluation.settings.size, evaluation.count("photographs")
    if evaluation.settings.pictures is None:
        chosen, photographs = squares(count, size, lambda text: evaluation.tell(f"vae: {text}"))
        return chosen, f"squares of {photographs} photographs"
    files = own_pictures(evaluation.settings.pictures)[:count]
    return torch.cat([read_square(file, size) for file in files]), f"middle squares of pictures in {evaluation.settings.pictures.name}"
