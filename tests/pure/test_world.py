"""The world that is rendered for training: repeatable, and true to what it says about itself."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from training.world import (
    LABELS,
    LANGUAGES,
    Rendered,
    Scene,
    attributes,
    caption,
    caption_and_attributes,
    is_held_out,
    render,
    sample_scene,
    scene_for,
)
from training.world.captions import words
from training.world.motion import camera_path, thing_path
from training.world.scene import TRAVEL
from training.world.sheet import contact_sheet
from training.world.sprites import extent
from training.world.vocabulary import BACKGROUNDS, COLOURS, DIRECTION_VECTOR, KINDS, MOTIONS, places_for


def scenes_of(count: int, seed: int = 0, split: str = "train", style: str = "picture_book") -> list[Scene]:
    generator = random.Random(seed)
    return [sample_scene(generator, split, style) for _ in range(count)]


def centroid(mask: torch.Tensor) -> tuple[float, float]:
    rows, columns = torch.nonzero(mask, as_tuple=True)
    return columns.double().mean().item() + 0.5, rows.double().mean().item() + 0.5


def test_a_seed_decides_the_scene_and_the_scene_decides_the_bytes() -> None:
    for style in ("picture_book", "collage"):
        scenes = scenes_of(4, seed=5, style=style)
        assert scenes == scenes_of(4, seed=5, style=style)
        assert scenes != scenes_of(4, seed=6, style=style)
        first, second = render(scenes, 5, 48, 48), render(scenes, 5, 48, 48)
        for one, other in zip(vars(first).values(), vars(second).values()):
            assert torch.equal(one, other)


def test_scenes_come_back_from_json_as_they_were() -> None:
    for scene in scenes_of(100) + scenes_of(30, style="collage"):
        assert Scene.from_json(scene.to_json()) == scene


def test_held_out_triples_are_a_tenth_and_never_meet_training() -> None:
    triples = [(kind, colour, motion) for kind in KINDS for colour in COLOURS for motion in MOTIONS]
    assert 0.07 < sum(is_held_out(*triple) for triple in triples) / len(triples) < 0.13
    for split in ("train", "held_out"):
        for scene in scenes_of(300, seed=1, split=split):
            for thing in scene.things:
                assert is_held_out(thing.kind, thing.colour, thing.motion) == (split == "held_out")


def test_collages_of_the_two_splits_share_no_seed() -> None:
    for split, parity in (("train", 0), ("held_out", 1)):
        for scene in scenes_of(50, seed=2, split=split, style="collage"):
            assert {seed % 2 for seed in (scene.seed, *(cutout.seed for cutout in scene.cutouts))} == {parity}


def test_every_label_is_drawn_and_things_are_where_they_can_be() -> None:
    seen: dict[str, set[str]] = {name: set() for name in LABELS}
    for scene in scenes_of(3000, seed=3):
        for name in ("background", "time", "weather", "camera"):
            seen[name].add(getattr(scene, name))
        seen["count"].add(LABELS["count"][len(scene.things) - 1])
        for thing in scene.things:
            assert scene.background in places_for(thing.kind, thing.motion)
            for name in ("kind", "colour", "size", "motion", "direction", "speed"):
                seen[name].add(getattr(thing, name))
    for name, labels in LABELS.items():
        assert set(labels) <= seen[name], name


def test_unknown_labels_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"scene_for: expected kind .* got 'unicorn'"):
        scene_for("unicorn")
    with pytest.raises(ValueError, match=r"got 'sideways'"):
        scene_for("ball", direction="sideways")
    with pytest.raises(ValueError, match=r"sample_scene: expected split"):
        sample_scene(random.Random(0), "test")
    with pytest.raises(ValueError, match=r"caption: expected language"):
        caption(scene_for(), random.Random(0), "fr")


# Captions


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_label_has_words(language: str) -> None:
    table = words(language)
    for name, labels in LABELS.items():
        for label in labels if name != "count" else ():
            assert table[name][label], (name, label)


def ways(language: str, name: str, label: str) -> list[str]:
    """All strings by which a caption may state a label."""
    entry = words(language)[name][label]
    if name == "background":
        return entry["at"] + entry["across"]
    if name == "kind" and language == "zh":
        return [text[1:] for text in entry]
    if name == "motion":
        return [word for form in entry for word in form if word]
    return entry


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_say_what_they_state(language: str) -> None:
    generator = random.Random(7)
    for scene in scenes_of(600, seed=7):
        text, stated = caption_and_attributes(scene, generator, language)
        count = len(scene.things)
        assert -1 not in stated["kind"][:count] + stated["colour"][:count] + stated["motion"][:count]
        for name in ("kind", "colour", "size", "motion", "speed"):
            for number in stated[name]:
                if number >= 0:
                    label = LABELS[name][number]
                    assert any(way in text or way.capitalize() in text for way in ways(language, name, label)), (text, label)
        for name in ("background", "time", "weather", "camera"):
            if stated[name] >= 0:
                label = LABELS[name][stated[name]]
                assert label == getattr(scene, name)
                assert any(way in text or way.capitalize() in text for way in ways(language, name, label)), (text, label)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_direction_is_left_out_only_to_the_right_and_in_a_quarter(language: str) -> None:
    generator, silent = random.Random(8), {"left": 0, "right": 0}
    for direction in silent:
        scene = scene_for("ball", "red", "roll", direction)
        said = [way.lower() for way in words(language)["direction"][direction]]
        for _ in range(400):
            text = caption(scene, generator, language).lower()
            silent[direction] += not any(way in text for way in said)
    assert silent["left"] == 0
    assert 60 < silent["right"] < 140


def test_stated_attributes_follow_the_order_of_mention() -> None:
    generator, orders = random.Random(9), set()
    scene = next(scene for scene in scenes_of(200, seed=9) if len(scene.things) == 2)
    names = [min(words("en")["kind"][thing.kind], key=len) for thing in scene.things]
    for _ in range(40):
        text, stated = caption_and_attributes(scene, generator, "en")
        kinds = [LABELS["kind"][number] for number in stated["kind"][:2]]
        assert sorted(kinds) == sorted(thing.kind for thing in scene.things)
        places = [min(text.find(way) for way in words("en")["kind"][kind] if way in text) for kind in kinds]
        assert places == sorted(places), (text, kinds, names)
        orders.add(tuple(kinds))
    assert len(orders) == 2


def test_the_sentence_of_the_readme_is_one_of_ours() -> None:
    scene, generator = scene_for("ball", "red", "roll", "right", "meadow"), random.Random(0)
    said = {caption(scene, generator).rstrip(".").lower() for _ in range(20000)}
    assert "a red ball rolls across green grass" in said


def test_attributes_are_the_numbers_of_the_labels() -> None:
    scene = scene_for("boat", "blue", "sail", "left", "sea", size="large", speed="slow", time="night", camera="zoom_in")
    found = attributes(scene)
    assert {name: LABELS[name][found[name][0]] for name in ("kind", "colour", "size", "motion", "direction", "speed")} == {
        "kind": "boat",
        "colour": "blue",
        "size": "large",
        "motion": "sail",
        "direction": "left",
        "speed": "slow",
    }
    assert found["kind"][1:] == [-1, -1]
    assert (LABELS["background"][found["background"]], LABELS["time"][found["time"]]) == ("sea", "night")
    assert (LABELS["camera"][found["camera"]], LABELS["count"][found["count"]]) == ("zoom_in", "one")


# Motion


@pytest.mark.parametrize("direction", sorted(DIRECTION_VECTOR))
def test_normal_speed_crosses_a_third_of_the_picture_in_its_direction(direction: str) -> None:
    scene = scene_for("star", "yellow", "fly", direction, "sky")
    pose = thing_path(scene.things[0], np.arange(17) / 16, 100, 100)
    moved = np.array([pose.x[-1] - pose.x[0], pose.y[-1] - pose.y[0]])
    assert np.hypot(*moved) >= 35
    heading = np.array(DIRECTION_VECTOR[direction])
    assert moved @ heading / np.hypot(*moved) / np.hypot(*heading) > 0.99


def test_a_sliding_thing_moves_evenly_and_comes_back_at_the_other_side_unseen() -> None:
    scene = scene_for("cube", "red", "slide", "right", "meadow")
    thing, times = scene.things[0], np.arange(200) / 16
    x = thing_path(thing, times, 64, 96).x
    steps = np.diff(x)
    jumps = np.nonzero(steps < 0)[0]
    assert len(jumps) >= 2
    assert np.allclose(np.delete(steps, jumps), TRAVEL * 96 / 16)
    half = 0.5 * 0.39 * 64
    assert (x[jumps] > 96 + half - 3).all() and (x[jumps + 1] < -half + 3).all()


def test_a_rolling_ball_does_not_slip() -> None:
    thing = scene_for("ball", "red", "roll", "left").things[0]
    pose = thing_path(thing, np.arange(9) / 16, 64, 64)
    radius = 0.5 * 0.39 * 64
    assert np.allclose(np.diff(pose.angle) * radius, np.diff(pose.x))


def test_a_falling_thing_obeys_gravity_and_rests_on_the_floor() -> None:
    thing = scene_for("apple", "red", "fall").things[0]
    times = np.arange(64) / 16
    y = thing_path(thing, times, 128, 128).y
    falling = times < 0.4
    assert np.allclose(np.diff(y[falling], 2), np.diff(y[falling], 2)[0])
    assert np.allclose(y[-8:], y[-1])
    bottom = y[-1] + 0.5 * 0.39 * 128 * KINDS["apple"].height / max(KINDS["apple"].width, KINDS["apple"].height)
    assert bottom == pytest.approx(thing.floor * 128, abs=1e-6)


# Pictures and their truth


@pytest.mark.parametrize(
    ("frames", "height", "width"), [(1, 64, 64), (17, 64, 64), (5, 128, 128), (5, 128, 192), (33, 96, 48), (3, 20, 16)]
)
def test_any_size_and_length(frames: int, height: int, width: int) -> None:
    scenes = scenes_of(2, seed=11) + scenes_of(1, seed=11, style="collage")
    rendered = render(scenes, frames, height, width)
    count = max(1, *(len(scene.things) + len(scene.cutouts) for scene in scenes))
    points = rendered.tracks.shape[2]
    assert rendered.video.shape == (3, frames, 3, height, width) and rendered.video.dtype == torch.uint8
    assert rendered.masks.shape == (3, frames, count, height, width) and rendered.masks.dtype == torch.bool
    assert rendered.tracks.shape == (3, frames, points, 2) and rendered.visibility.shape == (3, frames, points)
    assert rendered.owners.shape == (3, points) and rendered.depth_order.shape == (3, count)
    assert rendered.camera.shape == (3, frames, 2)
    assert rendered.tracks.isfinite().all()


def test_nothing_to_render_is_refused() -> None:
    with pytest.raises(ValueError, match=r"render: expected scenes and a positive size"):
        render([], 1, 64, 64)


def test_a_scene_looks_the_same_in_any_company() -> None:
    scenes = scenes_of(12, seed=12)
    together = render(scenes, 3, 48, 48)
    alone = render(scenes[7:8], 3, 48, 48)
    assert (together.video[7].int() - alone.video[0].int()).abs().max() <= 1
    assert torch.equal(together.camera[7], alone.camera[0])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_drawings_have_the_size_that_motion_counts_on(kind: str) -> None:
    _, _, width, height = extent(kind)
    assert width == pytest.approx(KINDS[kind].width, abs=0.03)
    assert height == pytest.approx(KINDS[kind].height, abs=0.03)


def test_masks_are_where_the_path_says() -> None:
    scenes = [scene_for("ball", colour, "slide", "right", place, seed=3) for place in ("meadow", "sky") for colour in ("red", "black")]
    rendered = render(scenes, 17, 128, 128)
    for row, scene in enumerate(scenes):
        pose = thing_path(scene.things[0], np.arange(17) / 16, 128, 128)
        radius = 0.5 * 0.39 * 128
        for frame in range(17):
            if pose.x[frame] + radius < 126 and pose.x[frame] - radius > 2:
                mask = rendered.masks[row, frame, 0]
                assert centroid(mask) == pytest.approx((pose.x[frame], pose.y[frame]), abs=0.75)
                assert mask.sum().item() == pytest.approx(math.pi * radius**2, rel=0.05)


def test_points_of_a_thing_follow_its_path_exactly() -> None:
    """The middle of a spinning thing's points stays, and each keeps its distance; those of a slider all move alike."""
    slide = render([scene_for("cube", "blue", "slide", "up", "city")], 9, 64, 64)
    own = slide.owners[0] == 0
    steps = slide.tracks[0, 1:, own] - slide.tracks[0, :-1, own]
    assert torch.allclose(steps[..., 0], torch.zeros_like(steps[..., 0]), atol=0.01)
    assert torch.allclose(steps[..., 1], torch.full_like(steps[..., 1], -TRAVEL * 64 / 16), atol=0.01)

    scene = scene_for("star", "blue", "spin", "clockwise", "sky")
    spin = render([scene], 9, 64, 64)
    own = spin.owners[0] == 0
    middle = torch.tensor([scene.things[0].x * 64, scene.things[0].y * 64])
    arms = (spin.tracks[0, :, own] - middle).double()
    assert torch.allclose(arms.norm(dim=-1), arms[:1].norm(dim=-1).expand(9, -1), atol=0.01)
    turned = torch.atan2(arms[..., 1], arms[..., 0])
    step = torch.remainder(turned[1:] - turned[:-1] + math.pi, 2 * math.pi) - math.pi
    assert torch.allclose(step, torch.full_like(step, 2 * math.pi * 0.8 / 16), atol=0.01)


