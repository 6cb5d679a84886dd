"""The work of the motion nodes: plans from text, files and tracks, several as one; a plan -> TRACKS, MASK and a preview video."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..motion.compose import combine
from ..motion.framing import Framing, framing
from ..motion.from_tracks import plan_from_tracks, tracks_from_coordinates
from ..motion.plan import VERSION, Box, Mask, Plan, PlanError, Region, from_data, from_json
from ..motion.tracks import plan_tracks
from ..motion.warp import WarpedFrame, warp
from ..video.host_video import LazyVideo
from ..video.stream import FrameStream, Needs, frame_rate, skipping

MAX_SIDE = 8192
MAX_FRAMES = 100_000
MAX_MASK = 255
TYPED = "none"
"""What the list of plan files says where the plan is typed."""
DEFAULT_PLAN = """{
  "version": 1,
  "regions": [
    {
      "name": "middle",
      "shapes": [{"type": "ellipse", "box": [0.3, 0.3, 0.4, 0.4]}],
      "motion": {"path": {"points": [[0.5, 0.5], [0.7, 0.5]]}, "easing": "ease-in-out"}
    }
  ]
}"""


@dataclass(frozen=True)
class MotionPlan:
    """What the PLAN sockets carry: a plan and the masks [B, h, w], 0 to 1, that its regions of type `mask` speak of."""

    plan: Plan
    masks: np.ndarray | None = None


@contextlib.contextmanager
def refusing(node: str) -> Iterator[None]:
    """Say which node refuses, where the sentence of a plan, which cannot know it, or of anything else does not.

    Raises:
        ValueError: in place of one that does not begin with `node`, a PlanError among them.
    """
    try:
        yield
    except ValueError as error:
        text = str(error)
        if text.startswith(node):
            raise
        raise ValueError(f"{node}: {text}" + ("" if "; " in text else "; correct the plan")) from error


def read_plan(text: str, mask: Tensor | None, node: str) -> MotionPlan:
    """A plan from its JSON text, with the host's MASK ([B, h, w] or [h, w]) for its mask regions."""
    with refusing(node):
        plan = from_json(text)
    return MotionPlan(plan, None if mask is None else _masks_of(mask, node))


def plan_files() -> list[str]:
    """The .json files of the host's input folder, by name."""
    folder = Path(folder_paths.get_input_directory())
    return sorted(path.name for path in folder.glob("*.json") if path.is_file())


def plan_file(name: str, node: str) -> Path:
    """A .json file of the host's input folder.

    Raises:
        ValueError: it is not there, or not in that folder.
    """
    folder = Path(folder_paths.get_input_directory()).resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or path.suffix.lower() != ".json" or not path.is_file():
        raise ValueError(f"{node}: expected a .json file in ComfyUI's input folder, got '{name}'; put the plan there or paste its text")
    return path


def load_plan(text: str, file: str, mask: Tensor | None, node: str) -> MotionPlan:
    """The plan in a file of the input folder, or in the text where no file is chosen."""
    if file in ("", TYPED):
        return read_plan(text, mask, node)
    try:
        written = plan_file(file, node).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{node}: expected JSON in UTF-8 in '{file}', got other bytes; save the plan again") from None
    return read_plan(written, mask, node)


def combined(plans: Sequence[MotionPlan], node: str) -> MotionPlan:
    """Several plans as one; each keeps the masks that it came with."""
    if not plans:
        raise ValueError(f"{node}: expected at least one plan, got none; connect a Spacetime Motion Brush")
    shifted: list[Plan] = []
    masks: list[np.ndarray] = []
    for value in plans:
        with refusing(node):
            shifted.append(_with_masks_from(value.plan, sum(len(mask) for mask in masks)))
        if value.masks is not None:
            masks.append(value.masks)
    with refusing(node):
        plan = combine(shifted)
    return MotionPlan(plan, _stacked(masks))


@dataclass(frozen=True)
class CameraSettings:
    """What Camera Motion's widgets say; units and ranges as in the plan."""

    pan_x: float
    pan_y: float
    zoom: float
    roll: float
    start: float
    end: float
    easing: str


def camera_plan(settings: CameraSettings, node: str) -> MotionPlan:
    """A plan in which only the camera moves: it pans, then zooms, then rolls, all at the same time."""
    timing: dict[str, Any] = {"start": settings.start, "end": settings.end, "easing": settings.easing}
    if not 0 <= settings.start < settings.end <= 1:
        raise ValueError(
            f"{node}: expected a start before the end, both 0 to 1, got {settings.start:g} and {settings.end:g}; use 0 and 1 for the clip"
        )
    if not 0.02 <= settings.zoom <= 50:
        raise ValueError(f"{node}: expected a zoom of 0.02 to 50, got {settings.zoom:g}; 1 is no zoom, 2 twice as close")
    moves: list[dict[str, Any]] = []
    if settings.pan_x or settings.pan_y:
        moves.append({"type": "pan", "x": settings.pan_x, "y": settings.pan_y, **timing})
    if settings.zoom != 1:
        moves.append({"type": "zoom", "factor": settings.zoom, **timing})
    if settings.roll:
        moves.append({"type": "roll", "degrees": settings.roll, **timing})
    with refusing(node):
        return MotionPlan(from_data({"version": VERSION, "camera": moves}))


