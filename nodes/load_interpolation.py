"""Load Interpolation Model."""

from __future__ import annotations

from comfy_api.latest import io

from ..model_loaders.interpolation import interpolation_files, interpolation_path, load_interpolation
from .common import CATEGORY, search_aliases

InterpolationModel = io.Custom("INTERP_MODEL")


class SpacetimeLoadInterpolationModel(io.ComfyNode):
    """A RIFE checkpoint of any version on the host's own socket."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeLoadInterpolationModel",
            display_name="Load Interpolation Model",
            category=CATEGORY,
            description="Opens a frame interpolation model: RIFE 4.0 to 4.26, the lite and heavy ones too. Which version a file holds is "
            "read from the file; one that is unknown is refused. Its socket is the usual one, so Run Frame Interpolation Model takes it as "
            "well.",
            search_aliases=search_aliases("SpacetimeLoadInterpolationModel"),
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=interpolation_files(),
                    tooltip="A file in the folder models/frame_interpolation: .safetensors, or .pkl and .pth as RIFE's author publishes "
                    "them.",
                )
            ],
            outputs=[InterpolationModel.Output(display_name="INTERP_MODEL", tooltip="The model, for Spacetime Interpolate.")],
        )

    @classmethod
    def execute(cls, model_name: str) -> io.NodeOutput:
        return io.NodeOutput(load_interpolation(interpolation_path(model_name)))

    @classmethod
    def fingerprint_inputs(cls, model_name: str) -> int:
        path = interpolation_path(model_name)
        return path.stat().st_mtime_ns if path.exists() else 0
