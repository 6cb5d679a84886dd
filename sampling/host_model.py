"""Facts about a host's MODEL that the denoise call needs: how it shrinks clips, how wide its text is, what memory it wants."""

from __future__ import annotations

import math
from typing import Any

import comfy.model_management
import comfy.model_sampling

from ..models.shapes import Compression, LatentShape
from .request import NODE

REFUSE_ABOVE = 2.0
"""A clip is refused only where the host's own estimate is this many times the device's memory: the estimate is rough."""


def compression(model: Any, node: str = NODE) -> Compression:
    """How `model` shrinks clips, from the host's description of its latents.

    Raises:
        ValueError: it makes no video, or is no flow-matching model; one sentence that begins with `node`.
    """
    latent_format = model.get_model_object("latent_format")
    name = type(model.model).__name__
    if latent_format.latent_dimensions != 3:
        raise ValueError(f"{node}: expected a video model, got {name}, which makes no video; load a video model such as Spacetime Tiny")
    sampling = model.get_model_object("model_sampling")
    if not isinstance(sampling, (comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.ModelSamplingFlux)):
        raise ValueError(f"{node}: expected a flow-matching video model, got {name}, which is trained in another way; use KSampler for it")
    patch = getattr(model.get_model_object("diffusion_model"), "patch_size", None)
    return Compression(
        time=latent_format.temporal_downscale_ratio,
        space=latent_format.spacial_downscale_ratio,
        channels=latent_format.latent_channels,
        patch=(patch[0], patch[1], patch[2]) if isinstance(patch, (tuple, list)) and len(patch) == 3 else (1, 1, 1),
    )


def with_shift(model: Any, shift: float) -> Any:
    """A clone of `model` whose noise schedule is moved towards noise by `shift` (1 = not at all; arXiv 2403.03206, section 5.3.2)."""
    original = model.get_model_object("model_sampling")
    sampling = type(original)(model.model.model_config)
    if isinstance(original, comfy.model_sampling.ModelSamplingFlux):
        sampling.set_parameters(shift=math.log(shift))  # the same curve; its parameter is the logarithm
    else:
        sampling.set_parameters(shift=shift, multiplier=original.multiplier)
        sampling.set_noise_scale(original.noise_scale)
    patched = model.clone()
    patched.add_object_patch("model_sampling", sampling)
    return patched


def check_memory(model: Any, latent: LatentShape, compression: Compression, batch: int = 1) -> None:
    """Refuse a clip that is far too large for the machine, before anything is allocated.

    Raises:
        ValueError: with the number of tokens, the memory needed and the number of frames that would fit.
    """
    needed = _memory(model, latent, batch)
    total = comfy.model_management.get_total_memory(model.load_device)
    if needed <= REFUSE_ABOVE * total:
        return
    video = compression.video(latent)
    one = _memory(model, LatentShape(1, latent.height, latent.width, latent.channels), batch)
    fitting = int(total / one)
    advice = f"at most {(fitting - 1) * compression.time + 1:,} frames fit at this size" if fitting else "use a smaller size"
    raise ValueError(
        f"{NODE}: expected a clip that fits in {_gigabytes(total)} of memory, got {video.width}x{video.height} with "
        f"{video.frames} frames ({compression.tokens(latent) * batch:,} tokens, about {_gigabytes(needed)}); {advice}"
    )


def check_conditioning(model: Any, conditioning: list, name: str, latent: LatentShape) -> None:
    """Refuse conditioning made by another model's text encoder or for a clip of another length.

    Raises:
        ValueError: one sentence that names the input `name`.
    """
    if not conditioning:
        raise ValueError(f"{NODE}: expected {name} conditioning, got none; connect Spacetime Text Encode")
    expected = _text_width(model)
    for embedding, extras in conditioning:
        width = embedding.shape[-1]
        if expected is not None and width != expected:
            raise ValueError(
                f"{NODE}: expected {name} conditioning with {expected} values per token, got {width}; "
                "use the text encoder that belongs to the model"
            )
        known = extras.get("concat_latent_image")
        if known is not None and known.ndim == 5 and known.shape[2] != latent.frames:
            raise ValueError(
                f"{NODE}: expected known frames for {latent.frames} latent frames in {name}, got {known.shape[2]}; "
                "connect the latent output of the node that made them"
            )


def ignores_known_frames(model: Any, conditioning: list) -> bool:
    """True where the conditioning carries pictures that this text-to-video model has no input channels for."""
    return picture_channels(model) == 0 and any("concat_latent_image" in extras for _, extras in conditioning)


def picture_channels(model: Any) -> int | None:
    """How many channels a Wan-layout network takes beside the noisy latents; None for other layouts."""
    embedding = getattr(model.get_model_object("diffusion_model"), "patch_embedding", None)
    if embedding is None:
        return None
    return embedding.weight.shape[1] - model.get_model_object("latent_format").latent_channels


def _text_width(model: Any) -> int | None:
    """Values per text token that a Wan-layout model takes; None for other layouts, about which nothing is known here."""
    embedding = getattr(model.get_model_object("diffusion_model"), "text_embedding", None)
    return None if embedding is None else embedding[0].weight.shape[1]


def _memory(model: Any, latent: LatentShape, batch: int) -> float:
    """Bytes that the host expects one forward pass to need."""
    return model.model.memory_required([batch, latent.channels, latent.frames, latent.height, latent.width])


def _gigabytes(size: float) -> str:
    return f"{size / 2**30:,.1f} GB"