def plan_of_tracks(
    tracks: dict[str, Tensor] | None, coordinates: str, size: tuple[int, int], tolerance: float, radius: float, node: str
) -> MotionPlan:
    """A plan from the host's TRACKS or from coordinate JSON, both in pixels of a picture of `size` (width, height)."""
    _check_size(*size, 1, node)
    if (tracks is None) == (not coordinates.strip()):
        got = "neither" if tracks is None else "both"
        raise ValueError(f"{node}: expected either tracks or coordinates, got {got}; connect tracks, or paste what a path editor wrote")
    if not 0.01 <= tolerance <= 1000 or not 0.0005 <= radius <= 1:
        got = f"{tolerance:g} and {radius:g}"
        raise ValueError(f"{node}: expected a tolerance of 0.01 to 1000 and a radius of 0.0005 to 1, got {got}; use 0.5 and 0.02")
    with refusing(node):
        if tracks is None:
            arrays: tuple[np.ndarray, np.ndarray | None] = tracks_from_coordinates(coordinates)
        else:
            arrays = _arrays(tracks, node)
        return MotionPlan(plan_from_tracks(*arrays, *size, tolerance=tolerance, radius=radius))


@dataclass(frozen=True)
class Clip:
    """A plan on a picture in a clip: `picture` [H, W, 3], 0 to 1, or None for an empty one of the clip's size."""

    value: MotionPlan
    picture: Tensor | None
    framing: Framing
    frames: int

    @classmethod
    def of(cls, value: MotionPlan, image: Tensor | None, width: int, height: int, frames: int, node: str) -> Clip:
        """The clip for an IMAGE (its first picture) or without one; a width or height of 0 is the picture's.

        Raises:
            ValueError: one sentence that begins with `node`.
        """
        picture = None if image is None else first_picture(image, node)
        if picture is None and not (width and height):
            raise ValueError(f"{node}: expected a picture or a width and height, got neither; connect a picture or set both")
        own = (width, height) if picture is None else (picture.shape[1], picture.shape[0])
        target = (width or own[0], height or own[1])
        _check_size(*target, frames, node)
        return cls(value, picture, framing(own, target), frames)


def first_picture(image: Tensor, node: str) -> Tensor:
    """The first picture of an IMAGE as [H, W, 3] float32 on the CPU."""
    if image.ndim != 4 or 0 in image.shape or image.shape[-1] < 3:
        raise ValueError(f"{node}: expected a picture [B, H, W, 3], got {list(image.shape)}; connect Load Image")
    return image[0, ..., :3].float().cpu()


@dataclass(frozen=True)
class ClipTracks:
    """A plan's tracks in a clip: `points` [T, N, 2] clip pixels, `visible` [T, N], `strength` and `owner` [N]."""

    points: Tensor
    visible: Tensor
    strength: Tensor
    owner: Tensor

    def as_host(self) -> dict[str, Tensor]:
        """The host's TRACKS."""
        return {"track_path": self.points, "track_visibility": self.visible}


def clip_tracks(clip: Clip, count: int, node: str) -> ClipTracks:
    """The tracks of a clip: compiled on the whole picture, then cropped as the picture is."""
    with refusing(node):
        found = plan_tracks(
            clip.value.plan,
            *clip.framing.source,
            clip.frames,
            count,
            clip.value.masks,
            comfy.model_management.throw_exception_if_processing_interrupted,
        )
    points = clip.framing.placed(found.points)
    visible = found.visible & clip.framing.shows(points)
    return ClipTracks(*(torch.from_numpy(np.ascontiguousarray(array)) for array in (points, visible, found.strength, found.owner)))


def crude_video(clip: Clip, node: str) -> Iterator[WarpedFrame]:
    """The crude moved video of a clip, frame by frame, in the clip's size; the first frame's picture is the host's own crop of it."""
    with refusing(node):
        frames = warp(
            clip.value.plan,
            _covering_picture(clip),
            clip.frames,
            clip.value.masks,
            comfy.model_management.throw_exception_if_processing_interrupted,
        )
    window = clip.framing.window
    return (WarpedFrame(*(part[window] for part in (frame.picture, frame.mask, frame.labels, frame.known))) for frame in frames)


def moved_mask(clip: Clip, node: str) -> Tensor:
    """A MASK [T, H, W]: how much of each pixel shows what moves by itself, in each frame; what the camera alone moves is not in it."""
    width, height = clip.framing.target
    moving = torch.tensor([part.moves for part in clip.value.plan.shown], dtype=torch.bool)
    mask = torch.zeros(clip.frames, height, width)
    if bool(moving.any()):
        for number, frame in enumerate(crude_video(clip, node)):
            shown = moving[frame.labels.long().clamp(min=0)] & (frame.labels >= 0)
            mask[number] = frame.mask * shown
    return mask


