"""Spacetime Motion Adherence and Spacetime Motion Guides."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..motion.adherence import COUNT, table
from ..motion.adherence_pictures import plot
from ..motion.backends.guides import CANVASES
from ..sampling.motion_adherence import ADHERENCE, GUIDES, MAX_POINTS, GuideSettings, adherence, guides
from ..sampling.motion_nodes import MAX_FRAMES, MAX_SIDE, MotionPlan
from .common import CATEGORY, search_aliases, show_on_node
from .motion_brush import MotionPlanType


class SpacetimeMotionAdherence(io.ComfyNode):
    """How many pixels a video is off its plan."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeMotionAdherence",
            display_name=ADHERENCE,
            category=CATEGORY,
            description="Says how well a video keeps to a motion plan: follows the plan's points through the video and compares where they "
            "are with where they were asked to be. Gives the error in pixels, a table by region, a video of both paths and a plot.",
            search_aliases=search_aliases("SpacetimeMotionAdherence"),
            inputs=[
                MotionPlanType.Input("plan", tooltip="The plan that the video was made with."),
                io.Video.Input("video", tooltip="The finished video, from Spacetime Decode, Load Video or any other node."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The picture that the plan was painted on; needed only where it has another shape than the video.",
                ),
                io.Int.Input(
                    "points",
                    default=COUNT,
                    min=1,
                    max=MAX_POINTS,
                    optional=True,
                    advanced=True,
                    tooltip="How many points are followed at most. More is slower and finer.",
                ),
            ],
            outputs=[
                io.Float.Output(display_name="EPE", tooltip="Mean distance in pixels between asked and found places of what was to move."),
                io.String.Output(display_name="table", tooltip="Mean, median and 90th percentile of the error, for all and by region."),
                io.Video.Output(
                    display_name="overlay", tooltip="The video with asked paths in colour, found paths in white; drawn while it is saved."
                ),
                io.Image.Output(display_name="plot", tooltip="The error of each region over the frames."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, points: Any = None) -> bool:
        """Naming it here leaves its range to `execute`, whose sentence also says what to do."""
        return True

    @classmethod
    def execute(cls, plan: MotionPlan, video: Any, image: Any = None, points: int = COUNT) -> io.NodeOutput:
        result, drawn = adherence(plan, video, image, points)
        text = table(result)
        show_on_node(f"EPE {result.epe:.2f} px", cls.hidden)
        return io.NodeOutput(result.epe, text, drawn, plot(result), ui={"text": (text,)})


class SpacetimeMotionGuides(io.ComfyNode):
    """A plan as circles on a canvas."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeMotionGuides",
            display_name=GUIDES,
            category=CATEGORY,
            description="Draws a motion plan as coloured circles that move on a plain canvas, for control models that read motion from "
            "such a video.",
            search_aliases=search_aliases("SpacetimeMotionGuides"),
            inputs=[
                MotionPlanType.Input("plan", tooltip="The plan of Spacetime Motion Brush or another plan node."),
                _whole("width", 832, MAX_SIDE, "Width of the video in pixels."),
                _whole("height", 480, MAX_SIDE, "Height of the video in pixels."),
                _whole("length", 81, MAX_FRAMES, "Length of the video in frames; the same as the model's."),
                io.Float.Input("fps", default=16.0, min=0.1, max=1000.0, step=0.5, round=0.001, tooltip="Frames per second of the video."),
                _whole("points", 20, MAX_POINTS, "How many circles there are at most, over all regions."),
                io.Float.Input(
                    "radius",
                    default=0.02,
                    min=0.001,
                    max=0.5,
                    step=0.005,
                    round=0.0001,
                    tooltip="Radius of the circles as a part of the shorter side.",
                ),
                io.Combo.Input("canvas", options=list(CANVASES), default="black", tooltip="Colour of the canvas behind the circles."),
                io.Boolean.Input("trails", default=False, tooltip="Whether each circle draws its path up to now behind it."),
            ],
            outputs=[io.Video.Output(display_name="VIDEO", tooltip="The circles, for a control input; drawn while it is read.")],
        )

    @classmethod
    def validate_inputs(
        cls, width: Any = None, height: Any = None, length: Any = None, fps: Any = None, points: Any = None, radius: Any = None
    ) -> bool:
        """Naming them here leaves their ranges to `execute`, whose sentences also say what to do."""
        return True

    @classmethod
    def execute(cls, plan: MotionPlan, **settings: Any) -> io.NodeOutput:
        return io.NodeOutput(guides(plan, GuideSettings(**settings)))


def _whole(name: str, default: int, most: int, tooltip: str) -> io.Int.Input:
    return io.Int.Input(name, default=default, min=1, max=most, tooltip=tooltip)
