"""RIFE as a plain reading of the published maths, straight from a checkpoint's tensors, and checkpoints of every version's shapes.

Nothing of the product is used here. Written from the published networks of RIFE 4.0 to 4.26 (hzwer's Practical-RIFE).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Published:
    """One published version: widths, what the encoder gives (its kind, inner and outer channels), outputs, and how old its blocks are."""

    widths: tuple[int, ...]
    outputs: int = 6
    encoder: tuple[str, int, int] | None = None
    groups: int = 1
    prelu: bool = False
    plain: bool = False
    scales: tuple[int, ...] = (8, 4, 2, 1)


USUAL, LITE = (192, 128, 96, 64), (128, 96, 64, 48)
FIVE = (16, 8, 4, 2, 1)
PUBLISHED = {
    "4.0": Published(USUAL, 5, prelu=True, plain=True),
    "4.2": Published(USUAL, 5, plain=True),
    "4.5": Published(USUAL, 5),
    "4.6": Published(USUAL),
    "4.7": Published(USUAL, encoder=("pair", 16, 4)),
    "4.10": Published(USUAL, encoder=("sequence", 32, 8)),
    "4.12.lite": Published(LITE, encoder=("sequence", 32, 4)),
    "4.13": Published(USUAL, encoder=("named", 32, 8)),
    "4.14.lite": Published(USUAL, encoder=("named", 32, 8), groups=2),
    "4.15.lite": Published(LITE, encoder=("named", 16, 4)),
    "4.20": Published((384, 192, 96, 48), encoder=("named", 32, 8)),
    "4.21": Published((256, 192, 96, 48), 13, ("named", 32, 8)),
    "4.22.lite": Published((192, 128, 64, 32), 13, ("named", 16, 4)),
    "4.25": Published((192, 128, 96, 64, 32), 13, ("named", 16, 4), scales=FIVE),
    "4.25.lite": Published((192, 128, 96, 64, 24), 13, ("named", 16, 4), scales=(32, 16, 8, 4, 1)),
    "4.25.heavy": Published((384, 256, 192, 128, 64), 13, ("named", 16, 4), scales=FIVE),
    "4.26.heavy": Published((192, 128, 96, 64, 32), 13, ("named", 16, 16), scales=FIVE),
}


def checkpoint(version: Published, prefix: str = "module.", random: bool = False, seed: int = 0) -> Tensors:
    """A state dict of that version's shapes: zeros on no device, or random values that keep pictures and flows in a usual range."""
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{prefix}{name}": _values(name, shape, generator) if random else torch.empty(shape, device="meta")
        for name, shape in _shapes(version)
    }


def interpolate(version: Published, tensors: Tensors, first: Tensor, second: Tensor, time: float, halved: bool = False) -> Tensor:
    """The frame [1, 3, H, W] at `time`; `tensors` are named without a prefix. `halved`: from half the size on, as 4.0 does of itself."""
    scales = [scale * (2 if halved else 1) for scale in version.scales]
    flow, mask, _ = _all_blocks(version, tensors, first, second, time, scales)
    share = torch.sigmoid(mask)
    return _warp(first, flow[:, :2]) * share + _warp(second, flow[:, 2:]) * (1 - share)


def _all_blocks(version: Published, tensors: Tensors, first: Tensor, second: Tensor, time: float, scales: list[int]) -> tuple:
    plane = torch.full_like(first[:, :1], time)
    features = [_encode(version, tensors, frame) for frame in (first, second)] if version.encoder else []
    flow, mask, more = _block(version, tensors, 0, [first, second, *features, plane], None, scales[0])
    for number in range(1, len(scales)):
        warped = [_warp(frame, part) for frame, part in zip([first, second, *features], [flow[:, :2], flow[:, 2:]] * 2, strict=False)]
        step, new_mask, new_more = _block(version, tensors, number, [*warped, plane, mask, *more], flow, scales[number])
        too_far = all(part.abs().max() > 32 for part in step.split(2, dim=1))
        if version.prelu and number == 1 and too_far and scales[0] == version.scales[0]:
            return _all_blocks(version, tensors, first, second, time, [2 * scale for scale in scales])
        flow, more = flow + step, new_more
        mask = new_mask if version.encoder else mask + new_mask
    return flow, mask, more


