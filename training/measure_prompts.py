"""Whether clips show what their prompts name (thing, colour, direction, place), and Chinese prompts as well as English ones."""

from __future__ import annotations

import math
import random

from torch import Tensor, stack

from training.evaluation import Evaluation, Sampler
from training.measures import ROW_NAMES, Rate, Verdict, rates, reader_rates
from training.prompts import Prompt, in_languages, travels_straight
from training.rows import Row
from training.verdict_sheet import save_verdicts
from training.world import Scene, sample_scene

TARGETS = {"thing": 0.90, "colour": 0.95, "direction": 0.90, "background": 0.95, "all three": 0.75}
APART = 0.03  # how far English and Chinese may lie apart
SHOWN = 50  # clips on the contact sheet


def prompt_rows(evaluation: Evaluation) -> list[Row]:
    """Clips of held-out prompts, or of the asker's; writes the contact sheet of the first ones."""
    settings, prompts = evaluation.settings, prompts_of(evaluation)
    verdicts, shown = judged_alike(evaluation, prompts, "prompts", keep=SHOWN)
    evaluation.verdicts = verdicts
    if settings.sheet:
        save_verdicts(settings.sheet, verdicts[: len(shown)], shown)
        evaluation.tell(f"contact sheet: {settings.sheet}")
    evaluation.details["prompts"] = [verdict.as_dict() for verdict in verdicts]
    known = evaluation.count("reader")
    through = max(8, known // 4)
    reader = reader_rates(evaluation.checker, known, settings.size)
    reader_vae = reader_rates(evaluation.checker, through, settings.size, evaluation.models.vae)
    evaluation.tell(f"prompts: reader measured on {known} rendered clips, {through} through the VAE")
    return [*rate_rows(verdicts, reader, reader_vae), *language_rows(verdicts)]


def prompts_of(evaluation: Evaluation) -> list[Prompt]:
    """The prompts to measure: the asker's, or held-out scenes, each in all languages before the next one."""
    settings = evaluation.settings
    if settings.prompts:
        return settings.prompts
    prompts: list[Prompt] = []
    for number, scene in enumerate(held_out_scenes(-(-evaluation.count("prompts") // len(settings.languages)), settings.seed)):
        prompts += in_languages(scene, settings.languages, f"caption {settings.seed} {number}")
    return prompts


def held_out_scenes(count: int, seed: int = 0) -> list[Scene]:
    """Scenes of triples that training never saw, with one thing that travels straight before a still camera."""
    generator = random.Random(f"held-out scenes {seed}")
    scenes: list[Scene] = []
    while len(scenes) < count:
        scene = sample_scene(generator, "held_out")
        if travels_straight(scene):
            scenes.append(scene)
    return scenes


def judged_alike(
    evaluation: Evaluation, prompts: list[Prompt], what: str, sampler: Sampler | None = None, keep: int = 0
) -> tuple[list[Verdict], Tensor]:
    """What is read of each prompt's clip, and the clips of the first `keep` prompts, [B, 3, T, H, W].

    Each language has noises of its own from the first seed on, so that a scene's clip begins with the same noise in all languages.
    """
    found: dict[int, Verdict] = {}
    clips: dict[int, Tensor] = {}
    for language in dict.fromkeys(prompt.language for prompt in prompts):
        places = [place for place, prompt in enumerate(prompts) if prompt.language == language]
        judged = evaluation.judged([prompts[place] for place in places], f"{what}, {language}", sampler, evaluation.settings.seed)
        for place, (verdict, clip) in zip(places, judged, strict=True):
            found[place] = verdict
            if place < keep:
                clips[place] = clip.clone()
    kept = [clips[place] for place in sorted(clips)]
    return [found[place] for place in range(len(prompts))], stack(kept) if kept else Tensor()


def rate_rows(verdicts: list[Verdict], reader: dict[str, Rate] | None = None, reader_vae: dict[str, Rate] | None = None) -> list[Row]:
    """How often the clips show what their prompts name, beside how often the reader is right where the truth is known."""
    rows = []
    for name, rate in rates(verdicts).items():
        known = [None if other is None or name not in other else other[name].share for other in (reader, reader_vae)]
        rows.append(Row(name, rate.share, "%", rate.count, TARGETS.get(name), reader=known[0], reader_vae=known[1]))
    return rows


def language_rows(verdicts: list[Verdict]) -> list[Row]:
    """How far apart the languages are on the same scenes; nothing where no scene is told in both."""
    by_scene: dict[Scene, dict[str, Verdict]] = {}
    for verdict in verdicts:
        if verdict.prompt.scene:
            by_scene.setdefault(verdict.prompt.scene, {})[verdict.prompt.language] = verdict
    pairs = [found for found in by_scene.values() if len(found) == 2]
    rows = []
    for name in (*ROW_NAMES, "all three"):
        both = [[_right(found[language], name) for language in ("en", "zh")] for found in pairs]
        known = [(bool(en), bool(zh)) for en, zh in both if en is not None and zh is not None]
        if not known:
            continue
        shares = [sum(right) / len(known) for right in zip(*known)]
        spread = sum((en - zh - (shares[0] - shares[1])) ** 2 for en, zh in known) / max(1, len(known) - 1)
        note = f"English {shares[0]:.1%}, Chinese {shares[1]:.1%}; standard error {100 * math.sqrt(spread / len(known)):.1f} points"
        title = f"Chinese = English, {ROW_NAMES.get(name, name)}"
        rows.append(Row(title, abs(shares[0] - shares[1]), "points", len(known), APART, at_most=True, note=note))
    return rows


def _right(verdict: Verdict, name: str) -> bool | None:
    return verdict.all_three if name == "all three" else verdict.right.get(name)