def preview_video(clip: Clip, fps: float, node: str) -> LazyVideo:
    """The crude moved video as a VIDEO; its frames are made when somebody reads them."""
    rate: Fraction = frame_rate(fps, node)
    width, height = clip.framing.target

    def make_chunks(first: int) -> Iterator[Tensor]:
        return skipping((frame.picture[None] for frame in crude_video(clip, node)), first)

    wide, high = clip.framing.covering
    held = 4 * wide * high * 4 * (4 + 2 * len(clip.value.plan.shown))
    return LazyVideo(FrameStream(node, width, height, clip.frames, rate, make_chunks, needs=Needs(ram=held)))


def cropped_picture(clip: Clip) -> Tensor:
    """The clip's first frame [H, W, 3], by the host's own resize."""
    assert clip.picture is not None
    moved = comfy.utils.common_upscale(clip.picture[None].movedim(-1, 1), *clip.framing.target, "bilinear", "center")
    return moved.movedim(1, -1)[0].clamp(0, 1)


def _covering_picture(clip: Clip) -> Tensor:
    wide, high = clip.framing.covering
    if clip.picture is None:
        return _checkerboard(wide, high)
    whole = functional.interpolate(clip.picture.movedim(-1, 0)[None], size=(high, wide), mode="bilinear")[0].movedim(0, -1)
    whole = whole.clamp(0, 1).clone()
    whole[clip.framing.window] = cropped_picture(clip)
    return whole


def _checkerboard(width: int, height: int) -> Tensor:
    """Something to see the motion on where there is no picture, [H, W, 3]."""
    side = max(1, min(width, height) // 12)
    across, down = torch.arange(width) // side, torch.arange(height) // side
    fields = ((across[None] + down[:, None]) % 2).float()
    return (0.35 + 0.3 * fields)[..., None].repeat(1, 1, 3)


def _check_size(width: int, height: int, frames: int, node: str) -> None:
    for name, value, most in (("width", width, MAX_SIDE), ("height", height, MAX_SIDE), ("length", frames, MAX_FRAMES)):
        if not 1 <= value <= most:
            unit = "frames" if name == "length" else "pixels"
            raise ValueError(f"{node}: expected a {name} of 1 to {most:,} {unit}, got {value}; use {17 if name == 'length' else 128}")


def _masks_of(mask: Tensor, node: str) -> np.ndarray:
    masks = mask[None] if mask.ndim == 2 else mask
    if masks.ndim != 3 or 0 in masks.shape:
        raise ValueError(f"{node}: expected a mask [B, H, W], got {list(mask.shape)}; connect a MASK")
    return masks.float().cpu().clamp(0, 1).numpy()


def _stacked(masks: list[np.ndarray]) -> np.ndarray | None:
    """All masks as one [B, h, w], in the size of the largest."""
    if not masks:
        return None
    high, wide = max((mask.shape[1:] for mask in masks), key=math.prod)
    sized = [functional.interpolate(torch.from_numpy(mask)[None], size=(high, wide), mode="nearest-exact")[0].numpy() for mask in masks]
    return np.concatenate(sized)


def _with_masks_from(plan: Plan, first: int) -> Plan:
    """The plan with the numbers of its masks counted from `first`."""
    if first == 0:
        return plan

    def moved(part: Any) -> Any:
        if any(isinstance(shape, Mask) and shape.index + first > MAX_MASK for shape in part.shapes):
            raise PlanError("masks", f"expected at most {MAX_MASK + 1} masks in all plans together, got more; combine fewer")
        shapes = [dataclasses.replace(shape, index=shape.index + first) if isinstance(shape, Mask) else shape for shape in part.shapes]
        return dataclasses.replace(part, shapes=tuple(shapes))

    regions: tuple[Region, ...] = tuple(moved(part) for part in plan.regions)
    boxes: tuple[Box, ...] = tuple(moved(part) for part in plan.boxes)
    return dataclasses.replace(plan, regions=regions, boxes=boxes)


def _arrays(tracks: dict[str, Tensor], node: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Points [T, N, 2] and visibility [T, N] of the host's TRACKS, whose visibility may be missing or have one column for all."""
    path = tracks.get("track_path") if isinstance(tracks, dict) else None
    if not isinstance(path, Tensor) or path.ndim != 3 or path.shape[-1] != 2:
        got = list(path.shape) if isinstance(path, Tensor) else type(path).__name__
        raise ValueError(f"{node}: expected tracks with a path [frames, points, 2], got {got}; connect a TRACKS output")
    points = path.float().cpu().numpy()
    seen = tracks.get("track_visibility")
    if seen is None:
        return points, None
    flags = (seen if seen.ndim == 2 else seen[:, None]).cpu().numpy() > 0
    if flags.shape[0] != points.shape[0] or flags.shape[1] not in (1, points.shape[1]):
        raise ValueError(f"{node}: expected a visibility {list(points.shape[:2])}, got {list(flags.shape)}; connect a TRACKS output")
    return points, np.broadcast_to(flags, points.shape[:2])
