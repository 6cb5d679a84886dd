"""Nodes that make motion plans without painting: load, camera, combine, from tracks."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..sampling.motion_nodes import (
    DEFAULT_PLAN,
    MAX_SIDE,
    TYPED,
    CameraSettings,
    MotionPlan,
    camera_plan,
    combined,
    first_picture,
    load_plan,
    plan_file,
    plan_files,
    plan_of_tracks,
)
from .common import CATEGORY, search_aliases
from .motion_brush import MotionPlanType

EASINGS = ["linear", "ease", "ease-in", "ease-out", "ease-in-out"]


class SpacetimeLoadMotionPlan(io.ComfyNode):
    """A plan from text or a file."""

    NAME = "Spacetime Load Motion Plan"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeLoadMotionPlan",
            display_name=cls.NAME,
            category=CATEGORY,
            description="A motion plan from pasted JSON or from a .json file in ComfyUI's input folder, checked before anything runs.",
            search_aliases=search_aliases("SpacetimeLoadMotionPlan"),
            inputs=[
                io.String.Input(
                    "text", multiline=True, default=DEFAULT_PLAN, tooltip="The motion plan's JSON; used where no file is chosen."
                ),
                io.Combo.Input(
                    "file",
                    options=[TYPED, *plan_files()],
                    default=TYPED,
                    optional=True,
                    tooltip="A .json file of the input folder, instead of the text.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="Pictures of regions, for the plan's shapes of type mask."),
            ],
            outputs=[
                MotionPlanType.Output(display_name="PLAN", tooltip="The plan, for Spacetime Apply Motion or Spacetime Combine Plans.")
            ],
        )

    @classmethod
    def validate_inputs(cls, file: Any = None) -> bool:
        """Naming it here leaves the check to `execute`, whose sentence also says what to do."""
        return True

    @classmethod
    def fingerprint_inputs(cls, text: str = "", file: str = TYPED, mask: Any = None) -> int:
        try:
            return 0 if file in ("", TYPED) else plan_file(file, cls.NAME).stat().st_mtime_ns
        except (ValueError, OSError):
            return 0

    @classmethod
    def execute(cls, text: str, file: str = TYPED, mask: Any = None) -> io.NodeOutput:
        return io.NodeOutput(load_plan(text, file, mask, cls.NAME))


class SpacetimeCameraMotion(io.ComfyNode):
    """A plan in which the camera moves."""

    NAME = "Spacetime Camera Motion"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeCameraMotion",
            display_name=cls.NAME,
            category=CATEGORY,
            description="Pans, zooms and rolls the camera, alone or on top of a painted plan.",
            search_aliases=search_aliases("SpacetimeCameraMotion"),
            inputs=[
                MotionPlanType.Input("plan", optional=True, tooltip="A plan that the camera move is added to."),
                _number("pan_x", 0.0, -10, 10, "How far the camera goes right, in picture widths. What it sees goes left."),
                _number("pan_y", 0.0, -10, 10, "How far the camera goes down, in picture heights. What it sees goes up."),
                _number("zoom", 1.0, 0.02, 50, "How much closer it is at the end: 1 not at all, 2 twice, 0.5 farther away."),
                _number("roll", 0.0, -36_000, 36_000, "How far the camera turns clockwise, in degrees.", step=1.0),
                _number("start", 0.0, 0, 1, "When the move starts, as a part of the clip."),
                _number("end", 1.0, 0, 1, "When the move ends, as a part of the clip."),
                io.Combo.Input("easing", options=EASINGS, default="ease-in-out", tooltip="Whether it sets off and stops softly."),
            ],
            outputs=[MotionPlanType.Output(display_name="PLAN", tooltip="The plan with the camera move.")],
        )

    @classmethod
    def validate_inputs(
        cls, pan_x: Any = None, pan_y: Any = None, zoom: Any = None, roll: Any = None, start: Any = None, end: Any = None
    ) -> bool:
        """Naming them here leaves their ranges to `execute`, whose sentences also say what to do."""
        return True

    @classmethod
    def execute(
        cls,
        pan_x: float,
        pan_y: float,
        zoom: float,
        roll: float,
        start: float,
        end: float,
        easing: str,
        plan: MotionPlan | None = None,
    ) -> io.NodeOutput:
        camera = camera_plan(CameraSettings(pan_x, pan_y, zoom, roll, start, end, easing), cls.NAME)
        return io.NodeOutput(camera if plan is None else combined([plan, camera], cls.NAME))


class SpacetimeCombinePlans(io.ComfyNode):
    """Several plans as one."""

    NAME = "Spacetime Combine Plans"

    @classmethod
    def define_schema(cls) -> io.Schema:
        others = ("second", "third", "fourth")
        return io.Schema(
            node_id="SpacetimeCombinePlans",
            display_name=cls.NAME,
            category=CATEGORY,
            description="Puts up to four motion plans together: all their regions, boxes and camera moves. Later plans lie in front.",
            search_aliases=search_aliases("SpacetimeCombinePlans"),
            inputs=[
                MotionPlanType.Input("first", tooltip="The plan that lies behind the others; its seed counts."),
                *(MotionPlanType.Input(name, optional=True, tooltip=f"The {name} plan, in front of those before it.") for name in others),
            ],
            outputs=[MotionPlanType.Output(display_name="PLAN", tooltip="All plans as one.")],
        )

    @classmethod
    def execute(
        cls, first: MotionPlan, second: MotionPlan | None = None, third: MotionPlan | None = None, fourth: MotionPlan | None = None
    ) -> io.NodeOutput:
        return io.NodeOutput(combined([plan for plan in (first, second, third, fourth) if plan is not None], cls.NAME))


class SpacetimePlanFromTracks(io.ComfyNode):
    """A plan from TRACKS or coordinates."""

    NAME = "Spacetime Plan from Tracks"

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimePlanFromTracks",
            display_name=cls.NAME,
            category=CATEGORY,
            description="Turns tracks, or the coordinates that path editors write, into a motion plan: points that go together become one "
            "region with its path.",
            search_aliases=search_aliases("SpacetimePlanFromTracks"),
            inputs=[
                io.Tracks.Input("tracks", optional=True, tooltip="Tracks of a stock node, in pixels."),
                io.String.Input(
                    "coordinates",
                    multiline=True,
                    default="",
                    optional=True,
                    tooltip="Instead of tracks: JSON such as that of spline and path editors, one or more lists of x and y in pixels.",
                ),
                io.Image.Input(
                    "image", optional=True, tooltip="The picture that the pixels belong to; then width and height are not needed."
                ),
                _pixels("width"),
                _pixels("height"),
                _number("tolerance", 0.5, 0.01, 1000, "How far a region's path may be from its points' tracks, in pixels."),
                _number("radius", 0.02, 0.0005, 1, "Radius of the dot painted for each point, as a part of the picture's shorter side."),
            ],
            outputs=[
                MotionPlanType.Output(display_name="PLAN", tooltip="The plan, for Spacetime Apply Motion or Spacetime Combine Plans.")
            ],
        )

    @classmethod
    def validate_inputs(cls, width: Any = None, height: Any = None, tolerance: Any = None, radius: Any = None) -> bool:
        """Naming them here leaves their ranges to `execute`, whose sentences also say what to do."""
        return True

    @classmethod
    def execute(
        cls,
        width: int,
        height: int,
        tolerance: float,
        radius: float,
        tracks: Any = None,
        coordinates: str = "",
        image: Any = None,
    ) -> io.NodeOutput:
        if image is not None:
            height, width = first_picture(image, cls.NAME).shape[:2]
        return io.NodeOutput(plan_of_tracks(tracks, coordinates, (width, height), tolerance, radius, cls.NAME))


def _number(name: str, default: float, least: float, most: float, tooltip: str, step: float = 0.01) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=least, max=most, step=step, round=0.0001, tooltip=tooltip)


def _pixels(name: str) -> io.Int.Input:
    tooltip = f"{name.capitalize()} of the picture that the pixels belong to."
    return io.Int.Input(name, default=832 if name == "width" else 480, min=1, max=MAX_SIDE, tooltip=tooltip)
