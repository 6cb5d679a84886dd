"""Real clips for benchmarks: those that ship with the host's template packages, or a folder of videos; and OpenCV, to compare with."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from torch import Tensor

TEMPLATE_CLIPS = (
    "api_bytedance_seedance1_5_text_to_video-1",
    "api_happyhorse1_1_i2v-1",
    "api_kling2_6_i2v-1",
    "api_kling_dual_characters_effects-1",
    "api_kling_omni_edit_video-1",
    "api_kling_v3_video-1",
    "api_luma_i2v-1",
    "api_luma_ray3_3_t2v-1",
    "api_runway_gen3a_turbo_image_to_video-1",
    "api_seedance2_0_t2v-1",
    "ltxv_image_to_video-1",
    "video_hunyuan_video_1.5_720p_i2v-1",
    "video_ltx2_3_i2v-1",
    "video_ltx2_i2v_distilled-1",
)
"""Animated previews of ComfyUI's templates: one shot each, with things and cameras that move."""

VIDEOS = (".mp4", ".webm", ".mkv", ".mov", ".webp", ".gif")


def load_clips(folder: str | None, frames: int, side: int) -> dict[str, list[Tensor]]:
    """Name -> frames [1, 3, H, W] float32 in 0..1, an odd number of them, the shorter side at most `side` pixels."""
    found = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in VIDEOS) if folder else _template_clips()
    clips = {path.stem: [_tensor(picture, side) for picture in itertools.islice(_pictures(path), frames)] for path in found}
    return {name: clip[: len(clip) - 1 + len(clip) % 2] for name, clip in clips.items() if len(clip) >= 9}


def opencv() -> Any:
    """The module cv2: the one that is installed, else one fetched into a folder of its own.

    Raises:
        RuntimeError: it cannot be fetched.
    """
    folder = Path(tempfile.gettempdir()) / "spacetime-opencv"
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        return importlib.import_module("cv2")
    except ImportError:
        pass
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), "opencv-python-headless"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"pip could not fetch OpenCV: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    importlib.invalidate_caches()
    return importlib.import_module("cv2")


def _template_clips() -> list[Path]:
    packages = Path(sysconfig.get_paths()["purelib"])
    found = {path.stem: path for path in packages.glob("comfyui_workflow_templates_media_*/templates/*.webp")}
    return [found[name] for name in TEMPLATE_CLIPS if name in found]


def _pictures(path: Path) -> Iterator[Image.Image]:
    if path.suffix.lower() in (".webp", ".gif"):
        with Image.open(path) as animation:
            for number in range(getattr(animation, "n_frames", 1)):
                animation.seek(number)
                yield animation.convert("RGB")
        return
    import av

    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_image()


def _tensor(picture: Image.Image, side: int) -> Tensor:
    ratio = min(1.0, side / min(picture.size))
    size = tuple(round(length * ratio / 2) * 2 for length in picture.size)
    array = numpy.array(picture.resize((size[0], size[1]), Image.Resampling.LANCZOS))
    return torch.from_numpy(array).movedim(-1, 0)[None].float() / 255
