"""Time-to-Move through the host's own sampler nodes, on tiny random checkpoints of every family that is not refused."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import comfy.ldm.hunyuan_video.model
import comfy.ldm.lightricks.model
import comfy.ops
import comfy.samplers
import comfy.sd
import nodes as host_nodes
import pytest
import torch
from comfy_extras.nodes_custom_sampler import SamplerCustom
from support.tiny_weights import TEXT_DIM, hunyuan_config, random_dit, randomize, small_dit_config

STEPS = 10
SEED = 5
LTX = {
    "num_layers": 2,
    "num_attention_heads": 2,
    "attention_head_dim": 32,
    "cross_attention_dim": 64,
    "caption_channels": TEXT_DIM,
    "in_channels": 128,
}


def wan(in_dim: int, out_dim: int) -> Any:
    config = replace(small_dit_config(in_dim), out_dim=out_dim)
    network = random_dit(config, seed=1)
    return comfy.sd.load_diffusion_model_state_dict(dict(network.state_dict()), metadata={"config": json.dumps(config.metadata())})


def ltx() -> Any:
    network = comfy.ldm.lightricks.model.LTXVModel(**LTX, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init)
    randomize(network, 2)
    return comfy.sd.load_diffusion_model_state_dict(dict(network.state_dict()), metadata={"config": json.dumps({"transformer": LTX})})


def hunyuan(in_channels: int, **more: Any) -> Any:
    config = hunyuan_config(in_channels, **more)
    network = comfy.ldm.hunyuan_video.model.HunyuanVideo(
        **config, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init
    )
    return comfy.sd.load_diffusion_model_state_dict(dict(randomize(network, 2).state_dict()))


@dataclass
class Family:
    """A tiny model, its latents [C, T', h, w], whether its first frame is given by a noise mask, and what else it is given."""

    model: Any
    shape: tuple[int, int, int, int]
    masked: bool
    extras: dict[str, Any] = field(default_factory=dict)
    seen: list[tuple[float, torch.Tensor]] = field(default_factory=list)

    @property
    def video(self) -> torch.Tensor:
        return torch.randn(1, *self.shape, generator=torch.Generator().manual_seed(3))

    @property
    def cells(self) -> torch.Tensor:
        cells = torch.zeros(self.shape[1:])
        cells[1:, 1:3, 1:3] = 1
        return cells

    @property
    def latent(self) -> dict[str, torch.Tensor]:
        if not self.masked:
            return {"samples": torch.zeros(1, *self.shape)}
        samples, free = torch.zeros(1, *self.shape), torch.ones(1, 1, *self.shape[1:])
        samples[:, :, 0], free[:, :, 0] = 0.5, 0
        return {"samples": samples, "noise_mask": free}

    def recording(self, model: Any) -> Any:
        """A clone whose network's inputs are kept in `seen`, with their noise levels."""
        self.seen.clear()
        patched = model.clone()

        def keep(apply: Any, given: dict[str, Any]) -> torch.Tensor:
            self.seen.append((float(given["timestep"].flatten()[0]), given["input"].clone()))
            return apply(given["input"], given["timestep"], **given["c"])

        patched.set_model_unet_function_wrapper(keep)
        return patched

    @property
    def conditioning(self) -> list:
        text = torch.randn(1, 4, TEXT_DIM, generator=torch.Generator().manual_seed(4))
        return [[text, {"attention_mask": torch.ones(1, 4), "pooled_output": torch.ones(1, 768), **self.extras}]]

    def sample(self, model: Any, latent: dict[str, Any] | None = None, sampler: str = "euler", **settings: Any) -> torch.Tensor:
        """Stock KSampler, recorded."""
        (result,) = host_nodes.common_ksampler(
            self.recording(model),
            SEED,
            STEPS,
            1.0,
            sampler,
            "simple",
            self.conditioning,
            self.conditioning,
            latent or self.latent,
            **settings,
        )
        return result["samples"]

    @property
    def noise(self) -> torch.Tensor:
        return comfy.sample.prepare_noise(self.latent["samples"], SEED)


def known_frames(*shape: int) -> dict[str, torch.Tensor]:
    """What a HunyuanVideo node of the host gives for a first frame of latents [C, T', h, w]."""
    picture, unknown = torch.zeros(1, *shape), torch.ones(1, 1, *shape[1:])
    picture[:, :, 0], unknown[:, :, 0] = 0.5, 0
    return {"concat_latent_image": picture, "concat_mask": unknown}


@pytest.fixture(
    scope="module",
    params=["box", "text_only", "wan22_5b", "ltx", "hunyuan", "hunyuan_i2v", "hunyuan_skyreels", "hunyuan15", "hunyuan15_meanflow"],
)
def family(request: pytest.FixtureRequest) -> Family:
    if request.param == "box":
        return Family(wan(36, 16), (16, 3, 6, 4), masked=False)
    if request.param == "text_only":
        return Family(wan(16, 16), (16, 3, 6, 4), masked=False)
    if request.param == "wan22_5b":
        return Family(wan(48, 48), (48, 3, 6, 4), masked=True)
    if request.param == "ltx":
        return Family(ltx(), (128, 3, 6, 4), masked=True)
    small, large = (16, 3, 6, 4), (32, 3, 6, 4)
    if request.param == "hunyuan":
        return Family(hunyuan(16), small, masked=True, extras={"guiding_frame_index": 0})
    if request.param.startswith("hunyuan15"):
        return Family(hunyuan(65, meanflow=request.param.endswith("meanflow")), large, masked=False, extras=known_frames(*large))
    return Family(hunyuan(33 if request.param == "hunyuan_i2v" else 32), small, masked=False, extras=known_frames(*small))


@pytest.fixture(scope="module")
def room(pack: ModuleType) -> ModuleType:
    return importlib.import_module(f"{pack.__name__}.sampling.held_video")


def held(room: ModuleType, family: Family, weak: float, strong: float, strength: float = 1.0, **more: Any) -> Any:
    """The family's model with its video held inside its cells, with clocks that are the same for every number of steps."""
    clock = room.Clock(weak, strong)
    preset = room.Preset(clock, clock, clock)
    video = room.HeldVideo(family.video, (room.HeldRegion(family.cells, strength),), preset, **more)
    return room.with_held_video(family.model, video)


def level(family: Family, part: float) -> float:
    return min(1.0, float(family.model.get_model_object("model_sampling").percent_to_sigma(part)))


def noised(family: Family, sigma: float) -> torch.Tensor:
    """The video at a noise level, as flow matching defines it."""
    return sigma * family.noise + (1 - sigma) * family.model.model.process_latent_in(family.video)


def test_it_is_the_family_it_says(family: Family) -> None:
    assert family.model.get_model_object("latent_format").latent_channels == family.shape[0]


def test_clocks_at_the_start_are_plain_sampling(room: ModuleType, family: Family) -> None:
    """The whole trajectory, as the network sees it, and the result."""
    plain = family.sample(family.model)
    path = list(family.seen)
    ours = family.sample(held(room, family, 0.0, 0.0))
    assert [sigma for sigma, _ in family.seen] == [sigma for sigma, _ in path] and len(path) == STEPS
    for (_, mine), (_, host) in zip(family.seen, path, strict=True):
        torch.testing.assert_close(mine, host)
    torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("strength", [1.0, 0.0])
def test_clocks_that_coincide_are_plain_sampling_from_the_video(room: ModuleType, family: Family, strength: float) -> None:
    """Equal to the host's sampler that is given the video at that noise level; a strength of 0 makes any clocks coincide."""
    weak, strong = 0.4, 0.4 if strength else 0.8
    ours = family.sample(held(room, family, weak, strong, strength))
    path = list(family.seen)
    sampling = family.model.get_model_object("model_sampling")
    sigmas = room.start_at(comfy.samplers.calculate_sigmas(sampling, "simple", STEPS), level(family, weak))
    start = {**family.latent, "samples": torch.where(_free(family) > 0, family.video, family.latent["samples"])}
    result = SamplerCustom.execute(
        family.recording(family.model),
        True,
        SEED,
        1.0,
        family.conditioning,
        family.conditioning,
        comfy.samplers.sampler_object("euler"),
        sigmas,
        start,
    )
    for (sigma, mine), (host_sigma, host) in zip(path, family.seen, strict=True):
        assert sigma == host_sigma
        torch.testing.assert_close(mine, host)
    torch.testing.assert_close(ours, result.args[0]["samples"])
    first, begun = path[0]
    free = _free(family).expand_as(begun) > 0
    torch.testing.assert_close(begun[free], noised(family, first)[free])


def _free(family: Family) -> torch.Tensor:
    return family.latent.get("noise_mask", torch.ones(1, 1, *family.shape[1:]))


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "uni_pc"])
def test_the_region_is_held_until_the_strong_clock(room: ModuleType, family: Family, sampler: str) -> None:
    """While the noise is above it the network sees the video there, at that noise; below it, something of its own. Elsewhere it is free."""
    result = family.sample(held(room, family, 0.2, 0.7), sampler=sampler)
    assert torch.isfinite(result).all()
    inside = family.cells.expand(1, *family.shape) > 0
    outside = (_free(family) > 0).expand_as(inside) & ~inside
    until, first = level(family, 0.7), family.seen[0][0]
    assert first == pytest.approx(level(family, 0.2), rel=1e-3)
    above = [(sigma, x) for sigma, x in family.seen if sigma > until * 1.001]
    below = [(sigma, x) for sigma, x in family.seen if sigma < until * 0.9]
    assert len(above) >= 2 and len(below) >= 1
    for sigma, x in above:
        torch.testing.assert_close(x[inside], noised(family, sigma)[inside], atol=1e-4, rtol=1e-4)
    for sigma, x in above[1:]:
        assert (x - noised(family, sigma))[outside].abs().mean() > 0.01
    for sigma, x in below[-1:]:
        assert (x - noised(family, sigma))[inside].abs().mean() > 1e-3


