"""Spacetime Denoise."""

from __future__ import annotations

from typing import Any

import comfy.samplers
from comfy_api.latest import io

from ..sampling.denoise import denoise as denoise_clip
from ..sampling.denoise import latent_shape
from ..sampling.model_file import guidance_note
from ..sampling.request import LENGTH_UNITS, MAX_SEED, MAX_SIDE, ClipSize, SamplerSettings
from .common import CATEGORY, search_aliases, show_on_node

SIZE = ("width", "height", "length", "length_unit", "fps")
SETTINGS = ("steps", "cfg", "shift", "sampler_name", "scheduler", "seed", "denoise")


class SpacetimeDenoise(io.ComfyNode):
    """Noise to the latents of a clip, through the host's samplers."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeDenoise",
            display_name="Spacetime Denoise",
            category=CATEGORY,
            description="Makes the latents of a video from conditioning: choose size and length, or connect a latent to start from. "
            "Works with the model in the box and with other flow-matching video models such as Wan. Uses ComfyUI's own samplers.",
            search_aliases=search_aliases("SpacetimeDenoise"),
            inputs=[*_sockets(), *_size_widgets(), *_sampler_widgets()],
            hidden=[io.Hidden.unique_id],
            outputs=[io.Latent.Output(display_name="LATENT", tooltip="The video's latents, for Spacetime Decode or VAE Decode.")],
        )

    @classmethod
    def validate_inputs(
        cls,
        width: Any = None,
        height: Any = None,
        length: Any = None,
        fps: Any = None,
        steps: Any = None,
        cfg: Any = None,
        shift: Any = None,
        seed: Any = None,
        denoise: Any = None,
    ) -> bool:
        """Naming them here leaves their ranges to `check_lazy_status`, whose one sentence also says what to do."""
        return True

    @classmethod
    def check_lazy_status(cls, **inputs: Any) -> list[str]:
        """Refuse bad numbers before any model is loaded, and a bad size as soon as the model is known."""
        size = ClipSize(*(inputs[name] for name in SIZE))
        SamplerSettings(*(inputs[name] for name in SETTINGS)).check()
        waiting: list[str] = [name for name in ("model", "positive", "negative", "latent") if name in inputs and inputs[name] is None]
        if "latent" not in inputs:
            size.check()
            if "model" in waiting:
                return ["model"]
            latent_shape(inputs["model"], size)
        return waiting

    @classmethod
    def execute(cls, model: Any, positive: list, negative: Any = None, latent: Any = None, **inputs: Any) -> io.NodeOutput:
        size = ClipSize(*(inputs[name] for name in SIZE))
        settings = SamplerSettings(*(inputs[name] for name in SETTINGS))
        note = guidance_note(model, settings.cfg) if negative is not None else ""
        if note:
            show_on_node(note, cls.hidden)
        made = denoise_clip(model, positive, size, settings, negative, latent)
        return io.NodeOutput(made, ui={"text": (note,)} if note else None)


def _sockets() -> list[io.Input]:
    return [
        io.Model.Input("model", lazy=True, tooltip="A flow-matching video model, such as the one from Load Spacetime Tiny."),
        io.Conditioning.Input("positive", lazy=True, tooltip="What the video shows."),
        io.Conditioning.Input(
            "negative", lazy=True, optional=True, tooltip="What the video should not show. Without it there is no guidance, as with cfg 1."
        ),
        io.Latent.Input(
            "latent",
            lazy=True,
            optional=True,
            tooltip="Latents to start from, as WanImageToVideo or VAE Encode make them. Width, height and length then come from it.",
        ),
    ]


def _side(name: str) -> io.Int.Input:
    tooltip = f"{name.capitalize()} in pixels, a multiple of 16. The model in the box was trained on 128."
    return io.Int.Input(name, default=128, min=16, max=MAX_SIDE, step=16, tooltip=tooltip)


def _size_widgets() -> list[io.Input]:
    return [
        _side("width"),
        _side("height"),
        io.Float.Input(
            "length",
            default=1.0,
            min=0.0,
            max=86_400.0,
            step=0.25,
            round=0.001,
            tooltip="Length in seconds (rounded to what the model can make), or in frames (1, 5, 9, ... for Wan). "
            "The model in the box was trained on 1 second.",
        ),
        io.Combo.Input("length_unit", options=list(LENGTH_UNITS), default="seconds", tooltip="Whether length counts seconds or frames."),
        io.Float.Input(
            "fps",
            default=16.0,
            min=0.1,
            max=1000.0,
            step=0.5,
            round=0.001,
            tooltip="Frames per second by which seconds become frames. Give Spacetime Decode the same.",
        ),
    ]


def _sampler_widgets() -> list[io.Input]:
    return [
        io.Int.Input("steps", default=20, min=1, max=10_000, tooltip="How many steps from noise to video. More is slower and finer."),
        io.Float.Input(
            "cfg",
            default=5.0,
            min=0.0,
            max=100.0,
            step=0.1,
            round=0.01,
            tooltip="How closely the video follows the prompt. 1 is no guidance and twice as fast.",
        ),
        io.Float.Input(
            "shift",
            default=3.0,
            min=0.01,
            max=100.0,
            step=0.1,
            round=0.001,
            tooltip="More of the steps for coarse structure and motion, fewer for detail. Large models at high resolution want 5 to 8.",
        ),
        io.Combo.Input(
            "sampler_name", options=comfy.samplers.KSampler.SAMPLERS, default="euler", advanced=True, tooltip="The algorithm of each step."
        ),
        io.Combo.Input(
            "scheduler",
            options=comfy.samplers.KSampler.SCHEDULERS,
            default="simple",
            advanced=True,
            tooltip="How the noise levels are spread over the steps.",
        ),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=MAX_SEED,
            control_after_generate=True,
            tooltip="Which random noise to start from. The same seed gives the same video.",
        ),
        io.Float.Input(
            "denoise",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            advanced=True,
            tooltip="How much of a connected latent is made anew: 1 everything, 0 nothing.",
        ),
    ]
