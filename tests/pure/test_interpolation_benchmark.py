"""The measures that the interpolation benchmark prints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks.clips import load_clips
from benchmarks.interpolate import distance, psnr, scores, ssim


def test_psnr_and_ssim_are_as_published() -> None:
    picture = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    assert psnr(picture, picture + 0.1) == pytest.approx(20, abs=1e-4)
    assert ssim(picture, picture) == pytest.approx(1, abs=1e-5)
    grey = torch.full((1, 3, 32, 40), 0.5)
    assert ssim(grey, grey + 0.1) == pytest.approx((2 * 0.5 * 0.6 + 1e-4) / (0.5**2 + 0.6**2 + 1e-4), abs=1e-4)
    assert ssim(picture, picture.flip(3)) < 0.2


def test_the_first_and_the_last_frame_do_not_count() -> None:
    right, wrong = torch.full((1, 3, 16, 16), 0.4), torch.ones(1, 3, 16, 16)
    assert scores([wrong, right, right, wrong], [right] * 4) == scores([right] * 4, [right] * 4)


def test_the_distance_is_between_means() -> None:
    results = {"box (optical flow)": {"a": [30.0, 1.0], "b": [32.0, 1.0]}, "RIFE 4.0": {"a": [31.0, 1.0], "b": [30.0, 1.0]}}
    assert distance(results) == pytest.approx(0.5)
    assert distance({"box (optical flow)": {}}) is None


def test_clips_of_a_folder(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (80, 60), (number * 20, 0, 0)) for number in range(12)]
    pictures[0].save(tmp_path / "moving.webp", save_all=True, append_images=pictures[1:], lossless=True)
    pictures[0].save(tmp_path / "short.webp", save_all=True, append_images=pictures[1:4], lossless=True)
    clips = load_clips(str(tmp_path), frames=10, side=30)
    assert list(clips) == ["moving"]
    assert [tuple(frame.shape) for frame in clips["moving"]] == [(1, 3, 30, 40)] * 9
    assert [round(frame[0, 0].mean().item() * 255) for frame in clips["moving"]] == [number * 20 for number in range(9)]