def test_the_result_shows_the_video_where_it_was_held(room: ModuleType, family: Family) -> None:
    """Held until the end the region is the video itself."""
    result = family.sample(held(room, family, 0.2, 1.0))
    inside = family.cells.expand(1, *family.shape) > 0
    torch.testing.assert_close(result[inside], family.video[inside], atol=1e-3, rtol=1e-3)


def test_what_a_noise_mask_keeps_is_not_held(room: ModuleType, family: Family) -> None:
    """A region that covers the first frame too: the network is shown that frame as it is without motion."""
    latent = {**family.latent, "noise_mask": torch.ones(1, 1, *family.shape[1:])}
    latent["noise_mask"][:, :, 0] = 0
    latent["samples"][:, :, 0] = 0.5
    family.sample(family.model, latent)
    plain = dict(family.seen)
    cells = family.cells
    cells[0] = 1
    clock = room.Clock(0.0, 0.7)
    video = room.HeldVideo(family.video, (room.HeldRegion(cells),), room.Preset(clock, clock, clock))
    family.sample(room.with_held_video(family.model, video), latent)
    assert len(family.seen) == STEPS
    for sigma, x in family.seen:
        torch.testing.assert_close(x[:, :, 0], plain[sigma][:, :, 0])


def test_what_a_noise_mask_keeps_stays(room: ModuleType, family: Family) -> None:
    """Also for models whose first frame is otherwise given by the conditioning."""
    latent = family.latent if family.masked else {**family.latent, "noise_mask": torch.ones(1, 1, *family.shape[1:])}
    latent["noise_mask"][:, :, 0] = 0
    result = family.sample(held(room, family, 0.2, 0.7), latent)
    torch.testing.assert_close(result[:, :, 0], latent["samples"][:, :, 0], atol=1e-3, rtol=1e-3)


