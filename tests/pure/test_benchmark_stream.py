"""The benchmark of streams: what it asks for, how it extrapolates, what it calls a hit; nothing is measured here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import host_process, stream

GB = 10**9


class Machine:
    """Answers instead of a measurement, by formula, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], list[str]]] = []

    def measure(self, function: str, options: dict[str, Any], flags: list[str], timeout: float) -> dict[str, Any]:
        name = function.split(":")[1]
        self.asked.append((name, options, flags))
        frames = options.get("frames", 0)
        if name == "stock":
            speed = 1.0 if "--bf16-vae" in flags else 3.0
            return {"seconds": speed * frames, "peak_bytes": 5_000_000 * frames + 100_000_000, "idle_bytes": GB, "frames": frames}
        return {"seconds": 0.25 * frames, "peak_bytes": 300_000_000, "idle_bytes": GB, "frames": frames, "psnr": 38.25,
                "alone": 10.0, "staged": 10.1}  # fmt: skip


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(stream, "measure", found.measure)
    return found


def test_all_tables_come_from_one_command(machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stream.main(["--json", str(tmp_path / "numbers.json")]) == 0
    said = capsys.readouterr().out
    for part in (
        "| 97     | 300 MB | 585 MB   | 38.2 dB", "| 961    | 300 MB | ~4.91 GB |", "961 frames take 1.000 of 97 frames: holds the target",
        "stock takes 5.00 MB for each frame", "| stock defaults   | ~1155.0 s | ours takes 0.08, target 0.20",
        "| stock best flags | ~385.0 s  | ours takes 0.25, target 0.50", "1440 frames of 1280x720 from a file",
        "holds the target, under 1.50 GB",
        "0.050% of decode",
    ):  # fmt: skip
        assert part in said, said
    numbers = json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))
    assert numbers["memory"]["growth"] == 1.0 and numbers["time"]["stock defaults"]["extrapolated"] is True
    assert numbers["overhead"]["share"] == pytest.approx(0.0005)


def test_both_sides_get_the_same_weights_and_sizes(machine: Machine) -> None:
    stream.main(["--only", "memory", "--frames", "9", "--stock-frames", "9", "--size", "64", "--rife", "mine.safetensors"])
    asked = {name: options for name, options, _ in machine.asked}
    assert {key: asked["ours"][key] for key in ("frames", "size", "weights", "interpolate")} == {
        "frames": 9, "size": 64, "weights": "mine.safetensors", "interpolate": True,
    }  # fmt: skip
    assert all(asked["stock"][key] == asked["ours"][key] for key in ("frames", "size", "weights", "interpolate"))
    assert asked["compare"] == {"ours": asked["ours"]["target"], "stock": asked["stock"]["target"]}


def test_a_measured_length_is_not_extrapolated(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    stream.main(["--only", "time", "--stock-frames", "9", "17", "--time-frames", "17"])
    assert "| 51.0 s" in capsys.readouterr().out


def test_a_measurement_that_fails_is_told_and_the_others_are_made(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(function: str, *rest: Any) -> dict[str, Any]:
        if function.endswith(":from_file"):
            raise stream.ArmFailed("it fell over")
        return machine.measure(function, *rest)

    monkeypatch.setattr(stream, "measure", measure)
    assert stream.main(["--only", "file", "overhead"]) == 1
    said = capsys.readouterr().out
    assert "file: not measured" in said and "it fell over" in said and "A stage that does nothing" in said


@pytest.mark.parametrize("frames", ["96", "0", "-3"])
def test_lengths_that_are_none(frames: str) -> None:
    with pytest.raises(SystemExit):
        stream.main(["--frames", frames])


def test_the_line_through_points() -> None:
    line = stream.line_through([(1, 3), (2, 5), (3, 7)])
    assert line(10) == pytest.approx(21) and stream.line_through([(5, 4)])(100) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel")
def test_the_watch_sees_a_short_peak() -> None:
    watch = host_process.MemoryWatch()
    with watch.watching():
        block = bytearray(200_000_000)
        block[::4096] = b"x" * len(block[::4096])
        del block
    assert 150_000_000 < watch.peak < 400_000_000
