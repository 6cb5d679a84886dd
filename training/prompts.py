"""Prompts to evaluate with: held-out ones of the world, or the asker's own, each with the labels that its video has to show."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from training.world import LABELS, LANGUAGES, Scene, caption_and_attributes, sample_scene
from training.world.captions import words
from training.world.vocabulary import MOTIONS

MEASURED = ("kind", "colour", "direction", "background")
STRAIGHT = ("left", "right", "up", "down")


@dataclass(frozen=True)
class Prompt:
    """A prompt, the labels it names (out of `MEASURED`), and the scene it describes where there is one."""

    text: str
    language: str
    wanted: dict[str, str] = field(default_factory=dict)
    scene: Scene | None = None

    @property
    def gloss(self) -> str:
        """The prompt in Latin letters: itself, or the labels of a Chinese one."""
        return self.text if self.text.isascii() else f"[{self.language}] " + ", ".join(self.wanted[n] for n in MEASURED if n in self.wanted)


def held_out_prompts(count: int, languages: Iterable[str] = LANGUAGES, seed: int = 0) -> list[Prompt]:
    """Prompts of (kind, colour, motion) triples that training never saw, in the languages by turns.

    One thing that travels left, right, up or down, before a still camera; otherwise as the world draws them.
    """
    return draw_prompts(count, travels_straight, languages, f"held-out prompts {seed}")


def draw_prompts(count: int, accepts: Callable[[Scene], bool], languages: Iterable[str] = LANGUAGES, seed: str = "") -> list[Prompt]:
    """Prompts of held-out scenes that are accepted, in the languages by turns."""
    languages = tuple(languages)
    generator = random.Random(seed)
    prompts: list[Prompt] = []
    while len(prompts) < count:
        scene = sample_scene(generator, "held_out")
        if accepts(scene):
            prompts.append(_prompt(scene, generator, languages[len(prompts) % len(languages)]))
    return prompts


def in_languages(scene: Scene, languages: Iterable[str], seed: str) -> list[Prompt]:
    """Prompts of one scene that state the same in each of the languages."""
    return [_prompt(scene, random.Random(seed), language) for language in languages]


def travels_straight(scene: Scene) -> bool:
    """One thing that travels left, right, up or down, before a still camera."""
    thing = scene.things[0]
    alone = len(scene.things) == 1 and scene.camera == "still"
    return alone and MOTIONS[thing.motion].translates and thing.direction in STRAIGHT


def _prompt(scene: Scene, generator: random.Random, language: str) -> Prompt:
    text, stated = caption_and_attributes(scene, generator, language)
    return Prompt(text, language, _wanted(stated) if len(scene.things) == 1 else {}, scene)


def read_prompts(path: Path) -> list[Prompt]:
    """The asker's prompts: one a line, as text (the labels are read from its words) or as JSON `{"prompt": ..., "kind": ..., ...}`.

    Raises:
        ValueError: a line names a label that the world does not have, or there is no prompt.
    """
    prompts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not (line := line.strip()) or line.startswith("#"):
            continue
        if not line.startswith("{"):
            prompts.append(Prompt(line, "en" if line.isascii() else "zh", named_labels(line)))
            continue
        entry = json.loads(line)
        text = entry.pop("prompt", None)
        known = {name: STRAIGHT if name == "direction" else LABELS[name] for name in MEASURED}
        wrong = [name for name, label in entry.items() if label not in known.get(name, ())]
        if not isinstance(text, str) or wrong:
            asked = f'{wrong[0]} "{entry[wrong[0]]}"' if wrong else 'no "prompt"'
            raise ValueError(f"{path.name} line {number}: expected a prompt and labels of {MEASURED}, got {asked}; correct the line")
        prompts.append(Prompt(text, "en" if text.isascii() else "zh", entry))
    if not prompts:
        raise ValueError(f"{path.name}: expected a prompt on each line, got none; write one")
    return prompts


def named_labels(text: str) -> dict[str, str]:
    """The labels that the words of a prompt name, as far as they can be measured: nothing where more than one thing is named.

    The longest phrases are understood first and taken out, so that "on green grass" is no colour and a "space rocket" no place.
    """
    language = "en" if text.isascii() else "zh"
    found: dict[str, list[str]] = {}
    rest = text.lower()
    for phrase, group, label in _phrases(language):
        pattern = rf"\b{re.escape(phrase)}\b" if language == "en" else re.escape(phrase)
        rest, times = re.subn(pattern, "\n", rest)
        if times:
            found.setdefault(group, []).append(label)
    if len(set(found.get("kind", ()))) != 1:
        return {}
    labels = {group: named[0] for group, named in found.items()}
    motion = MOTIONS.get(labels.get("motion", ""))
    if "direction" not in labels and motion and motion.translates:
        labels["direction"] = "right" if "right" in motion.directions else motion.directions[0]
    if labels.get("direction") not in STRAIGHT:
        labels.pop("direction", None)
    return {name: labels[name] for name in MEASURED if name in labels}


def _wanted(stated: dict[str, list[int] | int]) -> dict[str, str]:
    """The measured labels of what a caption of one thing states."""
    wanted = {}
    for name in MEASURED:
        value = stated[name]
        number = value[0] if isinstance(value, list) else value
        if number >= 0:
            wanted[name] = LABELS[name][number]
    return wanted


@cache
def _phrases(language: str) -> list[tuple[str, str, str]]:
    """(phrase, group, label) of all words that matter, the longest first."""
    phrases = set()
    for group in ("camera", "background", "time", "weather", "kind", "colour", "direction", "motion"):
        for label, ways in words(language)[group].items():
            listed = [*ways["at"], *ways["across"]] if group == "background" else ways
            for way in listed:
                for phrase in way if isinstance(way, list) else [way]:
                    phrases.add((phrase[1:] if language == "zh" and group == "kind" else phrase, group, label))
    return sorted((entry for entry in phrases if entry[0] and entry[2]), key=lambda entry: (-len(entry[0]), entry))
