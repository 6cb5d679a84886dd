"""A world for which everything is known: scenes, their pictures, masks, tracks and captions.

`vocabulary` lists what there is, `scene` draws a scene at random, `captions` says it in words. `motion` gives every
path in closed form; `kinds` and `sprites` draw the things, `backgrounds` and `backdrop` the places, `weather` what falls,
`collage` the textured cut-outs; `compose.render` puts them together and `truth` follows points through the result.
`python -m training.world --sheet scenes.png` shows some.
"""

from training.world.captions import LANGUAGES, attributes, caption, caption_and_attributes
from training.world.compose import FPS, Rendered, render
from training.world.scene import Cutout, Scene, Thing, is_held_out, sample_scene, scene_for
from training.world.vocabulary import LABELS

__all__ = [
    "FPS",
    "LABELS",
    "LANGUAGES",
    "Cutout",
    "Rendered",
    "Scene",
    "Thing",
    "attributes",
    "caption",
    "caption_and_attributes",
    "is_held_out",
    "render",
    "sample_scene",
    "scene_for",
]
