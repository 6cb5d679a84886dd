"""Before a long pull: how much memory and disk it will take, and a refusal in one sentence where there is not that much."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .prefetch import AHEAD
from .stream import FrameStream

_CHUNK_FRAMES = 4
_ENCODER_FRAMES = 80
"""Pictures that an encoder holds (look-ahead, references, one for each thread), in 4:2:0; H.264's defaults, rounded up."""
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)
_BITS_PER_PIXEL = 0.25  # H.264 at its default quality 23, a generous mean over films and drawings
_LOSSLESS_BITS_PER_PIXEL = 12.0


@dataclass(frozen=True)
class Estimate:
    """Bytes that a pull takes at its peak above what is in use before it."""

    ram: int
    device: int
    disk: int


@dataclass(frozen=True)
class Room:
    """Bytes that there are. `device` is None where a CPU computes: it has no memory of its own. `disk` is None where nothing is written."""

    ram: int
    device: int | None
    disk: int | None


def writing(stream: FrameStream, encoding: Any) -> Estimate:
    """What pulling `stream` into a file written as `encoding` (its `crf` is looked at) takes."""
    pixels = stream.width * stream.height
    encoder = _ENCODER_FRAMES * pixels * (3 if getattr(encoding, "bit_depth", 8) > 8 else 2)
    disk = int(stream.frames * pixels * _bits_per_pixel(getattr(encoding, "crf", None), getattr(encoding, "codec", "h264")) / 8)
    return Estimate(_stages(stream, "ram") + _chunks(stream) + encoder, _stages(stream, "device"), disk)


def holding_all(stream: FrameStream) -> Estimate:
    """What pulling all frames of `stream` into one float32 tensor takes."""
    whole = stream.frames * stream.width * stream.height * 12
    return Estimate(_stages(stream, "ram") + _chunks(stream) + whole, _stages(stream, "device"), 0)


def refuse_what_cannot_fit(stream: FrameStream, needed: Estimate, room: Room) -> None:
    """Nothing, if it fits.

    Raises:
        ValueError: one sentence: what is short, how much of it is needed and how much there is, and what to do.
    """
    ram = needed.ram + (needed.device if room.device is None else 0)
    picture = f"{stream.frames} frames of {stream.width}x{stream.height}"
    if ram > room.ram:
        raise ValueError(
            f"{stream.name}: expected {_size(ram)} of free memory for {picture}, got {_size(room.ram)}; "
            "make the video smaller, close other programs, or save it instead of collecting its frames"
        )
    if room.device is not None and needed.device > room.device:
        raise ValueError(
            f"{stream.name}: expected {_size(needed.device)} of memory on the graphics card for {picture}, got {_size(room.device)}; "
            "make the video smaller"
        )
    if room.disk is not None and needed.disk > room.disk:
        raise ValueError(
            f"{stream.name}: expected {_size(needed.disk)} of free disk for {picture}, got {_size(room.disk)}; "
            "free some, or save to another folder"
        )


def told(stream: FrameStream, needed: Estimate, room: Room) -> str:
    """The estimate as a line for the log."""
    parts = [f"{_size(needed.ram)} of memory ({_size(room.ram)} free)"]
    if needed.device:
        parts.append(f"{_size(needed.device)} on the device" + (f" ({_size(room.device)} there)" if room.device is not None else ""))
    if room.disk is not None:
        parts.append(f"{_size(needed.disk)} of disk ({_size(room.disk)} free)")
    return f"{stream.name}: {stream.frames} frames of {stream.width}x{stream.height} will take about {', '.join(parts)}"


def available_ram(groups: Iterable[tuple[str, str, str]] = _CGROUPS) -> int:
    """Bytes that this process may still take: what the machine has free, or less where a container's limit is nearer."""
    available = psutil.virtual_memory().available
    for limit, used, details in groups:
        left = _left_in_group(Path(limit), Path(used), Path(details))
        if left is not None:
            available = min(available, left)
    return available


def free_disk(target: str | os.PathLike[str]) -> int:
    """Bytes free where the file `target` would be written."""
    folder = Path(target).absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return psutil.disk_usage(str(folder)).free


def _left_in_group(limit: Path, used: Path, details: Path) -> int | None:
    """The limit less what is in use; files that are only cached count as free, as the kernel drops them first."""
    try:
        most, taken = int(limit.read_text()), int(used.read_text())  # "max" is no number: no limit
        lines = dict(line.split(maxsplit=1) for line in details.read_text().splitlines())
    except (OSError, ValueError):
        return None
    cached = int(lines.get("total_inactive_file", lines.get("inactive_file", 0)))
    return max(0, most - taken + cached)


def _stages(stream: FrameStream, kind: str) -> int:
    return sum(getattr(stage.needs, kind) for stage in stream.chain())


def _chunks(stream: FrameStream) -> int:
    """Chunks that wait, are being made and are being read, and one between each two stages."""
    chain = stream.chain()
    largest = max(stage.width * stage.height for stage in chain)
    between = sum(stage.width * stage.height for stage in chain)
    return 12 * _CHUNK_FRAMES * ((AHEAD + 2) * largest + between)


def _bits_per_pixel(crf: float | None, codec: str) -> float:
    if any(word in codec for word in ("lossless", "prores", "ffv1")):
        return _LOSSLESS_BITS_PER_PIXEL
    return min(_LOSSLESS_BITS_PER_PIXEL, _BITS_PER_PIXEL * 2 ** ((23 - (23 if crf is None else crf)) / 6))


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
