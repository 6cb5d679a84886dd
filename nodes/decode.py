"""Spacetime Decode."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..video.host_decode import DecodeState, decode
from .common import CATEGORY, search_aliases

DecodeStateType = io.Custom("SPACETIME_DECODE_STATE")
_STATE_OUTPUT = 1


class SpacetimeDecode(io.ComfyNode):
    """Latents as a VIDEO whose frames are made while it is saved."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeDecode",
            display_name="Spacetime Decode",
            category=CATEGORY,
            description="Turns latents into a video without ever holding all of its frames: they are decoded, a few at a time, while Save "
            "Video writes them. Exact for every Wan 2.1 and 2.2 VAE; other video VAEs are decoded in windows that fade into each other.",
            search_aliases=search_aliases("SpacetimeDecode"),
            inputs=[
                io.Vae.Input("vae", tooltip="The video VAE that belongs to the model."),
                io.Latent.Input("samples", tooltip="The video's latents, from Spacetime Denoise or any sampler."),
                io.Float.Input(
                    "fps", default=16.0, min=0.1, max=1000.0, step=0.5, round=0.001, tooltip="Frames per second at which the video plays."
                ),
                io.Boolean.Input(
                    "loop",
                    default=False,
                    optional=True,
                    tooltip="Decode latents that form a loop so that the last frame leads exactly into the first: 4 frames for each latent "
                    "frame, no jump in colour. Wan VAEs only.",
                ),
                DecodeStateType.Input(
                    "continue_from",
                    optional=True,
                    tooltip="The state of an earlier Spacetime Decode: these latents go on where those ended, without a seam and without "
                    "decoding anything twice. Wan VAEs only.",
                ),
                io.Int.Input(
                    "overlap",
                    default=0,
                    min=0,
                    max=4096,
                    optional=True,
                    tooltip="How many latent frames at the start are the last ones of the piece before; they are left out.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    display_name="VIDEO", is_output_list=True, tooltip="The video, for Save Video. A batch of latents gives one video each."
                ),
                DecodeStateType.Output(
                    display_name="state", tooltip="Where the decoding ends, for the continue_from of the Spacetime Decode of a later piece."
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, fps: Any = None, overlap: Any = None) -> bool:
        """Naming them here leaves their range to `execute`, whose sentences also say what to do."""
        return True

    @classmethod
    def execute(
        cls, vae: Any, samples: dict, fps: float, loop: bool = False, continue_from: DecodeState | None = None, overlap: int = 0
    ) -> io.NodeOutput:
        keep_state = cls.hidden is not None and _is_linked(cls.hidden.prompt, cls.hidden.unique_id)
        videos, state = decode(vae, samples, fps, loop=loop, continue_from=continue_from, overlap=overlap, keep_state=keep_state)
        return io.NodeOutput(videos, state)


def _is_linked(prompt: dict[str, Any] | None, node_id: str | None) -> bool:
    """Whether some node of the prompt takes this node's state."""
    inputs = [value for node in (prompt or {}).values() for value in node.get("inputs", {}).values()]
    return any(isinstance(value, list) and value[:2] == [node_id, _STATE_OUTPUT] for value in inputs)
