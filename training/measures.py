"""What `evaluate` counts: whether clips show what their prompts name, how far the reader can be trusted, how well a first frame is kept."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.dit import WanDiT
from models.shapes import VideoShape
from models.text_encoder import TextEncoder
from models.vae import CausalVideoVAE, normalize_latent
from training.checker import Checker
from training.known_frames import conditioning, first_known, grey_unknown, known_mask
from training.prompts import MEASURED, Prompt, held_out_prompts
from training.run import psnr
from training.train_dit import sample_videos
from training.world import caption, render, sample_scene

THREE = ("kind", "colour", "direction")
ROW_NAMES = {"kind": "thing", "colour": "colour", "direction": "direction", "background": "background"}
FRAMES = 17
READER_SEED = 1_000_003  # rendered clips that the reader is tried on are of other prompts than the model is


@dataclass(frozen=True)
class Verdict:
    """What was read from the clip of a prompt, and which of the labels that the prompt names it shows."""

    prompt: Prompt
    read: dict[str, str]
    right: dict[str, bool]

    @property
    def all_three(self) -> bool | None:
        """Thing, colour and direction together; None where the prompt does not name all of them."""
        return all(self.right[name] for name in THREE) if all(name in self.right for name in THREE) else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"prompt": self.prompt.text, "wanted": self.prompt.wanted, "read": self.read, "right": self.right}


@dataclass(frozen=True)
class Rate:
    """`right` of `count`."""

    right: int
    count: int

    @property
    def share(self) -> float:
        """In 0..1."""
        return self.right / self.count


@dataclass(frozen=True)
class FirstFrame:
    """How picture to video kept its picture: mean PSNR in dB of frame 0 to the VAE's reconstruction of the picture, and what frame 0
    has lost in PSNR to the picture itself against that reconstruction."""

    to_rebuilt: float
    lost: float
    count: int


def judge(checker: Checker, prompts: list[Prompt], clips: Tensor) -> list[Verdict]:
    """Read clips [B, 3, T, H, W] in -1..1 and hold them against their prompts."""
    reading = checker.read(clips)
    labels = {name: reading.label(name) for name in ("kind", "colour", "background")} | {"direction": reading.direction()}
    verdicts = []
    for row, prompt in enumerate(prompts):
        read = {name: labels[name][row] for name in MEASURED}
        verdicts.append(Verdict(prompt, read, {name: read[name] == label for name, label in prompt.wanted.items()}))
    return verdicts


def rates(verdicts: list[Verdict]) -> dict[str, Rate]:
    """How often each label that was asked for was shown: thing, colour, direction, background, and the first three together."""
    columns = {ROW_NAMES[name]: [v.right[name] for v in verdicts if name in v.right] for name in MEASURED}
    columns["all three"] = [v.all_three for v in verdicts if v.all_three is not None]
    return {name: Rate(sum(values), len(values)) for name, values in columns.items() if values}


def rendered_truth(prompts: list[Prompt], size: int) -> Tensor:
    """The scenes that prompts describe, rendered: [B, 3, 17, size, size] in -1..1."""
    video = render([prompt.scene for prompt in prompts if prompt.scene], FRAMES, size, size).video
    return video.transpose(1, 2).float().div(127.5).sub(1)


@torch.inference_mode()
def reader_rates(checker: Checker, count: int, size: int, vae: CausalVideoVAE | None = None) -> dict[str, Rate]:
    """How often the reader is right on rendered held-out clips, encoded and decoded by `vae` if there is one."""
    prompts = held_out_prompts(count, seed=READER_SEED)
    verdicts = []
    for start in range(0, count, 8):
        some = prompts[start : start + 8]
        clips = rendered_truth(some, size)
        if vae is not None:
            dtype = next(vae.parameters()).dtype
            clips = torch.cat([vae.decode_chunk(vae.encode_moments(clip[None].to(dtype))[0]).float().clamp(-1, 1) for clip in clips])
        verdicts += judge(checker, some, clips)
    return rates(verdicts)


@torch.inference_mode()
def first_frame_loss(dit: WanDiT, vae: CausalVideoVAE, encoder: TextEncoder, count: int, size: int, **sampler: Any) -> FirstFrame:
    """Picture to video from the first frames of `count` held-out scenes, with their captions."""
    generator = random.Random("first frame")
    scenes = [sample_scene(generator, "held_out") for _ in range(count)]
    texts = [caption(scene, generator) for scene in scenes]
    pictures = render(scenes, 1, size, size).video.transpose(1, 2).float().div(127.5).sub(1)  # [B, 3, 1, H, W]
    dtype = next(vae.parameters()).dtype
    known = first_known(FRAMES)
    clips = grey_unknown(pictures.expand(-1, -1, FRAMES, -1, -1), known)
    latent = torch.cat([normalize_latent(vae.encode_moments(clip[None].to(dtype))[0].float()) for clip in clips])
    mask = known_mask(known, *latent.shape[-2:]).expand(count, -1, -1, -1, -1)
    videos = sample_videos(dit, vae, encoder, texts, VideoShape(FRAMES, size, size), extra=conditioning(mask, latent), **sampler)
    rebuilt = vae.decode_chunk(vae.encode_moments(pictures.to(dtype))[0]).float().clamp(-1, 1)
    first = videos[:, :, :1]
    return FirstFrame(psnr(first, rebuilt), psnr(rebuilt, pictures) - psnr(first, pictures), count)
