"""What becomes of tracks before a model sees them, against closed formulas; the host's own nodes are compared with in tests/host."""

from __future__ import annotations

import pytest
import torch
from rooms.motion.backends.ati import apply_tracks
from rooms.motion.backends.auto import ATI, TIME_TO_MOVE, WAN_MOVE, ModelFacts, choose, refusal
from rooms.motion.backends.points import checked, resampled
from rooms.motion.backends.time_to_move import PRESETS, Clock, let_go_map, start_at, to_cells
from rooms.motion.backends.wan_move import move_cells

WAN_14B = {"layout": "wan", "latent_channels": 16, "picture_channels": 20, "width": 5120}


def latent(frames: int = 5, height: int = 6, width: int = 8) -> torch.Tensor:
    return torch.randn(1, 16, frames, height, width, generator=torch.Generator().manual_seed(0))


def standing(frames: int, *places: tuple[float, float]) -> torch.Tensor:
    """Points that stay at `places` (x, y)."""
    return torch.tensor(places).expand(frames, -1, -1).clone()


def test_a_track_carries_the_first_cell_along_and_nothing_else_changes() -> None:
    y = latent()
    points = standing(17, (4.0, 4.0))
    points[:, 0, 0] += 2.0 * torch.arange(17)  # 8 pixels, one cell, per latent frame
    moved = move_cells(y, points)
    for frame in range(1, 5):
        torch.testing.assert_close(moved[:, :, frame, 0, frame], y[:, :, 0, 0, 0])
    changed = (moved != y).any(1)[0]
    assert changed.nonzero().tolist() == [[frame, 0, frame] for frame in range(1, 5)]


def test_the_given_latent_is_not_edited() -> None:
    y = latent()
    before = y.clone()
    assert not torch.equal(move_cells(y, standing(17, (20.0, 20.0))), before)
    assert torch.equal(y, before)


def test_a_track_not_seen_in_the_first_picture_carries_nothing() -> None:
    y = latent()
    seen = torch.ones(17, 1, dtype=torch.bool)
    seen[0] = False
    assert torch.equal(move_cells(y, standing(17, (20.0, 20.0)), seen), y)
    points = standing(17, (20.0, 20.0))
    points[0] = -50.0  # enters later
    assert torch.equal(move_cells(y, points), y)


def test_one_column_of_visibility_counts_for_every_track() -> None:
    y = latent()
    points = standing(17, (4.0, 4.0), (30.0, 30.0), (60.0, 40.0))
    column = torch.ones(17, 1, dtype=torch.bool)
    column[8] = False
    assert torch.equal(move_cells(y, points, column), move_cells(y, points, column.expand(17, 3)))
    assert torch.equal(move_cells(y, points, column)[:, :, 2], y[:, :, 2])