def check_visibility(rendered: Rendered) -> None:
    """A point is visible exactly when the pixel under it belongs to its owner; the background's may also be hidden by itself."""
    batch, frames, _, height, width = rendered.masks.shape
    for row in range(batch):
        for frame in range(frames):
            for point in range(rendered.tracks.shape[2]):
                x, y = rendered.tracks[row, frame, point].floor().long().tolist()
                owner = rendered.owners[row, point].item()
                inside = 0 <= x < width and 0 <= y < height
                visible = rendered.visibility[row, frame, point].item()
                if not inside or owner == -2:
                    assert not visible
                elif owner >= 0:
                    assert visible == rendered.masks[row, frame, owner, y, x].item()
                elif visible:
                    assert not rendered.masks[row, frame, :, y, x].any()


def test_visibility_agrees_with_the_masks() -> None:
    check_visibility(render(scenes_of(6, seed=13) + scenes_of(2, seed=13, style="collage"), 3, 64, 64))


def test_a_thing_in_front_hides_the_one_behind() -> None:
    front, back = scene_for("ball", "red", "stay"), scene_for("cube", "blue", "stay")
    both = replace(front, things=(front.things[0], replace(back.things[0], x=front.things[0].x, y=front.things[0].y)))
    rendered = render([both], 1, 64, 64)
    assert rendered.depth_order.tolist() == [[1, 0]]
    alone = render([front], 1, 64, 64)
    assert torch.equal(rendered.masks[0, 0, 0], alone.masks[0, 0, 0])
    assert not (rendered.masks[0, 0, 0] & rendered.masks[0, 0, 1]).any()


