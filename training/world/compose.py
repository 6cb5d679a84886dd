"""Scenes to pictures: backgrounds, things and weather put together, and the truth about every pixel and point.

All work is batched over scenes and frames. Sub-batches are kept small, so memory does not grow with the request.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.world.backdrop import Backdrop, paint_key
from training.world.backgrounds import MARGIN
from training.world.collage import cutout_sprite
from training.world.kinds.canvas import ALPHA, NORMAL_X, OUTLINE, RED, TINT
from training.world.light import light_of
from training.world.motion import PHASES, Camera, Pose, camera_path, cutout_path, thing_path
from training.world.scene import Scene, Thing
from training.world.sprites import level_for, sprite
from training.world.truth import point_tracks
from training.world.vocabulary import COLOURS, KINDS, SIZE_FRACTION
from training.world.weather import fall_weather

FPS = 16.0
PIXELS_AT_ONCE = {"cpu": 17 * 64 * 64 * 24, "cuda": 17 * 64 * 64 * 128}
REACH = 1.28  # drawing units from the middle of a drawing to its farthest point, at most


@dataclass(frozen=True)
class Rendered:
    """Pictures of B scenes over T frames, and what is true of them. N is the largest number of things, P that of points."""

    video: Tensor  # uint8 [B, T, 3, H, W]
    masks: Tensor  # bool [B, T, N, H, W]: where each thing is seen
    tracks: Tensor  # float32 [B, T, P, 2]: x, y in pixels; the middle of the first pixel is (0.5, 0.5)
    visibility: Tensor  # bool [B, T, P]: inside the picture and not covered
    owners: Tensor  # int64 [B, P]: the thing a point lies on, -1 the background, -2 no point (padding)
    depth_order: Tensor  # int64 [B, N]: numbers of the things from back to front, -1 for padding
    camera: Tensor  # float32 [B, T, 2]: zoom about the middle, and pixels the camera has moved to the right


@dataclass(frozen=True)
class _Placed:
    """Poses of one thing in each of b scenes as seen on the screen: float tensors [b, T]."""

    x: Tensor
    y: Tensor
    angle: Tensor
    scale: Tensor
    flip: Tensor  # [b, 1]
    phase: Tensor


@torch.no_grad()
def render(scenes: list[Scene], frames: int, height: int, width: int, device: str | torch.device = "cpu", fps: float = FPS) -> Rendered:
    """Render each scene as `frames` pictures of height x width at `fps` frames per second.

    Same scenes, same request, same machine: same bytes. Raises ValueError when there is nothing to render.
    """
    if not scenes or min(frames, height, width) < 1:
        raise ValueError(
            f"render: expected scenes and a positive size, got {len(scenes)} scenes and {frames} frames of "
            f"{height}x{width}; ask for at least one of each"
        )
    device = torch.device(device)
    times = np.arange(frames) / fps
    count = max(1, *(len(_actors(scene)) for scene in scenes))
    room = PIXELS_AT_ONCE.get(device.type, PIXELS_AT_ONCE["cpu"])
    at_once = max(1, room // (frames * height * width))
    # Scenes of one background are painted together.
    order = sorted(range(len(scenes)), key=lambda number: paint_key(scenes[number]))
    parts = []
    for first in range(0, len(order), at_once):
        chosen = [scenes[number] for number in order[first : first + at_once]]
        parts.append(_render_batch(chosen, times, height, width, count, device, room))
    back = torch.empty(len(order), dtype=torch.long, device=device)
    back[torch.tensor(order, device=device)] = torch.arange(len(order), device=device)
    return Rendered(*(torch.cat(field)[back] for field in zip(*parts)))


def _actors(scene: Scene) -> tuple:
    """Things or cut-outs."""
    return scene.cutouts if scene.style == "collage" else scene.things


def _render_batch(
    scenes: list[Scene], times: np.ndarray, height: int, width: int, count: int, device: torch.device, room: int
) -> tuple[Tensor, ...]:
    cameras = [camera_path(scene, times, width) for scene in scenes]
    backdrop = Backdrop(scenes, cameras, times, height, width, device)
    poses = [_poses(scene, camera, times, height, width) for scene, camera in zip(scenes, cameras)]
    stride = max(1, room // (len(scenes) * height * width))
    video, masks = [], []
    owner_parts = []
    for first in range(0, len(times), stride):
        span = slice(first, min(first + stride, len(times)))
        canvas = backdrop.frames(span)
        owner = torch.zeros(canvas.shape[0], canvas.shape[1], height * width, dtype=torch.uint8, device=device)
        for number in reversed(range(count)):
            _draw_thing(canvas, owner, scenes, poses, cameras, number, span, times, height, width)
        fall_weather(canvas.unflatten(3, (height, width)), scenes, times[span])
        video.append((canvas.clamp_(0, 1) * 255).round_().to(torch.uint8).unflatten(3, (height, width)))
        owner = owner.unflatten(2, (height, width))
        masks.append(torch.stack([owner == number + 1 for number in range(count)], dim=2))
        owner_parts.append(owner)
    tracks, visibility, owners = point_tracks(scenes, poses, backdrop, torch.cat(owner_parts, dim=1), count)
    depth = torch.full((len(scenes), count), -1)
    for row, scene in enumerate(scenes):
        present = len(_actors(scene))
        depth[row, :present] = torch.arange(present - 1, -1, -1)
    camera = np.stack([np.stack((camera.zoom, camera.pan), axis=1) for camera in cameras])
    return (
        torch.cat(video, dim=1),
        torch.cat(masks, dim=1),
        tracks,
        visibility,
        owners,
        depth.to(device),
        torch.from_numpy(camera).float().to(device),
    )


def _poses(scene: Scene, camera: Camera, times: np.ndarray, height: int, width: int) -> list[Pose]:
    """Poses of the things of a scene on the screen."""
    if scene.style == "collage":
        return [cutout_path(cutout, times, height, width) for cutout in scene.cutouts]
    margin = 0.0 if scene.camera == "still" else MARGIN
    return [_through(camera, thing_path(thing, times, height, width, margin), height, width) for thing in scene.things]


def _through(camera: Camera, pose: Pose, height: int, width: int) -> Pose:
    """A pose as the camera sees it."""
    x = width / 2 + camera.zoom * (pose.x - width / 2) - camera.pan
    y = height / 2 + camera.zoom * (pose.y - height / 2)
    return Pose(x, y, pose.angle, pose.scale * camera.zoom, pose.flip, pose.phase)


def _draw_thing(
    canvas: Tensor,
    owner: Tensor,
    scenes: list[Scene],
    poses: list[list[Pose]],
    cameras: list[Camera],
    number: int,
    span: slice,
    times: np.ndarray,
    height: int,
    width: int,
) -> None:
    """Draw thing `number` of every scene that has one into canvas [B, T, 3, H * W] and owner [B, T, H * W]."""
    groups: dict[tuple[str, int], list[int]] = {}
    for row, scene in enumerate(scenes):
        if number < len(poses[row]):
            level = level_for(float(poses[row][number].scale.mean()))
            groups.setdefault((scene.style, level), []).append(row)
    for (style, level), rows in groups.items():
        members = [scenes[row] for row in rows]
        placed = _stack([poses[row][number] for row in rows], span, canvas.device)
        if style == "collage":
            art = torch.stack([cutout_sprite(scene.cutouts[number], level) for scene in members])
            tiles = 1
        else:
            things = [scene.things[number] for scene in members]
            _draw_shadows(canvas, members, things, [cameras[row] for row in rows], placed, rows, span, height, width)
            art = torch.stack([sprite(thing.kind)[level] for thing in things])
            tiles = PHASES
        art = art.to(canvas.device).float() / 255
        colours, lights = _colours_and_lights(members, number, canvas.device)
        _stamp(canvas, owner, rows, art, tiles, placed, colours, lights, number + 1, height, width)


def _stack(poses: list[Pose], span: slice, device: torch.device) -> _Placed:
    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(pose, name)[span] for pose in poses])).float().to(device)

    flip = torch.tensor([[pose.flip] for pose in poses], device=device)
    return _Placed(stacked("x"), stacked("y"), stacked("angle"), stacked("scale"), flip, stacked("phase"))


def _window(centre_x: Tensor, centre_y: Tensor, radius: float, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels around centres [b, T], inside the picture: flat numbers [b, T, K] and their middles x, y [b, T, K]."""
    side = 2 * int(np.ceil(radius)) + 2
    rows, columns = min(side, height), min(side, width)
    top = (centre_y - rows / 2).round().clamp(0, height - rows).nan_to_num().long()[:, :, None]
    left = (centre_x - columns / 2).round().clamp(0, width - columns).nan_to_num().long()[:, :, None]
    step = torch.arange(rows * columns, device=centre_x.device)
    y, x = top + step // columns, left + step % columns
    return y * width + x, x + 0.5, y + 0.5


