"""Apply Motion: a plan on a picture becomes what one model is steered with, by the backend that fits it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import comfy.model_base
import comfy.model_management
import node_helpers
import torch
from torch import Tensor

from ..models.shapes import Compression, LatentShape, VideoShape
from ..motion.backends import ati, wan_move
from ..motion.backends.auto import ATI, BACKENDS, METADATA_KEY, NAMES, TIME_TO_MOVE, WAN_MOVE, Choice, ModelFacts, choose, refusal
from ..motion.backends.time_to_move import PRESETS, to_cells
from ..motion.tracks import DEFAULT_COUNT
from ..video.host_encode import encode_frames
from ..video.host_progress import interruption
from .held_video import HeldRegion, HeldVideo, with_held_video
from .host_model import compression, picture_channels
from .model_file import file_name, metadata_of
from .motion_nodes import Clip, ClipTracks, MotionPlan, clip_tracks, cropped_picture, crude_video
from .request import check_length, check_sides

NODE = "Spacetime Apply Motion"
AUTO = "auto"
CHOICES = (AUTO, *BACKENDS)
FAMILIES = "Wan 2.1 and 2.2, the model in the box, LTX-Video, HunyuanVideo 1.0 and 1.5"
LAYOUTS = {
    comfy.model_base.WAN21: "wan",
    comfy.model_base.WAN22: "wan",
    comfy.model_base.LTXV: "ltx",
    comfy.model_base.HunyuanVideo: "hunyuan",
    comfy.model_base.HunyuanVideoI2V: "hunyuan",
    comfy.model_base.HunyuanVideoSkyreelsI2V: "hunyuan",
    comfy.model_base.HunyuanVideo15: "hunyuan",
}
"""Classes of the host's models, and the layout of each."""
GREY = 0.5
"""What the frames that are not known are filled with, as Wan was trained."""


@dataclass(frozen=True)
class Request:
    """What Apply Motion is asked for: the clip's size in pixels and frames, which backend, how firmly (0 not at all to 1)."""

    backend: str
    width: int
    height: int
    length: int
    strength: float


@dataclass(frozen=True)
class Applied:
    """What a sampler takes, and in a sentence which backend made it and why."""

    model: Any
    positive: list
    negative: list
    latent: dict[str, Tensor]
    told: str


def apply_motion(
    model: Any, positive: list, negative: list, vae: Any, image: Tensor, value: MotionPlan, request: Request, clip_vision: Any = None
) -> Applied:
    """The picture and the plan as conditioning, latent and model for any sampler node.

    Raises:
        ValueError: one sentence that begins with the node's name.
    """
    facts = model_facts(model)
    _refuse_unknown_family(model, facts)
    choice = _chosen(request, facts)
    shrink = compression(model, NODE)
    _check(request, shrink, vae)
    clip = Clip.of(value, image, request.width, request.height, request.length, NODE)
    shape = shrink.latent(VideoShape(request.length, request.height, request.width))
    with interruption():
        conditioned, latent = _with_picture(facts, vae, clip, shape)
        pair = {"positive": dict(conditioned), "negative": dict(conditioned)}
        if not _anything_moves(value):
            told = f"{NAMES[choice.backend]}: nothing in the plan moves, so that only the picture is given"
        else:
            told, by_tracks = str(choice), choice.backend
            if choice.backend == TIME_TO_MOVE:
                model = with_held_video(model, _held_video(vae, clip, shape, facts, request.strength))
                by_tracks = facts.trained_for  # what it knows of tracks helps
            if by_tracks in (WAN_MOVE, ATI) and facts.takes_wan_pictures:
                pair["positive"] = _steered(by_tracks, model, clip, conditioned, request.strength)
    if clip_vision is not None:
        for extras in pair.values():
            extras["clip_vision_output"] = clip_vision
    positive = node_helpers.conditioning_set_values(positive, pair["positive"])
    return Applied(model, positive, node_helpers.conditioning_set_values(negative, pair["negative"]), latent, told)


def model_facts(model: Any) -> ModelFacts:
    """What `choose` wants to know of a host's MODEL."""
    network = model.get_model_object("diffusion_model")
    channels = model.get_model_object("latent_format").latent_channels
    layout = LAYOUTS.get(type(model.model), type(model.model).__name__)
    if layout == "hunyuan":
        return ModelFacts(layout, channels, network.img_in.proj.weight.shape[1] - channels, network.hidden_size)
    embedding = getattr(network, "patch_embedding", None)
    if layout != "wan" or embedding is None:
        return ModelFacts(layout, channels)
    trained_for = metadata_of(model).get(METADATA_KEY, "")
    return ModelFacts(layout, channels, picture_channels(model) or 0, embedding.weight.shape[0], file_name(model), trained_for)


def _refuse_unknown_family(model: Any, facts: ModelFacts) -> None:
    if not (facts.takes_wan_pictures or facts.takes_hunyuan_pictures or facts.takes_noise_mask):
        name = type(model.model).__name__
        extra = f" with {facts.picture_channels} picture channels" if facts.layout in ("wan", "hunyuan") else ""
        raise ValueError(
            f"{NODE}: expected a video model of a family it was tested with ({FAMILIES}), got {name}{extra}; load one of those"
        )


