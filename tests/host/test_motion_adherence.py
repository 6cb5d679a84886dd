"""Motion Adherence and Motion Guides in the host: a lazy video goes in, figures and lazy videos come out."""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import comfy.model_management
import numpy as np
import pytest
import torch
from comfy_api.latest import InputImpl, Types

PLAN = {
    "version": 1,
    "regions": [
        {
            "shapes": [{"type": "ellipse", "box": [0.2, 0.3, 0.3, 0.4]}],
            "motion": {"path": {"points": [[0.35, 0.5], [0.55, 0.5]]}},
            "color": "#00ff00",
        },
        {"shapes": [{"type": "rectangle", "box": [0.75, 0.05, 0.2, 0.25]}], "pinned": True},
    ],
}
GUIDES = {"width": 64, "height": 48, "length": 5, "fps": 16.0, "points": 8, "radius": 0.05, "canvas": "black", "trails": False}


@pytest.fixture(scope="module")
def nodes(pack: ModuleType) -> Any:
    return importlib.import_module(f"{pack.__name__}.nodes.motion_adherence")


@pytest.fixture(scope="module")
def plan(pack: ModuleType) -> Any:
    values = importlib.import_module(f"{pack.__name__}.sampling.motion_nodes")
    document = importlib.import_module(f"{pack.__name__}.motion.plan")
    return values.MotionPlan(document.from_data(PLAN))


@pytest.fixture(scope="module")
def pictures(pack: ModuleType, plan: Any) -> torch.Tensor:
    """A clip [T, H, W, 3] that moves as asked."""
    warp = importlib.import_module(f"{pack.__name__}.motion.warp").warp
    noise = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(noise, size=(64, 64), mode="bicubic")[0].movedim(0, -1).clamp(0, 1)
    return torch.stack([frame.picture for frame in warp(plan.plan, picture, 9)])


def video_of(images: torch.Tensor) -> Any:
    return InputImpl.VideoFromComponents(Types.VideoComponents(images=images, frame_rate=Fraction(16)))


def refusal(function: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(ValueError) as caught:
        function(*arguments, **keywords)
    message = str(caught.value)
    assert ": expected " in message and ", got " in message and "; " in message and "\n" not in message
    return message


@pytest.fixture(scope="module")
def measured(nodes: Any, plan: Any, pictures: torch.Tensor) -> tuple[float, str, Any, torch.Tensor]:
    return nodes.SpacetimeMotionAdherence.execute(plan, video_of(pictures)).args


def test_a_video_that_moves_as_asked_is_off_by_less_than_a_pixel(measured: tuple) -> None:
    epe, text, _, plot = measured
    assert isinstance(epe, float) and 0 <= epe < 0.8
    assert text.splitlines()[0].split()[:2] == ["asked", "to"] and "region2" in text
    assert plot.shape == (1, 432, 768, 3) and float(plot.min()) >= 0 and float(plot.max()) <= 1


def test_a_video_that_stands_still_is_far_off(nodes: Any, plan: Any, pictures: torch.Tensor) -> None:
    still = video_of(pictures[:1].repeat(9, 1, 1, 1))
    epe = nodes.SpacetimeMotionAdherence.execute(plan, still).args[0]
    assert epe == pytest.approx(0.2 * 64 * 9 / 16, abs=0.3)  # the mean over frames 1 to 8 of an even path


def test_the_overlay_is_lazy_and_stock_saving_writes_it(measured: tuple, pictures: torch.Tensor, tmp_path: Path) -> None:
    overlay = measured[2]
    assert overlay.get_dimensions() == (384, 384) and overlay.get_frame_count() == 9 and overlay.get_frame_rate() == 16
    overlay.save_to(str(tmp_path / "overlay.mp4"))
    with av.open(str(tmp_path / "overlay.mp4")) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(frames) == 9
    green = (frames[-1][..., 1] > 170) & (frames[-1][..., 0] < 110) & (frames[-1][..., 2] < 110)
    assert green.sum() > 50


def test_a_large_video_is_read_again_for_the_overlay(
    pack: ModuleType, nodes: Any, plan: Any, pictures: torch.Tensor, monkeypatch: pytest.MonkeyPatch, measured: tuple
) -> None:
    room = importlib.import_module(f"{pack.__name__}.sampling.motion_adherence")
    monkeypatch.setattr(room, "KEPT_BYTES", 10)
    overlay = nodes.SpacetimeMotionAdherence.execute(plan, video_of(pictures)).args[2]
    assert overlay.stream.sources[0].name == "Frames in memory"
    assert torch.equal(torch.cat(list(overlay.stream.chunks(3))), torch.cat(list(measured[2].stream.chunks(3))))


def test_a_cancel_ends_the_following(nodes: Any, plan: Any, pictures: torch.Tensor) -> None:
    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        nodes.SpacetimeMotionAdherence.execute(plan, video_of(pictures))


def test_guides_are_a_lazy_video(nodes: Any, plan: Any, tmp_path: Path) -> None:
    (video,) = nodes.SpacetimeMotionGuides.execute(plan, **GUIDES).args
    assert video.get_dimensions() == (64, 48) and video.get_frame_count() == 5
    images = video.get_components().images
    assert images.shape == (5, 48, 64, 3)
    green = (images[..., 1] > 0.9) & (images[..., 0] < 0.1)
    middles = [float(frame.nonzero()[:, 1].float().mean()) for frame in green]
    assert np.allclose(np.diff(middles), 0.2 * 64 / 4, atol=0.6)


def test_what_cannot_be_done_is_one_sentence(pack: ModuleType, nodes: Any, plan: Any, pictures: torch.Tensor) -> None:
    measure, guides = nodes.SpacetimeMotionAdherence.execute, nodes.SpacetimeMotionGuides.execute
    assert "at least 2 frames, got 1" in refusal(measure, plan, video_of(pictures[:1]))
    assert "expected 1 to 10,000 points, got 0" in refusal(measure, plan, video_of(pictures), points=0)
    assert "expected a VIDEO, got Tensor" in refusal(measure, plan, pictures)
    empty = type(plan)(importlib.import_module(f"{pack.__name__}.motion.plan").from_data({"version": 1}))
    assert refusal(measure, empty, video_of(pictures)).startswith("Spacetime Motion Adherence: expected a plan with something")
    for name, value in (("width", 0), ("length", 0), ("fps", 0.0), ("points", 0), ("radius", 9.0), ("canvas", "pink")):
        assert refusal(guides, plan, **{**GUIDES, name: value}).startswith("Spacetime Motion Guides: expected ")
