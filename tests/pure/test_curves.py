"""Pictures of what happened over a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.curves import CELL, GAP, HEAD, draw_curves, draw_samples, read_log, sample_times, smooth, titled
from training.train_dit import SAMPLE_PROMPTS


def write_log(folder: Path, entries: list[dict]) -> Path:
    folder.mkdir()
    (folder / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return folder


@pytest.fixture
def denoiser(tmp_path: Path) -> Path:
    entries = [
        {"step": 10 * n, "minutes": 0.5 * n, "grad": 1.0, "1x32x32": 1 / (n + 1), "1x32x32 close": 2.0, "layout 1x32x32": 3.0}
        for n in range(41)
    ]
    folder = write_log(tmp_path / "denoiser", entries)
    for name, shade in (("sample_000100", 50), ("sample_000200", 100), ("sample_000300", 150), ("sample_end", 200)):
        Image.new("RGB", (5 * 32, 32 * len(SAMPLE_PROMPTS)), (shade,) * 3).save(folder / f"{name}.png")
    return folder


def test_a_log_becomes_curves_by_name(denoiser: Path, tmp_path: Path):
    curves = read_log(denoiser)
    assert list(curves) == ["1x32x32", "1x32x32 close"], "neither the gradient nor the layout"
    minutes, values = curves["1x32x32"]
    assert minutes[-1] == 20 and values[1] == 0.5
    vae = write_log(
        tmp_path / "vae",
        [
            {"straight": 0, "minutes": 0.0, "mse": 1.0},
            {"step": 0, "minutes": 0.0, "psnr": 20.0},
            {"step": 5, "minutes": 1.0, "held_out": 25.0},
        ],
    )
    assert list(read_log(vae)) == ["training clips", "held-out clips"]
    draw_curves([titled(str(denoiser)), titled(f"The VAE={vae}")], tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 2 * picture.height and len(picture.convert("RGB").getcolors(1 << 16) or range(100)) > 20


def test_a_run_has_a_title_or_its_name():
    assert titled("runs/vae") == ("vae", Path("runs/vae")) and titled("A = b=runs/vae") == ("A = b", Path("runs/vae"))


def test_smoothing_keeps_a_constant_and_a_line_within():
    assert np.allclose(smooth(np.full(30, 3.0)), 3)
    assert np.allclose(smooth(np.arange(30.0))[4:-4], np.arange(30.0)[4:-4])
    assert np.allclose(smooth(np.array([1.0, 2.0, 6.0]), span=3), [1.5, 3.0, 4.0])


def test_samples_are_shown_by_the_minute(denoiser: Path, tmp_path: Path):
    assert [when for when, _ in sample_times(denoiser)] == ["5 minutes", "10 minutes", "15 minutes", "20 minutes"]
    draw_samples(denoiser, tmp_path / "samples.png", moments=2)
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.size == (2 * CELL + GAP, HEAD + len(SAMPLE_PROMPTS) * (CELL + GAP) - GAP)
        assert [picture.getpixel((x, HEAD + 10)) for x in (10, CELL + GAP + 10)] == [(50,) * 3, (200,) * 3]
