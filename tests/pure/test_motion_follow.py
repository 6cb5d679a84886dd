"""Points followed, and plans compared with videos, against rendered truth: scenes whose every point is known."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import torch
from rooms.motion.adherence import asked, measure, table
from rooms.motion.adherence_pictures import enlargement, overlay, plot
from rooms.motion.backends.guides import GuideStyle, guide_frames
from rooms.motion.drawing import Layer, colour_of
from rooms.motion.follow import Follower
from rooms.motion.plan import from_data
from rooms.motion.pyramid import own_pixels, pyramid_of
from rooms.motion.silhouette import Silhouette
from rooms.motion.tracks import plan_tracks
from rooms.motion.warp import warp
from torch import Tensor
from torch.nn import functional

from training.world import render, sample_scene
from training.world.collage import paint_texture

MOVES = {"path": {"points": [[0.35, 0.5], [0.65, 0.55]]}}
DISC = {"type": "ellipse", "box": [0.2, 0.35, 0.3, 0.3]}
PINNED = {"shapes": [{"type": "rectangle", "box": [0.7, 0.05, 0.25, 0.2]}], "pinned": True}


def textured(side: int = 96, seed: int = 3) -> Tensor:
    """A held-out picture with something to follow everywhere, [H, W, 3]."""
    return torch.from_numpy(paint_texture("leaves", 2 * seed + 1, side, side).transpose(1, 2, 0).copy())


def washed_out(frames: Iterable[Tensor]) -> Iterator[Tensor]:
    """Frames as a video model gives them back: without their finest lines, with noise, and colours that drift."""
    generator = torch.Generator().manual_seed(0)
    for number, frame in enumerate(frames):
        small = functional.interpolate(frame.movedim(-1, 0)[None].float(), scale_factor=0.4, mode="area")
        blurred = functional.interpolate(small, size=frame.shape[:2], mode="bicubic")[0].movedim(0, -1)
        drift = 0.002 * number * torch.tensor([1.0, 0.0, -1.0])
        noise = 0.03 * torch.randn(blurred.shape, generator=generator)
        yield (blurred * (1 - 0.004 * number) + drift + noise).clamp(0, 1)


def follow(video: Tensor, points: Tensor, groups: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Places [T, N, 2] and which points are textured, [N]."""
    follower = Follower(video[0], points, groups, labels)
    return torch.stack([points, *(follower.step(frame)[0] for frame in video[1:])]), follower.textured


def errors_on_collages(count: int) -> tuple[Tensor, Tensor]:
    """Errors in pixels on held-out collages, of points with texture and of those without, while they are seen."""
    with_texture, without = [], []
    scenes = [sample_scene(random.Random(seed), "held_out", "collage") for seed in range(count)]
    clip = render(scenes, 13, 96, 96)
    for row in range(count):
        labels = torch.full((96, 96), -1)
        for number in range(clip.masks.shape[2]):
            labels[clip.masks[row, 0, number]] = number
        kept = clip.visibility[row, 0] & (clip.owners[row] >= -1)
        truth, seen = clip.tracks[row][:, kept], clip.visibility[row][:, kept].cumprod(0).bool()
        found, has_texture = follow(clip.video[row].permute(0, 2, 3, 1), truth[0], clip.owners[row][kept], labels)
        error = (found - truth).norm(dim=-1)
        with_texture.append(error[1:][seen[1:] & has_texture])
        without.append(error[1:][seen[1:] & ~has_texture])
    return torch.cat(with_texture), torch.cat(without)


def test_points_of_held_out_collages_are_followed_to_a_fraction_of_a_pixel() -> None:
    """Turning, growing, hiding cut-outs that cross up to half the picture."""
    with_texture, without = errors_on_collages(2)
    assert len(with_texture) > 200 and len(without) > 200
    assert float(with_texture.median()) < 0.1
    assert float(with_texture.quantile(0.9)) < 0.6
    assert float(without.median()) < 0.2
    assert float(without.quantile(0.9)) < 0.6


def passing() -> tuple[Tensor, Tensor]:
    """A still background of faint waves, and a textured square that crosses it: video [9, 96, 96, 3] and labels [96, 96]."""
    wave = 0.07 * torch.sin(torch.arange(96) / 8)
    waves = (0.5 + wave + wave[:, None])[..., None] * torch.tensor([1.0, 0.8, 0.6])
    square, frames = textured(32), []
    for step in range(9):
        frame, left = waves.clone(), 5 + 6 * step
        frame[32:64, left : left + 32] = square
        frames.append(frame)
    labels = torch.zeros(96, 96, dtype=torch.long)
    labels[32:64, 5:37] = 1
    return torch.stack(frames), labels


