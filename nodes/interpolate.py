"""Spacetime Interpolate."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..video.host_interpolate import interpolate_video
from ..video.scenes import DEFAULT_THRESHOLD
from .common import CATEGORY, search_aliases
from .load_interpolation import InterpolationModel

MODES = ["fps", "multiplier"]


class SpacetimeInterpolate(io.ComfyNode):
    """A VIDEO at another frame rate, made while it is saved."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeInterpolate",
            display_name="Spacetime Interpolate",
            category=CATEGORY,
            description="Makes a video smoother: new frames between its own, at any frame rate, with the same length and sound. Works "
            "without a model, or with RIFE. Cuts between shots stay cuts. Frames are made while Save Video writes them, so length costs no "
            "memory.",
            search_aliases=search_aliases("SpacetimeInterpolate"),
            inputs=[
                io.Video.Input("video", tooltip="Any video: from Spacetime Decode, Load Video or another node."),
                io.Combo.Input(
                    "mode",
                    options=MODES,
                    default="fps",
                    tooltip="fps: frames per second as set below. multiplier: a multiple of the video's own rate.",
                ),
                io.Float.Input(
                    "fps",
                    default=60.0,
                    min=0.1,
                    max=1000.0,
                    step=1.0,
                    round=0.001,
                    tooltip="Frames per second of the result, in the mode fps. 29.97 and the like mean the exact broadcast rates "
                    "(30000/1001).",
                ),
                io.Int.Input("multiplier", default=2, min=2, max=64, tooltip="How many times as many frames, in the mode multiplier."),
                io.Float.Input(
                    "cut_threshold",
                    default=DEFAULT_THRESHOLD,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How different two neighbouring frames have to be to count as a cut, which is kept and not blended. Lower "
                    "finds more cuts; 1 finds none.",
                ),
                io.Boolean.Input(
                    "repair_repeats",
                    default=False,
                    tooltip="Replace frames that only repeat the one before (up to 2 in a row), as in animation drawn on twos or a "
                    "stuttering recording, by new ones. Longer pauses stay.",
                ),
                io.Boolean.Input(
                    "loop",
                    default=False,
                    tooltip="Also make frames between the last frame and the first, for a video that plays in a loop.",
                ),
                InterpolationModel.Input(
                    "interp_model",
                    optional=True,
                    tooltip="RIFE from Load Interpolation Model, or any model of Load Frame Interpolation Model. Without one, optical flow "
                    "is used, which needs no download.",
                ),
            ],
            outputs=[io.Video.Output(display_name="VIDEO", tooltip="The smoother video, for Save Video or a further node.")],
        )

    @classmethod
    def validate_inputs(cls, fps: Any = None, multiplier: Any = None, cut_threshold: Any = None) -> bool:
        """Naming them here leaves their range to `execute`, whose sentences also say what to do."""
        return True

    @classmethod
    def execute(
        cls,
        video: Any,
        mode: str,
        fps: float,
        multiplier: int,
        cut_threshold: float,
        repair_repeats: bool,
        loop: bool,
        interp_model: Any = None,
    ) -> io.NodeOutput:
        rate = {"fps": fps} if mode == "fps" else {"multiplier": multiplier}
        return io.NodeOutput(
            interpolate_video(video, **rate, model=interp_model, cut_threshold=cut_threshold, repair_repeats=repair_repeats, loop=loop)
        )
