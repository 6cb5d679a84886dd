"""Teach the denoiser to need few steps and no guidance: `python -m training.distill_dit --config training/configs/distill.json --out DIR`.

Progressive distillation (arXiv 2202.00512) in the form for flow matching, guidance folded in on the way (arXiv 2210.03142). In each phase
one step of the pupil learns to go where two steps of its teacher end. The first teacher is the finished denoiser with guidance, every
later one is the pupil of the phase before. What comes out has the layout of the original.

With `earlier=[DENOISER,PUPIL]`, the weights from which the denoiser was trained further and their pupil, the first pupil does not begin as
its teacher: what that distillation changed is added to it (as in "task arithmetic", arXiv 2212.04089).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.dit import STEPS_KEY
from training.latent_pool import Batch
from training.run import Average, mixed_precision, run_command
from training.sampling import shift_sigma
from training.train_dit import DEFAULTS as DENOISER
from training.train_dit import Trainer
from training.train_dit import export as export_denoiser

DEFAULTS: dict[str, Any] = DENOISER | {
    "start_from": "weights/diffusion_models/spacetime_tiny.safetensors",
    "earlier": None,
    "phases": [8, 4],
    "guidance": 5.0,
    "known_guidance": 3.0,
    "on_grid": 0.5,
    "text_dropout": 0.0,
    "lr": 4e-4,
    "muon_lr": 0.004,
    "warmup": 20,
    "ema": 0.99,
}


def draw_strides(count: int, steps: int, on_grid: float, shift: float) -> Tensor:
    """Noise levels [3, count] from which, through which and to which a step of the pupil goes; each is 1 / `steps` long before the shift.

    A share `on_grid` of them are steps that a sampler of so many steps takes, the others begin anywhere, so that other numbers of steps
    work as well.
    """
    grid = torch.randint(1, steps + 1, (count,)) / steps
    begin = torch.where(torch.rand(count) < on_grid, grid, torch.rand(count).clamp_min(1e-3))
    end = (begin - 1 / steps).clamp_min(0)
    return shift_sigma(torch.stack([begin, (begin + end) / 2, end]), shift)


@torch.no_grad()
def two_steps(teacher: nn.Module, noisy: Tensor, batch: Batch, empty: tuple[Tensor, Tensor], levels: Tensor, guidance: Tensor) -> Tensor:
    """The flow [B, 16, T', h, w] that goes in one step from `noisy` to where the teacher gets in two.

    Args:
        levels: [3, B], as `draw_strides` gives them.
        empty: embedding [1, L, D] and mask [1, L] of the empty prompt.
        guidance: [B], classifier-free guidance of the teacher; all 1 for none.
    """
    x = noisy
    for here, there in zip(levels[:-1], levels[1:]):
        entry = torch.cat([x, batch.known], dim=1)
        flow = teacher(entry, here * 1000, batch.text, batch.text_mask).float()
        if (guidance != 1).any():
            text, mask = (part.to(x.device).expand(len(x), *part.shape[1:]) for part in empty)
            free = teacher(entry, here * 1000, text, mask).float()
            flow = free + guidance.view(-1, 1, 1, 1, 1) * (flow - free)
        x = x + (there - here).view(-1, 1, 1, 1, 1) * flow
    return (x - noisy) / (levels[2] - levels[0]).view(-1, 1, 1, 1, 1)


class Distiller(Trainer):
    """A run of the denoiser that learns from a teacher instead of from clips."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        super().__init__(config, folder)
        self.sampling = {"steps": config["phases"][-1], "guidance": 1.0}

    def resume(self) -> None:
        """Continue from the run's checkpoint, if it has one; the first teacher is what the run starts from."""
        super().resume()
        state = self.run.load() or {"phase": 0, "teacher": self.model.state_dict()}
        self.phase, self.teacher = state["phase"], self.copy(state["teacher"])
        if self.config["earlier"] and not self.run.checkpoint.exists():
            before, pupil = (load_file(path) for path in self.config["earlier"])
            start = {name: value + pupil[name].to(value) - before[name].to(value) for name, value in self.model.state_dict().items()}
            self.model.load_state_dict(start)
            self.average = Average(self.model, self.config["ema"])

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, the teacher with it."""
        return super().state() | {"phase": self.phase, "teacher": self.teacher.state_dict()}

    def losses(self, loss_of: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """How far one step of the pupil ends from two steps of the teacher."""
        config, phases = self.config, self.config["phases"]
        phase = min(len(phases) - 1, int(self.clock.progress * len(phases)))
        if phase != self.phase:
            self.phase, self.teacher = phase, self.copy(self.average.weights)
        batch = batch.to(self.device)
        levels = draw_strides(len(batch.latent), phases[phase], config["on_grid"], config["shift"]).to(self.device)
        noise = torch.randn_like(batch.latent)
        noisy = torch.lerp(batch.latent, noise, levels[0].view(-1, 1, 1, 1, 1))
        knows = batch.known.flatten(1).any(1)
        guidance = torch.where(knows, config["known_guidance"], config["guidance"]) if phase == 0 else torch.ones_like(levels[0])
        with mixed_precision(self.device):
            wanted = two_steps(self.teacher, noisy, batch, self.encoder.encode([""]), levels, guidance)
            loss = loss_of(self.model, noisy, wanted, batch, self.metric, levels[0])
        return loss, torch.zeros_like(loss)


def train(config: dict[str, Any], folder: Path) -> None:
    """Run, or go on with, the distillation that `config` describes."""
    Distiller(config, folder).train()


def export(folder: Path, target: Path) -> None:
    """Write the averaged weights; the metadata says for how many steps they are, so that asking for guidance as well gets a note."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    phase = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)["phase"]
    export_denoiser(folder, target, {STEPS_KEY: str(config["phases"][phase])})


if __name__ == "__main__":
    run_command(__doc__, Path("training/configs/distill.json"), DEFAULTS, train, export)