def _chosen(request: Request, facts: ModelFacts) -> Choice:
    if request.backend not in CHOICES:
        raise ValueError(f"{NODE}: expected a backend of {', '.join(CHOICES)}, got '{request.backend}'; choose auto")
    if request.backend == AUTO:
        return choose(facts)
    refused = refusal(request.backend, facts)
    if refused:
        raise ValueError(f"{NODE}: {refused}")
    return Choice(request.backend, "chosen on the node")


def _check(request: Request, shrink: Compression, vae: Any) -> None:
    check_sides(request.width, request.height, shrink, NODE)
    check_length(request.length, shrink, NODE)
    if not 0 <= request.strength <= 1:
        raise ValueError(f"{NODE}: expected a strength of 0 to 1, got {request.strength:g}; use 1")
    vae.throw_exception_if_invalid()
    if vae.latent_channels != shrink.channels:
        raise ValueError(
            f"{NODE}: expected the VAE of the model, with {shrink.channels} channels, got {vae.latent_channels}; load the model's own VAE"
        )


def _anything_moves(value: MotionPlan) -> bool:
    return bool(value.plan.camera) or any(part.moves for part in value.plan.shown)


def _with_picture(facts: ModelFacts, vae: Any, clip: Clip, shape: LatentShape) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """How the model's family is shown its first frame: extras of the conditioning, and the LATENT to sample.

    Wan's picture channels want grey after it, HunyuanVideo's want zeros. Models without them have it in the LATENT, kept by its noise
    mask; those of HunyuanVideo are also told that latent frame 0 is without noise, which the others know from the mask.
    """
    device = comfy.model_management.intermediate_device()
    latent = torch.zeros(1, shape.channels, shape.frames, shape.height, shape.width, device=device)
    unknown = torch.ones(1, 1, *latent.shape[2:], device=device)
    unknown[:, :, 0] = 0
    if facts.takes_wan_pictures:
        frames = torch.full((clip.frames, clip.framing.target[1], clip.framing.target[0], 3), GREY)
        frames[0] = cropped_picture(clip)
        return {"concat_latent_image": encode_frames(vae, frames), "concat_mask": unknown}, {"samples": latent}
    known = torch.zeros_like(latent)
    known[:, :, :1] = encode_frames(vae, cropped_picture(clip)[None])[:, :, :1].to(known)
    if facts.takes_hunyuan_pictures:
        return {"concat_latent_image": known, "concat_mask": unknown}, {"samples": latent}
    extras = {"guiding_frame_index": 0} if facts.layout == "hunyuan" else {}
    return extras, {"samples": known, "noise_mask": unknown}


def _steered(backend: str, model: Any, clip: Clip, conditioned: dict[str, Any], strength: float) -> dict[str, Any]:
    """The positive's extras with the tracks in them; the negative keeps the plain ones, so that guidance acts on the motion."""
    tracks = clip_tracks(clip, DEFAULT_COUNT, NODE)
    plain = conditioned["concat_latent_image"]
    strengths = tracks.strength * strength
    if backend == WAN_MOVE:
        moved = wan_move.move_cells(plain, tracks.points, tracks.visible, strengths, _in_front(clip.value, tracks))
        return {**conditioned, "concat_latent_image": moved}
    assert backend == ATI
    normalised = model.model.process_latent_in(plain)
    moved, mask = ati.apply_tracks(normalised, tracks.points, tracks.visible, *clip.framing.target, strengths)
    return {"concat_latent_image": model.model.process_latent_out(moved), "concat_mask": mask}


def _in_front(value: MotionPlan, tracks: ClipTracks) -> Tensor:
    """How far in front each track is, [N]: by z, then by place; the scene is behind everything."""
    parts = value.plan.shown
    order = sorted(range(len(parts)), key=lambda index: (parts[index].z, index))
    ranks = torch.full((len(parts) + 1,), -1.0)  # the last entry is the scene's, which owns with -1
    for rank, index in enumerate(order):
        ranks[index] = rank
    return ranks[tracks.owner]


def _held_video(vae: Any, clip: Clip, shape: LatentShape, facts: ModelFacts, strength: float) -> HeldVideo:
    """The crude moved video as latents, and which of its cells are held: every region and box, and the scene where the camera moves."""
    parts, camera = clip.value.plan.shown, bool(clip.value.plan.camera)
    width, height = clip.framing.target
    pictures = torch.empty(clip.frames, height, width, 3)
    labels = torch.empty(clip.frames, height, width, dtype=torch.int16)
    known = torch.empty(clip.frames, height, width, dtype=torch.bool)
    for number, frame in enumerate(crude_video(clip, NODE)):
        pictures[number], labels[number], known[number] = frame.picture, frame.labels, frame.known > 0.5
    regions = []
    for seen, part_strength in _seen(labels, known, [part.strength for part in parts], camera):
        regions.append(HeldRegion(to_cells(seen, shape.frames, shape.height, shape.width), part_strength * strength))
    return HeldVideo(encode_frames(vae, pictures), tuple(regions), PRESETS[facts.family], camera_only=camera and not parts)


def _seen(labels: Tensor, known: Tensor, strengths: list[float], camera: bool) -> Iterator[tuple[Tensor, float]]:
    """Where each thing that is held is seen, [T, H, W], and how firmly it is held."""
    for index, strength in enumerate(strengths):
        yield labels == index, strength
    if camera:
        yield (labels == -1) & known, 1.0