def test_a_model_keeps_nothing_from_run_to_run(room: ModuleType, family: Family) -> None:
    plain = family.sample(family.model)
    model = held(room, family, 0.2, 0.7)
    once, again = family.sample(model), family.sample(model)
    assert torch.equal(once, again)
    assert torch.equal(family.sample(family.model), plain) and not torch.allclose(once, plain)


def test_another_plan_takes_the_place_of_the_first(room: ModuleType, family: Family) -> None:
    twice = room.with_held_video(held(room, family, 0.2, 1.0), _nothing(room, family))
    torch.testing.assert_close(family.sample(twice), family.sample(room.with_held_video(family.model, _nothing(room, family))))


def _nothing(room: ModuleType, family: Family) -> Any:
    clock = room.Clock(0.3, 0.3)
    return room.HeldVideo(family.video * 0.5, (), room.Preset(clock, clock, clock))


def test_a_second_sampler_goes_on_where_the_first_one_stopped(room: ModuleType, family: Family) -> None:
    """Two KSamplerAdvanced in a row, as for Wan 2.2's two models, are as one; the second one adds no noise.

    Where a noise mask keeps the first frame, the host's first sampler leaves it noisy; the second one has to be given it clean.
    """
    model = held(room, family, 0.0, 0.4)
    whole = family.sample(model)
    first = family.sample(model, start_step=0, last_step=6)
    between = torch.where(_free(family) > 0, first, family.latent["samples"])
    second = family.sample(model, {**family.latent, "samples": between}, start_step=6, last_step=STEPS, disable_noise=True)
    torch.testing.assert_close(second, whole, atol=1e-3, rtol=1e-3)


def test_another_size_is_one_sentence(room: ModuleType, family: Family) -> None:
    channels, frames, high, wide = family.shape
    with pytest.raises(ValueError) as caught:
        family.sample(held(room, family, 0.2, 0.7), {"samples": torch.zeros(1, channels, frames + 1, high, wide)})
    message = str(caught.value)
    assert message.startswith("Spacetime Apply Motion: expected a latent of") and "; connect" in message
