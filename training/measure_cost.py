"""How long a clip takes from prompt to frames, and how large the weights are."""

from __future__ import annotations

import copy
import statistics
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from models.precision import fastest_cpu_dtype
from models.shapes import WAN, VideoShape
from models.vae import denormalize_latent
from training.evaluation import Evaluation, Models, Sampler
from training.measure_steps import FEW_STEPS, few
from training.rows import Row
from training.run import mixed_precision
from training.sampling import sample

FRAMES = 33  # two seconds
PROMPT = "a red ball rolls to the right across green grass"
SECONDS, MEGABYTES = 1.0, 80.0


def speed_rows(evaluation: Evaluation) -> list[Row]:
    """Median seconds of a clip of 33 frames, few steps and all, each after a clip that does not count."""
    models = as_computed(evaluation.models)
    shape, rounds = evaluation.settings.shape(FRAMES), evaluation.count("speed")
    samplers = [*(few(evaluation, steps) for steps in FEW_STEPS), evaluation.settings.text]
    rows = []
    for sampler in samplers:
        found = [timed(models, PROMPT, shape, sampler) for _ in range(rounds + 1)][1:]
        parts = {name: statistics.median(seconds[name] for seconds in found) for name in found[0]}
        total = statistics.median(sum(seconds.values()) for seconds in found)
        evaluation.tell(f"speed: {sampler.steps} steps take {total:.2f} s")
        guided = "no guidance" if sampler.guidance == 1 else f"guidance {sampler.guidance:g}"
        split = ", ".join(f"{name} {seconds:.2f}" for name, seconds in parts.items())
        size = f"{FRAMES} frames of {shape.width}x{shape.height}, {torch.get_num_threads()} threads"
        name = f"seconds, {sampler.steps} steps, {guided}"
        rows.append(Row(name, total, "s", rounds, SECONDS, at_most=True, note=f"{split}; {size}"))
    return rows


def as_computed(models: Models) -> Models:
    """The same networks with the denoiser's weights in the precision in which it is computed."""
    return replace(models, dit=copy.deepcopy(models.dit).to(fastest_cpu_dtype()))


@torch.inference_mode()
def timed(models: Models, prompt: str, shape: VideoShape, sampler: Sampler) -> dict[str, float]:
    """Seconds of one clip: text encoder, denoiser, decoder."""
    began = time.perf_counter()
    text = models.encoder.encode([prompt])
    no_text = models.encoder.encode([""]) if sampler.guidance != 1 else text
    encoded = time.perf_counter()
    size = WAN.latent(shape)
    dims = (1, size.channels, size.frames, size.height, size.width)
    noise = torch.randn(dims, generator=torch.Generator().manual_seed(0))
    with mixed_precision(noise.device):
        latent = sample(models.dit, noise, torch.zeros(1, 20, *dims[2:]), text, no_text, **asdict(sampler))
    denoised = time.perf_counter()
    models.vae.decode_chunk(denormalize_latent(latent).to(next(models.vae.parameters()).dtype))
    return {"text": encoded - began, "denoise": denoised - encoded, "decode": time.perf_counter() - denoised}


def size_rows(evaluation: Evaluation) -> list[Row]:
    """Everything in the folder of the weights."""
    files = [path for path in evaluation.settings.weights.rglob("*") if path.is_file()]
    return [Row("size of weights/", megabytes(files), "MB", len(files), MEGABYTES, at_most=True)]


def megabytes(files: list[Path]) -> float:
    """Millions of bytes of files together."""
    return sum(path.stat().st_size for path in files) / 1e6
