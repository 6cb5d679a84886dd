"""What a scene is, how one is drawn at random, and which combinations are held out."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from training.world.vocabulary import (
    BACKGROUNDS,
    CAMERAS,
    COLOURS,
    DIRECTION_VECTOR,
    KINDS,
    MOTIONS,
    NO_DIRECTION,
    SIZE_FRACTION,
    SPEED_FACTOR,
    SPEEDS,
    TIMES,
    WEATHERS,
    medium_of,
    motions_of,
    places_for,
)

Label = TypeVar("Label", str, int)

SPLITS = ("train", "held_out")
STYLES = ("picture_book", "collage")
TRAVEL = 0.46  # picture widths (or heights) per second at normal speed

COUNT_WEIGHTS = {1: 0.6, 2: 0.3, 3: 0.1}
SIZE_WEIGHTS = {"small": 0.25, "medium": 0.5, "large": 0.25}
SPEED_WEIGHTS = {"slow": 0.15, "normal": 0.7, "fast": 0.15}
TIME_WEIGHTS = {"day": 0.55, "morning": 0.12, "sunset": 0.15, "night": 0.18}
WEATHER_WEIGHTS = {"clear": 0.7, "rain": 0.1, "snow": 0.1, "fog": 0.1}
CAMERA_WEIGHTS = {"still": 0.76, "pan_left": 0.06, "pan_right": 0.06, "zoom_in": 0.06, "zoom_out": 0.06}
TRANSLATING_SHARE = 0.62
OWN_MOTION_SHARE = 0.75  # of the translating motions: a car that drives rather than slides
KIND_WEIGHTS = {kind: 3.0 if kind == "ball" else 1.0 for kind in KINDS}  # the ball is the one thing that mostly rolls
PLACE_WEIGHTS = {place: {"meadow": 1.5, "sky": 2.5, "space": 2.5}.get(place, 1.0) for place in BACKGROUNDS}
STRANGE_SHARE = 0.08  # a motion that is not the kind's own: a cat that flies


@dataclass(frozen=True)
class Thing:
    """One thing of a picture-book scene.

    `x`, `y` is where it is at time 0, in fractions of the picture: its centre, or its lowest point when `grounded`.
    `floor` is where it lands when it falls (fraction of height), or None when there is nothing to land on.
    """

    kind: str
    colour: str
    size: str
    motion: str
    direction: str
    speed: str
    x: float
    y: float
    grounded: bool
    floor: float | None = None
    phase: float = 0.0


@dataclass(frozen=True)
class Cutout:
    """One cut-out of a collage: a texture, a shape, and sums of slow sines for its path, angle and size."""

    texture: str
    seed: int
    size: float
    x: float
    y: float
    velocity: tuple[float, float]
    sway: tuple[float, float]
    rate: float
    phase: float
    angle: float
    turn: float
    swell: float


@dataclass(frozen=True)
class Scene:
    """Everything that decides the pixels of a clip, its caption aside. `seed` fixes the small details of the drawing."""

    style: str
    seed: int
    background: str
    time: str = "day"
    weather: str = "clear"
    camera: str = "still"
    things: tuple[Thing, ...] = ()
    cutouts: tuple[Cutout, ...] = field(default=())
    drift: tuple[float, float] = (0.0, 0.0)

    def to_json(self) -> str:
        """The scene as one line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Scene:
        """The scene that `to_json` wrote."""
        data = json.loads(text)
        data["things"] = tuple(Thing(**thing) for thing in data["things"])
        data["cutouts"] = tuple(
            Cutout(**{**cut, "velocity": tuple(cut["velocity"]), "sway": tuple(cut["sway"])}) for cut in data["cutouts"]
        )
        data["drift"] = tuple(data["drift"])
        return Scene(**data)


