"""How each kind of thing is drawn: a function of a canvas and of the moment in its stride, per kind."""

from training.world.kinds.animals import ANIMALS
from training.world.kinds.canvas import Canvas
from training.world.kinds.objects import OBJECTS
from training.world.kinds.vehicles import VEHICLES

DRAWINGS = {**VEHICLES, **ANIMALS, **OBJECTS}

__all__ = ["DRAWINGS", "Canvas"]
