"""What a person sees in the graph; each node is a schema and a call into the rooms below."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from ..model_loaders.folders import register_weight_folders
from .add_audio import SpacetimeAddAudio
from .decode import SpacetimeDecode
from .denoise import SpacetimeDenoise
from .interpolate import SpacetimeInterpolate
from .join import SpacetimeJoin
from .load_interpolation import SpacetimeLoadInterpolationModel
from .load_tiny import SpacetimeLoadTiny
from .motion_adherence import SpacetimeMotionAdherence, SpacetimeMotionGuides
from .motion_apply import SpacetimeApplyMotion
from .motion_brush import SpacetimeMotionBrush
from .motion_plans import SpacetimeCameraMotion, SpacetimeCombinePlans, SpacetimeLoadMotionPlan, SpacetimePlanFromTracks
from .save_video import SpacetimeSaveVideo
from .text_encode import SpacetimeTextEncode
from .upscale import SpacetimeUpscale


class SpacetimeExtension(ComfyExtension):
    """Everything that the pack adds to the host."""

    async def on_load(self) -> None:
        register_weight_folders()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            SpacetimeLoadTiny,
            SpacetimeTextEncode,
            SpacetimeDenoise,
            SpacetimeDecode,
            SpacetimeLoadInterpolationModel,
            SpacetimeInterpolate,
            SpacetimeUpscale,
            SpacetimeJoin,
            SpacetimeAddAudio,
            SpacetimeSaveVideo,
            SpacetimeMotionBrush,
            SpacetimeLoadMotionPlan,
            SpacetimeCameraMotion,
            SpacetimeCombinePlans,
            SpacetimePlanFromTracks,
            SpacetimeApplyMotion,
            SpacetimeMotionAdherence,
            SpacetimeMotionGuides,
        ]


async def comfy_entrypoint() -> SpacetimeExtension:
    """What the host calls when it loads the pack."""
    return SpacetimeExtension()
