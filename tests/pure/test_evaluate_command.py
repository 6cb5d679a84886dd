"""`python -m training.evaluate` from end to end on tiny random weights, and what its report keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.tiny_weights import write_box

from training.evaluate import GROUPS, Report, main
from training.evaluation import COUNTS, FILES
from training.rows import Row

SMALL = ["--size", "32", "--steps", "1", "--count", "2", "--counts", "reader=8", "steps=2", "speed=1", "frames=1"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_box(tmp_path_factory.mktemp("weights"), FILES)


def test_groups_are_measured_one_by_one_and_shown_together(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, sheet = tmp_path / "numbers.json", tmp_path / "sheet.png"
    usual = ["--weights", str(weights), *SMALL, "--json", str(file), "--sheet", str(sheet)]
    main([*usual, "--only", "size", "prompts", "steps"])
    said = capsys.readouterr()
    first = said.out.splitlines()
    names = [line.split("  ")[0] for line in first if line.startswith(("thing", "size"))]
    assert names == ["thing", "thing, 4 steps, no guidance", "thing, 8 steps, no guidance", "size of weights/"]
    assert "prompts, zh: 1 of 1 clips" in said.err and "steps, all" not in said.err, "clips that are there are not made again"
    assert sheet.is_file()
    main([*usual, "--only", "speed", "frames"])
    second = capsys.readouterr().out.splitlines()
    assert set(first) < set(second)
    assert sum(line.startswith("seconds, ") for line in second) == 3 and sum(", lost " in line for line in second) == 4
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert set(kept["groups"]) == {"prompts", "frames", "steps", "speed", "size"}
    thing = kept["groups"]["prompts"]["rows"][0]
    assert (thing["name"], thing["target"], thing["count"]) == ("thing", 0.9, 2)
    assert len(kept["groups"]["prompts"]["details"]) == 2
    assert kept["groups"]["prompts"]["settings"]["counts"]["prompts"] == 2


def test_a_report_begins_anew_with_other_weights(tmp_path: Path) -> None:
    told: list[str] = []
    file = tmp_path / "numbers.json"
    Report(file, "old", told.append).add("size", [Row("a", 1.0)], None, {}, 0.0)
    assert Report(file, "old", told.append).rows() == [Row("a", 1.0)] and not told
    assert Report(file, "new", told.append).rows() == [] and "other weights" in told[0]


@pytest.mark.parametrize("text", ["no numbers", "[]", '{"rows": []}'])
def test_another_file_is_not_written_over(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="expected an earlier evaluation in"):
        Report(file, "old", print)
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("wrong", [["--only", "everything"], ["--counts", "cats=3"], ["--counts", "motion=0"], ["--count", "0"]])
def test_what_cannot_be_asked_for(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2 and "expected" in capsys.readouterr().err.replace("invalid choice", "expected")


def test_a_folder_without_pictures_is_named(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--weights", str(weights), *SMALL, "--only", "vae", "--counts", "vae=1", "--pictures", str(tmp_path)])
    assert "expected pictures in" in capsys.readouterr().err


def test_quick_samples_are_smaller() -> None:
    assert all(quick <= full for full, quick in COUNTS.values())
    assert list(GROUPS) == ["prompts", "count", "vae", "frames", "motion", "time", "richness", "moves", "steps", "speed", "size"]
