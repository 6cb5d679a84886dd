"""The interpolator in the box: known motion is found, frames between beat blending, what is hidden comes from where it is seen."""

from __future__ import annotations

import pytest
import torch
from rooms.models.optical_flow import estimate_motion, frames_between, warp
from torch.nn import functional as F


def texture(height: int = 96, width: int = 128, seed: int = 0) -> torch.Tensor:
    """Random picture [1, 3, H, W] with detail of several sizes."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [torch.rand(1, 3, height // step + 1, width // step + 1, generator=generator) for step in (4, 8, 16)]
    return torch.stack([F.interpolate(size, size=(height, width), mode="bicubic").clamp(0, 1) for size in sizes]).mean(dim=0)


def inside(x: torch.Tensor, border: int = 16) -> torch.Tensor:
    return x[..., border:-border, border:-border]


@pytest.mark.parametrize(("dy", "dx"), [(0, 3), (-5, 8), (12, -10)])
def test_a_shift_is_found_and_halved(dy: int, dx: int) -> None:
    first = texture()
    second = first.roll((dy, dx), (2, 3))
    motion = estimate_motion(first, second)
    flow = inside(motion.flows, 12) * 2
    assert (flow[0] - torch.tensor([dx, dy]).view(2, 1, 1)).abs().median() < 0.15
    assert (flow[1] + torch.tensor([dx, dy]).view(2, 1, 1)).abs().median() < 0.15
    made = frames_between(motion, [0.5])
    middle = warp(first, torch.tensor([-dx / 2, -dy / 2]).view(1, 2, 1, 1).expand(1, 2, 96, 128))
    blended = (first + second) / 2
    assert inside(made - middle).square().mean() < 0.1 * inside(blended - middle).square().mean()


def test_several_times_are_each_where_they_belong() -> None:
    first = texture()
    second = first.roll(8, 3)
    made = frames_between(estimate_motion(first, second), [0.25, 0.5, 0.75])
    assert made.shape == (3, 3, 96, 128)
    for frame, shift in zip(made, (2, 4, 6), strict=True):
        errors = [inside(frame - first[0].roll(other, 2)).square().mean().item() for other in (2, 4, 6)]
        assert errors.index(min(errors)) == (2, 4, 6).index(shift)


def test_what_a_moving_thing_uncovers_comes_from_the_frame_that_shows_it() -> None:
    background, thing = texture(seed=1) * 0.5, texture(seed=2) * 0.5 + 0.5

    def at(left: int) -> torch.Tensor:
        picture = background.clone()
        picture[:, :, 32:64, left : left + 32] = thing[:, :, :32, :32]
        return picture

    first, second = at(40), at(56)
    made, blended = frames_between(estimate_motion(first, second), [0.5]), (first + second) / 2
    assert (made - at(48)).square().mean() < 0.25 * (blended - at(48)).square().mean()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (17, 33), (13, 200)])
def test_any_size(height: int, width: int) -> None:
    first, second = torch.rand(1, 3, height, width), torch.rand(1, 3, height, width)
    made = frames_between(estimate_motion(first, second), [0.5])
    assert made.shape == (1, 3, height, width)
    assert made.isfinite().all() and made.min() >= 0 and made.max() <= 1


def test_frames_without_detail_stay_as_they_are() -> None:
    grey = torch.full((1, 3, 40, 48), 0.4)
    assert torch.allclose(frames_between(estimate_motion(grey, grey), [0.5]), grey, atol=1e-5)
    brighter = frames_between(estimate_motion(grey, grey + 0.2), [0.5])
    assert torch.allclose(brighter, grey + 0.1, atol=1e-3)


def test_the_caller_is_asked_often() -> None:
    class Cancelled(BaseException):
        pass

    asked = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 7:
            raise Cancelled

    with pytest.raises(Cancelled):
        estimate_motion(texture(), texture(seed=3), check)
