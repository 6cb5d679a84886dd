"""The benchmark of the box's speed: what each side is asked for, what is made of its times; no clip is made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import box_speed
from benchmarks.host_process import ArmFailed


class Machine:
    """Answers instead of a measurement, by formula, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], list[str]]] = []
        self.fails = False

    def measure(self, function: str, options: dict[str, Any], flags: list[str], timeout: float) -> dict[str, Any]:
        self.asked.append((function.split(":")[1], options, flags))
        if self.fails:
            raise ArmFailed("no memory")
        each = options["clip"]["steps"] * (0.04 if function.endswith("ours") else 0.1 if "--bf16-vae" in flags else 0.2)
        rounds = [{"text": 0.01, "denoise": each * slow, "decode": 0.09} for slow in (1.0, 1.0, 5.0)]
        return {"rounds": rounds, "threads": 2, "frames": 33, **({} if function.endswith("ours") else {"psnr": 31.5})}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(box_speed, "measure", found.measure)
    return found


def test_the_table_shows_medians_ratios_and_how_alike_the_clips_are(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert box_speed.main(["--rounds", "1", "--json", str(tmp_path / "numbers.json")]) == 0
    said = capsys.readouterr().out
    for part in (
        "33 frames of 128x128, 20 steps, guidance 5, 2 threads", "| ours             | 0.010  | 0.800     | 0.090    | 0.900",
        "| stock defaults   | 0.010  | 4.000     | 0.090    | 4.100      | 4.56       | 31.5 dB",
        "| stock best flags | 0.010  | 2.000     | 0.090    | 2.100      | 2.33       | 31.5 dB",
        "4 steps, no guidance", "ours takes 0.90 s: holds the target, at most 1 s",
    ):  # fmt: skip
        assert part in said, said
    numbers = json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))
    assert numbers["20 steps, guidance 5"]["ours"]["most"] == pytest.approx(4.1)
    assert numbers["4 steps, no guidance"]["stock defaults"]["seconds"] == pytest.approx(0.9)


def test_all_sides_make_the_same_clip_in_turns_and_stock_is_compared_with_ours(machine: Machine) -> None:
    box_speed.main(["--rounds", "2", "--settings", "8:1.0", "--size", "64", "--clips", "2"])
    assert [(name, flags) for name, _, flags in machine.asked] == [(arm, flags) for arm, flags in box_speed.SIDES.values()] * 2
    assert len({json.dumps([options["clip"], options["rounds"]]) for _, options, _ in machine.asked}) == 1
    assert machine.asked[0][1]["clip"] | {"prompt": ""} == {"prompt": "", "size": 64, "frames": 33, "steps": 8, "cfg": 1.0}
    assert machine.asked[1][1]["reference"] == machine.asked[0][1]["target"]


def test_a_side_that_fails_is_told(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.fails = True
    assert box_speed.main(["--settings", "4"]) == 1
    assert "not measured\n\nno memory" in capsys.readouterr().out
