"""Spacetime Text Encode."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..sampling.prompt import check_readable, check_text, encode, unknown_words_note
from .common import CATEGORY, search_aliases, show_on_node


class SpacetimeTextEncode(io.ComfyNode):
    """A prompt, and what to avoid, as conditioning."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeTextEncode",
            display_name="Spacetime Text Encode",
            category=CATEGORY,
            description="Turns a prompt, and what the video should not show, into conditioning. Works with the text encoder in "
            "the box, in English and Chinese, and with that of any other model. Words that the encoder in the box does not know are named.",
            search_aliases=search_aliases("SpacetimeTextEncode"),
            inputs=[
                io.Clip.Input("clip", lazy=True, tooltip="The text encoder that belongs to the model."),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    dynamic_prompts=True,
                    default="a red ball rolls across green grass",
                    tooltip="What the video shows and how it moves.",
                ),
                io.String.Input(
                    "negative",
                    multiline=True,
                    dynamic_prompts=True,
                    default="",
                    optional=True,
                    advanced=True,
                    tooltip="What the video should not show. May stay empty.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[
                io.Conditioning.Output(display_name="positive", tooltip="The prompt, for the positive input of a sampler."),
                io.Conditioning.Output(display_name="negative", tooltip="What to avoid, for the negative input of a sampler."),
            ],
        )

    @classmethod
    def check_lazy_status(cls, prompt: str, clip: Any = None, negative: str = "") -> list[str]:
        """Refuse bad text before the text encoder is loaded."""
        check_text(prompt)
        check_text(negative, "negative", may_be_empty=True)
        return ["clip"] if clip is None else []

    @classmethod
    def execute(cls, clip: Any, prompt: str, negative: str = "") -> io.NodeOutput:
        check_readable(clip, prompt)
        check_readable(clip, negative, "negative")
        note = unknown_words_note(clip, prompt, negative)
        if note:
            show_on_node(note, cls.hidden)
        return io.NodeOutput(encode(clip, prompt), encode(clip, negative), ui={"text": (note,)} if note else None)
