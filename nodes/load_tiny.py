"""Load Spacetime Tiny."""

from __future__ import annotations

from comfy_api.latest import io

from ..model_loaders.clip import load_clip
from ..model_loaders.diffusion import load_model
from ..model_loaders.folders import BOX_FILES, weight_files, weight_path
from ..model_loaders.vae import load_vae
from .common import CATEGORY, search_aliases


class SpacetimeLoadTiny(io.ComfyNode):
    """The model in the box, or a continued training of it, as three native sockets."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeLoadTiny",
            display_name="Load Spacetime Tiny",
            category=CATEGORY,
            description="Loads the small video model that comes with Spacetime: nothing to download, fast on a CPU. "
            "Its sockets are the usual ones, so every other node takes them.",
            search_aliases=search_aliases("SpacetimeLoadTiny"),
            inputs=[
                _files(
                    "model_name",
                    "diffusion_models",
                    "The video diffusion model. Leave it for the model in the box; "
                    "the one with 8 steps in its name wants 8 steps and a cfg of 1.",
                ),
                _files("text_encoder_name", "text_encoders", "The text encoder that the diffusion model was trained with."),
                _files("vae_name", "vae", "The video VAE that the diffusion model was trained with."),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The video diffusion model, for Spacetime Denoise or any sampler."),
                io.Clip.Output(display_name="CLIP", tooltip="The text encoder, for Spacetime Text Encode or CLIP Text Encode."),
                io.Vae.Output(
                    display_name="VAE", tooltip="The video VAE, for Spacetime Decode, VAE Decode, or Wan nodes that take pictures."
                ),
            ],
        )

    @classmethod
    def execute(cls, model_name: str, text_encoder_name: str, vae_name: str) -> io.NodeOutput:
        return io.NodeOutput(
            load_model(weight_path("diffusion_models", model_name)),
            load_clip(weight_path("text_encoders", text_encoder_name)),
            load_vae(weight_path("vae", vae_name)),
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str, text_encoder_name: str, vae_name: str) -> list[int]:
        chosen = zip(("diffusion_models", "text_encoders", "vae"), (model_name, text_encoder_name, vae_name), strict=True)
        paths = [weight_path(folder, name) for folder, name in chosen]
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in paths]


def _files(name: str, folder: str, tooltip: str) -> io.Combo.Input:
    """A choice among the safetensors files of one of the host's folders, the box's by default."""
    return io.Combo.Input(name, options=weight_files(folder), default=BOX_FILES[folder], optional=False, advanced=True, tooltip=tooltip)
