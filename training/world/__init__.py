"""A world for which everything is known: scenes, their pictures, masks, tracks and captions."""

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
