"""The places: each painted as a few layers, far to near, for a batch of scenes at once.

Painters work in fractions of the picture: x to the right and y down, from -margin to 1 + margin when the camera moves.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from training.world.backgrounds.built import city, room
from training.world.backgrounds.elsewhere import open_sky, sea, space, underwater
from training.world.backgrounds.ground import MARGIN, Ground, Layer
from training.world.backgrounds.land import beach, desert, forest, meadow, mountains, snow
from training.world.light import GREY_SKY
from training.world.scene import Scene

HAZE = {"clear": 0.0, "rain": 0.3, "snow": 0.2, "fog": 0.72}

PAINTERS: dict[str, Callable[[Ground], list[Layer]]] = {
    "meadow": meadow,
    "forest": forest,
    "mountains": mountains,
    "desert": desert,
    "snow": snow,
    "beach": beach,
    "city": city,
    "room": room,
    "sea": sea,
    "underwater": underwater,
    "sky": open_sky,
    "space": space,
}


def paint_background(scenes: list[Scene], height: int, width: int, margin: float, device: torch.device) -> list[Layer]:
    """The layers, far to near, of scenes that share one background; the weather dims and greys the far ones most."""
    ground = Ground(scenes, height, width, margin, device)
    layers = PAINTERS[scenes[0].background](ground)
    amount = ground.numbers([HAZE[scene.weather] for scene in scenes])[:, None]
    haze = torch.tensor(GREY_SKY, device=device)[None, :, None, None] * (0.25 + 0.75 * ground.place)
    hazy = []
    for layer in layers:
        colour = layer.rgba[:, :3]
        colour = colour + (haze - colour) * amount * (1 - 0.6 * layer.parallax)
        hazy.append(Layer(torch.cat((colour, layer.rgba[:, 3:]), dim=1), layer.parallax))
    return hazy


__all__ = ["MARGIN", "Ground", "Layer", "paint_background"]
