"""RIFE of every version: told from its tensors, equal to a plain reading of the maths, refused where it is unknown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch
from rooms.models.interpolator import IFNet, IFNetConfig, _means_by_grid, _means_of_rows, canonical_names
from support.compare import PARITY, relative_error
from support.plain_rife import PUBLISHED, checkpoint, interpolate
from torch.nn import functional as F

from benchmarks import rife_weights

ONLY_WIDER = ("4.20", "4.25.heavy")
"""Versions that differ from others in their widths alone and are slow."""


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def two_frames(height: int, width: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth random pictures; the second is the first moved by 2 and 3 pixels."""
    generator = torch.Generator().manual_seed(seed)
    picture = F.interpolate(torch.rand(1, 3, height // 8, width // 8, generator=generator), scale_factor=8, mode="bilinear")
    return picture, picture.roll((2, 3), (2, 3))


def at(network: IFNet, first: torch.Tensor, second: torch.Tensor, *times: float) -> torch.Tensor:
    return network.between(network.encode_frame(first), network.encode_frame(second), times)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_version_is_told_from_its_tensors(name: str) -> None:
    version = PUBLISHED[name]
    for prefix in ("", "module.", "flownet."):
        config = IFNetConfig.from_state_dict(canonical_names(checkpoint(version, prefix)))
        assert name in config.versions
        assert (config.channels, config.scales, config.outputs) == (version.widths, version.scales, version.outputs)
    hosts = {name.replace("block", "blocks.", 1): tensor for name, tensor in checkpoint(version, "").items() if name.startswith("block")}
    hosts |= {name: tensor for name, tensor in checkpoint(version, "").items() if name.startswith("encode")}
    assert IFNetConfig.from_state_dict(canonical_names(hosts)) == config


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name not in ONLY_WIDER])
def test_every_version_is_the_plain_maths(name: str) -> None:
    version = PUBLISHED[name]
    tensors = checkpoint(version, "module.", random=True)
    network = IFNet.from_state_dict(tensors).optimize_layout()
    side = network.pad_align
    first, second = two_frames(side, side + (side if side < 100 else 0))
    expected = [interpolate(version, canonical_names(tensors), first, second, time) for time in (0.5, 0.2)]
    assert relative_error(at(network, first, second, 0.5, 0.2), torch.cat(expected)) <= PARITY
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)


