"""Tracks become plans that turn and grow: plan -> tracks -> plan -> tracks, against what the first plan says of the same places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rooms.motion.camera import apply_maps, camera_maps
from rooms.motion.easing import eased_time, frame_times
from rooms.motion.from_tracks import plan_from_tracks
from rooms.motion.movers import movers
from rooms.motion.plan import Plan, from_data, to_data
from rooms.motion.similarity import fitted, groups
from rooms.motion.timing import fitted_timing
from rooms.motion.tracks import Tracks, in_picture, plan_tracks

WIDTH, HEIGHT, FRAMES = 832, 480, 49
LEFT, RIGHT = [0.1, 0.2, 0.25, 0.4], [0.6, 0.3, 0.2, 0.3]
BEND = {"points": [[0, 0], [0.2, 0.1], [0.3, -0.1]]}


def plan(**fields: Any) -> Plan:
    return from_data({"version": 1, "anchors": False, **fields})


def region(box: list[float], **motion: Any) -> dict[str, Any]:
    return {"shapes": [{"type": "ellipse", "box": box}], "motion": motion}


def tracks(of: Plan, count: int = 80) -> Tracks:
    return plan_tracks(of, WIDTH, HEIGHT, FRAMES, count)


def off(made: Plan, truth: Plan) -> np.ndarray:
    """How far points of regions and boxes of `made` are from where `truth` takes what is there at first, while that is in the picture."""
    found, asked = tracks(made, 200), tracks(truth)
    first = found.points[0][found.owner >= 0].astype(np.float64)
    owner = asked.owner[np.linalg.norm(first[:, None] - asked.points[0], axis=-1).argmin(axis=1)]
    parts, camera = movers(truth, WIDTH, HEIGHT, FRAMES), camera_maps(truth.camera, WIDTH, HEIGHT, FRAMES)
    still = np.tile(np.eye(3)[:2], (FRAMES, 1, 1))
    places = [apply_maps(still if index < 0 else parts[index].maps, place[None]) for place, index in zip(first, owner)]
    expected = np.concatenate([apply_maps(camera, place) for place in places], axis=1)
    return np.linalg.norm(found.points[:, found.owner >= 0] - expected, axis=-1)[in_picture(expected, WIDTH, HEIGHT)]


def noisy(found: Tracks, spread: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, spread, found.points.shape)
    noise[0] = 0
    return found.points + noise


TURNS = [
    ({"regions": [region(LEFT, rotation=120)]}, (1, 0)),
    ({"regions": [region(LEFT, rotation=400, easing="ease-in-out", start=0.2, end=0.9)]}, (1, 0)),
    ({"regions": [region(LEFT, scale=2.2, easing=[0.6, 0.1, 0.9, 0.4])]}, (1, 0)),
    ({"regions": [region(LEFT, rotation=-200, scale=0.5, path=BEND, easing="ease")]}, (1, 0)),
    ({"regions": [region(LEFT, rotation=90, center=[0.5, 0.5]), region(RIGHT, scale=1.6, path=BEND)]}, (2, 0)),
    ({"regions": [region(LEFT, rotation=90), region(RIGHT, direction=30, speed=0.3)], "anchors": True}, (3, 0)),
    ({"camera": [{"type": "roll", "degrees": 40, "easing": "ease-in"}]}, (1, 0)),
    ({"camera": [{"type": "zoom", "factor": 1.5}, {"type": "pan", "x": 0.2, "start": 0.5}]}, (1, 0)),
    ({"boxes": [{"start": LEFT, "end": [0.5, 0.4, 0.3, 0.48], "keyframes": [{"time": 0.4, "box": [0.2, 0.1, 0.125, 0.2]}]}]}, (0, 1)),
]


@pytest.mark.parametrize(("fields", "parts"), TURNS)
def test_what_turns_and_grows_is_one_part_that_goes_as_it_did(fields: dict[str, Any], parts: tuple[int, int]) -> None:
    truth = plan(**fields)
    found = tracks(truth)
    made = plan_from_tracks(found.points, found.visible, WIDTH, HEIGHT)
    assert (len(made.regions), len(made.boxes)) == parts
    assert off(made, truth).max() < 0.5
    again = tracks(made)
    painted = again.owner >= 0
    twice = plan_from_tracks(again.points[:, painted], again.visible[:, painted], WIDTH, HEIGHT)
    assert off(twice, truth).max() < 1.0
    assert from_data(to_data(made)) == made


@pytest.mark.parametrize(("fields", "parts"), TURNS)
def test_tracks_with_noise_and_gaps_make_the_same_parts(fields: dict[str, Any], parts: tuple[int, int]) -> None:
    """As a tracker gives them: a fifth of a pixel off, and a third of them missing after the first frame."""
    truth = plan(**fields)
    found = tracks(truth)
    shown = np.random.default_rng(1).uniform(size=found.visible.shape) > 0.3
    shown[0] = True
    made = plan_from_tracks(noisy(found, 0.2), found.visible & shown, WIDTH, HEIGHT)
    assert len(made.regions) + len(made.boxes) <= sum(parts) + 2
    assert np.quantile(off(made, truth), 0.95) < 1.0


def test_a_turn_is_told_by_its_degrees_its_centre_and_its_timing() -> None:
    found = tracks(plan(regions=[region(LEFT, rotation=-75, scale=1.5, center=[0.3, 0.35], start=0.25, easing="ease-out")]))
    motion = plan_from_tracks(found.points, found.visible, WIDTH, HEIGHT).regions[0].motion
    assert motion.path is None and motion.easing == "ease-out"
    assert (motion.rotation, motion.scale, motion.start, motion.end) == pytest.approx((-75, 1.5, 0.25, 1.0), abs=1e-3)
    assert motion.center == pytest.approx((0.3, 0.35), abs=1e-4)


def test_one_point_in_a_circle_is_a_path_and_several_around_one_are_a_turn() -> None:
    angle = 2 * np.pi * frame_times(FRAMES)[:, None] + np.array([0.0, 1.0, 2.5, 4.0])
    circle = np.stack([400 + 90 * np.cos(angle), 240 + 90 * np.sin(angle)], axis=-1)
    alone = plan_from_tracks(circle[:, :1], None, WIDTH, HEIGHT)
    assert alone.regions[0].motion.path is not None and alone.regions[0].motion.rotation == 0
    (around,) = plan_from_tracks(circle, None, WIDTH, HEIGHT).regions
    assert around.motion.path is None and around.motion.rotation == pytest.approx(360, abs=0.1)
    assert around.motion.center == pytest.approx((400 / WIDTH, 240 / HEIGHT), abs=1e-3)


def test_two_points_that_part_are_not_one_thing_that_grows() -> None:
    t = frame_times(FRAMES)[:, None, None]
    parting = np.array([[[300.0, 240.0], [303.0, 242.0], [500.0, 240.0], [502.0, 238.0]]]) + t * [[-60, 0], [-60, 0], [60, 20], [60, 20]]
    made = plan_from_tracks(parting, None, WIDTH, HEIGHT)
    assert len(made.regions) == 2 and all(part.motion.path is not None and part.motion.scale == 1 for part in made.regions)


def test_what_a_plan_cannot_say_of_turning_is_said_by_paths() -> None:
    """There and back again."""
    angle = 0.6 * np.sin(np.pi * frame_times(FRAMES))[:, None]
    starts = np.random.default_rng(0).uniform(-80, 80, 12) + 1j * np.random.default_rng(1).uniform(-80, 80, 12)
    places = np.exp(1j * angle) * starts + complex(400, 240)
    points = np.stack([places.real, places.imag], axis=-1)
    made = plan_from_tracks(points, None, WIDTH, HEIGHT, radius=0.005)
    assert all(part.motion.rotation == 0 for part in made.regions)
    found = tracks(made, 400)
    for point in range(12):
        near = np.linalg.norm(found.points[0] - points[0, point], axis=-1).argmin()
        assert np.abs((found.points[:, near] - found.points[0, near]) - (points[:, point] - points[0, point])).max() < 0.75


def test_a_similarity_is_found_among_other_points() -> None:
    chance = np.random.default_rng(3)
    first = chance.uniform(0, 400, 60) + 1j * chance.uniform(0, 400, 60)
    turn = np.exp((0.4 + 0.7j) * frame_times(20))
    places = first + np.cumsum(chance.normal(0, 4, (20, 60)) + 1j * chance.normal(0, 4, (20, 60)), axis=0)
    places[0] = first
    places[:, :25] = turn[:, None] * (first[:25] - 50j) + 80
    places[0, :25] = first[:25]
    places[:, :25] += first[:25] - (turn[0] * (first[:25] - 50j) + 80)
    similarity, members = next(groups(places, np.ones(places.shape, bool), 0.5))
    assert members.tolist() == list(range(25))
    np.testing.assert_allclose(np.diff(similarity.angle), 0.7 / 19, atol=1e-9)
    np.testing.assert_allclose(np.diff(similarity.growth), 0.4 / 19, atol=1e-9)


def test_a_similarity_is_between_its_neighbours_where_nothing_is_seen() -> None:
    first = np.array([0, 10, 10j, 7 + 3j])
    turn = np.exp(0.1j * np.arange(5))
    places = turn[:, None] * first
    seen = np.ones((5, 4), bool)
    seen[2] = False
    places[2] = 1e6
    np.testing.assert_allclose(fitted(places, seen).turn, turn, atol=1e-9)


@pytest.mark.parametrize("frames", [17, 81])
@pytest.mark.parametrize(
    ("start", "end", "easing"),
    [
        (0.0, 1.0, "linear"),
        (0.2, 0.8, "ease"),
        (0.0, 0.6, "ease-out"),
        (0.1, 1.0, "ease-in"),
        (0.0, 1.0, "ease-in-out"),
        (0.1, 0.9, (0.8, 0.1, 0.2, 0.9)),
    ],
)
def test_a_timing_is_found_again(frames: int, start: float, end: float, easing: Any) -> None:
    times = frame_times(frames)
    gone = eased_time(times, start, end, easing)
    timing = fitted_timing(times, gone, 1e-3)
    assert np.abs(timing.gone(times) - gone).max() < 1e-3
    assert (timing.start, timing.end) == pytest.approx((start, end), abs=5e-3)
    assert timing.easing == (easing if isinstance(easing, str) else pytest.approx(easing, abs=1e-2))