def _stamp(
    canvas: Tensor,
    owner: Tensor,
    rows: list[int],
    art: Tensor,
    tiles: int,
    placed: _Placed,
    colours: Tensor,
    lights: Tensor,
    label: int,
    height: int,
    width: int,
) -> None:
    """Sample drawings [b, 8, S, tiles * S] at their poses, light them, and lay them over the canvas."""
    radius = float(placed.scale.max()) * REACH + 1
    pixels, x, y = _window(placed.x, placed.y, radius, height, width)
    cos, sin = torch.cos(placed.angle)[..., None], torch.sin(placed.angle)[..., None]
    dx, dy = (x - placed.x[..., None]) / placed.scale[..., None], (y - placed.y[..., None]) / placed.scale[..., None]
    flip = placed.flip[..., None]
    u, v = flip * (cos * dx + sin * dy), cos * dy - sin * dx
    column = (2 * placed.phase[..., None] + 1 + u) / tiles - 1
    grid = torch.stack((torch.where(u.abs() < 1, column, 3.0), v), dim=-1)
    sampled = F.grid_sample(art, grid, mode="bilinear", padding_mode="zeros", align_corners=False)  # [b, 8, T, K]
    alpha = sampled[:, ALPHA]
    colour = _light(sampled, flip, cos, sin, colours, lights)
    index = torch.tensor(rows, device=canvas.device)
    below = canvas[index]
    where = pixels[:, :, None].expand(-1, -1, 3, -1)
    mixed = below.gather(3, where) * (1 - alpha[:, :, None]) + colour.transpose(1, 2)
    canvas[index] = below.scatter_(3, where, mixed)
    owned = owner[index]
    label_here = torch.where(alpha > 0.5, torch.tensor(label, dtype=torch.uint8, device=owner.device), owned.gather(2, pixels))
    owner[index] = owned.scatter_(2, pixels, label_here)


