"""Spacetime Motion Brush."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..sampling.motion_nodes import (
    DEFAULT_PLAN,
    MAX_FRAMES,
    MAX_SIDE,
    Clip,
    MotionPlan,
    clip_tracks,
    combined,
    moved_mask,
    preview_video,
    read_plan,
)
from .common import CATEGORY, search_aliases

NODE = "Spacetime Motion Brush"
MotionPlanType = io.Custom("SPACETIME_MOTION_PLAN")
MAX_COUNT = 10_000


class SpacetimeMotionBrush(io.ComfyNode):
    """A painted plan as PLAN, TRACKS, MASK and a preview."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeMotionBrush",
            display_name=NODE,
            category=CATEGORY,
            description="Paint parts of a picture and drag where they go; see the motion before anything is generated. The plan then "
            "steers any video model through Spacetime Apply Motion. Without the page the plan is JSON text.",
            search_aliases=search_aliases("SpacetimeMotionBrush"),
            inputs=[
                io.Image.Input("image", optional=True, tooltip="The picture to paint on: the first frame of the video."),
                io.String.Input(
                    "plan",
                    multiline=True,
                    default=DEFAULT_PLAN,
                    tooltip="What moves and how: paint in the editor, or write the motion plan's JSON by hand.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="Pictures of regions, for the plan's shapes of type mask."),
                MotionPlanType.Input(
                    "with_plan", optional=True, tooltip="Another plan that joins the painted one, such as that of Spacetime Camera Motion."
                ),
                _side("width"),
                _side("height"),
                io.Int.Input("length", default=17, min=1, max=MAX_FRAMES, tooltip="Length of the clip in frames; give the model the same."),
                io.Float.Input(
                    "fps", default=16.0, min=0.1, max=1000.0, step=0.5, round=0.001, tooltip="Frames per second of the preview video."
                ),
                io.Int.Input(
                    "points",
                    default=200,
                    min=1,
                    max=MAX_COUNT,
                    optional=True,
                    advanced=True,
                    tooltip="How many points the tracks have at most. Models for tracks were trained with up to 200.",
                ),
            ],
            outputs=[
                MotionPlanType.Output(display_name="PLAN", tooltip="The plan, for Spacetime Apply Motion or Spacetime Combine Plans."),
                io.Tracks.Output(
                    display_name="TRACKS", tooltip="The plan as tracks in pixels, for stock nodes such as WanMoveTrackToVideo."
                ),
                io.Mask.Output(display_name="MASK", tooltip="Where the moving parts are, one mask for each frame."),
                io.Video.Output(display_name="preview", tooltip="The picture's parts, moved as planned; made while it is saved."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, width: Any = None, height: Any = None, length: Any = None, fps: Any = None, points: Any = None) -> bool:
        """Naming them here leaves their ranges to `execute`, whose sentences also say what to do."""
        return True

    @classmethod
    def execute(
        cls,
        plan: str,
        length: int,
        fps: float,
        width: int = 0,
        height: int = 0,
        image: Any = None,
        mask: Any = None,
        with_plan: MotionPlan | None = None,
        points: int = 200,
    ) -> io.NodeOutput:
        value = read_plan(plan, mask, NODE)
        if with_plan is not None:
            value = combined([value, with_plan], NODE)
        if not 1 <= points <= MAX_COUNT:
            raise ValueError(f"{NODE}: expected 1 to {MAX_COUNT:,} points, got {points}; use 200")
        clip = Clip.of(value, image, width, height, length, NODE)
        video = preview_video(clip, fps, NODE)
        tracks = clip_tracks(clip, points, NODE).as_host()
        return io.NodeOutput(value, tracks, moved_mask(clip, NODE), video, ui=_shown(clip.picture))


def _side(name: str) -> io.Int.Input:
    tooltip = f"{name.capitalize()} of the clip in pixels; 0 is the picture's. Other shapes than the picture's crop it in the middle."
    return io.Int.Input(name, default=0, min=0, max=MAX_SIDE, step=16, optional=True, tooltip=tooltip)


def _shown(picture: Any) -> dict[str, Any] | None:
    """The picture for the editor to paint on, under a name of its own: the page would draw `images` a second time, below the editor."""
    if picture is None:
        return None
    saved = ui.ImageSaveHelper.save_images(picture[None], "spacetime_picture", io.FolderType.temp, cls=None, compress_level=1)
    return {"spacetime_picture": saved}
