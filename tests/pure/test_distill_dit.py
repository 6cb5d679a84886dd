"""The few-step pupil of the denoiser goes where its teacher's smaller steps end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from support.tiny_weights import small_dit_config, write_dit, write_text_encoder, write_vae
from torch import nn

from training.distill_dit import DEFAULTS, Distiller, draw_strides, export, two_steps
from training.latent_pool import Batch
from training.sampling import sigma_schedule


class Teacher(nn.Module):
    """A flow that is known: x times `pull`, plus the mean of the text."""

    def __init__(self, pull: float = 0.0) -> None:
        super().__init__()
        self.pull, self.told = pull, []

    def forward(self, entry, timestep, text, mask):
        self.told.append(timestep)
        assert entry.shape[1] == 36 and len(text) == len(mask) == len(entry)
        return self.pull * entry[:, :16] + text.mean((1, 2)).view(-1, 1, 1, 1, 1)


def batch(count: int = 3) -> Batch:
    latent = torch.randn(count, 16, 2, 4, 4)
    return Batch(latent, torch.zeros(count, 20, 2, 4, 4), torch.ones(count, 5, 8), torch.ones(count, 5, dtype=torch.bool),
                 torch.ones(count, 1, 2, 4, 4), torch.zeros(count, 2, 2, 2, 5))  # fmt: skip


EMPTY = torch.full((1, 3, 8), 0.25), torch.ones(1, 3, dtype=torch.bool)


@pytest.mark.parametrize("steps", [4, 8])
def test_strides_on_the_grid_are_the_steps_of_the_host(steps: int):
    begin, middle, end = draw_strides(200, steps, 1.0, 3.0)
    wanted = sigma_schedule(2 * steps, 3.0)
    for found, levels in ((begin, wanted[:-1:2]), (middle, wanted[1::2]), (end, wanted[2::2])):
        assert (found[:, None] - levels).abs().amin(1).max() < 2e-3
        assert len(found.unique()) == steps
    assert end.min() == 0 and begin.max() == 1


def test_other_strides_begin_anywhere_and_end_at_the_picture():
    begin, middle, end = draw_strides(500, 4, 0.0, 3.0)
    assert (begin > middle).all() and (middle > end).all() and end.min() == 0
    assert len(begin.unique()) > 400


def test_two_steps_of_a_straight_flow_are_one():
    some, levels = batch(), draw_strides(3, 4, 0.5, 3.0)
    flow = two_steps(Teacher(), some.latent, some, EMPTY, levels, torch.ones(3))
    assert (flow - 1).abs().max() < 1e-4


def test_two_steps_of_a_bent_flow_end_where_the_teacher_does():
    some, levels, teacher = batch(), draw_strides(3, 4, 0.5, 3.0), Teacher(pull=0.7)
    flow = two_steps(teacher, some.latent, some, EMPTY, levels, torch.ones(3))
    first, second, whole = (part.view(-1, 1, 1, 1, 1) for part in (levels[1] - levels[0], levels[2] - levels[1], levels[2] - levels[0]))
    there = some.latent + first * (0.7 * some.latent + 1)
    there = there + second * (0.7 * there + 1)
    assert (some.latent + whole * flow - there).abs().max() < 1e-4
    assert torch.equal(torch.stack(teacher.told), 1000 * levels[:2])


def test_guidance_is_folded_in_for_each_clip_by_its_own_number():
    some, levels = batch(2), draw_strides(2, 8, 0.5, 3.0)
    flow = two_steps(Teacher(), some.latent, some, EMPTY, levels, torch.tensor([1.0, 5.0]))
    assert (flow[0] - 1).abs().max() < 1e-4
    assert (flow[1] - (0.25 + 5 * 0.75)).abs().max() < 1e-3


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("weights")
    vae, encoder = write_vae(folder / "vae.safetensors"), write_text_encoder(folder / "text.safetensors")
    group = {"height": 32, "width": 32, "batch": 2, "first": 4, "most": 6}
    stages = [{"until": 1.0, "groups": [{"frames": 1, **group}, {"frames": 5, **group, "known": 0.5}]}]
    sizes = {name: getattr(small_dit_config(), name) for name in ("dim", "ffn_dim", "num_layers", "num_heads")}
    return {**DEFAULTS, **sizes, "start_from": str(write_dit(folder / "dit.safetensors")), "guide_block": 0, "stages": stages, "steps": 4,
            "vae": str(vae), "text_encoder": str(encoder), "metric_clips": 1, "device": "cpu"}  # fmt: skip


def test_every_phase_has_the_pupil_of_the_one_before_for_a_teacher_also_after_a_stop(config: dict, tmp_path: Path):
    class Stopped(Distiller):
        def losses(self, loss_of, batch):
            self.run.stop_asked = self.clock.step == 0
            return super().losses(loss_of, batch)

    first = Stopped(config, tmp_path)
    beginning = {name: value.clone() for name, value in first.teacher.state_dict().items()}
    first.train()
    assert first.clock.step == 1 and first.phase == 0
    for name, value in first.teacher.state_dict().items():
        assert torch.equal(value, beginning[name]), "the teacher learns nothing"
    assert any(not torch.equal(value, beginning[name]) for name, value in first.model.state_dict().items())

    second = Distiller(config, tmp_path)
    assert second.phase == 0 and second.clock.step == 1
    for name, value in second.teacher.state_dict().items():
        assert torch.equal(value, beginning[name])
    second.train()
    assert second.phase == 1 and second.clock.step == 4
    assert any(not torch.equal(value, beginning[name]) for name, value in second.teacher.state_dict().items())
    assert not any(parameter.requires_grad for parameter in second.teacher.parameters())
    assert (tmp_path / "sample_end.png").is_file()
    export(tmp_path, tmp_path / "few.safetensors")
    with safe_open(tmp_path / "few.safetensors", "pt") as file:
        assert file.metadata()["spacetime.steps"] == "4", "so that Spacetime Denoise can say that it wants no guidance"


def test_a_pupil_begins_with_what_an_earlier_distillation_changed(config: dict, tmp_path: Path):
    earlier = [write_dit(tmp_path / f"{name}.safetensors", seed=seed) for seed, name in ((5, "denoiser"), (6, "pupil"))]
    run = Distiller({**config, "earlier": [str(path) for path in earlier]}, tmp_path / "run")
    before, pupil, now = (load_file(path) for path in (*earlier, config["start_from"]))
    for name, value in run.teacher.state_dict().items():
        assert torch.equal(value, now[name].to(value)), "the teacher is the denoiser"
        begun = run.model.state_dict()[name]
        torch.testing.assert_close(begun, value + (pupil[name] - before[name]).to(value), rtol=1e-5, atol=1e-6)
        assert torch.equal(run.average.weights[name], begun)
