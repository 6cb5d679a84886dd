"""Captions of scenes in English and Chinese, and the labels a caption states.

What is always said: the kind, the colour, the motion and its direction. The one exception is a motion to the right,
whose direction is left out in a quarter of the captions ("rolls across green grass"), so that no direction means to
the right. Size, speed, background, time, weather and camera are sometimes left out, the unremarkable ones mostly.
"""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

from training.world.scene import Scene, Thing
from training.world.vocabulary import (
    COUNTS,
    LABELS,
    MAX_THINGS,
    MOTIONS,
    NO_DIRECTION,
    SCENE_ATTRIBUTES,
    THING_ATTRIBUTES,
)

LANGUAGES = ("en", "zh")
WORDS_FOLDER = Path(__file__).parent / "words"
UNSTATED = -1

SAY_DIRECTION_RIGHT = 0.75
SAY_BACKGROUND = 0.85
SAY_SIZE = {"small": 0.75, "medium": 0.1, "large": 0.75}
SAY_SPEED = {"slow": 0.85, "normal": 0.05, "fast": 0.85}
SAY_TIME = {"day": 0.25, "morning": 0.88, "sunset": 0.88, "night": 0.9}
SAY_WEATHER = {"clear": 0.06, "rain": 0.92, "snow": 0.92, "fog": 0.92}
SAY_CAMERA = {"still": 0.12, "pan_left": 0.92, "pan_right": 0.92, "zoom_in": 0.92, "zoom_out": 0.92}


@cache
def words(language: str) -> dict:
    """The word table of a language: label group -> label -> ways to say it. Raises ValueError on an unknown language."""
    if language not in LANGUAGES:
        raise ValueError(f"caption: expected language in {LANGUAGES}, got {language!r}; choose one of them")
    return json.loads((WORDS_FOLDER / f"{language}.json").read_text(encoding="utf-8"))


def attributes(scene: Scene) -> dict[str, list[int] | int]:
    """The labels of a scene as numbers (places in `LABELS`).

    Per thing, padded with -1 to three: kind, colour, size, motion, direction, speed. Of the scene: background, time,
    weather, camera, count. A direction is -1 for a motion that has none; a collage has only a camera.
    """
    found: dict[str, list[int] | int] = {}
    for name in THING_ATTRIBUTES:
        values = [_number(name, getattr(thing, name)) for thing in scene.things]
        found[name] = values + [UNSTATED] * (MAX_THINGS - len(values))
    for name in ("background", "time", "weather", "camera"):
        found[name] = _number(name, getattr(scene, name))
    found["count"] = len(scene.things) - 1 if scene.things else UNSTATED
    if scene.style == "collage":
        for name in ("background", "time", "weather"):
            found[name] = UNSTATED
    return found


def caption(scene: Scene, generator: random.Random, language: str = "en") -> str:
    """One way of saying what happens in the scene; every choice comes from `generator`. A collage's may be empty."""
    return caption_and_attributes(scene, generator, language)[0]


def caption_and_attributes(scene: Scene, generator: random.Random, language: str = "en") -> tuple[str, dict[str, list[int] | int]]:
    """A caption and what it states, as `attributes` but in the order of mention and -1 for what is left out.

    A direction that is left out because it is to the right is stated: that is what leaving it out means.
    """
    table = words(language)
    if scene.style == "collage":
        silent = dict.fromkeys(SCENE_ATTRIBUTES, UNSTATED)
        return generator.choice(table["collage"]), {
            **{name: [UNSTATED] * MAX_THINGS for name in THING_ATTRIBUTES},
            **silent,
        }
    things = list(scene.things)
    generator.shuffle(things)
    said = {
        "background": generator.random() < SAY_BACKGROUND,
        "time": scene.background != "space" and generator.random() < SAY_TIME[scene.time],
        "weather": generator.random() < SAY_WEATHER[scene.weather] and scene.background not in ("space", "underwater", "room"),
        "camera": generator.random() < SAY_CAMERA[scene.camera],
    }
    spoken = [_choose_thing_words(thing, generator) for thing in things]
    write = _write_english if language == "en" else _write_chinese
    text = write(scene, things, spoken, said, generator, table)
    stated = attributes(scene)
    for name in THING_ATTRIBUTES:
        values = [_number(name, getattr(thing, name)) for thing in things]
        for place, choice in enumerate(spoken):
            if not choice.get(name, True):
                values[place] = UNSTATED
        stated[name] = values + [UNSTATED] * (MAX_THINGS - len(values))
    for name, is_said in said.items():
        if not is_said:
            stated[name] = UNSTATED
    return text, stated


def _choose_thing_words(thing: Thing, generator: random.Random) -> dict[str, bool]:
    """Which of the optional parts of a thing are said; `across` is the form without a direction."""
    return {
        "size": generator.random() < SAY_SIZE[thing.size],
        "speed": thing.motion != "stay" and generator.random() < SAY_SPEED[thing.speed],
        "across": thing.direction == "right" and generator.random() >= SAY_DIRECTION_RIGHT,
    }


def _direction_words(thing: Thing, generator: random.Random, table: dict) -> str:
    """The direction in words, or nothing when the verb alone says it (rise, fall) or the motion has none."""
    if thing.direction == NO_DIRECTION or len(MOTIONS[thing.motion].directions) < 2:
        return ""
    return generator.choice(table["direction"][thing.direction])


# English


