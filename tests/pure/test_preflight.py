"""What a pull will take is known before it begins, and refused in one sentence where it cannot fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import psutil
import pytest
import torch
from rooms.video.encode import Encoding
from rooms.video.preflight import Estimate, Room, available_ram, free_disk, holding_all, refuse_what_cannot_fit, told, writing
from rooms.video.stream import FrameStream, Needs

GB = 10**9


def never(first: int) -> Iterator[torch.Tensor]:
    raise AssertionError("an estimate makes no frames")


def stream(frames: int = 1440, width: int = 1280, height: int = 720) -> FrameStream:
    return FrameStream("Spacetime Thing", width, height, frames, Fraction(24), never)


def test_memory_does_not_depend_on_the_length_and_disk_does() -> None:
    short, long = writing(stream(100), Encoding()), writing(stream(1000), Encoding())
    assert short.ram == long.ram < 1.5 * GB
    assert long.disk == pytest.approx(10 * short.disk, rel=1e-3)


def test_what_each_stage_needs_is_added() -> None:
    def passing(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        yield from chunks

    base = writing(stream(), Encoding())
    more = stream().then("More", passing, needs=Needs(ram=2 * GB, device=3 * GB))
    both = writing(more.then("And more", passing, needs=Needs(ram=GB)), Encoding())
    assert both.ram - base.ram >= 3 * GB and both.device == 3 * GB


def test_holding_all_frames_is_said_to_take_all_of_them() -> None:
    assert holding_all(stream()).ram >= 1440 * 1280 * 720 * 12


def test_better_quality_takes_more_disk() -> None:
    sizes = [writing(stream(), replace(Encoding(), crf=crf)).disk for crf in (40, None, 10, 0)]
    assert sizes == sorted(sizes) and sizes[-1] <= 1440 * 1280 * 720 * 1.5


@pytest.mark.parametrize(
    ("needed", "room", "sentence"),
    [
        (
            Estimate(4 * GB, 0, 0), Room(3 * GB, None, None),
            "Spacetime Thing: expected 4.0 GB of free memory for 1440 frames of 1280x720, got 3.0 GB; make the video smaller",
        ),
        (Estimate(GB, 3 * GB, 0), Room(3 * GB, None, None), "Spacetime Thing: expected 4.0 GB of free memory"),
        (
            Estimate(GB, 30 * GB, 0), Room(3 * GB, 24 * GB, None),
            "Spacetime Thing: expected 30.0 GB of memory on the graphics card for 1440 frames of 1280x720, got 24.0 GB; make",
        ),
        (
            Estimate(GB, 0, 2 * GB), Room(3 * GB, None, GB // 2),
            "Spacetime Thing: expected 2.0 GB of free disk for 1440 frames of 1280x720, got 500 MB; free some",
        ),
    ],
)  # fmt: skip
def test_what_cannot_fit_is_refused(needed: Estimate, room: Room, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        refuse_what_cannot_fit(stream(), needed, room)
    assert str(caught.value).startswith(sentence) and "\n" not in str(caught.value)


def test_what_fits_is_told() -> None:
    needed, room = Estimate(GB, 2 * GB, GB), Room(3 * GB, 3 * GB, 2 * GB)
    refuse_what_cannot_fit(stream(), needed, room)
    line = told(stream(), needed, room)
    assert all(part in line for part in ("Spacetime Thing", "1.0 GB of memory (3.0 GB free)", "2.0 GB on the device", "1.0 GB of disk"))


@pytest.mark.parametrize("cached", ["inactive_file", "total_inactive_file"])
def test_a_containers_limit_counts(tmp_path: Path, cached: str) -> None:
    group = tuple(str(tmp_path / name) for name in ("limit", "used", "stat"))
    for name, text in (("limit", "5000000"), ("used", "4000000"), ("stat", f"anon 1\n{cached} 500000\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert available_ram([group]) == 1_500_000
    (tmp_path / "limit").write_text("max", encoding="utf-8")
    assert available_ram([group]) == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    assert available_ram([("/nowhere/a", "/nowhere/b", "/nowhere/c")]) > 0


def test_room_on_the_disk_of_a_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    assert free_disk(tmp_path / "new" / "folder" / "clip.mp4") == pytest.approx(psutil.disk_usage(str(tmp_path)).free, rel=0.2)