def test_near_ground_moves_more_than_the_far_sky_and_points_follow_it() -> None:
    scene = replace(scene_for("car", "red", "stay", background="meadow", seed=4), camera="pan_right", things=())
    rendered = render([scene], 9, 96, 96)
    camera = camera_path(scene, np.arange(9) / 16, 96)
    ground = (rendered.owners[0] == -1) & (rendered.tracks[0, 0, :, 1] > 70)
    sky = (rendered.owners[0] == -1) & (rendered.tracks[0, 0, :, 1] < 40)
    moved = rendered.tracks[0, -1] - rendered.tracks[0, 0]
    panned = camera.pan[-1] - camera.pan[0]
    assert torch.allclose(moved[ground, 0], torch.full_like(moved[ground, 0], -panned), atol=0.01)
    assert (moved[sky, 0] < 0).all() and (moved[sky, 0] > -0.2 * panned).all()
    # The picture itself moves as the points say: tufts under a point look the same at its new place.
    first, last = rendered.video[0, 0].float(), rendered.video[0, -1].float()
    shift = round(panned)
    assert panned - shift == pytest.approx(0, abs=0.5)
    same = (first[:, 75:, shift + 4 : -4] - last[:, 75:, 4 : -shift - 4]).abs().mean()
    unmoved = (first[:, 75:] - last[:, 75:]).abs().mean()
    assert same < 0.6 * unmoved