def is_held_out(kind: str, colour: str, motion: str) -> bool:
    """True for the tenth of all (kind, colour, motion) triples that training never sees."""
    digest = hashlib.sha256(f"{kind}/{colour}/{motion}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 10 == 0


def sample_scene(generator: random.Random, split: str = "train", style: str = "picture_book") -> Scene:
    """Draw a scene. `split` is train or held_out: a held-out scene holds only triples that train never has."""
    if split not in SPLITS:
        raise ValueError(f"sample_scene: expected split in {SPLITS}, got {split!r}; choose one of them")
    if style == "collage":
        from training.world.collage import sample_collage

        return sample_collage(generator, split)
    if style != "picture_book":
        raise ValueError(f"sample_scene: expected style in {STYLES}, got {style!r}; choose one of them")
    count = _weighted(generator, COUNT_WEIGHTS)
    identities, background = _sample_identities(generator, split, count)
    place = BACKGROUNDS[background]
    camera = _weighted(generator, CAMERA_WEIGHTS)
    things = []
    for lane, (kind, colour, motion) in enumerate(identities):
        direction = generator.choice(MOTIONS[motion].directions or (NO_DIRECTION,))
        size = _weighted(generator, SIZE_WEIGHTS if count == 1 else {"small": 0.45, "medium": 0.45, "large": 0.1})
        speed = _weighted(generator, SPEED_WEIGHTS)
        things.append(place_thing(generator, background, kind, colour, size, motion, direction, speed, lane=lane, lanes=count))
    return Scene(
        style="picture_book",
        seed=generator.getrandbits(31),
        background=background,
        time=_weighted(generator, TIME_WEIGHTS) if place.time else "day",
        weather=_weighted(generator, WEATHER_WEIGHTS) if place.weather else "clear",
        camera=camera,
        things=tuple(things),
    )


def scene_for(
    kind: str = "ball",
    colour: str = "red",
    motion: str = "roll",
    direction: str | None = None,
    background: str | None = None,
    size: str = "medium",
    speed: str = "normal",
    time: str = "day",
    weather: str = "clear",
    camera: str = "still",
    seed: int = 0,
) -> Scene:
    """The scene with one given thing; what is left out is the first label that suits. Raises ValueError on unknown labels."""
    given: dict[str, tuple[str, Any]] = {
        "kind": (kind, KINDS),
        "colour": (colour, COLOURS),
        "motion": (motion, MOTIONS),
        "size": (size, SIZE_FRACTION),
        "speed": (speed, SPEEDS),
        "time": (time, TIMES),
        "weather": (weather, WEATHERS),
        "camera": (camera, CAMERAS),
    }
    for name, (value, known) in given.items():
        if value not in known:
            raise ValueError(f"scene_for: expected {name} in {tuple(known)}, got {value!r}; choose one of them")
    directions = MOTIONS[motion].directions or (NO_DIRECTION,)
    if direction is None:
        direction = "right" if "right" in directions else directions[0]
    background = background or places_for(kind, motion)[0]
    if direction not in directions or background not in BACKGROUNDS:
        raise ValueError(
            f"scene_for: expected direction in {directions} and background in {tuple(BACKGROUNDS)}, "
            f"got {direction!r} and {background!r}; choose from them"
        )
    generator = random.Random(seed)
    thing = place_thing(generator, background, kind, colour, size, motion, direction, speed)
    return Scene("picture_book", seed, background, time, weather, camera, (thing,))


def place_thing(
    generator: random.Random,
    background: str,
    kind: str,
    colour: str,
    size: str,
    motion: str,
    direction: str,
    speed: str,
    lane: int = 0,
    lanes: int = 1,
) -> Thing:
    """Give a thing a starting place from which one second of its motion stays in the picture.

    Several things share the picture in lanes: side by side when they stay in place, at different heights when they travel.
    """
    half_width, half_height = half_extents(kind, size)
    if motion in ("grow", "spin", "circle"):
        half_width, half_height = half_width * 1.15, half_height * 1.15
    place = BACKGROUNDS[background]
    floor = None if place.floor is None else round(_lane_floor(generator, place.floor, lane, lanes), 4)
    grounded = _is_grounded(kind, motion, direction, background)
    dx, dy = DIRECTION_VECTOR.get(direction, (0.0, 0.0))
    reach = TRAVEL * SPEED_FACTOR[speed]
    x = _start(generator, dx * reach, 0.8 * half_width, 1 - 0.8 * half_width)
    if not MOTIONS[motion].translates or dx == 0:
        x = _column(generator, half_width + (0.14 if motion == "circle" else 0.0), lane, lanes)
    bottom = 0.97 if floor is None else floor
    if motion == "jump":
        y = floor if grounded and floor is not None else generator.uniform(0.55, 0.65)
    elif motion == "fall":
        y = generator.uniform(0.02, 0.06) + half_height * (1.7 if grounded else 1.0)
    elif grounded:
        y = bottom
    elif dy == 0:
        room = 0.16 if motion == "circle" else 0.03
        y = _row(generator, half_height + room, bottom, lane, lanes, travels=dx != 0)
    else:
        y = _start(generator, dy * reach, 0.03 + half_height, bottom - 0.8 * half_height)
    return Thing(
        kind, colour, size, motion, direction, speed,
        round(x, 4), round(y, 4), grounded, floor, round(generator.random(), 3),
    )  # fmt: skip


def half_extents(kind: str, size: str) -> tuple[float, float]:
    """Half the width and half the height of a thing, in shorter sides of the picture."""
    drawing = KINDS[kind]
    scale = 0.5 * SIZE_FRACTION[size] / max(drawing.width, drawing.height)
    return scale * drawing.width, scale * drawing.height


def _sample_identities(generator: random.Random, split: str, count: int) -> tuple[list[tuple[str, str, str]], str]:
    """(kind, colour, motion) of each thing, kinds all different, and a background that suits every one."""
    while True:
        identities: list[tuple[str, str, str]] = []
        places = tuple(BACKGROUNDS)
        while len(identities) < count:
            kind, colour, motion = _sample_identity(generator, split)
            suits = tuple(place for place in places if place in places_for(kind, motion))
            if any(kind == other for other, _, _ in identities) or not suits:
                continue
            identities.append((kind, colour, motion))
            places = suits
        homely = tuple(place for place in places if all(KINDS[kind].home in BACKGROUNDS[place].media for kind, _, _ in identities))
        likely = homely if homely and generator.random() < 0.85 else places
        return identities, _weighted(generator, {place: PLACE_WEIGHTS[place] for place in likely})


def _sample_identity(generator: random.Random, split: str) -> tuple[str, str, str]:
    while True:
        kind, colour = _weighted(generator, KIND_WEIGHTS), generator.choice(tuple(COLOURS))
        translates = generator.random() < TRANSLATING_SHARE
        own = KINDS[kind].motions
        if translates and own and generator.random() < OWN_MOTION_SHARE:
            pool: tuple[str, ...] = own
        elif generator.random() < STRANGE_SHARE:
            pool = tuple(MOTIONS)
        else:
            pool = motions_of(kind)
        motion = generator.choice(tuple(name for name in pool if MOTIONS[name].translates == translates))
        if motion == "roll" and "roll" not in own:
            continue
        if is_held_out(kind, colour, motion) == (split == "held_out"):
            return kind, colour, motion


def _is_grounded(kind: str, motion: str, direction: str, background: str) -> bool:
    """Whether `y` means the lowest point of the thing: it stands, rolls or floats on a floor."""
    if BACKGROUNDS[background].floor is None or (background == "underwater" and motion not in ("walk", "hop", "fall")):
        return False
    if motion in ("roll", "drive", "walk", "hop", "sail", "jump", "fall"):
        return True
    if motion == "swim":
        return background == "sea"
    if motion in ("slide", "stay", "swing", "grow", "shrink"):
        return medium_of(kind, "stay") != "air" and direction not in ("up", "down")
    return False


def _lane_floor(generator: random.Random, band: tuple[float, float], lane: int, lanes: int) -> float:
    """A place in the band of the floor; with several things the first stands in front."""
    top, bottom = band
    step = (bottom - top) / lanes
    return generator.uniform(bottom - (lane + 1) * step, bottom - lane * step)


def _start(generator: random.Random, travel: float, low: float, high: float) -> float:
    """A starting coordinate in [low, high] from which `travel` ends in it too, or nearly when there is no room."""
    first, last = max(low, low - travel), min(high, high - travel)
    if first > last:
        return (first + last) / 2
    return generator.uniform(first, last)


def _column(generator: random.Random, half: float, lane: int, lanes: int) -> float:
    """A centre x for a thing that stays in its column."""
    if lanes == 1:
        return generator.uniform(max(half, 0.22), min(1 - half, 0.78))
    width = 1.0 / lanes
    return min(max((lane + generator.uniform(0.35, 0.65)) * width, half), 1 - half)


def _row(generator: random.Random, half: float, bottom: float, lane: int, lanes: int, travels: bool) -> float:
    """A centre y for a thing in the air or under water; travellers of one picture get rows of their own."""
    low, high = half, max(half, bottom - half)
    if lanes > 1 and travels:
        step = (high - low) / lanes
        low, high = high - (lane + 1) * step, high - lane * step
    return generator.uniform(low, high)


def _weighted(generator: random.Random, weights: dict[Label, float]) -> Label:
    return generator.choices(tuple(weights), tuple(weights.values()))[0]
