"""The benchmark of motion: its cases, what it counts, what it promises, how it goes on; no clip is made here."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rooms.motion.plan import from_data
from rooms.motion.tracks import plan_tracks

from benchmarks import motion, motion_arms
from benchmarks.motion_arms import Measured, Outcome
from benchmarks.motion_cases import COLLAGE, PHOTOGRAPH, PICTURE_BOOK, Case, held_out_cases, own_cases
from benchmarks.motion_figures import ARMS, NONE, TIME_TO_MOVE, TRUTH, WAN_MOVE, Points, clip_figures, summary, verdicts
from benchmarks.motion_page import eight_regions, painting
from benchmarks.motion_plots import SIZE, Sheet, curves
from training import photographs as photographs_module

SIDE = 48
NOTHING = Points(np.full((3, 0), np.nan))


@pytest.fixture(autouse=True)
def no_photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched; `photographs` puts one there."""

    def absent(photograph: Any) -> bytes:
        raise RuntimeError("not here")

    monkeypatch.setattr(photographs_module, "content", absent)


@pytest.fixture
def photographs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = picture_file(tmp_path / "one.png")
    monkeypatch.setattr(photographs_module, "content", lambda photograph: file.read_bytes())


def picture_file(file: Path, width: int = 80, height: int = 60) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    return file


class TestCases:
    def test_kinds_take_turns_and_the_plans_are_good_and_move(self, photographs: None) -> None:
        cases = list(itertools.islice(held_out_cases(SIDE), 6))
        assert [case.kind for case in cases] == [COLLAGE, PHOTOGRAPH, PICTURE_BOOK] * 2
        assert [case.number for case in cases] == list(range(6))
        for case in cases:
            plan = from_data(case.plan)
            tracks = plan_tracks(plan, SIDE, SIDE, 17, masks=case.masks)
            moving = np.isin(tracks.owner, [index for index, part in enumerate(plan.shown) if part.moves])
            way = np.linalg.norm(tracks.points[-1, moving] - tracks.points[0, moving], axis=-1)
            assert 0.08 * SIDE < way.mean() < 0.5 * SIDE
            assert tracks.visible[:, moving].mean() > 0.8
            assert case.image.shape == (1, SIDE, SIDE, 3) and case.image.min() >= 0 and case.image.max() <= 1

    def test_the_same_cases_come_every_time(self) -> None:
        first, second = (list(itertools.islice(held_out_cases(SIDE), 2)) for _ in range(2))
        assert [case.plan for case in first] == [case.plan for case in second]
        assert all(torch.equal(one.image, other.image) for one, other in zip(first, second))

    def test_without_photographs_scenes_take_their_place(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert [case.kind for case in itertools.islice(held_out_cases(SIDE), 3)] == [COLLAGE, COLLAGE, PICTURE_BOOK]
        assert "no photographs of scikit-image: not here" in capsys.readouterr().err

    def test_own_plans_go_with_the_pictures_of_their_names(self, tmp_path: Path) -> None:
        plan = {"version": 1, "regions": [{"shapes": [{"type": "ellipse", "box": [0, 0, 1, 1]}], "motion": {"direction": 0}}]}
        for name in ("a", "b"):
            (tmp_path / f"{name}.json").write_text(json.dumps(plan), encoding="utf-8")
        picture_file(tmp_path / "b.png")
        cases = list(own_cases(str(tmp_path), None, SIDE))
        assert [case.source for case in cases] == ["a.json on b.png", "b.json on b.png"]
        assert cases[0].plan == plan

    def test_own_pictures_get_random_plans(self, tmp_path: Path) -> None:
        picture_file(tmp_path / "mine.png")
        first, second = itertools.islice(own_cases(None, str(tmp_path), SIDE), 2)
        assert (first.source, second.source) == ("mine.png", "mine.png") and first.plan != second.plan
        assert from_data(first.plan).regions[0].moves

    @pytest.mark.parametrize("given", ["plans", "pictures"])
    def test_folders_without_anything_are_refused(self, tmp_path: Path, given: str) -> None:
        folders = {"plans": None, "pictures": None, given: str(tmp_path)}
        with pytest.raises(SystemExit, match=f"expected {given} in .*; put"):
            next(own_cases(folders["plans"], folders["pictures"], SIDE))

    def test_a_file_that_is_no_plan_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "bad.json").write_text("{", encoding="utf-8")
        picture_file(tmp_path / "bad.png")
        with pytest.raises(SystemExit, match=r"bad\.json"):
            next(own_cases(str(tmp_path), None, SIDE))


