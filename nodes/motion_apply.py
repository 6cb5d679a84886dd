"""Spacetime Apply Motion."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..sampling.motion import AUTO, CHOICES, NODE, Request, apply_motion
from ..sampling.motion_nodes import MAX_FRAMES, MAX_SIDE, MotionPlan
from .common import CATEGORY, search_aliases, show_on_node
from .motion_brush import MotionPlanType


class SpacetimeApplyMotion(io.ComfyNode):
    """A plan steers a model, by the backend that fits it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeApplyMotion",
            display_name=NODE,
            category=CATEGORY,
            description="Makes a model move a picture as a motion plan says. Looks at the model and picks the way: Wan-Move, ATI, or "
            "Time-to-Move, which needs no special model; says which and why. Its outputs go to any sampler node.",
            search_aliases=search_aliases("SpacetimeApplyMotion"),
            inputs=[
                io.Model.Input("model", tooltip="An image-to-video model: the one in the box, Wan 2.1 or 2.2, LTX-Video, or HunyuanVideo."),
                io.Conditioning.Input("positive", tooltip="What the video shows."),
                io.Conditioning.Input("negative", tooltip="What the video should not show. It gets the picture without the motion."),
                io.Vae.Input("vae", tooltip="The VAE that belongs to the model."),
                io.Image.Input("image", tooltip="The picture that the plan was painted on: the first frame."),
                MotionPlanType.Input("plan", tooltip="The plan of Spacetime Motion Brush or another plan node."),
                io.ClipVisionOutput.Input(
                    "clip_vision_output",
                    optional=True,
                    tooltip="The picture for models that also look at it, such as Wan 2.1 I2V and HunyuanVideo 1.5.",
                ),
                io.Combo.Input(
                    "backend",
                    options=list(CHOICES),
                    default=AUTO,
                    tooltip="How the model is steered. auto looks at the model: Wan-Move or ATI where it was trained for that; else, "
                    "and for small models such as the one in the box, Time-to-Move.",
                ),
                _side("width"),
                _side("height"),
                io.Int.Input(
                    "length",
                    default=17,
                    min=1,
                    max=MAX_FRAMES,
                    step=4,
                    tooltip="Length in frames: 1, 5, 9 ... for Wan and HunyuanVideo, 1, 9, 17 ... for LTX.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    round=0.001,
                    tooltip="How firmly the model is held to the plan: 1 as the method says, lower leaves it freer, 0 not at all.",
                ),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The model for the sampler; Time-to-Move works through it."),
                io.Conditioning.Output(display_name="positive", tooltip="For the positive input of the sampler."),
                io.Conditioning.Output(display_name="negative", tooltip="For the negative input of the sampler."),
                io.Latent.Output(display_name="LATENT", tooltip="For the latent input of the sampler: size and length of the video."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, backend: Any = None, width: Any = None, height: Any = None, length: Any = None, strength: Any = None) -> bool:
        """Naming them here leaves their ranges to `execute`, whose sentences also say what to do."""
        return True

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: list,
        negative: list,
        vae: Any,
        image: Any,
        plan: MotionPlan,
        backend: str,
        width: int,
        height: int,
        length: int,
        strength: float,
        clip_vision_output: Any = None,
    ) -> io.NodeOutput:
        request = Request(backend, width, height, length, strength)
        applied = apply_motion(model, positive, negative, vae, image, plan, request, clip_vision_output)
        show_on_node(applied.told, cls.hidden)
        return io.NodeOutput(applied.model, applied.positive, applied.negative, applied.latent, ui={"text": (applied.told,)})


def _side(name: str) -> io.Int.Input:
    tooltip = f"{name.capitalize()} in pixels; the picture is cropped in the middle to fit. The model in the box was trained on 128."
    return io.Int.Input(name, default=128, min=16, max=MAX_SIDE, step=16, tooltip=tooltip)
