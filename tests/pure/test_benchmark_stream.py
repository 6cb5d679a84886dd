"""The benchmark of streams: what it asks for, how it extrapolates, what it calls a hit; nothing is measured here."""

from __future__ import annotations

import json
import subprocess
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

    def measure(self, function: str, options: dict[str, Any], flags: list[str], timeout: float, tell: Any) -> dict[str, Any]:
        name = function.split(":")[1]
        self.asked.append((name, options, flags))
        frames = options.get("frames", 0)
        if name == "stock":
            speed = 1.0 if "--bf16-vae" in flags else 3.0
            return {"seconds": speed * frames, "peak_bytes": 5_000_000 * frames + 100_000_000, "idle_bytes": GB, "frames": frames}
        return {"seconds": 0.25 * frames, "peak_bytes": 300_000_000, "idle_bytes": GB, "frames": frames, "psnr": 38.25,
                "alone": 10.0, "staged": 10.1, "latent_bytes": 65_536 * (frames // 4 + 1)}  # fmt: skip


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
        "with the latents, which both sides are given and which count as idle, they take 1.047",
        "stock takes 5.00 MB for each frame", "| stock defaults   | ~1155.0 s | ours takes 0.08, target 0.20",
        "| stock best flags | ~385.0 s  | ours takes 0.25, target 0.50", "~ was not measured but is the line through these lengths",
        "ours takes 0.08 of stock defaults: holds the target, at most 0.20", "1440 frames of 1280x720 from a file",
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


def test_times_are_taken_in_turns_and_the_median_counts(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    stream.main(["--only", "time", "--stock-frames", "9", "17", "--time-frames", "17", "--rounds", "3"])
    kinds = [name for name, _, _ in machine.asked if name != "write_random_rife"]
    assert kinds == ["ours", "stock", "stock", "stock", "stock"] * 3
    said = capsys.readouterr().out
    assert "| 51.0 s" in said and "not measured" not in said


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


def run_script(script: str, timeout: float = 60, seen: list[str] | None = None) -> tuple[list[str], bool, int]:
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    said, in_time = host_process._read(process, timeout, (seen if seen is not None else []).append)
    return said, in_time, process.returncode


def test_progress_is_told_while_the_measurement_runs() -> None:
    seen: list[str] = []
    said, in_time, code = run_script("print('progress: 3 of 8, 5 s')\nprint('measured: {}')", seen=seen)
    assert (said, in_time, code, seen) == (["measured: {}\n"], True, 0, ["3 of 8, 5 s"])


def test_a_measurement_that_takes_too_long_is_stopped() -> None:
    said, in_time, code = run_script("import time; print('begun', flush=True); time.sleep(600)", timeout=1)
    assert not in_time and code != 0 and said in ([], ["begun\n"])


def test_a_bar_is_told_every_few_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr(host_process.time, "perf_counter", lambda: now)
    moved = host_process._tell_progress(now)
    for value in range(1, 9):
        now = 100.0 + 2 * value
        moved(value, 8, None, node_id=None)
    assert capsys.readouterr().out.splitlines() == ["progress: 3 of 8, 6 s", "progress: 6 of 8, 12 s"]


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
