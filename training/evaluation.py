"""What every measure of an evaluation works with: the three networks, the reader, how clips are made, and how many of what."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from models.dit import WanDiT
from models.shapes import VideoShape
from models.text_encoder import TextEncoder, load_text_encoder
from models.vae import CausalVideoVAE
from training.checker import Checker
from training.measures import Verdict, judge
from training.prompts import Prompt
from training.train_dit import read_vae, sample_videos

FILES = {
    "dit": "diffusion_models/spacetime_tiny.safetensors",
    "vae": "vae/spacetime_tiny_vae.safetensors",
    "text encoder": "text_encoders/spacetime_tiny_text.safetensors",
}
FEW_STEPS_FILE = "diffusion_models/spacetime_tiny_8_steps.safetensors"
FPS = 16.0
FRAMES = 17
AT_ONCE = 10  # clips of 17 frames that are sampled together
COUNTS = {
    "prompts": (400, 16),
    "reader": (256, 32),
    "several": (120, 9),
    "vae": (24, 6),
    "photographs": (20, 6),
    "frames": (24, 4),
    "motion": (200, 8),
    "follower": (24, 4),
    "time": (12, 3),
    "richness": (8, 3),
    "seeds": (4, 3),
    "moves": (80, 8),
    "steps": (48, 8),
    "speed": (3, 1),
}
"""How many of each there are, and with --quick: prompts, rendered clips for the readers, prompts of several things, and so on."""


@dataclass(frozen=True)
class Models:
    """The three networks, and which weights they have; `few_steps` is a denoiser taught to need few steps and no guidance."""

    dit: WanDiT
    vae: CausalVideoVAE
    encoder: TextEncoder
    digest: str = ""
    few_steps: WanDiT | None = None

    def for_few_steps(self) -> Models:
        """The same with the denoiser for few steps, where there is one."""
        return self if self.few_steps is None else replace(self, dit=self.few_steps)


@dataclass(frozen=True)
class Sampler:
    """Steps of Euler's method, guidance, shift of the noise levels."""

    steps: int = 20
    guidance: float = 5.0
    shift: float = 3.0


@dataclass(frozen=True)
class Settings:
    """What is measured how.

    Attributes:
        size: width and height of clips in pixels.
        text: how clips of prompts are made.
        picture: how clips are made of which some frames are known.
        counts: as `COUNTS`, one number each.
        languages: of the prompts.
        seed: draws other prompts.
        prompts: the asker's own; None for held-out ones.
        pictures: folder of the asker's own photographs.
        weights: folder of the weights.
        sheet: contact sheet to write.
    """

    size: int
    text: Sampler
    picture: Sampler
    counts: dict[str, int]
    languages: tuple[str, ...]
    seed: int = 0
    prompts: list[Prompt] | None = None
    pictures: Path | None = None
    weights: Path = Path("weights")
    sheet: Path | None = None

    def shape(self, frames: int = FRAMES) -> VideoShape:
        """A clip of so many frames."""
        return VideoShape(frames, self.size, self.size)


@dataclass
class Evaluation:
    """One evaluation. `details` collects what is written beside the rows, `verdicts` are of the prompts once they are measured."""

    models: Models
    checker: Checker
    settings: Settings
    details: dict[str, Any] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def count(self, name: str) -> int:
        """How many of what `COUNTS` names."""
        return self.settings.counts[name]

    def tell(self, text: str) -> None:
        """A line for the person who waits."""
        print(text, file=sys.stderr, flush=True)

    def clips(
        self, texts: list[str], shape: VideoShape | None = None, sampler: Sampler | None = None, seed: int = 0, extra: Tensor | None = None
    ) -> Iterator[Tensor]:
        """A clip of each text, some at a time: [b, 3, T, H, W] in -1..1; the noise of text i comes from seed + i.

        Args:
            extra: [B, 20, T', h, w], known frames of each clip as `training.known_frames` tells them.
        """
        models, shape = self.models, shape or self.settings.shape()
        at_once = max(1, AT_ONCE * FRAMES // shape.frames)
        for start in range(0, len(texts), at_once):
            some = slice(start, start + at_once)
            known = None if extra is None else extra[some]
            made = sampler or self.settings.text
            yield sample_videos(models.dit, models.vae, models.encoder, texts[some], shape, seed=seed + start, extra=known, **asdict(made))

    def judged(self, prompts: list[Prompt], what: str, sampler: Sampler | None = None, seed: int = 0) -> Iterator[tuple[Verdict, Tensor]]:
        """What is read from the clip of each prompt, and the clip [3, T, H, W]."""
        done = 0
        for clips in self.clips([prompt.text for prompt in prompts], sampler=sampler, seed=seed):
            verdicts = judge(self.checker, prompts[done : done + len(clips)], clips)
            done += len(clips)
            self.tell(f"{what}: {done} of {len(prompts)} clips")
            yield from zip(verdicts, clips, strict=True)


def load_models(weights: Path, dit: Path | None = None) -> Models:
    """Open the weights below a folder; `dit` takes the place of its denoiser, and then of the one for few steps too.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    paths = {name: weights / file for name, file in FILES.items()}
    paths["dit"] = dit or paths["dit"]
    few_steps = weights / FEW_STEPS_FILE if dit is None and (weights / FEW_STEPS_FILE).is_file() else None
    if few_steps:
        paths["dit for few steps"] = few_steps
    digest = hashlib.sha256()
    for name, path in paths.items():
        if not path.is_file():
            raise FileNotFoundError(f"evaluate: expected the {name} at {path}, got no such file; train it or give --weights or --dit")
        digest.update(path.read_bytes())
    vae, encoder = read_vae(str(paths["vae"]), torch.device("cpu")), load_text_encoder(paths["text encoder"])
    return Models(_read_dit(paths["dit"]), vae, encoder, digest.hexdigest()[:16], _read_dit(few_steps) if few_steps else None)


def _read_dit(path: Path) -> WanDiT:
    with safe_open(path, "pt") as file:
        told = json.loads((file.metadata() or {}).get("config", "{}")).get("transformer", {})
        return WanDiT.from_state_dict({name: file.get_tensor(name).float() for name in file.keys()}, told)
