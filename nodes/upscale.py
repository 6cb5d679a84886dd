"""Spacetime Upscale."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..video.host_upscale import upscale
from ..video.upscale import MAX_FACTOR, MAX_SIDE
from .common import CATEGORY, search_aliases


class SpacetimeUpscale(io.ComfyNode):
    """A VIDEO in another size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeUpscale",
            display_name="Spacetime Upscale",
            category=CATEGORY,
            description="Makes a video larger, frame by frame while it is saved: with an upscale model if one is connected, in tiles where "
            "memory is short, else with a sharp Lanczos filter. Makes it smaller, too.",
            search_aliases=search_aliases("SpacetimeUpscale"),
            inputs=[
                io.Video.Input("video", tooltip="The video to resize."),
                io.Float.Input(
                    "factor",
                    default=2.0,
                    min=0.0,
                    max=MAX_FACTOR,
                    step=0.5,
                    round=0.001,
                    tooltip="How many times larger. 0 takes the model's own factor. Sides become even numbers.",
                ),
                _side("width", "height"),
                _side("height", "width"),
                io.UpscaleModel.Input(
                    "upscale_model",
                    optional=True,
                    tooltip="From Load Upscale Model. What it makes is then brought to the size above. Without it: a Lanczos filter.",
                ),
            ],
            outputs=[io.Video.Output(display_name="VIDEO", tooltip="The video in its new size, with its sound.")],
        )

    @classmethod
    def validate_inputs(cls, factor: Any = None, width: Any = None, height: Any = None) -> bool:
        """Naming them here leaves their ranges to `execute`, whose sentence also says what to do."""
        return True

    @classmethod
    def execute(cls, video: Any, factor: float, width: int, height: int, upscale_model: Any = None) -> io.NodeOutput:
        return io.NodeOutput(upscale(video, upscale_model, factor, width, height))


def _side(name: str, other: str) -> io.Int.Input:
    tooltip = f"{name.capitalize()} in pixels instead of the factor. 0 goes by the {other}, or by the factor if both are 0."
    return io.Int.Input(name, default=0, min=0, max=MAX_SIDE, step=2, tooltip=tooltip)