def _block(version: Published, tensors: Tensors, number: int, parts: list[Tensor], flow: Tensor | None, scale: int) -> tuple:
    name = f"block{number}"
    x = _resize(torch.cat(parts, 1), 1 / scale)
    if flow is not None:
        x = torch.cat((x, _resize(flow, 1 / scale) / scale), 1)
    for layer in ("conv0.0", "conv0.1"):
        x = _activated(version, tensors, f"{name}.{layer}", F.conv2d(x, *_both(tensors, f"{name}.{layer}.0"), stride=2, padding=1))
    start = x
    for layer in range(8):
        if version.plain:
            at = f"{name}.convblock.{layer}"
            x = _activated(version, tensors, at, F.conv2d(x, *_both(tensors, f"{at}.0"), padding=1))
        else:
            at = f"{name}.convblock.{layer}"
            y = F.conv2d(x, *_both(tensors, f"{at}.conv"), padding=1, groups=version.groups)
            x = F.leaky_relu(y * tensors[f"{at}.beta"] + x, 0.2)
    if version.plain:
        x = F.conv_transpose2d(x + start, *_both(tensors, f"{name}.lastconv"), stride=2, padding=1)
        x, grown = _resize(x, 2 * scale), 2 * scale
    else:
        x = F.pixel_shuffle(F.conv_transpose2d(x, *_both(tensors, f"{name}.lastconv.0"), stride=2, padding=1), 2)
        x, grown = _resize(x, scale), scale
    return x[:, :4] * grown, x[:, 4:5], [x[:, 5:]] if version.outputs == 13 else []


def _encode(version: Published, tensors: Tensors, frame: Tensor) -> Tensor:
    assert version.encoder is not None
    names = {"named": ["cnn0", "cnn1", "cnn2", "cnn3"], "sequence": ["0", "2", "4", "6"], "pair": ["0", "1"]}[version.encoder[0]]
    x = F.conv2d(frame, *_both(tensors, f"encode.{names[0]}"), stride=2, padding=1)
    for name in names[1:-1]:
        x = F.conv2d(F.leaky_relu(x, 0.2), *_both(tensors, f"encode.{name}"), padding=1)
    if len(names) == 4:
        x = F.leaky_relu(x, 0.2)
    return F.conv_transpose2d(x, *_both(tensors, f"encode.{names[-1]}"), stride=2, padding=1)


def _both(tensors: Tensors, name: str) -> tuple[Tensor, Tensor]:
    return tensors[f"{name}.weight"], tensors[f"{name}.bias"]


def _activated(version: Published, tensors: Tensors, name: str, x: Tensor) -> Tensor:
    return F.prelu(x, tensors[f"{name}.1.weight"]) if version.prelu else F.leaky_relu(x, 0.2)


def _resize(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def _warp(image: Tensor, flow: Tensor) -> Tensor:
    height, width = image.shape[2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    at = torch.stack(((x + flow[:, 0]) * 2 / (width - 1) - 1, (y + flow[:, 1]) * 2 / (height - 1) - 1), dim=-1)
    return F.grid_sample(image, at, mode="bilinear", padding_mode="border", align_corners=True)


def _shapes(version: Published) -> Iterator[tuple[str, tuple[int, ...]]]:
    head = version.encoder[2] if version.encoder else 0
    for number, width in enumerate(version.widths):
        inputs = 7 + 2 * head + (0 if number == 0 else 5 + (8 if version.outputs == 13 else 0))
        block = f"block{number}"
        for index, (taken, given) in enumerate(((inputs, width // 2), (width // 2, width))):
            yield from _layer(f"{block}.conv0.{index}.0", (given, taken, 3, 3), given)
            if version.prelu:
                yield f"{block}.conv0.{index}.1.weight", (given,)
        for index in range(8):
            at = f"{block}.convblock.{index}"
            if version.plain:
                yield from _layer(f"{at}.0", (width, width, 3, 3), width)
                if version.prelu:
                    yield f"{at}.1.weight", (width,)
            else:
                yield from _layer(f"{at}.conv", (width, width // version.groups, 3, 3), width)
                yield f"{at}.beta", (1, width, 1, 1)
        last, given = (f"{block}.lastconv", version.outputs) if version.plain else (f"{block}.lastconv.0", 4 * version.outputs)
        yield from _layer(last, (width, given, 4, 4), given)
    if version.encoder:
        kind, inside, out = version.encoder
        names = {"named": ["cnn0", "cnn1", "cnn2", "cnn3"], "sequence": ["0", "2", "4", "6"], "pair": ["0", "1"]}[kind]
        yield from _layer(f"encode.{names[0]}", (inside, 3, 3, 3), inside)
        for name in names[1:-1]:
            yield from _layer(f"encode.{name}", (inside, inside, 3, 3), inside)
        yield from _layer(f"encode.{names[-1]}", (inside, out, 4, 4), out)


def _layer(name: str, shape: tuple[int, ...], given: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", (given,)


def _values(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    values = torch.randn(shape, generator=generator)
    if name.endswith("beta"):
        return 0.3 + 0.1 * values
    if len(shape) == 4:
        return values * 0.8 / (shape[1] * shape[2] * shape[3]) ** 0.5
    return values * 0.05 + (0.2 if ".1.weight" in name else 0)