def _light(sampled: Tensor, flip: Tensor, cos: Tensor, sin: Tensor, colours: Tensor, lights: Tensor) -> Tensor:
    """Sampled drawings [b, 8, T, K] -> lit colour times alpha, [b, 3, T, K].

    `colours` [b, 2, 3] are the thing's colour and its outline's; `lights` [b, 3, 3] direction, key and ambient.
    """
    alpha = sampled[:, ALPHA].clamp(min=1e-4)
    normal_x = ((sampled[:, NORMAL_X] * 2 - sampled[:, ALPHA]) / alpha).clamp(-1, 1) * flip
    normal_y = ((sampled[:, NORMAL_X + 1] * 2 - sampled[:, ALPHA]) / alpha).clamp(-1, 1)
    normal_x, normal_y = cos * normal_x - sin * normal_y, sin * normal_x + cos * normal_y
    normal_z = (1 - normal_x**2 - normal_y**2).clamp(min=0.04).sqrt()
    towards = lights[:, 0, :, None, None]
    facing = (normal_x * towards[:, 0] + normal_y * towards[:, 1] + normal_z * towards[:, 2]).clamp(min=0)
    shine = (facing - 0.9).clamp(min=0) * 1.8 * sampled[:, ALPHA]
    tint = sampled[:, TINT, None] * colours[:, 0, :, None, None] + sampled[:, RED:OUTLINE]
    shade = lights[:, 2, :, None, None] + lights[:, 1, :, None, None] * facing[:, None]
    line = sampled[:, OUTLINE, None] * colours[:, 1, :, None, None]
    glint = shine[:, None] * lights[:, 1, :, None, None]
    return torch.minimum(tint * shade + glint, sampled[:, ALPHA, None]) + line * lights[:, 2, :, None, None]