@pytest.mark.parametrize("time", LABELS["time"])
def test_colours_stay_the_nearest_of_their_name_at_any_hour(time: str) -> None:
    """The mean colour of a ball's mask is nearest, in direction from grey, to its own name among the vivid colours."""
    vivid = ("red", "yellow", "green", "blue", "purple", "turquoise")
    scenes = [scene_for("heart", colour, "stay", background="sky", size="large", time=time) for colour in vivid]
    rendered = render(scenes, 1, 64, 64)

    def hue(colour: torch.Tensor) -> torch.Tensor:
        chroma = colour - colour.mean()
        return chroma / chroma.norm()

    names = torch.stack([hue(torch.tensor(COLOURS[colour])) for colour in vivid])
    for row, colour in enumerate(vivid):
        mean = rendered.video[row, 0][:, rendered.masks[row, 0, 0]].float().mean(dim=1)
        assert vivid[int((names @ hue(mean)).argmax())] == colour


@pytest.mark.parametrize("background", sorted(BACKGROUNDS))
def test_every_kind_stands_out_from_every_background(background: str) -> None:
    """The edge of a thing differs from what lies around it, whatever its colour."""
    scenes = [scene_for("umbrella", colour, "spin", "clockwise", background, size="large") for colour in COLOURS]
    rendered, empty = render(scenes, 1, 64, 64), render([replace(scene, things=()) for scene in scenes], 1, 64, 64)
    difference = (rendered.video.float() - empty.video.float()).abs().amax(dim=2)
    for row in range(len(scenes)):
        changed = difference[row, 0][rendered.masks[row, 0, 0]]
        assert (changed > 25).float().mean() > 0.3


def test_a_contact_sheet_has_a_row_for_each_scene() -> None:
    sheet = contact_sheet(scenes_of(3, seed=14), random.Random(0), 32, 5, halves=1)
    assert sheet.height > 3 * 32 and sheet.width > 5 * 32