@pytest.mark.parametrize("places", [1, 4])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_cpu_warps_as_other_devices_do(frames: int, places: int) -> None:
    """As sums of rows of channels, not through a grid: inside the picture, on its last pixels, and outside."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(frames, 7, 32, 64, generator=generator).contiguous(memory_format=torch.channels_last)
    place = torch.rand(3, 2, 16, 9, places, generator=generator) * torch.tensor([90.0, 50.0]).view(2, 1, 1, 1) - 10
    place[0, :, 0, 0] = torch.tensor([63.0, 31.0]).view(2, 1)
    place[0, :, 0, 1] = -torch.inf
    place[0, :, 0, 2] = torch.inf
    rows, grid = _means_of_rows(image, place), _means_by_grid(image, place)
    assert relative_error(rows, grid) <= PARITY
    assert torch.allclose(rows[0, :, 0, 0], image[0, :, -1, -1]) and torch.allclose(rows[0, :, 0, 1], image[0, :, 0, 0])
    assert rows.is_contiguous(memory_format=torch.channels_last)
    assert _means_of_rows(image, torch.full_like(place, torch.nan)).isfinite().all()


def test_a_network_that_was_laid_out_twice_is_the_same() -> None:
    network = IFNet.from_state_dict(checkpoint(PUBLISHED["4.25"], random=True))
    first, second = two_frames(64, 128)
    expected = at(network, first, second, 0.3)
    for _ in range(2):
        assert relative_error(at(network.optimize_layout(), first, second, 0.3), expected) <= PARITY
    again = IFNet.from_state_dict(network.state_dict())
    assert relative_error(at(again, first, second, 0.3), expected) <= PARITY


def test_what_only_training_used_is_left_out() -> None:
    tensors = checkpoint(PUBLISHED["4.0"], "module.", random=True)
    extra = {"module.block_tea.lastconv.weight": torch.zeros(1), "module.unet.conv.weight": torch.zeros(1), "caltime.x": torch.zeros(1)}
    assert canonical_names(tensors | extra).keys() == canonical_names(tensors).keys()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"widths": (200, 128, 96, 64)}, "4 blocks of 200, 128, 96, 64 channels with 6 outputs each and no encoder"),
        ({"widths": (192, 128, 96, 64, 48, 32)}, "6 blocks of 192, 128, 96, 64, 48, 32 channels"),
        ({"outputs": 9}, "with 9 outputs each"),
        ({"encoder": ("named", 32, 9)}, "an encoder of 32 and 9 channels"),
    ],
)
def test_an_unknown_version_is_refused_and_described(change: dict, told: str) -> None:
    unknown = dataclasses.replace(PUBLISHED["4.6"], **change)
    with pytest.raises(ValueError, match=r"expected RIFE 4\.0 to 4\.26, got ") as refusal:
        IFNetConfig.from_state_dict(canonical_names(checkpoint(unknown)))
    assert told in str(refusal.value)


def test_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="got no RIFE network"):
        IFNetConfig.from_state_dict(canonical_names({"encoder.weight": torch.zeros(3)}))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 90), (64, 65)])
def test_any_size(height: int, width: int) -> None:
    network = IFNet.from_state_dict(checkpoint(PUBLISHED["4.6"], random=True))
    first, second = torch.rand(1, 3, height, width), torch.rand(1, 3, height, width)
    made = at(network, first, second, 0.5)
    assert made.shape[2] % 32 == 0 and made.shape[2] - height < 32 and made.shape[3] - width < 32
    assert made.isfinite().all() and made.min() >= 0 and made.max() <= 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_close(dtype: torch.dtype) -> None:
    tensors = checkpoint(PUBLISHED["4.25"], random=True)
    first, second = two_frames(64, 128)
    expected = at(IFNet.from_state_dict(tensors), first, second, 0.5)
    half = IFNet.from_state_dict(tensors).to(dtype)
    assert half.get_dtype() == dtype
    assert 0 < (at(half, first, second, 0.5) - expected).abs().mean() < 0.01


def test_real_weights_of_4_0() -> None:
    """They also make real frames: a picture that moves evenly is in the middle in the middle of the time."""
    try:
        path = rife_weights.fetch()
    except rife_weights.Unavailable as reason:
        pytest.skip(f"the weights of RIFE 4.0 cannot be fetched: {reason}")
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    network = IFNet.from_state_dict(tensors).optimize_layout()
    assert network.config.versions == "4.0 or 4.1"
    first, _ = two_frames(128, 192)
    middle, second = first.roll((2, 3), (2, 3)), first.roll((4, 6), (2, 3))
    made = at(network, first, second, 0.5, 0.25)
    assert relative_error(made[:1], interpolate(PUBLISHED["4.0"], canonical_names(tensors), first, second, 0.5)) <= PARITY
    assert relative_error(made[1:], interpolate(PUBLISHED["4.0"], canonical_names(tensors), first, second, 0.25)) <= PARITY
    inner = (..., slice(24, -24), slice(24, -24))
    assert (made[:1] - middle)[inner].abs().mean() < 0.25 * ((first + second) / 2 - middle)[inner].abs().mean()


def test_4_0_begins_again_at_half_the_size_where_motion_is_very_large() -> None:
    tensors = canonical_names(checkpoint(PUBLISHED["4.0"], "", random=True))
    tensors["block1.lastconv.weight"] = tensors["block1.lastconv.weight"] * 30
    first, second = two_frames(64, 128)
    expected = interpolate(PUBLISHED["4.0"], tensors, first, second, 0.5)
    assert torch.equal(expected, interpolate(PUBLISHED["4.0"], tensors, first, second, 0.5, halved=True))
    got = at(IFNet.from_state_dict(tensors), first, second, 0.5, 0.5)
    assert torch.allclose(got, expected.expand(2, -1, -1, -1), atol=1e-3)
