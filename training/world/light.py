"""How the time of day and the weather light the scene."""

from __future__ import annotations

from dataclasses import dataclass

from training.world.scene import Scene

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Light on things (ambient + key from `towards`), the tint of the place, and the sky from top to horizon."""

    towards: Colour
    key: Colour
    ambient: Colour
    place: Colour
    sky_top: Colour
    sky_low: Colour


LIGHTS = {
    "day": Light((-0.45, -0.70, 0.55), (0.52, 0.51, 0.48), (0.62, 0.63, 0.66), (1.0, 1.0, 1.0), (0.32, 0.64, 0.96), (0.80, 0.93, 1.0)),
    "morning": Light((-0.75, -0.45, 0.5), (0.54, 0.48, 0.44), (0.62, 0.61, 0.66), (1.0, 0.93, 0.90), (0.56, 0.73, 0.95), (1.0, 0.86, 0.76)),
    "sunset": Light((0.75, -0.42, 0.5), (0.56, 0.44, 0.34), (0.60, 0.55, 0.58), (0.98, 0.74, 0.66), (0.38, 0.30, 0.62), (1.0, 0.64, 0.36)),
    "night": Light(
        (-0.45, -0.70, 0.55), (0.30, 0.33, 0.42), (0.58, 0.59, 0.68), (0.40, 0.46, 0.70), (0.04, 0.06, 0.20), (0.16, 0.22, 0.46)
    ),
}
INDOORS = {
    "space": Light((-0.8, -0.45, 0.4), (0.55, 0.54, 0.52), (0.58, 0.58, 0.66), (1.0, 1.0, 1.0), (0.03, 0.03, 0.12), (0.13, 0.07, 0.26)),
}
WET_SKY = {"clear": 0.0, "rain": 0.62, "snow": 0.5, "fog": 0.6}
GREY_SKY = (0.68, 0.72, 0.77)


def light_of(scene: Scene) -> Light:
    """The light of a scene."""
    return INDOORS.get(scene.background, LIGHTS[scene.time])
