"""Spacetime Add Audio."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..video.host_sound import LONGEST, LOUDEST, add_audio
from ..video.score import Score
from .common import CATEGORY, search_aliases

EXISTING = ("replace", "mix")


class SpacetimeAddAudio(io.ComfyNode):
    """A sound under a VIDEO."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeAddAudio",
            display_name="Spacetime Add Audio",
            category=CATEGORY,
            description="Lays music or a voice under a video, to the video's exact length. The pictures are not touched: those of a video "
            "file are copied when it is saved, without any loss.",
            search_aliases=search_aliases("SpacetimeAddAudio"),
            inputs=[
                io.Video.Input("video", tooltip="The video that gets the sound."),
                io.Audio.Input("audio", tooltip="The sound, from Load Audio or any node that makes one."),
                _seconds("start", "How far into the video the sound begins, in seconds."),
                _seconds("skip", "How much of the beginning of the sound is left out, in seconds."),
                io.Boolean.Input("loop", default=False, tooltip="Repeat the sound until the video ends."),
                _seconds("fade_in", "For how long the sound rises from silence, in seconds."),
                _seconds("fade_out", "For how long the sound falls into silence at its end, in seconds."),
                io.Float.Input(
                    "volume",
                    default=1.0,
                    min=0.0,
                    max=LOUDEST,
                    step=0.05,
                    round=0.001,
                    tooltip="How loud: 1 as it is, 0.5 half the amplitude, 0 silent.",
                ),
                io.Combo.Input(
                    "existing_sound",
                    options=list(EXISTING),
                    default="replace",
                    tooltip="What happens to the sound that the video has: replace drops it, mix lets both be heard.",
                ),
            ],
            outputs=[io.Video.Output(display_name="VIDEO", tooltip="The video with the sound.")],
        )

    @classmethod
    def validate_inputs(cls, start: Any = None, skip: Any = None, fade_in: Any = None, fade_out: Any = None, volume: Any = None) -> bool:
        """Naming them here leaves their ranges to `execute`, whose sentence also says what to do."""
        return True

    @classmethod
    def execute(
        cls,
        video: Any,
        audio: dict[str, Any],
        start: float,
        skip: float,
        loop: bool,
        fade_in: float,
        fade_out: float,
        volume: float,
        existing_sound: str,
    ) -> io.NodeOutput:
        return io.NodeOutput(add_audio(video, audio, Score(start, skip, loop, fade_in, fade_out, volume, existing_sound == "mix")))


def _seconds(name: str, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=0.0, min=0.0, max=LONGEST, step=0.1, round=0.001, tooltip=tooltip)