def figures(epe: float, pinned: float | None = None) -> dict[str, Any]:
    """What is kept of a clip of one point that is off by `epe` in both frames after the first."""
    still = NOTHING if pinned is None else Points(np.array([[np.nan], [pinned], [pinned]]))
    return {**clip_figures(Points(np.array([[np.nan], [epe], [epe]]), 0.5), still, NOTHING), "seconds": 1.0}


class TestFigures:
    def test_what_is_counted_of_a_clip(self) -> None:
        errors = np.array([[np.nan, np.nan, np.nan], [1.0, 2.0, np.nan], [3.0, np.nan, np.nan]])
        found = clip_figures(Points(errors, found=2 / 3), Points(np.array([[np.nan], [0.25]])), NOTHING)
        assert found == {
            "epe": 2.0, "median": 2.0, "p90": pytest.approx(2.8), "last": 3.0, "points": 2, "places": 3, "lost": 1,
            "pinned": 0.25, "around": None,
        }  # fmt: skip

    def test_clips_count_alike(self) -> None:
        found = summary([figures(1, pinned=0.2), figures(2), figures(9, pinned=0.4)])
        assert (found["epe"], found["epe_p90"], found["clips"]) == (2.0, pytest.approx(7.6), 3)
        assert (found["pinned"], found["pinned_clips"]) == (pytest.approx(0.3), 2)
        assert (found["places"], found["lost"]) == (6, 3)
        with pytest.raises(ValueError, match="at least one clip"):
            summary([])

    def test_promises_are_met_or_not(self) -> None:
        summaries = {WAN_MOVE: summary([figures(1.5, 0.5)]), TIME_TO_MOVE: summary([figures(3.1, 0.6)]), NONE: summary([figures(15, 0.1)])}
        assert [(verdict.held, verdict.target) for verdict in verdicts(summaries)] == [
            (True, "at most 1.5 px"), (True, "at least 5"), (True, "at most 0.5 px"),
            (False, "at most 3 px"), (False, "at least 5"), (False, "at most 0.5 px"),
        ]  # fmt: skip
        assert [verdict.target for verdict in verdicts({WAN_MOVE: summaries[WAN_MOVE]})] == ["at most 1.5 px", "at most 0.5 px"]


class MadeUpStudio:
    """Says that Wan-Move is off by a pixel and the others by their number of pixels; ends like Ctrl-C at a case."""

    ends_at = math.inf

    def __init__(self, settings: Any) -> None:
        self.settings, self.box = settings, SimpleNamespace(weights="abc")

    def measure(self, cases: list[Case]) -> list[Outcome]:
        if any(case.number >= self.ends_at for case in cases):
            raise KeyboardInterrupt
        errors = {WAN_MOVE: 1.0, TIME_TO_MOVE: 4.0, NONE: 20.0, TRUTH: 0.1}
        return [outcome(case, {arm: errors[arm] for arm in (*self.settings.arms, TRUTH)}) for case in cases]


def outcome(case: Case, errors: dict[str, float]) -> Outcome:
    """A case whose one region of one point goes from left to right."""
    points = np.stack([np.linspace((10, 20), (30, 20), 3)], axis=1)
    part = SimpleNamespace(id="region1", colour=(255, 0, 0), moves=True)
    scene = SimpleNamespace(id="scene", colour=(9, 9, 9), moves=False)
    wanted = SimpleNamespace(points=points, owner=np.array([0]), parts=(part, scene))
    frames = np.full((3, SIDE, SIDE, 3), 90, np.uint8)
    return Outcome(case, wanted, {arm: Measured(figures(error), frames, points) for arm, error in errors.items()})