def test_what_is_covered_is_lost_and_a_plain_background_does_not_go_along() -> None:
    """The background's points rest, and those under the square are not said to be seen."""
    video, labels = passing()
    line = torch.linspace(4, 92, 12)
    above, under = (torch.stack((line, torch.full_like(line, row)), dim=-1) for row in (12.0, 48.0))
    under = under[under[:, 0] > 40]
    on = torch.tensor([[14.0, 40.0], [26.0, 56.0]])
    points = torch.cat((above, under, on))
    groups = torch.tensor([0] * (len(above) + len(under)) + [1] * len(on))
    follower = Follower(video[0], points, groups, labels)
    for step in range(1, 9):
        places, found = follower.step(video[step])
        still, thing = (places - points)[groups == 0], (places - points)[groups == 1]
        assert still.norm(dim=-1).max() < 0.5
        torch.testing.assert_close(thing, torch.tensor([6.0 * step, 0.0]).expand_as(thing), atol=0.1, rtol=0)
        left = 5 + 6 * step
        hidden = (points[:, 0] > left + 6) & (points[:, 0] < left + 26) & (points[:, 1] == 48) & (groups == 0)
        assert not found[hidden].any() and found[groups == 1].all()


def test_a_place_that_its_look_leaves_open_is_not_said_to_be_found() -> None:
    """Stripes may have gone any way along themselves, unless something else tells."""
    stripes = (0.5 + 0.4 * torch.sin(0.6 * torch.arange(96.0))).view(1, 96, 1).expand(96, 96, 3)
    points = torch.tensor([[30.0, 30.0], [60.0, 50.0]])
    follower = Follower(stripes, points)
    places, found = follower.step(stripes)
    assert not found.any() and (places - points).norm(dim=-1).max() < 0.05


def test_an_edge_belongs_to_the_smaller_group() -> None:
    labels = torch.zeros(20, 20, dtype=torch.long)
    labels[8:12, 8:12] = 1
    assert torch.equal(own_pixels(labels, 1, 3), labels == 1)
    around = own_pixels(labels, 0, 3)
    assert not around[5:15, 5:15].any() and int(around.sum()) == 400 - 100


@pytest.mark.parametrize(("scale", "rotation"), [(1.0, 0.0), (1.3, 40.0)])
def test_a_crude_video_is_followed_along_its_plan(scale: float, rotation: float) -> None:
    """The crude video moves exactly as asked, so the whole error is the follower's."""
    plan = from_data({"version": 1, "regions": [{"shapes": [DISC], "motion": {**MOVES, "scale": scale, "rotation": rotation}}, PINNED]})
    result = measure(asked(plan, (96, 96), 17), (frame.picture for frame in warp(plan, textured(), 17)))
    assert result.moving is not None and result.still is not None
    assert result.moving.median < 0.8 and result.moving.p90 < 2 and result.epe < 1
    assert result.still.p90 < 0.05
    assert result.moving.found > 0.95


@pytest.mark.parametrize("seed", [3, 5])
def test_a_thing_is_followed_through_a_video_that_washes_texture_and_colours_out(seed: int) -> None:
    plan = from_data({"version": 1, "regions": [{"shapes": [DISC], "motion": {**MOVES, "scale": 1.25}}]})
    clip = washed_out(frame.picture for frame in warp(plan, textured(seed=seed), 17))
    assert measure(asked(plan, (96, 96), 17), clip).epe < 1.5


def test_a_thing_of_one_colour_is_known_by_its_outline() -> None:
    """Each part of it looks like each other, so that pixels alone let it lag behind, or shrink, as long as it stays within itself."""
    plan = from_data({"version": 1, "regions": [{"shapes": [DISC], "motion": {**MOVES, "scale": 1.25}}]})
    picture = textured()
    row, column = torch.meshgrid(torch.arange(96) + 0.5, torch.arange(96) + 0.5, indexing="ij")
    picture[((column - 33.6) / 14.4) ** 2 + ((row - 48) / 14.4) ** 2 < 1] = torch.tensor([0.1, 0.2, 0.9])
    clip = washed_out(frame.picture for frame in warp(plan, picture, 17))
    assert measure(asked(plan, (96, 96), 17), clip).epe < 1.5


