"""A MODEL whose sampling begins at a given video and keeps parts of it until a chosen noise level: Time-to-Move, for every sampler node.

Only public hooks of the host are used. An OUTER_SAMPLE wrapper begins the run at the video; for that run it adds a PREDICT_NOISE wrapper
that shows the network, inside the held cells, the video at the current noise, and takes the video itself for what was predicted there.
That is what the host's own inpainting does, but not for every model: Wan 2.2 5B, LTX and Hunyuan would be shown held cells without noise.
What a latent's own noise mask keeps, such as a first frame, is never held here: the host shows it as each model wants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.patcher_extension
import comfy.utils
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..motion.backends.time_to_move import Clock, Preset, let_go_map, start_at

KEY = "spacetime_held_video"


@dataclass(frozen=True)
class HeldRegion:
    """Latent cells [T', h, w], 0 or 1, that are held, and how strongly: 1 as long as the preset says, 0 not at all."""

    cells: Tensor
    strength: float = 1.0


@dataclass(frozen=True)
class HeldVideo:
    """A video's latents [1, C, T', h, w] as the VAE gives them, the regions that are held, and the clocks.

    `camera_only` says that the whole picture is what moves.
    """

    latent: Tensor
    regions: tuple[HeldRegion, ...]
    preset: Preset
    camera_only: bool = False


def with_held_video(model: Any, held: HeldVideo) -> Any:
    """A clone of `model` for any sampler node; the size of what is sampled has to be that of the video's latents."""
    patched = model.clone()
    patched.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, _Run(held))
    return patched


class _Run:
    """The OUTER_SAMPLE wrapper; it keeps nothing from one run to the next."""

    def __init__(self, held: HeldVideo) -> None:
        self.held = held

    def __call__(
        self,
        executor: Any,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        *rest: Any,
        latent_shapes: list | None = None,
        **keywords: Any,
    ) -> Tensor:
        guider = executor.class_obj
        sampling = guider.model_patcher.get_model_object("model_sampling")
        shapes = [tuple(shape) for shape in (latent_shapes or [latent_image.shape])]
        _check_size(self.held.latent, shapes[0])
        video, known = _expanded(self.held.latent, shapes)
        clock = self.held.preset.clock(sigmas.shape[0] - 1, self.held.camera_only)
        levels, _ = _expanded(_levels(self.held, clock, sampling)[None, None], shapes, like_channels=True)
        if _begins_from_noise(sigmas, sampling, noise):
            sigmas = start_at(sigmas, _noise_level(sampling, clock.weak))
            latent_image = _begun(latent_image, video, known, denoise_mask)
        if denoise_mask is not None:
            levels = torch.where(denoise_mask.to(levels) > 0, levels, torch.inf)
        comfy.patcher_extension.add_wrapper_with_key(
            WrappersMP.PREDICT_NOISE, KEY, _Holding(video, levels, noise), guider.model_options, is_model_options=True
        )
        return executor(noise, latent_image, sampler, sigmas, denoise_mask, *rest, latent_shapes=latent_shapes, **keywords)


class _Holding:
    """The PREDICT_NOISE wrapper of one run: what is held at this noise level, the network sees as the video, and predicts as the video."""

    def __init__(self, video: Tensor, levels: Tensor, noise: Tensor) -> None:
        self.video, self.levels, self.noise = video, levels, noise
        self.has_noise = bool(torch.count_nonzero(noise))
        self.target: Tensor | None = None

    def __call__(self, executor: Any, x: Tensor, timestep: Tensor, *rest: Any, **keywords: Any) -> Tensor:
        level = float(timestep.flatten()[0])
        if not bool((self.levels < level * (1 - 1e-4)).any()):
            return executor(x, timestep, *rest, **keywords)
        model = executor.class_obj.inner_model
        if self.target is None:
            self.levels, self.noise = self.levels.to(x.device), self.noise.to(x)
            self.target = model.process_latent_in(self.video).to(x)
        held = self.levels < level * (1 - 1e-4)
        if self.has_noise:
            x = torch.where(held, model.model_sampling.noise_scaling(timestep[:1], self.noise, self.target).to(x), x)
        return torch.where(held, self.target, executor(x, timestep, *rest, **keywords))


def _levels(held: HeldVideo, clock: Clock, sampling: Any) -> Tensor:
    """The noise level [T', h, w] down to which each cell is held; infinite where none is."""
    levels = torch.full(held.latent.shape[-3:], torch.inf)
    if held.regions:
        until = let_go_map([region.cells.cpu() for region in held.regions], [region.strength for region in held.regions], clock)
        for part in until[until > clock.weak].unique():
            levels[until == part] = _noise_level(sampling, float(part))
    return levels


def _noise_level(sampling: Any, part: float) -> float:
    """The noise level after `part` of the whole schedule, at most the schedule's first."""
    return min(float(sampling.percent_to_sigma(part)), float(sampling.sigma_max))


def _begins_from_noise(sigmas: Tensor, sampling: Any, noise: Tensor) -> bool:
    """Whether this run is the first one of its clip; a second sampler goes on with what the first one left."""
    return bool(torch.count_nonzero(noise)) and float(sigmas[0]) >= 0.98 * float(sampling.sigma_max)


def _begun(latent_image: Tensor, video: Tensor, known: Tensor, denoise_mask: Tensor | None) -> Tensor:
    """What sampling starts from: the video, where a noise mask does not keep something else."""
    free = known if denoise_mask is None else known * (denoise_mask.to(known) > 0)
    return torch.where(free > 0, video.to(latent_image), latent_image)


def _expanded(tensor: Tensor, shapes: list[tuple[int, ...]], like_channels: bool = False) -> tuple[Tensor, Tensor]:
    """`tensor` as large as what is sampled, and 1 where it is; a model of video and sound has both in one row of numbers.

    Sound is never held: its levels are infinite, its start is silence.
    """
    batch, channels = shapes[0][:2]
    whole = tensor.float().expand(batch, channels, *tensor.shape[2:])
    ones = torch.ones_like(whole)
    if len(shapes) == 1:
        return whole, ones
    other = torch.inf if like_channels else 0.0
    parts = [whole, *(torch.full(shape, other) for shape in shapes[1:])]
    marks = [ones, *(torch.zeros(shape) for shape in shapes[1:])]
    return comfy.utils.pack_latents(parts)[0], comfy.utils.pack_latents(marks)[0]


def _check_size(video: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(shape[1:]) != tuple(video.shape[1:]):
        raise ValueError(
            f"Spacetime Apply Motion: expected a latent of {list(video.shape[1:])} as the motion was made for, got {list(shape[1:])}; "
            "connect the latent output of Spacetime Apply Motion to the sampler"
        )
