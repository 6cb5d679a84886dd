"""What is left of prompts with few steps and without guidance."""

from __future__ import annotations

from dataclasses import replace

from training.evaluation import Evaluation, Sampler
from training.measure_prompts import judged_alike, prompts_of
from training.measures import rates
from training.rows import Row

FEW_STEPS = (4, 8)
NAMES = ("thing", "colour", "direction")


def few(evaluation: Evaluation, steps: int) -> Sampler:
    """So many steps without guidance."""
    return Sampler(steps, 1.0, evaluation.settings.text.shift)


def step_rows(evaluation: Evaluation) -> list[Row]:
    """The first prompts with few steps, by the denoiser for them where there is one, beside the same prompts and noises with all steps and
    guidance."""
    prompts = prompts_of(evaluation)[: evaluation.count("steps")]
    whole = evaluation.verdicts[: len(prompts)]
    if len(whole) < len(prompts):
        whole, _ = judged_alike(evaluation, prompts, "steps, all")
    usual, all_steps = rates(whole), evaluation.settings.text
    rows, fast = [], replace(evaluation, models=evaluation.models.for_few_steps())
    for steps in FEW_STEPS:
        verdicts, _ = judged_alike(fast, prompts, f"{steps} steps", few(evaluation, steps))
        for name, rate in rates(verdicts).items():
            if name in NAMES:
                note = f"{usual[name].share:.1%} with {all_steps.steps} steps and guidance {all_steps.guidance:g}"
                rows.append(Row(f"{name}, {steps} steps, no guidance", rate.share, "%", rate.count, note=note))
    return rows
