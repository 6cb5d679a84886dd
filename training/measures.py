"""Whether clips show what their prompts name, and how far the reader of them can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.vae import CausalVideoVAE
from training.checker import Checker
from training.prompts import MEASURED, Prompt, held_out_prompts
from training.round_trip import rendered, through_vae

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
    return rendered([prompt.scene for prompt in prompts if prompt.scene], FRAMES, size)


@torch.inference_mode()
def reader_rates(checker: Checker, count: int, size: int, vae: CausalVideoVAE | None = None) -> dict[str, Rate]:
    """How often the reader is right on rendered held-out clips, encoded and decoded by `vae` if there is one."""
    prompts = held_out_prompts(count, seed=READER_SEED)
    verdicts = []
    for start in range(0, count, 8):
        some = prompts[start : start + 8]
        clips = rendered_truth(some, size)
        verdicts += judge(checker, some, clips if vae is None else through_vae(vae, clips))
    return rates(verdicts)