class TestRuns:
    @pytest.fixture(autouse=True)
    def made_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(motion, "load_host", lambda: None)
        monkeypatch.setattr(motion_arms, "Studio", MadeUpStudio)
        monkeypatch.setattr(MadeUpStudio, "ends_at", math.inf)

    def run(self, tmp_path: Path, *more: str) -> int:
        usual = ["--only", "obedience", "--size", str(SIDE), "--batch", "2", "--json", str(tmp_path / "numbers.json")]
        return motion.main([*usual, *more])

    def numbers(self, tmp_path: Path) -> list[int]:
        found = json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))
        return [case["number"] for case in found["obedience"]["cases"]]

    def test_a_run_prints_tables_and_promises_and_draws(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(tmp_path, "--count", "3", "--plot", str(tmp_path / "errors.png")) == 0
        said = capsys.readouterr()
        for part in (
            "| Wan-Move          | 1.00", "| Time-to-Move      | 4.00", "Wan-Move: median EPE 1.00 px: holds the target, at most 1.5 px",
            "Wan-Move: 20.0 times nearer than no control: holds the target", "crude moved video",
            "Time-to-Move: median EPE 4.00 px: MISSES the target, at most 3 px",
        ):  # fmt: skip
            assert part in said.out, said.out
        assert "measured 2 of 3 plans" in said.err and "measured 3 of 3 plans" in said.err
        assert self.numbers(tmp_path) == [0, 1, 2]
        assert (tmp_path / "errors.png").is_file() and (tmp_path / "errors_cases.png").is_file()

    def test_what_was_measured_before_ctrl_c_is_kept_and_gone_on_from(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(MadeUpStudio, "ends_at", 2)
        assert self.run(tmp_path, "--count", "4") == motion.INTERRUPTED
        assert self.numbers(tmp_path) == [0, 1]
        assert "2 plans" in capsys.readouterr().out
        monkeypatch.setattr(MadeUpStudio, "ends_at", math.inf)
        assert self.run(tmp_path, "--count", "4", "--resume") == 0
        assert self.numbers(tmp_path) == [0, 1, 2, 3]
        assert "measured 3" not in capsys.readouterr().err, "only the other two were measured again"

    def test_other_settings_are_not_mixed(self, tmp_path: Path) -> None:
        self.run(tmp_path, "--count", "1")
        with pytest.raises(SystemExit, match="another steps;"):
            self.run(tmp_path, "--count", "2", "--resume", "--steps", "3")

    def test_other_parts_of_the_file_stay(self, tmp_path: Path) -> None:
        file = tmp_path / "numbers.json"
        file.write_text('{"time": {"kept": 1}}', encoding="utf-8")
        self.run(tmp_path, "--count", "1")
        assert json.loads(file.read_text(encoding="utf-8"))["time"] == {"kept": 1}
        file.write_text("no numbers", encoding="utf-8")
        with pytest.raises(SystemExit, match="expected an earlier run's numbers in"):
            self.run(tmp_path, "--count", "1")

    def test_some_arms_only(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(tmp_path, "--count", "1", "--arms", WAN_MOVE) == 0
        assert "Time-to-Move" not in capsys.readouterr().out

    def test_resuming_needs_a_file(self) -> None:
        with pytest.raises(SystemExit, match="--json FILE"):
            motion.main(["--resume"])


class TestPictures:
    def test_the_curves_are_drawn(self) -> None:
        picture = curves({arm: [0.01, 1.0, 500.0] for arm in (*ARMS, TRUTH)})
        assert picture.size == SIZE and len(picture.getcolors(1 << 20) or []) > 20

    def test_a_sheet_goes_on_with_its_rows(self, tmp_path: Path) -> None:
        cases = list(itertools.islice(held_out_cases(SIDE), 2))
        file = tmp_path / "sheet.png"
        for number, case in enumerate(cases):
            Sheet(file, 2, (WAN_MOVE,), go_on=number > 0).add(outcome(case, {WAN_MOVE: 1.0}))
        rows = np.asarray(Image.open(file).convert("RGB"))[34:]
        assert all((half != 255).any(axis=-1).mean() > 0.5 for half in np.array_split(rows, 2)), "both rows are there"


class TestPage:
    def test_eight_regions_that_move(self) -> None:
        plan = from_data(eight_regions())
        assert len(plan.shown) == 8 and all(part.moves for part in plan.shown)

    def test_long_tasks_are_told_from_those_after_the_hand_let_go(self) -> None:
        script = {"milliseconds": 40, "code": "/a.mjs draw", "invoker": "FrameRequestCallback"}
        found = painting({
            "tasks": [{"start": 10, "milliseconds": 60}, {"start": 300, "milliseconds": 90}],
            "frames": [{"start": 10, "milliseconds": 70, "scripts": [script, script]}],
            "letGo": 200,
        })  # fmt: skip
        assert (found["while_painting"], found["letting_go"]) == ([60], [90])
        assert found["code"] == [{"code": "/a.mjs draw (FrameRequestCallback)", "milliseconds": 80}]
