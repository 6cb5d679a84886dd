"""Frames that a Wan model is shown from the clip's beginning on stay as they are while the sampler makes the others.

The network is told of them in extra channels and predicts them anew like all the rest, nearly right. They need no prediction: at every
step the host's own noise mask puts them in, at the noise level that the step has.
"""

from __future__ import annotations

from typing import Any

import comfy.model_base
import torch
from torch import Tensor

from .host_model import picture_channels

MASK_CHANNELS = 4  # one for each frame of a latent frame


def with_known_frames(model: Any, conditioning: list, latent: dict[str, Any]) -> dict[str, Any]:
    """An empty LATENT with the known frames of the conditioning in it and a noise mask over all others.

    It comes back as it was where it holds something already, where the model has no mask channels of Wan's form, and where no latent
    frame from the first on is known whole: a later one depends on the frames before it.
    """
    samples = latent["samples"]
    known = _known(model, conditioning, samples)
    if known is None or "noise_mask" in latent or torch.count_nonzero(samples):
        return latent
    begun, free = samples.clone(), torch.ones_like(samples[:, :1])
    begun[:, :, : known.shape[2]] = known.to(samples)
    free[:, :, : known.shape[2]] = 0
    return {**latent, "samples": begun, "noise_mask": free}


def _known(model: Any, conditioning: list, samples: Tensor) -> Tensor | None:
    """The latents [1, C, n, h, w] that all of the conditioning agrees on; None where there are none."""
    told = [extras for _, extras in conditioning]
    latents, mask = told[0].get("concat_latent_image"), told[0].get("concat_mask")
    if type(model.model) is not comfy.model_base.WAN21 or latents is None or mask is None or samples.ndim != 5:
        return None
    if any(extras.get("concat_latent_image") is not latents or extras.get("concat_mask") is not mask for extras in told):
        return None
    if picture_channels(model) != MASK_CHANNELS + latents.shape[1] or "concat_mask_index" in told[0]:
        return None
    if latents.shape != (1, *samples.shape[1:]) or mask.shape[2] != samples.shape[2]:
        return None
    whole = (mask == 0).movedim(2, 0).flatten(1).all(1)  # [T'], by the host's mask: 0 is known
    count = int(whole.cumprod(0).sum())
    return latents[:, :, :count] if count else None
