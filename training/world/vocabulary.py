"""The labels of the world: what a scene can contain and which combinations make sense.

A label's number is its place in the tuples below, so new labels are only ever added at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

SIZES = ("small", "medium", "large")
SIZE_FRACTION = {"small": 0.28, "medium": 0.39, "large": 0.52}  # longest extent, in shorter picture sides

SPEEDS = ("slow", "normal", "fast")
SPEED_FACTOR = {"slow": 0.6, "normal": 1.0, "fast": 1.45}

COLOURS = {  # linear enough for shading: sRGB in [0, 1]
    "red": (0.90, 0.16, 0.17),
    "orange": (0.98, 0.54, 0.10),
    "yellow": (0.99, 0.84, 0.15),
    "green": (0.16, 0.66, 0.25),
    "turquoise": (0.12, 0.78, 0.76),
    "blue": (0.15, 0.38, 0.92),
    "purple": (0.55, 0.24, 0.80),
    "pink": (0.99, 0.52, 0.74),
    "brown": (0.50, 0.30, 0.15),
    "black": (0.13, 0.13, 0.16),
    "white": (0.97, 0.97, 0.95),
    "grey": (0.54, 0.56, 0.59),
}

NO_DIRECTION = "none"
SIDEWAYS = ("left", "right")
STRAIGHT = ("left", "right", "up", "down")
DIAGONAL = ("up_left", "up_right", "down_left", "down_right")
TURNS = ("clockwise", "anticlockwise")
DIRECTIONS = STRAIGHT + DIAGONAL + TURNS

DIRECTION_VECTOR = {  # picture fractions per unit of speed; y points down
    "left": (-1.0, 0.0),
    "right": (1.0, 0.0),
    "up": (0.0, -1.0),
    "down": (0.0, 1.0),
    "up_left": (-0.8, -0.7),
    "up_right": (0.8, -0.7),
    "down_left": (-0.8, 0.7),
    "down_right": (0.8, 0.7),
}


@dataclass(frozen=True)
class Motion:
    """How a thing can move: the directions it can be given and the medium it needs (ground, air, surface, water, any)."""

    directions: tuple[str, ...]
    medium: str
    translates: bool


MOTIONS = {
    "roll": Motion(SIDEWAYS, "ground", True),
    "drive": Motion(SIDEWAYS, "ground", True),
    "walk": Motion(SIDEWAYS, "ground", True),
    "hop": Motion(SIDEWAYS, "ground", True),
    "sail": Motion(SIDEWAYS, "surface", True),
    "fly": Motion(STRAIGHT + DIAGONAL, "air", True),
    "swim": Motion(SIDEWAYS + DIAGONAL, "water", True),
    "slide": Motion(STRAIGHT, "any", True),
    "drift": Motion(STRAIGHT, "air", True),
    "rise": Motion(("up",), "any", True),
    "fall": Motion(("down",), "any", True),
    "spin": Motion(TURNS, "any", False),
    "circle": Motion(TURNS, "any", False),
    "grow": Motion((), "any", False),
    "shrink": Motion((), "any", False),
    "jump": Motion((), "home", False),
    "swing": Motion((), "home", False),
    "stay": Motion((), "home", False),
}
ANYTHING_CAN = ("slide", "rise", "fall", "spin", "circle", "grow", "shrink", "jump", "swing", "stay")


@dataclass(frozen=True)
class Kind:
    """A kind of thing: where it lives, how it likes to move, and the width and height of its drawing in [-1, 1]."""

    home: str  # ground, air, surface (of the sea) or water (below it)
    motions: tuple[str, ...]
    width: float
    height: float
    faces: bool = False  # drawn looking right, mirrored when it goes left
    heads_up: bool = False  # drawn pointing up, turned towards where it flies


KINDS = {
    "ball": Kind("ground", ("roll", "hop"), 1.72, 1.72),
    "car": Kind("ground", ("drive",), 1.84, 1.08, faces=True),
    "bus": Kind("ground", ("drive",), 1.9, 1.19, faces=True),
    "truck": Kind("ground", ("drive",), 1.86, 1.15, faces=True),
    "train": Kind("ground", ("drive",), 1.89, 1.33, faces=True),
    "boat": Kind("surface", ("sail",), 1.7, 1.68, faces=True),
    "airplane": Kind("air", ("fly",), 1.87, 1.31, faces=True),
    "rocket": Kind("air", ("fly",), 1.16, 1.9, heads_up=True),
    "balloon": Kind("air", ("drift", "fly"), 1.08, 1.85),
    "kite": Kind("air", ("fly", "drift"), 1.22, 1.87),
    "ufo": Kind("air", ("fly", "drift"), 1.8, 1.02),
    "bird": Kind("air", ("fly", "hop"), 1.86, 1.4, faces=True),
    "duck": Kind("surface", ("swim", "walk"), 1.92, 1.4, faces=True),
    "butterfly": Kind("air", ("fly", "drift"), 1.78, 1.4),
    "fish": Kind("water", ("swim",), 1.79, 1.18, faces=True),
    "whale": Kind("water", ("swim",), 1.94, 1.26, faces=True),
    "turtle": Kind("water", ("swim", "walk"), 1.86, 1.09, faces=True),
    "cat": Kind("ground", ("walk", "hop"), 1.78, 1.5, faces=True),
    "rabbit": Kind("ground", ("hop", "walk"), 1.29, 1.79, faces=True),
    "elephant": Kind("ground", ("walk",), 1.9, 1.28, faces=True),
    "dinosaur": Kind("ground", ("walk",), 1.88, 1.59, faces=True),
    "robot": Kind("ground", ("walk",), 1.34, 1.8),
    "house": Kind("ground", (), 1.72, 1.7),
    "tree": Kind("ground", (), 1.36, 1.78),
    "flower": Kind("ground", (), 1.22, 1.82),
    "mushroom": Kind("ground", ("hop",), 1.68, 1.64),
    "apple": Kind("ground", ("roll", "hop"), 1.5, 1.63),
    "cube": Kind("ground", ("hop",), 1.57, 1.59),
    "star": Kind("air", ("fly", "drift"), 1.78, 1.69),
    "heart": Kind("air", ("drift", "fly"), 1.66, 1.51),
    "moon": Kind("air", ("drift", "fly"), 1.51, 1.72),
    "umbrella": Kind("air", ("drift", "fly"), 1.76, 1.76),
}


@dataclass(frozen=True)
class Background:
    """A place: the media it offers, the band of its floor (top, bottom, fractions of height) and whether it has a sky."""

    media: tuple[str, ...]
    floor: tuple[float, float] | None
    weather: bool
    time: bool


BACKGROUNDS = {
    "meadow": Background(("ground", "air"), (0.76, 0.92), True, True),
    "forest": Background(("ground", "air"), (0.80, 0.93), True, True),
    "mountains": Background(("ground", "air"), (0.80, 0.93), True, True),
    "desert": Background(("ground", "air"), (0.76, 0.92), True, True),
    "snow": Background(("ground", "air"), (0.76, 0.92), True, True),
    "beach": Background(("ground", "air"), (0.82, 0.93), True, True),
    "city": Background(("ground", "air"), (0.83, 0.93), True, True),
    "room": Background(("ground", "air"), (0.80, 0.93), False, True),
    "sea": Background(("surface", "air"), (0.68, 0.82), True, True),
    "underwater": Background(("water",), (0.88, 0.95), False, True),
    "sky": Background(("air",), None, True, True),
    "space": Background(("air",), None, False, False),
}

TIMES = ("day", "morning", "sunset", "night")
WEATHERS = ("clear", "rain", "snow", "fog")
CAMERAS = ("still", "pan_left", "pan_right", "zoom_in", "zoom_out")
COUNTS = ("one", "two", "three")

LABELS: dict[str, tuple[str, ...]] = {
    "kind": tuple(KINDS),
    "colour": tuple(COLOURS),
    "size": SIZES,
    "motion": tuple(MOTIONS),
    "direction": DIRECTIONS,
    "speed": SPEEDS,
    "background": tuple(BACKGROUNDS),
    "time": TIMES,
    "weather": WEATHERS,
    "camera": CAMERAS,
    "count": COUNTS,
}
THING_ATTRIBUTES = ("kind", "colour", "size", "motion", "direction", "speed")
SCENE_ATTRIBUTES = ("background", "time", "weather", "camera", "count")
MAX_THINGS = 3


def motions_of(kind: str) -> tuple[str, ...]:
    """The motions that suit a kind of thing, its own ones first."""
    return KINDS[kind].motions + ANYTHING_CAN


def medium_of(kind: str, motion: str) -> str:
    """Where a kind of thing can be while it makes a motion: ground, air, surface, water or any."""
    home, medium = KINDS[kind].home, MOTIONS[motion].medium
    if medium == "home":
        return home
    if motion == "swim" and home == "surface":
        return "surface"
    return medium


def places_for(kind: str, motion: str) -> tuple[str, ...]:
    """Backgrounds in which this kind of thing can make this motion."""
    medium = medium_of(kind, motion)
    return tuple(name for name, place in BACKGROUNDS.items() if medium == "any" or medium in place.media)
