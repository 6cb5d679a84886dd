"""What every training script shares: one config file a run, checkpoints to resume from, averaged weights, a log, a time budget.

A run lives in one folder: `config.json` (a copy), `checkpoint.pt` (all that is needed to go on), `log.jsonl`, sample pictures.
Stopping with Ctrl-C or SIGTERM writes a checkpoint first; the same command then continues where the run stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from models.precision import fastest_dtype
from training.muon import Muon


@dataclass
class Clock:
    """Progress of a run in 0..1: by steps, or by minutes of work where a limit in minutes is set and is reached sooner."""

    steps: int
    minutes: float | None = None
    step: int = 0
    spent: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    def tick(self) -> None:
        """Count one step and the time since the last tick."""
        now = time.monotonic()
        self.spent += now - self._since
        self._since = now
        self.step += 1

    @property
    def progress(self) -> float:
        """How much of the run is done."""
        by_time = self.spent / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(self.step / self.steps, by_time))


def learning_rate_factor(clock: Clock, warmup: int, decay_from: float = 0.3) -> float:
    """Linear warm-up over `warmup` steps, flat until `decay_from` of the run, then down to nought as 1 - sqrt of what has passed."""
    if clock.step < warmup:
        return (clock.step + 1) / warmup
    passed = max(0.0, (clock.progress - decay_from) / (1 - decay_from))
    return max(0.01, 1 - math.sqrt(passed)) if passed > 0 else 1.0


class Average:
    """Exponential moving average of a network's weights, with a short memory early on."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards the weights of `model`."""
        decay = min(self.decay, (1 + step) / (10 + step))
        state = model.state_dict()
        torch._foreach_lerp_(list(self.weights.values()), [state[name].detach() for name in self.weights], 1 - decay)


class Optimizers:
    """Muon for weight matrices, AdamW for everything else, driven as one.

    A convolution's weight counts as the matrix of its output channels against all the rest. Matrices in `slow` step by `slow_share` of
    `muon_lr`.
    """

    def __init__(
        self,
        model: nn.Module,
        matrices: list[nn.Parameter],
        lr: float,
        muon_lr: float,
        slow: Sequence[nn.Parameter] = (),
        slow_share: float = 1.0,
    ) -> None:
        self.matrices = matrices
        self.flat = [nn.Parameter(p.detach().reshape(len(p), -1).clone()) for p in matrices]
        chosen = {id(p) for p in matrices}
        rest = [p for p in model.parameters() if id(p) not in chosen]
        held = {id(p) for p in slow}
        rates: dict[float, list[nn.Parameter]] = {}
        for flat, matrix in zip(self.flat, matrices, strict=True):
            rates.setdefault(muon_lr * slow_share if id(matrix) in held else muon_lr, []).append(flat)
        self.base: list[tuple[torch.optim.Optimizer, float]] = [
            *((Muon(flat, lr=rate), rate) for rate, flat in rates.items()),
            (torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.98), weight_decay=0.0), lr),
        ]

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One step at `factor` times the full learning rates, then clear the gradients."""
        for flat, matrix in zip(self.flat, self.matrices, strict=True):
            flat.copy_(matrix.reshape(flat.shape))
            flat.grad = None if matrix.grad is None else matrix.grad.reshape(len(matrix), -1)
            matrix.grad = None
        for optimizer, lr in self.base:
            for group in optimizer.param_groups:
                group["lr"] = lr * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        for flat, matrix in zip(self.flat, self.matrices, strict=True):
            matrix.copy_(flat.view(matrix.shape))

    def state_dict(self) -> list[dict[str, Any]]:
        """State of all of them."""
        return [optimizer.state_dict() for optimizer, _ in self.base]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Take back what `state_dict` gave."""
        for (optimizer, _), state in zip(self.base, states, strict=True):
            optimizer.load_state_dict(state)


class Run:
    """The folder of one run, and its stop button."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder, self.config = folder, config
        self.stop_asked = False
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._ask_to_stop)

    def _ask_to_stop(self, *_: object) -> None:
        self.stop_asked = True

    @property
    def checkpoint(self) -> Path:
        """Where the state to resume from lies."""
        return self.folder / "checkpoint.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint whole or not at all."""
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self.checkpoint)

    def load(self) -> dict[str, Any] | None:
        """The last checkpoint, or None on a fresh run."""
        if not self.checkpoint.exists():
            return None
        return torch.load(self.checkpoint, map_location="cpu", weights_only=True)

    def log(self, **values: Any) -> None:
        """Print one line of figures and keep it in log.jsonl."""
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
        print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()), flush=True)

    def steps(self, clock: Clock, save: Callable[[], None], save_every: float = 300.0) -> Iterator[int]:
        """Step numbers until the run is done or asked to stop; saves now and then, and at the end."""
        saved = time.monotonic()
        while clock.progress < 1 and not self.stop_asked:
            yield clock.step
            clock.tick()
            if time.monotonic() - saved > save_every:
                save()
                saved = time.monotonic()
        save()


def read_config(path: Path, defaults: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """`defaults`, then the JSON file, then `name=value` overrides from the command line.

    Raises:
        ValueError: a name that the defaults do not know.
    """
    given = json.loads(path.read_text(encoding="utf-8")) if path else {}
    for override in overrides:
        name, _, value = override.partition("=")
        given[name] = json.loads(value) if value in ("true", "false", "null") or value[:1] in '0123456789-.[{"' else value
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ValueError(f"config: expected names out of {sorted(defaults)}, got {unknown}; correct the config file")
    return {**defaults, **given}


def run_command(
    description: str | None,
    default_config: Path,
    defaults: dict[str, Any],
    train: Callable[[dict[str, Any], Path], None],
    export: Callable[[Path, Path], None],
) -> None:
    """The command line of a training script: `train(config, run folder)`, or with --export `export(run folder, file)`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=default_config)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--export", type=Path, help="write the averaged weights here and stop")
    parser.add_argument("overrides", nargs="*", help="name=value")
    arguments = parser.parse_args()
    if arguments.export:
        export(arguments.out, arguments.export)
    else:
        train(read_config(arguments.config, defaults, arguments.overrides), arguments.out)


def psnr(a: Tensor, b: Tensor, value_range: float = 2.0) -> float:
    """Peak signal-to-noise ratio in dB of two tensors whose values span `value_range`; the mean over the first axis."""
    error = (a.float() - b.float()).flatten(1).pow(2).mean(1).clamp_min(1e-12)
    return float((10 * torch.log10(value_range**2 / error)).mean())


def save_clips(clips: Tensor, path: Path) -> None:
    """A picture of clips [B, 3, T, H, W] in -1..1: a row each, every fourth frame."""
    rows = [torch.cat(list(clip[:, ::4].unbind(1)), dim=-1) for clip in clips]
    picture = torch.cat(rows, dim=-2).add(1).mul(127.5).clamp(0, 255).byte().permute(1, 2, 0)
    Image.fromarray(picture.cpu().numpy()).save(path)


def pick_device(name: str = "auto") -> torch.device:
    """`auto` is CUDA where there is one, else the CPU."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mixed_precision(device: torch.device) -> torch.autocast:
    """Within it a device computes in bfloat16, if it is faster with it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=fastest_dtype(device) == torch.bfloat16)
