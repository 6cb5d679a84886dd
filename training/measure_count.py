"""How many things clips show, beside how many their prompts name: one, two or three."""

from __future__ import annotations

from collections.abc import Callable

import torch

from training.count_reader import CountReader, count_things, load_count_reader
from training.evaluation import FRAMES, Evaluation
from training.prompts import Prompt, draw_prompts
from training.round_trip import rendered, through_vae
from training.rows import Row
from training.world import LANGUAGES, Scene
from training.world.vocabulary import MAX_THINGS

TARGET = 0.80


def count_rows(evaluation: Evaluation) -> list[Row]:
    """Held-out prompts of one, two and three things by turns."""
    reader = load_count_reader()
    prompts = several_prompts(evaluation.count("several"), evaluation.settings.languages)
    counts: list[int] = []
    for clips in evaluation.clips([prompt.text for prompt in prompts]):
        counts += count_things(evaluation.checker, reader, clips)
        evaluation.tell(f"count: {len(counts)} of {len(prompts)} clips")
    wanted = [number_of(prompt) for prompt in prompts]
    pairs = list(zip(prompts, wanted, counts, strict=True))
    evaluation.details["count"] = [{"prompt": prompt.text, "wanted": number, "read": count} for prompt, number, count in pairs]
    note = ", ".join(f"of {number}: {share:.0%}" for number, share in right_of(wanted, counts).items())
    fresh, through = reader_shares(evaluation, reader)
    return [Row("number of things", share_right(wanted, counts), "%", len(prompts), TARGET, reader=fresh, reader_vae=through, note=note)]


def several_prompts(count: int, languages: tuple[str, ...] = LANGUAGES, seed: str = "") -> list[Prompt]:
    """Held-out prompts before a still camera that name one, two and three things by turns."""
    each = -(-count // MAX_THINGS)
    sets = [draw_prompts(each, _holds(number), languages, f"several {number} {seed}") for number in range(1, MAX_THINGS + 1)]
    return [sets[place % MAX_THINGS][place // MAX_THINGS] for place in range(count)]


def number_of(prompt: Prompt) -> int:
    """How many things a prompt of the world names."""
    assert prompt.scene is not None
    return len(prompt.scene.things)


def share_right(wanted: list[int], counts: list[int]) -> float:
    """How often the number is the one that is wanted."""
    return sum(number == count for number, count in zip(wanted, counts, strict=True)) / len(wanted)


def right_of(wanted: list[int], counts: list[int]) -> dict[int, float]:
    """Of each number that is wanted, how often it was counted."""
    shares = {}
    for number in sorted(set(wanted)):
        of_number = [count for other, count in zip(wanted, counts, strict=True) if other == number]
        shares[number] = of_number.count(number) / len(of_number)
    return shares


@torch.inference_mode()
def reader_shares(evaluation: Evaluation, reader: CountReader) -> tuple[float, float]:
    """How often the count is right on rendered held-out clips: as rendered, and a quarter as many through the VAE."""
    count = max(6, evaluation.count("reader") // 2)
    prompts = several_prompts(count, seed="truth")
    clips = rendered([prompt.scene for prompt in prompts if prompt.scene], FRAMES, evaluation.settings.size)
    through = through_vae(evaluation.models.vae, clips[: max(6, count // 4)])
    wanted = [number_of(prompt) for prompt in prompts]
    fresh_share, through_share = (
        share_right(wanted[: len(some)], count_things(evaluation.checker, reader, some)) for some in (clips, through)
    )
    return fresh_share, through_share


def _holds(number: int) -> Callable[[Scene], bool]:
    """Whether a scene has so many things and a still camera."""
    return lambda scene: len(scene.things) == number and scene.camera == "still"