def test_a_silhouette_is_where_colours_are_the_bodys_and_tells_nothing_where_they_are_everywhere() -> None:
    frame = torch.full((32, 32, 3), 0.2)
    own = torch.zeros(32, 32, dtype=torch.bool)
    own[8:16, 8:16] = True
    frame[own] = torch.tensor([0.8, 0.2, 0.1])
    silhouette = Silhouette(pyramid_of(frame)[0], own)
    moved = silhouette.map(pyramid_of(frame.roll((9, 5), (0, 1)))[0])[0, 0]
    assert silhouette.contrast > 0.8
    assert float(moved[18:24, 14:20].min()) > 0.9 and float(moved[:15].max()) < 0.1
    unknown = silhouette.map(torch.full((1, 3, 4, 4), 0.5))
    assert float(unknown.max()) < 0.1
    own[:, 16:] = True
    assert Silhouette(pyramid_of(torch.full((32, 32, 3), 0.2))[0], own).contrast == pytest.approx(0, abs=1e-4)


def test_a_video_that_stands_still_is_off_by_the_whole_path() -> None:
    plan = from_data({"version": 1, "regions": [{"shapes": [DISC], "motion": MOVES}, PINNED]})
    wanted = asked(plan, (96, 96), 17)
    result = measure(wanted, (textured() for _ in range(17)))
    far = np.linalg.norm(wanted.points - wanted.points[0], axis=-1)[wanted.counts]
    moving = np.array([part.moves for part in wanted.parts])[wanted.owner]
    expected = np.linalg.norm(wanted.points - wanted.points[0], axis=-1)[:, moving][wanted.counts[:, moving]].mean()
    assert far.max() > 25
    assert result.epe == pytest.approx(expected, abs=0.05)
    assert result.still is not None and result.still.mean < 0.01


def test_a_thing_that_goes_the_other_way_is_not_believed_to_be_where_it_was_asked() -> None:
    asked_for = from_data({"version": 1, "anchors": False, "regions": [{"shapes": [DISC], "motion": MOVES}]})
    back = {"path": {"points": [[0.35, 0.5], [0.2, 0.5]]}}
    shown = from_data({"version": 1, "anchors": False, "regions": [{"shapes": [DISC], "motion": back}]})
    truth = np.linalg.norm(asked(asked_for, (96, 96), 17).points - asked(shown, (96, 96), 17).points, axis=-1)
    result = measure(asked(asked_for, (96, 96), 17), (frame.picture for frame in warp(shown, textured(), 17)))
    counts = ~np.isnan(result.errors)
    assert result.epe == pytest.approx(truth[counts].mean(), rel=0.15)


def test_the_camera_counts_as_motion_of_everything() -> None:
    plan = from_data({"version": 1, "regions": [], "camera": [{"type": "pan", "x": 0.15, "y": 0}]})
    result = measure(asked(plan, (96, 96), 9), (frame.picture for frame in warp(plan, textured(), 9)))
    assert result.still is None and result.moving is not None
    assert result.moving.median < 0.2
    assert [part.id for part, _ in result.parts] == ["scene"]


def test_a_cropped_picture_is_asked_about_where_the_crop_put_it() -> None:
    """A plan on a 128x96 picture, whose middle 96 columns fill a video of 48x48."""
    plan = from_data({"version": 1, "regions": [{"shapes": [DISC], "motion": MOVES}]})
    whole = asked(plan, (128, 96), 9)
    cropped = asked(plan, (48, 48), 9, source=(128, 96))
    own = whole.owner == 0
    np.testing.assert_allclose(cropped.points[:, cropped.owner == 0], (whole.points[:, own] - (16, 0)) / 2, atol=1e-4)
    assert np.mean(cropped.labels == whole.labels[1::2, 17:112:2]) > 0.98


def test_the_table_has_a_row_for_each_part() -> None:
    plan = from_data({"version": 1, "regions": [{"shapes": [DISC], "motion": MOVES, "name": "boat"}, PINNED]})
    lines = table(measure(asked(plan, (96, 96), 5), (textured() for _ in range(5)))).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["all", "all", "region1", "region2", "scene"]
    assert "boat" in lines[3] and "move" in lines[3] and "stay" in lines[4]