def _colours_and_lights(scenes: list[Scene], number: int, device: torch.device) -> tuple[Tensor, Tensor]:
    colours, lights = [], []
    for scene in scenes:
        if scene.style == "collage":
            colours.append(((0.0,) * 3, (0.0,) * 3))
            lights.append(((0.0, 0.0, 1.0), (0.0,) * 3, (1.0,) * 3))
            continue
        colour = COLOURS[scene.things[number].colour]
        dark = sum(colour) < 0.6
        outline = (0.62, 0.64, 0.72) if dark else (0.38 * colour[0], 0.38 * colour[1], 0.38 * colour[2])
        colours.append((colour, outline))
        light = light_of(scene)
        lights.append((light.towards, light.key, light.ambient))
    return torch.tensor(colours, device=device), torch.tensor(lights, device=device)


def _draw_shadows(
    canvas: Tensor,
    scenes: list[Scene],
    things: list[Thing],
    cameras: list[Camera],
    placed: _Placed,
    rows: list[int],
    span: slice,
    height: int,
    width: int,
) -> None:
    """A soft dark oval on the floor under each thing, fainter and wider the higher the thing is."""
    side = min(height, width)
    floors, widths, heights, strengths = [], [], [], []
    for scene, thing, camera in zip(scenes, things, cameras):
        kind = KINDS[thing.kind]
        half = 0.5 * side * SIZE_FRACTION[thing.size] / max(kind.width, kind.height)
        casts = thing.floor is not None and scene.background != "underwater"
        floor = (thing.floor or 0.0) * height
        floors.append(height / 2 + camera.zoom[span] * (floor - height / 2))
        widths.append(half * kind.width * 0.8)
        heights.append(half * kind.height)
        strengths.append(0.42 * casts if scene.background != "sea" else 0.22 * casts)
    if not any(strengths):
        return
    device = canvas.device
    floor = torch.from_numpy(np.stack(floors)).float().to(device)
    zoom = torch.from_numpy(np.stack([camera.zoom[span] for camera in cameras])).float().to(device)
    half_width, half_height, strength = (torch.tensor(part, device=device)[:, None] for part in (widths, heights, strengths))
    lift = ((floor - placed.y) / zoom - half_height).clamp(min=0) / side
    spread = half_width * zoom * (1 + 0.8 * lift)
    radius = float(spread.max()) * 1.7 + 1
    pixels, x, y = _window(placed.x, floor, radius, height, width)
    oval = ((x - placed.x[..., None]) / spread[..., None]) ** 2 + ((y - floor[..., None]) / (0.24 * spread[..., None])) ** 2
    alpha = torch.exp(-oval.clamp(max=30)) * (strength * torch.exp(-3.5 * lift))[..., None]
    index = torch.tensor(rows, device=device)
    below = canvas[index]
    where = pixels[:, :, None].expand(-1, -1, 3, -1)
    dark = torch.tensor((0.10, 0.10, 0.22), device=device)[:, None]
    canvas[index] = below.scatter_(3, where, torch.lerp(below.gather(3, where), dark.expand(1, 1, 3, 1), alpha[:, :, None]))
