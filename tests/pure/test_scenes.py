"""Cuts are found, motion, fades and light are not taken for them, and the threshold moves the border."""

from __future__ import annotations

import pytest
import torch
from rooms.video.scenes import cut_score, is_cut


def scene(seed: int, height: int = 90, width: int = 160) -> torch.Tensor:
    """A picture of a few coloured areas [H, W, 3] float32."""
    generator = torch.Generator().manual_seed(seed)
    few = torch.rand(1, 3, 4, 6, generator=generator) * 0.8 + 0.1
    return torch.nn.functional.interpolate(few, size=(height, width), mode="bilinear")[0].movedim(0, -1)


PAIRS = [(first, second) for first in range(4) for second in range(4) if first != second]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_another_scene_is_a_cut(first: int, second: int) -> None:
    bright = scene(second) * 0.5 + (0.5 if second % 2 else 0.0)
    assert is_cut(scene(first), bright)


@pytest.mark.parametrize("seed", range(4))
def test_motion_is_no_cut(seed: int) -> None:
    picture = scene(seed)
    assert not is_cut(picture, picture.roll((4, 12), (0, 1)))
    assert not is_cut(picture, picture.flip(1)[:, :1].expand_as(picture) * 0.05 + picture * 0.95)


def test_a_step_of_a_fade_is_no_cut() -> None:
    assert not is_cut(scene(0), scene(0) * 0.85)


def test_the_same_frame_scores_nothing_in_either_type() -> None:
    picture = scene(1)
    assert cut_score(picture, picture) == 0
    assert cut_score(picture, picture.mul(255).round().to(torch.uint8)) < 0.02


def test_black_to_white_scores_most_at_any_size() -> None:
    for size in ((1, 1), (7, 300), (720, 1280)):
        assert cut_score(torch.zeros(*size, 3), torch.ones(*size, 3)) == pytest.approx(1, abs=1e-5)


def test_the_threshold_decides() -> None:
    first, second = scene(0), scene(1)
    score = cut_score(first, second)
    assert is_cut(first, second, score - 0.01) and not is_cut(first, second, score + 0.01)
    assert not is_cut(torch.zeros(8, 8, 3), torch.ones(8, 8, 3), 1.0)