def test_overlaps_do_not_depend_on_chance_but_on_what_is_in_front() -> None:
    y = latent()
    points = standing(17, (4.0, 4.0), (60.0, 40.0))
    points[1:] = torch.tensor((20.0, 20.0))  # both in one cell from then on
    results = []
    for seed in range(5):
        torch.manual_seed(seed)
        results.append(move_cells(y, points, front=torch.tensor([0.0, 1.0])))
    assert all(torch.equal(result, results[0]) for result in results)
    torch.testing.assert_close(results[0][:, :, 1, 2, 2], y[:, :, 0, 5, 7])
    other = move_cells(y, points, front=torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(other[:, :, 1, 2, 2], y[:, :, 0, 0, 0])


def test_among_equals_the_nearest_to_the_middle_of_the_cell_wins() -> None:
    y = latent()
    points = standing(17, (4.0, 4.0), (60.0, 40.0))
    points[1:, 0], points[1:, 1] = torch.tensor((17.0, 17.0)), torch.tensor((20.5, 20.0))
    torch.testing.assert_close(move_cells(y, points)[:, :, 1, 2, 2], y[:, :, 0, 5, 7])


def test_strength_is_each_tracks_own() -> None:
    y = latent()
    points = standing(17, (4.0, 4.0), (60.0, 40.0))
    moved = move_cells(y, points, strength=torch.tensor([0.25, 0.0]))
    torch.testing.assert_close(moved[:, :, 1, 0, 0], y[:, :, 1, 0, 0].lerp(y[:, :, 0, 0, 0], 0.25))
    assert torch.equal(moved[:, :, 1, 5, 7], y[:, :, 1, 5, 7])


@pytest.mark.parametrize(
    ("points", "visibility", "expected"),
    [
        (torch.zeros(17, 2), None, "points \\[frames, points, 2\\]"),
        (torch.full((17, 1, 2), torch.nan), None, "NaN"),
        (torch.zeros(17, 3, 2), torch.ones(17, 2), "visibility \\[17, 3\\]"),
        (torch.zeros(16, 1, 2), None, "17 frames for 5 latent frames, got 16"),
    ],
)
def test_tracks_that_fit_nothing_are_refused(points: torch.Tensor, visibility: torch.Tensor | None, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        move_cells(latent(), points, visibility)


def test_resampling_keeps_first_last_and_straight_lines() -> None:
    line = torch.linspace(0, 80, 81)[:, None, None].expand(-1, 1, 2).clone()
    points, _ = resampled(*checked(line), 121)
    torch.testing.assert_close(points[:, 0, 0], torch.linspace(0, 80, 121))
    rested, _ = resampled(*checked(line[:1]), 5)
    assert torch.equal(rested, line[:1].expand(5, 1, 2))


@pytest.mark.parametrize("length", range(17, 162, 4))
def test_ati_moves_until_the_last_frame(length: int) -> None:
    """The blob's middle goes on in every latent frame and ends near where the track does."""
    frames = (length - 1) // 4 + 1
    y = torch.zeros(1, 1, frames, 12, 16)
    points = torch.stack((torch.linspace(16, 112, length), torch.full((length,), 48.0)), dim=-1)[:, None]
    _, mask = apply_tracks(y, points, None, 128, 96)
    weight = 1 - mask[0, 0, 1:]
    columns = (weight * torch.linspace(0, 128, 16)).sum((1, 2)) / weight.sum((1, 2))
    assert (columns.diff() > 0).all()
    assert abs(float(columns[-1]) - 112) < 96 / (frames - 1)


@pytest.mark.parametrize(("width", "height"), [(416, 240), (240, 416), (64, 16)])
@pytest.mark.parametrize("count", [1, 2, 60])
def test_ati_is_the_two_heaviest_gaussians_of_every_cell(width: int, height: int, count: int) -> None:
    """By the formula, over all tracks and all cells: standing tracks, some of them outside the picture, some in one place."""
    generator = torch.Generator().manual_seed(count)
    y = torch.randn(1, 16, 3, height // 8, width // 8, generator=generator)
    places = (1.4 * torch.rand(count, 2, generator=generator) - 0.2) * torch.tensor((width, height))
    places[count // 2 :: 7] = places[count // 2].clone()
    strength = torch.rand(count, generator=generator)
    moved, mask = apply_tracks(y, places.expand(9, -1, -1).clone(), None, width, height, strength)

    short = min(width, height)
    spots = (places - torch.tensor((width, height)) / 2) / short * 2
    edges = torch.tensor((width / short, height / short))
    features = torch.nn.functional.grid_sample(y[:, :, 0], (spots / edges).clamp(-1, 1)[None, None], align_corners=False)[0, :, 0]  # [C, N]
    spots = spots * 4 / (4 + 1e-5)  # as published: the mean over four frames
    columns = torch.linspace(-width / short, width / short, width // 8)
    rows = torch.linspace(-height / short, height / short, height // 8)
    away = (spots[:, None, None, 0] - columns).square() + (spots[:, None, None, 1] - rows[:, None]).square()
    weight, order = (strength[:, None, None] * torch.exp(-220 * away)).sort(dim=0, descending=True, stable=True)  # [N, h, w]
    expected = (features[:, order[:2]] * weight[:2]).sum(1) + y[0, :, 1] * (1 - weight[:2].sum(0).clamp(0, 1))
    torch.testing.assert_close(moved[0, :, 0], y[0, :, 0])
    torch.testing.assert_close(moved[0, :, 1], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mask[0, 2, 1], 1 - weight[:2].sum(0), atol=1e-5, rtol=1e-5)


def test_ati_without_tracks_knows_only_the_first_picture() -> None:
    y = latent()
    moved, mask = apply_tracks(y, torch.zeros(17, 0, 2), None, 64, 48)
    assert torch.equal(moved, y)
    assert mask.shape == (1, 4, 5, 6, 8) and mask[:, :, 0].max() == 0 and mask[:, :, 1:].min() == 1


def test_sampling_starts_at_the_weak_clock() -> None:
    sigmas = torch.tensor([1.0, 0.9, 0.5, 0.0])
    assert start_at(sigmas, 0.95).tolist() == pytest.approx([0.95, 0.9, 0.5, 0.0])
    assert start_at(sigmas, 0.9).tolist() == pytest.approx([0.9, 0.5, 0.0])
    assert torch.equal(start_at(sigmas, 1.0), sigmas)
    assert torch.equal(start_at(sigmas[2:], 0.9), sigmas[2:])


def test_each_region_has_its_own_clock_and_the_longest_hold_counts() -> None:
    left, right = torch.zeros(1, 1, 3), torch.zeros(1, 1, 3)
    left[..., :2], right[..., 1:] = 1, 1
    assert let_go_map([left, right], [1.0, 0.5], Clock(0.1, 0.5)).flatten().tolist() == pytest.approx([0.5, 0.5, 0.3])
    assert Clock(0.1, 0.5).let_go(0.0) == pytest.approx(0.1)
    with pytest.raises(ValueError, match=r"weak 0\.5 and strong 0\.1"):
        Clock(0.5, 0.1)


def test_a_cell_belongs_to_what_covers_half_of_it() -> None:
    mask = torch.zeros(9, 16, 16)
    mask[0, :8, :8] = 1
    mask[1:5, :, 8:12] = 1
    mask[5:7] = 1
    cells = to_cells(mask, 3, 2, 2)
    assert cells.tolist() == [[[1, 0], [0, 0]], [[0, 1], [0, 1]], [[1, 1], [1, 1]]]


def test_few_steps_and_cameras_have_clocks_of_their_own() -> None:
    preset = PRESETS["wan2.2"]
    assert (preset.clock(50, False).weak, preset.clock(50, False).strong) == (3 / 50, 7 / 50)
    assert (preset.clock(50, True).weak, preset.clock(50, True).strong) == (2 / 50, 5 / 50)
    assert preset.clock(4, False) == preset.few_steps


@pytest.mark.parametrize(
    ("facts", "backend"),
    [
        (ModelFacts(**WAN_14B, file="Wan21-WanMove_fp8_scaled.safetensors"), WAN_MOVE),
        (ModelFacts(**WAN_14B, file="Wan2_1-I2V-ATI-14B_fp8.safetensors"), ATI),
        (ModelFacts(**WAN_14B, file="wan2.1_i2v_spatial_meditations.safetensors"), TIME_TO_MOVE),
        (ModelFacts("wan", 16, 20, 5120, "trained_here.safetensors", trained_for=WAN_MOVE), WAN_MOVE),
        (ModelFacts("wan", 16, 20, 256, "spacetime_tiny.safetensors", trained_for=WAN_MOVE), TIME_TO_MOVE),
        (ModelFacts("wan", 16, 0, 1536, "wanmove_t2v.safetensors"), TIME_TO_MOVE),
        (ModelFacts("ltx", 128, 0, 2048), TIME_TO_MOVE),
        (ModelFacts("hunyuan", 16, 17, 3072), TIME_TO_MOVE),
        (ModelFacts("hunyuan", 32, 33, 2048), TIME_TO_MOVE),
    ],
)
def test_auto_picks_by_the_model_and_says_why(facts: ModelFacts, backend: str) -> None:
    choice = choose(facts)
    assert choice.backend == backend and len(choice.why) > 20
    assert refusal(choice.backend, facts) is None


def test_a_backend_that_cannot_drive_the_model_is_refused() -> None:
    assert "choose time_to_move" in str(refusal(WAN_MOVE, ModelFacts("ltx", 128)))


@pytest.mark.parametrize(
    ("facts", "how"),
    [
        (ModelFacts(**WAN_14B), "wan"),
        (ModelFacts("wan", 16, 0, 1536), "mask"),
        (ModelFacts("wan", 48, 0, 3072), "mask"),
        (ModelFacts("ltx", 128), "mask"),
        (ModelFacts("hunyuan", 16), "mask"),
        (ModelFacts("hunyuan", 16, 16), "hunyuan"),
        (ModelFacts("hunyuan", 16, 17), "hunyuan"),
        (ModelFacts("hunyuan", 32, 33), "hunyuan"),
        (ModelFacts("hunyuan", 32), ""),
        (ModelFacts("hunyuan", 32, 66), ""),
        (ModelFacts("wan", 16, 96), ""),
        (ModelFacts("unheard of", 16), ""),
    ],
)
def test_a_model_is_shown_its_first_picture_in_one_way(facts: ModelFacts, how: str) -> None:
    ways = {"wan": facts.takes_wan_pictures, "hunyuan": facts.takes_hunyuan_pictures, "mask": facts.takes_noise_mask}
    assert [way for way, taken in ways.items() if taken] == ([how] if how else [])


def test_preset_families() -> None:
    assert ModelFacts(**WAN_14B, file="wan2.2_i2v_high_noise_14B.safetensors").family == "wan2.2"
    assert ModelFacts("wan", 48, 0, 3072).family == "wan2.2"
    assert ModelFacts(**WAN_14B).family == "wan2.1"
    assert ModelFacts("wan", 16, 20, 256).family == "narrow"
    assert {ModelFacts(layout, 16).family for layout in ("ltx", "hunyuan", "unheard of")} <= PRESETS.keys()
