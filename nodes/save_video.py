"""Spacetime Save Video."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from comfy_api.latest import io, ui

from ..video.host_save import BIT_DEPTHS, CONTAINER_CHOICES, MAX_QUALITY, SavedFiles, SaveSettings, codec_choices, save, workflow_metadata
from .common import CATEGORY, search_aliases


class SpacetimeSaveVideo(io.ComfyNode):
    """A VIDEO as a file in the output folder, in any codec."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SpacetimeSaveVideo",
            display_name="Spacetime Save Video",
            category=CATEGORY,
            description="Saves a video in the codec and quality you choose, frame by frame, so that its length does not matter. A video "
            "file that has the asked codec already is copied without any loss. Nothing is ever overwritten.",
            search_aliases=search_aliases("SpacetimeSaveVideo"),
            inputs=[
                io.Video.Input("video", tooltip="The video to save."),
                io.String.Input(
                    "filename_prefix",
                    default="video/spacetime",
                    tooltip="Beginning of the file name, with folders inside the output folder if you like. "
                    "May hold %date:yyyy-MM-dd% and the like.",
                ),
                io.Combo.Input(
                    "codec",
                    options=codec_choices(),
                    default="auto",
                    tooltip="h264 plays everywhere, h265 and av1 are smaller, vp9 is for the web, prores is for editing, ffv1 loses "
                    "nothing. auto keeps the codec of a video file and takes h264 for anything else. Encoders of the graphics card are "
                    "listed where this computer has them.",
                ),
                io.Combo.Input(
                    "container", options=list(CONTAINER_CHOICES), default="auto", tooltip="Kind of file. auto takes the codec's usual one."
                ),
                io.Float.Input(
                    "quality",
                    default=75.0,
                    min=0.0,
                    max=MAX_QUALITY,
                    step=1.0,
                    round=0.1,
                    tooltip="0 is the smallest file, 100 the best picture. For prores it chooses the profile; ffv1 needs none.",
                ),
                io.Combo.Input(
                    "bit_depth",
                    options=list(BIT_DEPTHS),
                    default="auto",
                    tooltip="Bits of each colour. 10 keeps smooth gradients smooth; not every player takes it. auto is what the video has.",
                ),
                io.Boolean.Input(
                    "reencode",
                    default=False,
                    advanced=True,
                    tooltip="Encode anew, with the quality above, even a video file that could be copied.",
                ),
                io.Boolean.Input(
                    "contact_sheet", default=False, tooltip="Also save a picture with frames of the whole clip and their times beside it."
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
            outputs=[io.Video.Output(display_name="video", tooltip="The same video, for a further node.")],
        )

    @classmethod
    def validate_inputs(cls, quality: Any = None) -> bool:
        """Naming it here leaves its range to `execute`, whose sentence also says what to do."""
        return True

    @classmethod
    def execute(
        cls,
        video: Any,
        filename_prefix: str,
        codec: str,
        container: str,
        quality: float,
        bit_depth: str,
        contact_sheet: bool,
        reencode: bool = False,
    ) -> io.NodeOutput:
        settings = SaveSettings(codec, container, quality, bit_depth, reencode, contact_sheet)
        saved = save(video, filename_prefix, settings, workflow_metadata(cls.hidden.prompt, cls.hidden.extra_pnginfo))
        return io.NodeOutput(video, ui=_shown(saved))


def _shown(saved: SavedFiles) -> dict[str, Any]:
    """What the page and clients are told: first what plays in the page, then what was saved if that does not."""
    results = [_result(saved.video, saved.subfolder, io.FolderType.output)]
    if saved.preview:
        results.insert(0, _result(saved.preview, "", io.FolderType.temp))
    shown = ui.PreviewVideo(results).as_dict()
    if saved.sheet:
        shown["contact_sheet"] = [_result(saved.sheet, saved.subfolder, io.FolderType.output)]
    return shown


def _result(path: Path, subfolder: str, folder: io.FolderType) -> ui.SavedResult:
    return ui.SavedResult(os.path.basename(path), subfolder, folder)
