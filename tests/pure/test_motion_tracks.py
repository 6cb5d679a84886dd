"""Tracks go where closed formulas say, are seen when they should be, and are the same every time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from rooms.motion.camera import camera_maps
from rooms.motion.easing import ease, frame_times
from rooms.motion.from_tracks import plan_from_tracks, tracks_from_coordinates
from rooms.motion.movers import movers
from rooms.motion.plan import Plan, PlanError, from_data
from rooms.motion.tracks import Tracks, plan_tracks
from rooms.motion.warp import warp
from support.motion_plans import plans

WIDTH, HEIGHT, FRAMES = 832, 480, 81
MIDDLE = {"type": "rectangle", "box": [0.45, 0.4, 0.1, 0.2]}
CENTRE = np.array([0.5 * WIDTH, 0.5 * HEIGHT])
TIMES = np.arange(FRAMES) / (FRAMES - 1)
CLOSE = 1e-3


def plan(*regions: dict[str, Any], **fields: Any) -> Plan:
    return from_data({"version": 1, "anchors": False, "regions": list(regions), **fields})


def tracks(*regions: dict[str, Any], frames: int = FRAMES, count: int = 40, **fields: Any) -> Tracks:
    return plan_tracks(plan(*regions, **fields), WIDTH, HEIGHT, frames, count)


def middle(**motion: Any) -> dict[str, Any]:
    return {"shapes": [MIDDLE], "motion": motion}


def shift(found: Tracks) -> np.ndarray:
    """How far each point has gone [T, N, 2]."""
    return found.points.astype(np.float64) - found.points[:1]


def test_constant_velocity() -> None:
    went = shift(tracks(middle(direction=30, speed=0.4)))
    way = 0.4 * HEIGHT * np.array([math.cos(math.pi / 6), math.sin(math.pi / 6)])
    assert went.shape[1] > 20
    assert np.abs(went - (TIMES[:, None] * way)[:, None]).max() < CLOSE


def test_a_straight_path_is_gone_evenly_however_its_points_lie() -> None:
    for curve in ("line", "smooth"):
        went = shift(tracks(middle(path={"points": [[0, 0], [0.01, 0.01], [0.1, 0.1], [0.3, 0.3]], "curve": curve})))
        way = TIMES[:, None] * np.array([0.3 * WIDTH, 0.3 * HEIGHT])
        assert np.abs(went - way[:, None]).max() < 1.5 * CLOSE


def test_a_circle_as_a_closed_smooth_path() -> None:
    turn = np.linspace(0, 2 * math.pi, 129)
    radius = 60.0
    points = [[radius * math.cos(a) / WIDTH, radius * math.sin(a) / HEIGHT] for a in turn[:-1]]
    went = shift(tracks(middle(path={"points": [*points, points[0]]})))
    angle = 2 * math.pi * TIMES
    circle = radius * np.stack([np.cos(angle) - 1, np.sin(angle)], axis=-1)
    assert np.abs(went - circle[:, None]).max() < CLOSE


def test_turning_is_a_circle_about_the_centre() -> None:
    found = tracks(middle(rotation=360))
    first = found.points[0].astype(np.float64) - CENTRE
    angle = 2 * math.pi * TIMES[:, None]
    x = first[:, 0] * np.cos(angle) - first[:, 1] * np.sin(angle)
    y = first[:, 0] * np.sin(angle) + first[:, 1] * np.cos(angle)
    assert np.abs(found.points - CENTRE - np.stack([x, y], axis=-1)).max() < CLOSE


def test_scale_and_proximity_about_the_centre_or_where_it_is_asked_for() -> None:
    for motion, centre in (({"scale": 3}, CENTRE), ({"proximity": math.log2(3)}, CENTRE), ({"scale": 3, "center": [0, 0]}, np.zeros(2))):
        found = tracks(middle(**motion))
        wanted = centre + 3 ** TIMES[:, None, None] * (found.points[:1].astype(np.float64) - centre)
        assert np.abs(found.points - wanted).max() < CLOSE


def test_it_rests_before_the_start_and_after_the_end() -> None:
    went = shift(tracks(middle(direction=0, speed=1, start=0.25, end=0.75)))[:, 0, 0]
    assert np.abs(went - HEIGHT * np.clip(TIMES - 0.25, 0, 0.5)).max() < CLOSE


@pytest.mark.parametrize("bezier", [(0.25, 0.1, 0.25, 1.0), (0.42, 0.0, 0.58, 1.0), (0.9, 0.1, 0.2, 0.7), (1.0, 0.0, 0.0, 1.0)])
def test_easing_is_on_the_bezier_curve(bezier: tuple[float, float, float, float]) -> None:
    x1, y1, x2, y2 = bezier
    s = np.linspace(0, 1, 1001)
    x = 3 * s * (1 - s) ** 2 * x1 + 3 * s**2 * (1 - s) * x2 + s**3
    y = 3 * s * (1 - s) ** 2 * y1 + 3 * s**2 * (1 - s) * y2 + s**3
    inner = (x > 1e-6) & (x < 1 - 1e-6)
    slack = 1e-6 if bezier[0] != 1.0 else 1e-3  # straight up in the middle: there a rounding of x is a step of y
    assert np.abs(ease(bezier, x[inner]) - y[inner]).max() < slack


def test_named_easings_are_their_curves() -> None:
    assert (ease("linear", TIMES) == TIMES).all()
    assert (ease("ease-in-out", TIMES) == ease((0.42, 0.0, 0.58, 1.0), TIMES)).all()
    assert ease("ease-in", np.array([0.0, 1.0])).tolist() == [0, 1]


def test_a_path_with_times_is_where_it_says() -> None:
    path = {"points": [[0, 0], [0.1, 0], [0.1, 0.2]], "times": [0, 0.75, 1], "curve": "line"}
    went = shift(tracks(middle(path=path)))[:, 0]
    assert np.abs(went[60] - [0.1 * WIDTH, 0]).max() < CLOSE
    assert np.abs(went[30] - [0.05 * WIDTH, 0]).max() < CLOSE
    assert np.abs(went[70] - [0.1 * WIDTH, 0.1 * HEIGHT]).max() < CLOSE


def test_camera_zoom_pan_and_roll() -> None:
    zoom = camera_maps(plan(camera=[{"type": "zoom", "factor": 4, "center": [0.25, 0.5]}]).camera, WIDTH, HEIGHT, FRAMES)
    about = np.array([0.25 * WIDTH, 0.5 * HEIGHT, 1])
    assert np.abs(zoom @ about - about).max() < CLOSE
    assert np.abs(zoom[:, 0, 0] - 4**TIMES).max() < 1e-9
    pan = camera_maps(plan(camera=[{"type": "pan", "x": 0.5, "y": -0.25}]).camera, WIDTH, HEIGHT, FRAMES)
    assert np.abs(pan[-1] @ [10, 20, 1] - [10 - 0.5 * WIDTH, 20 + 0.25 * HEIGHT, 1]).max() < CLOSE
    roll = camera_maps(plan(camera=[{"type": "roll", "degrees": 90}]).camera, WIDTH, HEIGHT, FRAMES)
    x, y = CENTRE
    assert np.abs(roll[-1] @ [x + 10, y, 1] - [x, y - 10, 1]).max() < CLOSE


def test_camera_moves_are_composed_in_order_and_with_what_moves() -> None:
    camera = [{"type": "zoom", "factor": 2}, {"type": "pan", "x": 0.1}]
    found = tracks(middle(direction=0, speed=0.1), camera=camera, frames=2)
    own = found.owner == 0
    first = found.points[0, own].astype(np.float64)
    wanted = CENTRE + 2 * (first - CENTRE + [0.1 * HEIGHT, 0]) - [0.1 * WIDTH, 0]
    assert np.abs(found.points[1, own] - wanted).max() < CLOSE
    scene = found.owner == -1
    assert scene.sum() >= 5
    still = found.points[0, scene].astype(np.float64)
    assert np.abs(found.points[1, scene] - (CENTRE + 2 * (still - CENTRE) - [0.1 * WIDTH, 0])).max() < CLOSE


def test_a_hard_box_is_followed_exactly() -> None:
    box = {"start": [0.1, 0.1, 0.2, 0.2], "end": [0.5, 0.5, 0.1, 0.4], "keyframes": [{"time": 0.5, "box": [0.6, 0.1, 0.2, 0.2]}]}
    found = tracks(boxes=[box])
    size = np.array([WIDTH, HEIGHT])
    parts = (found.points[0] / size - [0.1, 0.1]) / [0.2, 0.2]
    assert np.abs(found.points[40] - ([0.6, 0.1] + parts * [0.2, 0.2]) * size).max() < CLOSE
    assert np.abs(found.points[60] - ([0.55, 0.3] + parts * [0.15, 0.3]) * size).max() < CLOSE
    assert np.abs(found.points[80] - ([0.5, 0.5] + parts * [0.1, 0.4]) * size).max() < CLOSE


def test_what_is_in_a_soft_box_stays_inside_and_no_more() -> None:
    large = tracks(boxes=[{"start": [0.2, 0.2, 0.2, 0.2], "end": [0.1, 0.1, 0.6, 0.6], "mode": "soft"}])
    assert np.abs(shift(large)).max() < CLOSE
    box = {"start": [0.2, 0.2, 0.2, 0.2], "end": [0.6, 0.2, 0.3, 0.1], "mode": "soft"}
    found = tracks(boxes=[box])
    end = found.points[-1] / np.array([WIDTH, HEIGHT])
    assert (end >= [0.6 - 1e-6, 0.2 - 1e-6]).all() and (end <= [0.9 + 1e-6, 0.3 + 1e-6]).all()
    middle_now = movers(plan(boxes=[box]), WIDTH, HEIGHT, 2)[0].maps[1] @ [0.3 * WIDTH, 0.3 * HEIGHT, 1]
    assert np.abs(middle_now - [0.65 * WIDTH, 0.25 * HEIGHT]).max() < CLOSE


def test_swaying_is_small_seeded_and_loops() -> None:
    sway = {"ambient": 1, "ambient_cycles": 3}
    first, again = shift(tracks(middle(**sway), seed=1)), shift(tracks(middle(**sway), seed=1))
    assert (first == again).all()
    assert not np.allclose(first, shift(tracks(middle(**sway), seed=2)), atol=0.5)
    assert np.abs(first[-1]).max() < CLOSE
    assert 1 < np.abs(first).max() < 4 * 0.02 * HEIGHT + 4


def test_points_lie_inside_evenly_and_are_as_many_as_asked_for() -> None:
    for count in (1, 2, 10, 100, 200):
        found = tracks({"shapes": [{"type": "ellipse", "box": [0.2, 0.2, 0.5, 0.6]}], "pinned": True}, count=count)
        start = found.points[0]
        assert 0.6 * count <= len(start) if count > 2 else len(start) >= 1
        assert len(start) <= count
        off = (start / [WIDTH, HEIGHT] - [0.45, 0.5]) / [0.25, 0.3]
        assert (np.square(off).sum(-1) <= 1 + 1e-6).all()
        if count >= 10:
            apart = np.sqrt(np.square(start[:, None] - start[None]).sum(-1) + np.eye(len(start)) * 1e9).min(axis=1)
            assert apart.max() < 1.01 * apart.min()


@pytest.mark.parametrize(("size", "frames"), [((16, 16), 1), ((1, 1), 2), ((1920, 1080), 5), ((64, 512), 301)])
def test_any_size_and_length(size: tuple[int, int], frames: int) -> None:
    found = plan_tracks(plan(middle(direction=0), {"shapes": [MIDDLE], "pinned": True, "z": -1}), *size, frames)
    assert found.points.shape == (frames, len(found.owner), 2)
    assert found.visible.shape == found.points.shape[:2]
    assert np.isfinite(found.points).all()


def test_a_region_subtracted_or_outside_has_no_points() -> None:
    gone = {"shapes": [MIDDLE, {**MIDDLE, "op": "subtract"}], "motion": {"direction": 0}}
    away = {"shapes": [{"type": "rectangle", "box": [2, 2, 1, 1]}]}
    found = tracks(gone, away, {"shapes": []}, middle(direction=0))
    assert set(found.owner.tolist()) == {3}


def test_a_point_that_leaves_the_picture_is_not_visible_there() -> None:
    found = tracks(middle(direction=180, speed=2))
    assert (found.visible == (found.points[..., 0] >= 0)).all()
    assert found.visible[0].all() and not found.visible[-1].any()


def test_a_point_that_comes_in_becomes_visible() -> None:
    found = tracks(middle(direction=0), camera=[{"type": "pan", "x": 3}, {"type": "pan", "x": -3, "start": 0.5}])
    assert not found.visible[40].any() and found.visible[0].all()
    inside = found.points[-1, :, 0] < WIDTH
    assert found.visible[-1][inside].all()


def test_a_region_in_front_hides_and_one_behind_does_not() -> None:
    bar = {"type": "rectangle", "box": [0.7, 0, 0.1, 1]}
    for z, hides in ((1, True), (-1, False)):
        found = tracks(middle(direction=0, speed=0.6), {"shapes": [bar], "pinned": True, "z": z})
        own = found.owner == 0
        x = found.points[:, own, 0] / WIDTH
        under = (x > 0.701) & (x < 0.799)
        beside = (x < 0.699) | (x > 0.801)
        assert under.any()
        assert found.visible[:, own][under].all() != hides
        assert not found.visible[:, own][under].any() or not hides
        assert found.visible[:, own][beside].all()


def test_of_equal_depth_the_later_one_is_in_front_and_hidden_ones_do_not_count() -> None:
    first, second = {"shapes": [MIDDLE]}, {"shapes": [{"type": "rectangle", "box": [0.5, 0.4, 0.1, 0.2]}]}
    found = tracks(first, second)
    start = found.points[0] / [WIDTH, HEIGHT]
    assert (start[found.owner == 0][:, 0] < 0.502).all()
    hidden = tracks(first, {**second, "hidden": True})
    assert hidden.ids == ("region1",)
    assert (hidden.points[0] / [WIDTH, HEIGHT])[:, 0].max() > 0.52


def test_still_points_around_what_moves() -> None:
    moving = plan_tracks(from_data({"version": 1, "regions": [middle(direction=0, speed=0.02)]}), WIDTH, HEIGHT, FRAMES)
    scene = moving.owner == -1
    assert 20 <= scene.sum() <= 50
    assert np.abs(shift(moving)[:, scene]).max() == 0
    start = moving.points[0, scene] / [WIDTH, HEIGHT]
    assert not ((start > [0.45, 0.4]) & (start < [0.55, 0.6])).all(axis=1).any()
    assert (np.abs(moving.points[0, scene] - CENTRE) <= [0.05 * WIDTH + 72.1, 0.1 * HEIGHT + 72.1]).all()
    still = plan_tracks(from_data({"version": 1, "regions": [{"shapes": [MIDDLE]}]}), WIDTH, HEIGHT, FRAMES)
    assert not (still.owner == -1).any()


def test_masks_are_regions() -> None:
    mask = np.zeros((2, 48, 83))
    mask[1, 10:20, 40:60] = 1
    shown = plan({"shapes": [{"type": "mask", "index": 1}], "motion": {"direction": 0}})
    start = plan_tracks(shown, 830, 480, 5, masks=mask).points[0]
    assert len(start) > 50
    assert (start >= [400, 100]).all() and (start < [600, 200]).all()
    with pytest.raises(PlanError, match=r"^regions\[0\].shapes\[0\]: expected a mask for this region, got none; connect a MASK$"):
        plan_tracks(shown, 830, 480, 5)
    with pytest.raises(PlanError, match=r"^regions\[0\].shapes\[0\].index: expected a mask of the 1 that came \(counted from 0\), got 1$"):
        plan_tracks(shown, 830, 480, 5, masks=mask[:1])
    empty = plan_tracks(shown, 830, 480, 5, masks=mask * 0)
    assert empty.points.shape[1] == 0


def test_strength_comes_with_the_points_and_counts_too_small_are_refused() -> None:
    found = tracks({**middle(direction=0), "strength": 0.25}, {"shapes": [{"type": "ellipse", "box": [0, 0, 0.2, 0.2]}]})
    assert set(found.strength[found.owner == 0].tolist()) == {0.25}
    with pytest.raises(ValueError, match="at least 2, one for each region and box, got 1"):
        tracks(middle(), {"shapes": [{"type": "ellipse", "box": [0, 0, 0.2, 0.2]}]}, count=1)
    with pytest.raises(ValueError, match="expected a width of at least 1, got 0"):
        plan_tracks(plan(), 0, 10, 5)


def test_many_small_regions_keep_to_the_count() -> None:
    dots = [{"shapes": [{"type": "stroke", "points": [[0.1 * (k % 8) + 0.1, 0.1 * (k // 8) + 0.1]], "radius": 0.02}]} for k in range(64)]
    for count in (64, 70, 200):
        found = tracks(*dots, count=count)
        assert len(found.owner) <= count
        assert len(set(found.owner.tolist())) == 64


def test_it_can_be_ended() -> None:
    class Ended(BaseException):
        pass

    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 5:
            raise Ended

    with pytest.raises(Ended):
        plan_tracks(plan(middle(direction=0), middle(direction=90)), WIDTH, HEIGHT, FRAMES, check=check)


def test_a_plan_from_tracks_goes_as_they_do() -> None:
    t = frame_times(FRAMES)[:, None]
    ways = [t * [100, 50], np.concatenate([60 * np.sin(4 * t), 80 * t * t], axis=1), t * 0, -40 * np.sqrt(t) * [1, 1]]
    starts = np.array([[100, 100], [400, 200], [700, 400], [300, 350]])
    points = np.stack([start + way for start, way in zip(starts, ways)], axis=1)
    made = plan_from_tracks(points, None, WIDTH, HEIGHT)
    assert len(made.regions) == 4 and made.regions[2].pinned
    found = plan_tracks(made, WIDTH, HEIGHT, FRAMES, count=100)
    for index, way in enumerate(ways):
        off = shift(found)[:, found.owner == index] - way[:, None]
        assert np.abs(off).max() < 0.25


def test_tracks_of_a_plan_make_a_plan_of_the_same_ways() -> None:
    first = tracks(middle(path={"points": [[0, 0], [0.2, 0.1], [0.1, 0.3]]}, easing="ease-in-out"), count=30)
    made = plan_from_tracks(first.points, first.visible, WIDTH, HEIGHT)
    assert len(made.regions) == 1
    again = plan_tracks(made, WIDTH, HEIGHT, FRAMES, count=30)
    assert np.abs(shift(again)[:, again.owner == 0][:, :1] - shift(first)[:, :1]).max() < 0.5


def test_more_ways_than_regions_and_missing_points() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 400, (1, 150, 2)) + np.linspace(0, 1, 20)[:, None, None] * rng.uniform(-99, 99, (1, 150, 2))
    visible = rng.uniform(size=(20, 150)) > 0.3
    points[~visible] = np.nan
    made = plan_from_tracks(points, visible, WIDTH, HEIGHT)
    assert 1 < len(made.regions) <= 64
    for bad, flags in ((np.zeros((3, 2)), None), (np.zeros((3, 2, 2)), np.ones((3, 1))), (np.full((3, 2, 2), np.nan), None)):
        with pytest.raises(PlanError, match=r"^tracks: expected"):
            plan_from_tracks(bad, flags, WIDTH, HEIGHT)


def test_coordinates_of_the_common_editors() -> None:
    objects = '[{"x": 1, "y": 2}, {"x": 3, "y": 4}, {"x": 5, "y": 6}]'
    for text, count in (
        (objects, 1),
        (f"[{objects}, [[0, 0], [10, 10]]]", 2),
        ('["[[1, 2], [3, 4], [5, 6]]"]', 1),
        ("[[1, 2], [3, 4], [5, 6]]", 1),
    ):
        points, visible = tracks_from_coordinates(text)
        assert points.shape == (3, count, 2) and visible.all()
        assert points[:, 0].tolist() == [[1, 2], [3, 4], [5, 6]]
    for text in ("", "{}", "[]", "[[]]", '[[{"x": 1}]]', '[["a"]]', '["x"]', "[3]", "[[true, 1], [2, 3]]", "[[1e999, 1], [2, 3]]"):
        with pytest.raises(PlanError, match=r"^coordinates"):
            tracks_from_coordinates(text)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans)
def test_any_good_plan_has_finite_tracks_and_frames(data: dict[str, Any]) -> None:
    masks = np.ones((256, 3, 4))
    made = from_data(data)
    found = plan_tracks(made, 40, 30, 4, count=20, masks=masks)
    assert np.isfinite(found.points).all() and found.points.shape[1] <= 20
    assert found.points.shape == (4, len(found.owner), 2) and found.visible.shape == found.points.shape[:2]
    for frame in warp(made, np.full((30, 40, 3), 0.5), 2, masks=masks):
        for values in (frame.picture, frame.mask, frame.known):
            assert np.isfinite(values.numpy()).all() and values.min() >= 0 and values.max() <= 1
