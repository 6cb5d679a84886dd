"""The motion plan as a document: every refusal names its place in one sentence, nothing crashes, and nothing is lost on the way."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rooms.motion.compose import combine
from rooms.motion.plan import Plan, PlanError, from_data, from_json, json_schema, to_data, to_json
from support.motion_plans import plans

ROOT = Path(__file__).parents[2]
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DOT = {"type": "stroke", "points": [[0.5, 0.5]]}
WAY = {"points": [[0, 0], [1, 1]]}
SQUARE = [0, 0, 0.5, 0.5]


def region(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "regions": [{"shapes": [DOT], **fields}]}


def moving(**fields: Any) -> dict[str, Any]:
    return region(motion=fields)


def shape(**fields: Any) -> dict[str, Any]:
    return region(shapes=[fields])


def box(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "boxes": [{"start": SQUARE, "end": SQUARE, **fields}]}


def refusal(data: Any) -> str:
    with pytest.raises(PlanError) as caught:
        from_json(data if isinstance(data, str) else json.dumps(data))
    return str(caught.value)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (moving(path={"points": [["x", 0], [1, 1]]}), "regions[0].motion.path.points[0][0]: expected a number, got 'x'"),
        (moving(path={"points": [[0, 0]]}), "regions[0].motion.path.points: expected at least 2 of them, got 1"),
        (moving(path={"points": [[0, 0, 0], [1, 1]]}), "regions[0].motion.path.points[0]: expected at most 2 of them, got 3"),
        (moving(path={**WAY, "times": [0, 0.5]}), "regions[0].motion.path.times: expected times from 0 to 1, got 0 to 0.5"),
        (moving(path={**WAY, "times": [0, 1, 1]}), "regions[0].motion.path.times: expected one time for each of the 2 points, got 3"),
        (moving(path=WAY, direction=3), "regions[0].motion.direction: expected either a path or a direction, got both"),
        (moving(speed=1), "regions[0].motion.speed: expected a direction beside the speed, got none"),
        (
            moving(easing="fast"),
            "regions[0].motion.easing: expected linear, ease, ease-in, ease-out, ease-in-out or four numbers, got 'fast'",
        ),
        (moving(easing=[0, 0, 1, 2]), "regions[0].motion.easing[3]: expected at most 1, got 2"),
        (moving(start=0.5, end=0.5), "regions[0].motion.end: expected a time after start (0.5), got 0.5"),
        (moving(scale=0), "regions[0].motion.scale: expected at least 0.02, got 0"),
        (moving(scale=True), "regions[0].motion.scale: expected a number, got true"),
        (moving(bounce=1), "regions[0].motion.bounce: expected only fields of the format, got an unknown one"),
        (
            shape(type="blob"),
            "regions[0].shapes[0]: expected a type, one of 'stroke', 'polygon', 'rectangle', 'ellipse', 'mask', got 'blob'",
        ),
        (shape(type="stroke", points=[]), "regions[0].shapes[0].points: expected at least 1 of them, got 0"),
        (
            shape(type="stroke", points=[[0, 0]], stroke=1),
            "regions[0].shapes[0].stroke: expected only fields of the format, got an unknown one",
        ),
        (shape(type="rectangle", box=[0, 0, 0, 1]), "regions[0].shapes[0].box[2]: expected at least 0.0001, got 0"),
        (shape(type="ellipse"), "regions[0].shapes[0].box: expected this field, got none"),
        (shape(type="stroke", points=[[0, 0]] * 4097), "regions[0].shapes[0].points: expected at most 4096 of them, got 4097"),
        (region(z=1.5), "regions[0].z: expected a whole number, got 1.5"),
        (region(color="red"), "regions[0].color: expected #rrggbb, got 'red'"),
        (region(id="a b"), "regions[0].id: expected 1 to 64 letters, digits, '_', '.', '-', got 'a b'"),
        (region(name="n" * 101), "regions[0].name: expected at most 100 characters, got 101"),
        (region(pinned=1), "regions[0].pinned: expected true or false, got 1"),
        ({"version": 1, "regions": [{}]}, "regions[0].shapes: expected this field, got none"),
        ({"version": 1, "regions": {}}, "regions: expected a list, got an object"),
        ({"version": 1, "regions": [{"shapes": []}] * 65}, "regions: expected at most 64 of them, got 65"),
        ({"version": 1, "camera": [{"type": "pan"}] * 33}, "camera: expected at most 32 of them, got 33"),
        ({"version": 1, "camera": [{"type": "zoom"}]}, "camera[0].factor: expected this field, got none"),
        ({"version": 1, "camera": [{}]}, "camera[0]: expected a type, one of 'pan', 'zoom', 'roll', got none"),
        ({"version": 1, "camera": [{"type": "pan", "start": 1}]}, "camera[0].end: expected a time after start (1), got 1"),
        (box(end=[0, 0, 1]), "boxes[0].end[3]: expected this field, got none"),
        (box(keyframes=[{"time": 1, "box": SQUARE}]), "boxes[0].keyframes[0].time: expected a time between 0 and 1, got 1"),
        (
            box(keyframes=[{"time": 0.5, "box": SQUARE}, {"time": 0.4, "box": SQUARE}]),
            "boxes[0].keyframes[1].time: expected a time after 0.5, got 0.4",
        ),
        (box(mode="firm"), "boxes[0].mode: expected 'hard' or 'soft', got 'firm'"),
        ({"version": 1, "seed": -1}, "seed: expected at least 0, got -1"),
        ({"version": 1, "seed": 2**32}, "seed: expected at most 4294967295, got 4294967296"),
        ({"version": 2}, "version: expected 1, got 2, which is newer than this pack can read; update ComfyUI-Spacetime"),
        ({"version": "1"}, "version: expected 1, got '1'"),
        ({"version": True}, "version: expected 1, got true"),
        ({}, 'version: expected "version": 1, got none'),
        ('{"version": 1, "seed": NaN}', "motion plan: expected finite numbers, got NaN"),
        ('{"version": 1, "seed": 1e999}', "seed: expected a finite number, got inf"),
        ('{"version": 1, "seed": 1, "seed": 2}', "'seed': expected each field once, got it twice in one object"),
        ('{"version": 1, "\\ud800": 2}', "motion plan: expected text, got '\\ud800' with half a character"),
        ("[" * 100_000, "motion plan: expected a plan, got JSON nested too deeply"),
        ("[]", 'motion plan: expected a plan like {"version": 1, "regions": []}, got []'),
        (" " * 4_000_001, "motion plan: expected at most 4000000 characters of JSON, got 4000001"),
    ],
)
def test_a_refusal_names_the_place_in_one_sentence(data: Any, sentence: str) -> None:
    assert refusal(data) == sentence


def test_the_same_id_twice_is_refused() -> None:
    data = {"version": 1, "regions": [{"shapes": [], "id": "a"}], "boxes": [{"start": SQUARE, "end": SQUARE, "id": "a"}]}
    assert refusal(data) == "boxes[0].id: expected an id of its own, got 'a' again, which is the id of regions[0]"


def test_points_are_limited_over_the_whole_plan() -> None:
    stroke = {"type": "stroke", "points": [[0, 0]] * 4000}
    data = {"version": 1, "regions": [{"shapes": [stroke]}] * 13}
    assert refusal(data) == "motion plan: expected at most 50000 points in the whole plan, got 52000; simplify the strokes"


def test_text_that_is_no_json_and_huge_numbers_are_refused() -> None:
    assert refusal("{").startswith("motion plan: expected JSON, got '{'")
    assert refusal('{"version": 1, "seed": ' + "9" * 5000 + "}").startswith("motion plan: expected JSON")
    assert refusal({"version": 10**400}).startswith("version: expected 1, got a number of very many digits")


def test_python_values_that_json_cannot_hold_are_refused() -> None:
    for value in (math.nan, math.inf, object(), b"x", {1: 2}, {1, 2}):
        with pytest.raises(PlanError, match="seed"):
            from_data({"version": 1, "seed": value})


def test_nearly_everything_has_a_default() -> None:
    plan = from_data(
        {"version": 1, "regions": [{"shapes": [DOT]}, {"shapes": [], "id": "region1"}], "boxes": [{"start": SQUARE, "end": SQUARE}]}
    )
    assert [part.id for part in plan.shown] == ["region2", "region1", "box1"]
    assert [part.color for part in plan.shown] == ["#e6194b", "#3cb44b", "#4363d8"]
    assert from_data({"version": 1}) == Plan()


def test_what_equals_its_default_is_not_written() -> None:
    assert to_data(from_data(moving(direction=90.0, speed=0.25, start=0))) == {
        "version": 1,
        "regions": [
            {
                "shapes": [{"type": "stroke", "points": [[0.5, 0.5]]}],
                "motion": {"direction": 90, "speed": 0.25},
                "id": "region1",
                "color": "#e6194b",
            }
        ],
    }


numbers = st.one_of(st.floats(), st.integers(), st.booleans())
values = st.recursive(
    st.one_of(st.none(), numbers, st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=12,
)


@QUICK
@given(plans)
def test_a_good_plan_is_read_and_written_without_loss(data: dict[str, Any]) -> None:
    plan = from_json(json.dumps(data))
    assert from_json(to_json(plan)) == plan
    assert from_data(to_data(plan)) == plan


@QUICK
@given(values)
def test_no_value_crashes(data: Any) -> None:
    try:
        from_data(data)
    except PlanError as error:
        assert "\n" not in str(error)


@QUICK
@given(st.text(max_size=40))
def test_no_text_crashes(text: str) -> None:
    with pytest.raises(PlanError):
        from_json(text)


@QUICK
@given(plans, values, st.data())
def test_a_fault_anywhere_is_refused_at_its_place_or_harmless(data: dict[str, Any], odd: Any, choose: st.DataObject) -> None:
    data = json.loads(json.dumps(data))
    spots = _spots(data, "")
    if not spots:
        return
    holder, key, place = choose.draw(st.sampled_from(spots))
    holder[key] = odd
    try:
        plan = from_data(data)
    except PlanError as error:
        outer = place.rpartition(".")[0]
        assert error.place.startswith((place, outer)) or place.startswith(error.place), (error, place)
        assert "\n" not in str(error) and len(str(error)) < 400
    else:
        assert from_json(to_json(plan)) == plan


def _spots(value: Any, place: str) -> list[tuple[Any, Any, str]]:
    entries = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    found = []
    for key, inner in entries:
        there = f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}".lstrip(".")
        found += [(value, key, there), *_spots(inner, there)]
    return found


def test_the_published_schema_is_the_codes() -> None:
    assert json.loads((ROOT / "docs" / "motion_plan.schema.json").read_text(encoding="utf-8")) == json_schema()


def test_the_plan_in_the_documents_is_one() -> None:
    for name in ("MOTION_PLAN.md", "MOTION_PLAN.zh-CN.md"):
        text = (ROOT / "docs" / name).read_text(encoding="utf-8").partition("```json")[2].partition("```")[0]
        assert len(from_json(text).regions) == 3


def test_combined_plans_have_everything_in_order() -> None:
    first = from_data(
        {"version": 1, "seed": 7, "anchors": False, "regions": [{"shapes": [DOT], "id": "a"}], "camera": [{"type": "pan", "x": 1}]}
    )
    second = from_data(
        {"version": 1, "regions": [{"shapes": [DOT], "id": "a"}, {"shapes": [DOT], "id": "a-2"}], "camera": [{"type": "zoom", "factor": 2}]}
    )
    both = combine([first, second])
    assert [part.id for part in both.regions] == ["a", "a-2", "a-2-2"]
    assert [move.type for move in both.camera] == ["pan", "zoom"]
    assert both.seed == 7 and both.anchors
    assert from_json(to_json(both)) == both
    assert combine([first]) == first


def test_combined_plans_keep_to_the_limits() -> None:
    many = from_data({"version": 1, "regions": [{"shapes": [DOT]}] * 40, "camera": [{"type": "pan"}] * 20})
    with pytest.raises(PlanError, match=r"^regions: expected at most 64 in all plans together, got 80; combine fewer plans$"):
        combine([many, many])
    stroke = {"type": "stroke", "points": [[0, 0]] * 4000}
    long = from_data({"version": 1, "regions": [{"shapes": [stroke]}] * 10})
    with pytest.raises(PlanError, match="at most 50000 points in the whole plan, got 80000"):
        combine([long, long])
    with pytest.raises(PlanError, match="at least one plan"):
        combine([])
