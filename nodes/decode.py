"""Spacetime Decode."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..video.host_decode import decode_to_videos
from .common import CATEGORY, search_aliases


class SpacetimeDecode(io.ComfyNode):
    """Latents as a VIDEO whose frames are made while it is saved."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeDecode",
            display_name="Spacetime Decode",
            category=CATEGORY,
            description="Turns latents into a video without ever holding all of its frames: they are decoded, a few at a time, while Save "
            "Video writes them. Exact for every Wan 2.1 VAE; other video VAEs are decoded whole.",
            search_aliases=search_aliases("SpacetimeDecode"),
            inputs=[
                io.Vae.Input("vae", tooltip="The video VAE that belongs to the model."),
                io.Latent.Input("samples", tooltip="The video's latents, from Spacetime Denoise or any sampler."),
                io.Float.Input(
                    "fps", default=16.0, min=0.1, max=1000.0, step=0.5, round=0.001, tooltip="Frames per second at which the video plays."
                ),
            ],
            outputs=[
                io.Video.Output(
                    display_name="VIDEO", is_output_list=True, tooltip="The video, for Save Video. A batch of latents gives one video each."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, fps: Any = None) -> bool:
        """Naming it here leaves its range to `execute`, whose sentence also says what to do."""
        return True

    @classmethod
    def execute(cls, vae: Any, samples: dict, fps: float) -> io.NodeOutput:
        return io.NodeOutput(decode_to_videos(vae, samples, fps))