def _write_english(scene: Scene, things: list[Thing], spoken: list[dict], said: dict, generator: random.Random, table: dict) -> str:
    gerund = generator.random() < 0.15
    crossing = len(things) == 1 and _can_cross(things[0]) and (spoken[0]["across"] or generator.random() < 0.3)
    clauses = [_english_clause(thing, choice, gerund, scene, said, generator, table, crossing) for thing, choice in zip(things, spoken)]
    text = clauses[0]
    for clause in clauses[1:]:
        join = generator.choice(table["join"])
        text += (" and " if gerund and "while" in join else join) + clause
    circumstances = []
    if said["background"] and not crossing:
        circumstances.append(generator.choice(table["background"][scene.background]["at"]))
    circumstances += [generator.choice(table[name][getattr(scene, name)]) for name in ("time", "weather") if said[name]]
    generator.shuffle(circumstances)
    if circumstances and not gerund and generator.random() < 0.3:
        text = circumstances.pop(0) + ", " + text
    text = " ".join([text, *circumstances])
    if gerund:
        text = generator.choice(table["opening"]) + " " + text
    if said["camera"]:
        text += ", " + generator.choice(table["camera"][scene.camera])
    return _finish_english(text, generator)


def _english_clause(
    thing: Thing, choice: dict, gerund: bool, scene: Scene, said: dict, generator: random.Random, table: dict, crossing: bool
) -> str:
    adjectives = [generator.choice(table["colour"][thing.colour])]
    if choice["size"]:
        adjectives.insert(0, generator.choice(table["size"][thing.size]))
    noun = " ".join([*adjectives, generator.choice(table["kind"][thing.kind])])
    article = "the" if generator.random() < 0.08 else "an" if noun[0] in "aeiou" and not noun.startswith("uf") else "a"
    finite, continuous = generator.choice(table["motion"][thing.motion])
    if not gerund and thing.motion != "stay" and generator.random() < 0.3:
        finite = "is " + continuous
    verb = continuous if gerund else finite
    ways = [] if choice["across"] else [_direction_words(thing, generator, table)]
    if crossing:
        place = scene.background if said["background"] else ""
        path = "across " + generator.choice(table["background"][place]["across"])
        ways.insert(0 if generator.random() < 0.3 else len(ways), path)
    elif choice["across"]:
        ways.append(generator.choice(("across", "along", "by", "past")))
    if choice["speed"]:
        adverb = generator.choice(table["speed"][thing.speed])
        if not adverb.endswith("ly") or " " in adverb or generator.random() < 0.6:
            ways.insert(generator.randint(0, len(ways)), adverb)
        else:
            verb = f"is {adverb} {continuous}" if verb.startswith("is ") else f"{adverb} {verb}"
    return " ".join(part for part in (article, noun, verb, *ways) if part)


def _finish_english(text: str, generator: random.Random) -> str:
    if generator.random() < 0.25:
        text = text[0].upper() + text[1:]
    return text + "." if generator.random() < 0.25 else text


def _can_cross(thing: Thing) -> bool:
    """Whether "across the meadow" says how the thing moves."""
    return MOTIONS[thing.motion].translates and thing.direction in ("left", "right")


# Chinese


def _write_chinese(scene: Scene, things: list[Thing], spoken: list[dict], said: dict, generator: random.Random, table: dict) -> str:
    crossing = len(things) == 1 and spoken[0]["across"]
    circumstances = [generator.choice(table[name][getattr(scene, name)]) for name in ("time", "weather") if said[name]]
    generator.shuffle(circumstances)
    place = ""
    if said["background"] and not crossing:
        place = generator.choice(table["background"][scene.background]["at"])
    place_first = len(things) > 1 or generator.random() < 0.4
    clauses = [
        _chinese_clause(thing, choice, "" if place_first else place, scene, said, generator, table, crossing)
        for thing, choice in zip(things, spoken)
    ]
    text = clauses[0]
    for clause in clauses[1:]:
        text += generator.choice(table["join"]) + clause
    if place and place_first:
        text = place + generator.choice(("", "\uff0c")) + text
    if circumstances:
        text = "\uff0c".join(circumstances) + "\uff0c" + text
    if generator.random() < 0.12:
        text = generator.choice(table["opening"]) + text
    if said["camera"]:
        text += "\uff0c" + generator.choice(table["camera"][scene.camera])
    return text + "\u3002" if generator.random() < 0.25 else text


def _chinese_clause(
    thing: Thing, choice: dict, place: str, scene: Scene, said: dict, generator: random.Random, table: dict, crossing: bool
) -> str:
    noun = generator.choice(table["kind"][thing.kind])
    measure, name = noun[0], noun[1:]
    colour = generator.choice(table["colour"][thing.colour])
    size = generator.choice(table["size"][thing.size]) if choice["size"] else ""
    verb, passing = generator.choice(table["motion"][thing.motion])
    speed = generator.choice(table["speed"][thing.speed]) if choice["speed"] else ""
    subject = ("" if generator.random() < 0.06 else "\u4e00" + measure) + size + colour + name
    if choice["across"]:
        label = scene.background if crossing and said["background"] else ""
        path = generator.choice(table["background"][label]["across"])
        return subject + place + speed + passing + path
    direction = _direction_words(thing, generator, table)
    ways = [speed, direction] if generator.random() < 0.7 else [direction, speed]
    aspect = "\u6b63" if generator.random() < 0.1 and thing.motion != "stay" else ""
    return subject + aspect + place + "".join(ways) + verb


def _number(name: str, label: str) -> int:
    return LABELS[name].index(label) if label in LABELS[name] else UNSTATED


def count_label(scene: Scene) -> str:
    """one, two or three: how many things the scene holds."""
    return COUNTS[len(scene.things) - 1]
