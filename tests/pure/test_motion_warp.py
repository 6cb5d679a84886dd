"""The crude moved video: what is cut out lands where it should, holes are filled, and everything else stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from rooms.motion.outline import Outline
from rooms.motion.plan import from_data
from rooms.motion.warp import WarpedFrame, warp

WIDTH, HEIGHT = 120, 80
SQUARE = {"type": "rectangle", "box": [0.25, 0.25, 0.25, 0.25]}


def scene() -> torch.Tensor:
    """A smooth picture with a red square in it."""
    y, x = torch.meshgrid(torch.linspace(0, 1, HEIGHT), torch.linspace(0, 1, WIDTH), indexing="ij")
    picture = torch.stack([0.2 + 0.0 * x, x, y], dim=-1)
    picture[20:40, 30:60] = torch.tensor([1.0, 0.0, 0.0])
    return picture


def frames(count: int = 3, picture: torch.Tensor | None = None, **fields: Any) -> list[WarpedFrame]:
    return list(warp(from_data({"version": 1, **fields}), scene() if picture is None else picture, count))


def right(part: float) -> dict[str, Any]:
    """A way to the right by a part of the width."""
    return {"path": {"points": [[0, 0], [part, 0]], "curve": "line"}}


def test_the_first_frame_is_the_picture() -> None:
    first = frames(regions=[{"shapes": [SQUARE], "motion": right(0.25)}])[0]
    assert torch.equal(first.picture, scene())
    assert first.known.min() == 1


def test_the_mask_and_the_colours_are_the_moved_regions() -> None:
    last = frames(regions=[{"shapes": [SQUARE], "motion": right(0.25)}])[-1]
    wanted = torch.zeros(HEIGHT, WIDTH)
    wanted[20:40, 60:90] = 1
    assert (last.mask - wanted).abs().max() < 1e-3
    assert torch.equal(last.labels >= 0, wanted > 0)
    assert (last.picture[20:40, 60:90] - torch.tensor([1.0, 0, 0])).abs().max() < 1e-3


def test_the_hole_is_filled_from_around_and_the_rest_is_unchanged() -> None:
    last = frames(regions=[{"shapes": [SQUARE], "motion": right(0.25)}])[-1]
    hole = last.picture[20:40, 30:60]
    assert hole[..., 0].max() < 0.3
    assert (
        hole
        - torch.stack(
            [
                torch.full((20, 30), 0.2),
                *(scene()[20:40, 0:1, c].expand(20, 30) if c == 2 else scene()[0:1, 30:60, c].expand(20, 30) for c in (1, 2)),
            ],
            dim=-1,
        )
    ).abs().mean() < 0.1
    assert last.known[21:39, 31:59].max() == 0
    away = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    away[18:42, 28:92] = False
    assert torch.equal(last.picture[away], scene()[away])
    assert last.known[away].min() == 1 and last.mask[away].max() == 0


def test_a_still_region_changes_nothing() -> None:
    for frame in frames(regions=[{"shapes": [SQUARE], "pinned": True}, {"shapes": [{"type": "ellipse", "box": [0.6, 0.1, 0.2, 0.3]}]}]):
        assert (frame.picture - scene()).abs().max() < 1e-6
        assert frame.known.min() == 1
        assert abs(float(frame.mask[20:40, 30:60].min()) - 1) < 1e-6


def test_what_is_in_front_hides_what_passes_behind_it() -> None:
    bar = {"shapes": [{"type": "rectangle", "box": [0.55, 0, 0.1, 1]}], "pinned": True}
    for z, label in ((1, 1), (-1, 0)):
        last = frames(regions=[{"shapes": [SQUARE], "motion": right(0.25)}, {**bar, "z": z}])[-1]
        assert int(last.labels[30, 70]) == label
        red = (last.picture[30, 70] - torch.tensor([1.0, 0, 0])).abs().max() < 1e-3
        assert bool(red) == (z == -1)


def test_a_part_hidden_at_first_is_made_up_from_its_own_region() -> None:
    picture = scene()
    picture[:, 45:50] = torch.tensor([0.0, 0.0, 1.0])
    bar = {"shapes": [{"type": "rectangle", "box": [0.375, 0, 5 / 120, 1]}], "pinned": True}
    last = frames(picture=picture, regions=[{"shapes": [SQUARE], "motion": right(0.4)}, bar])[-1]
    moved = last.picture[30, 45 + 48 : 50 + 48]
    assert (moved - torch.tensor([1.0, 0, 0])).abs().max() < 0.05
    assert last.known[30, 95] < 0.5


def test_the_camera_moves_all_and_what_is_beyond_the_edge_is_unknown() -> None:
    picture = scene()
    last = frames(camera=[{"type": "pan", "x": 0.25, "y": 0}])[-1]
    assert (last.picture[:, :90] - picture[:, 30:]).abs().max() < 1e-3
    assert last.known[:, :90].min() > 0.999 and last.known[:, 90:].max() == 0
    assert (last.picture[:, 90:] - picture[:, -1:]).abs().max() < 1e-3
    zoomed = frames(camera=[{"type": "zoom", "factor": 2}])[-1]
    assert (zoomed.picture[1::2, 1::2][:39, :59] - picture[20:60, 30:90][:39, :59]).abs().mean() < 0.02


def test_soft_edges_where_an_outline_cuts_a_pixel() -> None:
    outline = Outline(
        from_data({"version": 1, "regions": [{"shapes": [{"type": "ellipse", "box": [0.1, 0.1, 0.5, 0.5]}]}]}).regions[0].shapes, (200, 100)
    )
    covered = outline.coverage()
    assert abs(covered.sum() / (np.pi * 50 * 25) - 1) < 0.01
    assert ((covered > 0.2) & (covered < 0.8)).sum() > 50
    y, x = np.mgrid[0:100, 0:200] + 0.5
    inside = outline.inside(np.stack([x.ravel(), y.ravel()], -1)).reshape(100, 200)
    assert (np.abs(covered - inside) > 0.75).sum() == 0


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "stroke", "points": [[0.2, 0.3], [0.6, 0.35], [0.5, 0.8]], "radius": 0.1},
        {"type": "polygon", "points": [[0.5, 0.1], [0.7, 0.9], [0.1, 0.4], [0.9, 0.4], [0.3, 0.9]]},
        {"type": "rectangle", "box": [0.123, 0.211, 0.3, 0.4]},
    ],
)
def test_pixels_and_places_agree_on_what_is_inside(shape: dict[str, Any]) -> None:
    outline = Outline(from_data({"version": 1, "regions": [{"shapes": [shape]}]}).regions[0].shapes, (160, 120))
    y, x = np.mgrid[0:120, 0:160] + 0.5
    inside = outline.inside(np.stack([x.ravel(), y.ravel()], -1)).reshape(120, 160)
    covered = outline.coverage()
    assert (np.abs(covered - inside) > 0.8).sum() <= 2
    assert abs(covered.sum() / inside.sum() - 1) < 0.03


def test_frames_are_made_one_by_one_and_can_be_ended() -> None:
    class Ended(BaseException):
        pass

    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 40:
            raise Ended

    made = warp(from_data({"version": 1, "regions": [{"shapes": [SQUARE], "motion": right(0.3)}]}), scene(), 10**6, check=check)
    assert next(made).picture.shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(Ended):
        for _ in made:
            pass


def test_odd_pictures_are_refused_and_tiny_ones_are_not() -> None:
    with pytest.raises(ValueError, match="expected a picture"):
        warp(from_data({"version": 1}), torch.zeros(4, 4), 3)
    for size in ((1, 1), (1, 7), (3, 2)):
        picture = torch.rand(*size, 3)
        for frame in warp(
            from_data(
                {"version": 1, "regions": [{"shapes": [SQUARE], "motion": {"rotation": 45}}], "camera": [{"type": "roll", "degrees": 9}]}
            ),
            picture,
            3,
        ):
            assert torch.isfinite(frame.picture).all()


def test_what_leaves_the_picture_is_gone() -> None:
    last = frames(regions=[{"shapes": [SQUARE], "motion": right(2)}])[-1]
    assert last.mask.max() == 0 and last.labels.max() == -1