@pytest.mark.parametrize(
    ("frames", "plan", "words"),
    [
        (1, {"regions": [{"shapes": [DISC], "motion": MOVES}]}, "at least 2 frames, got 1"),
        (9, {"regions": []}, "something that moves or is pinned"),
    ],
)
def test_what_cannot_be_measured_is_refused(frames: int, plan: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        asked(from_data({"version": 1, **plan}), (96, 96), frames)


def test_another_number_or_size_of_frames_is_refused() -> None:
    wanted = asked(from_data({"version": 1, "regions": [{"shapes": [DISC], "motion": MOVES}]}), (96, 96), 5)
    with pytest.raises(ValueError, match="expected 5 frames, got 3"):
        measure(wanted, (textured() for _ in range(3)))
    with pytest.raises(ValueError, match="expected a frame of 96x96, got 64x64"):
        measure(wanted, (textured(96 if number == 0 else 64) for number in range(5)))


def test_the_overlay_shows_asked_paths_in_colour_and_found_ones_in_white_from_any_frame_on() -> None:
    plan = from_data({"version": 1, "anchors": False, "regions": [{"shapes": [DISC], "motion": MOVES, "color": "#00ff00"}]})
    grey = torch.full((5, 96, 96, 3), 100, dtype=torch.uint8)
    result = measure(asked(plan, (96, 96), 5, count=4), iter(grey))
    whole = torch.cat(list(overlay(result, iter(grey.split(2)))))
    times = enlargement(96, 96)
    assert times == 4 and whole.shape == (5, 384, 384, 3) and whole.dtype == torch.uint8
    later = torch.cat(list(overlay(result, iter(grey[3:].split(2)), first=3)))
    assert torch.equal(later, whole[3:])
    coloured = (whole[4, ..., 1] > 200) & (whole[4, ..., 0] < 80)
    x = result.asked.points[4, 0, 0] * times
    columns = coloured.nonzero()[:, 1]
    assert int(columns.max()) == pytest.approx(x, abs=30)
    assert bool((whole[4] > 240).all(-1).any())


def test_the_plot_is_a_picture_with_a_curve_in_each_parts_colour() -> None:
    plan = from_data({"version": 1, "regions": [{"shapes": [DISC], "motion": MOVES, "color": "#ff0000"}]})
    picture = plot(measure(asked(plan, (96, 96), 5), (textured() for _ in range(5))))
    assert picture.shape == (1, 432, 768, 3) and picture.dtype == torch.float32
    red = (picture[0] == torch.tensor([1.0, 0, 0])).all(-1)
    assert int(red[40:].sum()) > 300


def test_a_dot_covers_the_area_of_its_circle_and_a_line_that_of_its_length() -> None:
    layer = Layer.empty(64, 48)
    layer.dot(np.array([30.3, 20.7]), 6.0, (255, 255, 255))
    assert float(layer.coverage.sum()) == pytest.approx(np.pi * 36, rel=0.02)
    line = Layer.empty(64, 48)
    line.line(np.array([10.2, 10.0]), np.array([50.2, 40.0]), (255, 0, 0), 3.0)
    assert float(line.coverage.sum()) == pytest.approx(50 * 3 + np.pi * 1.5**2, rel=0.03)
    frame = line.over(np.zeros((48, 64, 3), np.uint8))
    assert frame.dtype == np.uint8 and tuple(frame[25, 30]) == (255, 0, 0)


def test_what_lies_outside_the_frame_is_cut_off() -> None:
    layer = Layer.empty(16, 16)
    layer.dot(np.array([-50.0, 8.0]), 3.0, (255, 0, 0))
    layer.dot(np.array([np.nan, 8.0]), 3.0, (255, 0, 0))
    assert float(layer.coverage.sum()) == 0
    layer.line(np.array([-1e6, 8.0]), np.array([1e6, 8.0]), (0, 255, 0), 2.0)
    assert float(layer.coverage[8].min()) == 1


def test_guides_are_circles_where_the_tracks_are() -> None:
    plan = from_data({"version": 1, "anchors": False, "regions": [{"shapes": [DISC], "motion": MOVES, "color": "#3cb44b"}]})
    tracks = plan_tracks(plan, 96, 64, 9, 1)
    colours = [colour_of("#3cb44b")]
    frames = torch.cat(list(guide_frames(tracks, GuideStyle(radius=0.08), colours)))
    assert frames.shape == (9, 64, 96, 3)
    for number in range(9):
        weight = frames[number, ..., 1].double()
        row, column = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(96) + 0.5, indexing="ij")
        centre = (float((weight * column).sum() / weight.sum()), float((weight * row).sum() / weight.sum()))
        assert centre == pytest.approx(tuple(tracks.points[number, 0].tolist()), abs=0.05)
    later = torch.cat(list(guide_frames(tracks, GuideStyle(0.08, trails=True), colours, first=6)))
    whole = torch.cat(list(guide_frames(tracks, GuideStyle(0.08, trails=True), colours)))
    assert torch.equal(later, whole[6:])
    assert int((whole[8] > 0).sum()) > int((frames[8] > 0).sum())


@pytest.mark.parametrize("style", [{"canvas": "pink"}, {"radius": 0.0}, {"radius": float("nan")}])
def test_odd_guides_are_refused(style: dict) -> None:
    with pytest.raises(ValueError, match=r"expected a .*, got "):
        GuideStyle(**style)
