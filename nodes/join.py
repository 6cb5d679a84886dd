"""Spacetime Join."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..video.host_sound import LONGEST, RATES, SIZES, join_videos
from ..video.resize import WAYS
from .common import CATEGORY, search_aliases

MOST = 50


class SpacetimeJoin(io.ComfyNode):
    """Several VIDEOs in one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        video = io.Video.Input("video", tooltip="A video. They are shown in the order of their numbers.")
        return io.Schema(
            node_id="SpacetimeJoin",
            display_name="Spacetime Join",
            category=CATEGORY,
            description="Puts videos one after the other, with a cut or a cross-fade between them, pictures and sound. Other sizes and "
            "frame rates are brought to one. Nothing is held in memory: frames are made while the result is saved.",
            search_aliases=search_aliases("SpacetimeJoin"),
            inputs=[
                io.Autogrow.Input(
                    "videos",
                    template=io.Autogrow.TemplatePrefix(video, prefix="video", min=2, max=MOST),
                    tooltip="The videos, in order. A new socket appears as you connect.",
                ),
                io.Float.Input(
                    "cross_fade",
                    default=0.0,
                    min=0.0,
                    max=LONGEST,
                    step=0.1,
                    round=0.001,
                    tooltip="Seconds for which one video fades into the next; the result is as much shorter. 0 is a cut.",
                ),
                io.Combo.Input(
                    "size", options=list(SIZES), default="first", tooltip="Whose size the result has: that of the first or of the largest."
                ),
                io.Combo.Input(
                    "other_shapes",
                    options=list(WAYS),
                    default="fit",
                    tooltip="How a video of another shape fills it: fit with black bars, crop at the sides, or stretch.",
                ),
                io.Combo.Input(
                    "frame_rate",
                    options=list(RATES),
                    default="first",
                    tooltip="Whose frame rate the result has: that of the first or the highest. "
                    "Others give their nearest frame, at the same speed.",
                ),
            ],
            outputs=[io.Video.Output(display_name="VIDEO", tooltip="One video of all.")],
        )

    @classmethod
    def validate_inputs(cls, cross_fade: Any = None, videos: Any = None) -> bool:
        """Naming it here leaves its range to `execute`, whose sentence also says what to do. The host always hands on `videos`."""
        return True

    @classmethod
    def execute(cls, videos: dict[str, Any], cross_fade: float, size: str, other_shapes: str, frame_rate: str) -> io.NodeOutput:
        connected = [videos[name] for name in sorted(videos, key=_number) if videos[name] is not None]
        return io.NodeOutput(join_videos(connected, size, other_shapes, frame_rate, cross_fade))


def _number(name: str) -> int:
    """Of a socket, such as 10 of "video10"."""
    return int("".join(filter(str.isdigit, name)) or 0)
