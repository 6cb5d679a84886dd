"""RIFE's IFNet, versions 4.0 to 4.26: a frame at any time between two frames, by flows refined from coarse to fine.

Follows the published networks (github.com/hzwer/Practical-RIFE) in parameter names and maths. Which version a checkpoint is, is read from
its tensors. What differs from a plain reading of the maths is only the order of work: a block that looks at the frames in 1/s of their size
needs the warped frames at four pixels of each s x s square, so only those are warped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2  # of every leaky ReLU
RESIDUAL_LAYERS = 8  # in every block, in every version
LARGEST_FLOW = 32.0  # pixels; above it, RIFE 4.0 and 4.1 begin again at half the size

PREFIXES = ("module.", "flownet.")
_ROW = 8  # channels of which a block's outputs are a multiple


@dataclass(frozen=True)
class Head:
    """The encoder that gives each frame features: channels inside and out, and how its layers are named.

    `layout` is "named" (cnn0 ... cnn3) or "sequence" (four convolutions in an nn.Sequential) or "pair" (two of them, nothing between).
    """

    layout: str
    inside: int
    out: int


@dataclass(frozen=True)
class IFNetConfig:
    """What tells one version from another.

    channels: width of each block, coarse to fine.  scales: the size that each block looks at is 1/scale.  outputs: channels of a block's
    answer: 4 of flow, 1 of mask, and in some versions one unused or 8 of features for the next block.  groups: of the residual
    convolutions.  prelu: learned slopes.  residual: blocks of layers that each add to their input (4.5 on) with a shuffle at the end.
    """

    versions: str
    channels: tuple[int, ...]
    scales: tuple[int, ...] = (8, 4, 2, 1)
    outputs: int = 6
    head: Head | None = None
    groups: int = 1
    prelu: bool = False
    residual: bool = True

    @property
    def features(self) -> int:
        """Channels that a block hands to the next one beside flow and mask."""
        return 8 if self.outputs == 13 else 0

    @property
    def adds_masks(self) -> bool:
        """Whether masks are summed over the blocks (up to 4.6) or each replaces the last."""
        return self.head is None

    def input_order(self, first: bool) -> list[int | None]:
        """Which channel of a block's weights each channel is that the block is given; None for one that does not count.

        The two frames, each with its features, come first. Then the first block is given the time; others are given it with the flow and
        the sum of masks, or, where a mask replaces the last one, in place of what the last block's outputs have beside mask and features.
        """
        head = self.head.out if self.head else 0
        frames = [[*range(3 * n, 3 * n + 3), *range(6 + head * n, 6 + head * (n + 1))] for n in (0, 1)]
        time = 6 + 2 * head
        mask, flow = time + 1, range(time + 2 + self.features, time + 6 + self.features)
        order: list[int | None] = [*frames[0], *frames[1]]
        if first:
            return [*order, time]
        if self.adds_masks:
            return [*order, *flow, mask, time]
        outputs = [*flow, *range(mask, mask + 1 + self.features)]
        unused = [None] * (self.outputs - len(outputs))
        return [*order, *outputs, *unused, time, *[None] * (padded(self.outputs) - self.outputs - 1)]

    @property
    def multiple(self) -> int:
        """Height and width have to be multiples of this; versions that may begin again at half the size need twice as much."""
        return 4 * self.scales[0] * (2 if self.prelu else 1)

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> IFNetConfig:
        """The version that a checkpoint in canonical names (see `canonical_names`) holds.

        Raises:
            ValueError: its tensors belong to no known version; the message says what they look like.
        """
        found = _look(state_dict)
        for version in VERSIONS:
            if version == IFNetConfig(version.versions, scales=version.scales, **found):  # type: ignore[arg-type]
                return version
        raise ValueError(f"expected RIFE 4.0 to 4.26, got {_describe(found)}")


def padded(channels: int) -> int:
    """At least one channel more, and whole rows of `_ROW`, which are copied and enlarged faster than others."""
    return channels + _ROW - channels % _ROW


_NAMED_LARGE = Head("named", 32, 8)
_NAMED_SMALL = Head("named", 16, 4)
_USUAL = (192, 128, 96, 64)
_LITE = (128, 96, 64, 48)

VERSIONS: tuple[IFNetConfig, ...] = (
    IFNetConfig("4.0 or 4.1", _USUAL, outputs=5, prelu=True, residual=False),
    IFNetConfig("4.2 to 4.4", _USUAL, outputs=5, residual=False),
    IFNetConfig("4.5", _USUAL, outputs=5),
    IFNetConfig("4.6", _USUAL),
    IFNetConfig("4.7 to 4.9", _USUAL, head=Head("pair", 16, 4)),
    IFNetConfig("4.10 to 4.12", _USUAL, head=Head("sequence", 32, 8)),
    IFNetConfig("4.12.lite or 4.13.lite", _LITE, head=Head("sequence", 32, 4)),
    IFNetConfig("4.13 to 4.19 or 4.24", _USUAL, head=_NAMED_LARGE),
    IFNetConfig("4.14.lite", _USUAL, head=_NAMED_LARGE, groups=2),
    IFNetConfig("4.15.lite to 4.17.lite", _LITE, head=_NAMED_SMALL),
    IFNetConfig("4.20", (384, 192, 96, 48), head=_NAMED_LARGE),
    IFNetConfig("4.21 to 4.23", (256, 192, 96, 48), outputs=13, head=_NAMED_LARGE),
    IFNetConfig("4.22.lite", (192, 128, 64, 32), outputs=13, head=_NAMED_SMALL),
    IFNetConfig("4.25 or 4.26", (192, 128, 96, 64, 32), (16, 8, 4, 2, 1), outputs=13, head=_NAMED_SMALL),
    IFNetConfig("4.25.lite", (192, 128, 96, 64, 24), (32, 16, 8, 4, 1), outputs=13, head=_NAMED_SMALL),
    IFNetConfig("4.25.heavy", (384, 256, 192, 128, 64), (16, 8, 4, 2, 1), outputs=13, head=_NAMED_SMALL),
    IFNetConfig("4.26.heavy", (192, 128, 96, 64, 32), (16, 8, 4, 2, 1), outputs=13, head=Head("named", 16, 16)),
)
"""Every published version. Scales cannot be read from tensors, so a checkpoint that equals no row is refused, not guessed."""


def canonical_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that interpolate, named `block0.conv0...` and `encode...`.

    Takes published checkpoints, with and without `module.` or `flownet.` before each name, and ComfyUI's own `blocks.0.conv0...`.
    Teachers and refiners that only training used are left out.
    """
    named = {}
    for name, tensor in state_dict.items():
        for prefix in PREFIXES:
            name = name.removeprefix(prefix)
        name = re.sub(r"^blocks\.(\d+)\.", r"block\1.", name)
        if re.match(r"(block\d+|encode)\.", name):
            named[name] = tensor
    return named


@dataclass(frozen=True)
class EncodedFrame:
    """A frame as the network wants it, kept from one pair to the next.

    picture: [1, 3, H, W] float32 in 0..1, padded.  layers: [1, 3 + F, H, W] float32, the picture and its features, on a CPU with channels
    last, as most warping is fastest there; F is 0 in versions without an encoder.
    """

    picture: Tensor
    layers: Tensor

    @classmethod
    def of(cls, picture: Tensor, features: Tensor) -> EncodedFrame:
        """From a picture [B, 3, H, W] and its features [B, F, H, W], of any precision and layout."""
        picture = picture.float()
        layout = torch.channels_last if picture.device.type == "cpu" else torch.contiguous_format
        layers = torch.cat([part.contiguous(memory_format=layout) for part in (picture, features.float())], 1)
        return cls(picture.contiguous(), layers.contiguous(memory_format=layout))


class IFNet(nn.Module):
    """The network of any version; `forward` and `extract_features` are also what ComfyUI's own interpolation node calls."""

    def __init__(self, config: IFNetConfig) -> None:
        super().__init__()
        self.config = config
        self.pad_align = config.multiple
        for number, width in enumerate(config.channels):
            self.add_module(f"block{number}", _Block(width, config, first=number == 0))
        self.encode = _head(config.head) if config.head else None

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor], assign: bool = False) -> IFNet:
        """The network with the weights of a checkpoint, whatever names it has (see `canonical_names`).

        Raises:
            ValueError: the tensors belong to no known version.
            RuntimeError: some are missing or have another shape.
        """
        tensors = canonical_names(state_dict)
        with torch.device("meta"):
            network = cls(IFNetConfig.from_state_dict(tensors))
        if not assign:
            network.to_empty(device="cpu")
        network.load_state_dict(tensors, assign=assign)
        return network.requires_grad_(False).eval()

    def optimize_layout(self) -> IFNet:
        """Weights as convolutions compute fastest, for a network whose weights stay as they are: channels last, a layer's gain (`beta`)
        multiplied into its weights."""
        for module in self.modules():
            if isinstance(module, _ResidualLayer):
                module.multiply_gain()
        return self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def get_dtype(self) -> torch.dtype:
        """Precision of the convolutions; flows and colours are float32 always."""
        return self.block0.conv0[0][0].weight.dtype  # type: ignore[union-attr,index,return-value]

    def memory_used_forward(self, shape: Sequence[int], dtype: torch.dtype) -> int:
        """Bytes needed beside the weights for one new frame between two frames [n, H, W, 3] and for these, encoded; measured."""
        head = self.config.head.out if self.config.head else 0
        return shape[1] * shape[2] * (250 + 65 * dtype.itemsize + 20 * head)

    def encode_frame(self, frame: Tensor) -> EncodedFrame:
        """A frame [1, 3, H, W] in 0..1, of any size, on the network's device, padded and encoded."""
        picture = pad_to_multiple(frame.float(), self.pad_align)
        return EncodedFrame.of(picture, self._features(picture))

    def extract_features(self, img: Tensor) -> Tensor:
        """The encoder's features [B, F, H, W] of padded frames [B, 3, H, W]; no channels in versions without an encoder."""
        return self._features(img).contiguous()

    def _features(self, img: Tensor) -> Tensor:
        """`extract_features` in any layout."""
        if self.encode is None:
            return img.new_zeros(img.shape[0], 0, *img.shape[2:])
        weights = next(self.encode.parameters())
        return self.encode(img.to(weights.dtype).contiguous(memory_format=torch.channels_last))

    def between(self, before: EncodedFrame, after: EncodedFrame, times: Sequence[float]) -> Tensor:
        """Frames [len(times), 3, H, W] float32, still padded, at times in 0..1 between two frames."""
        timestep = torch.tensor(times, dtype=torch.float32, device=before.layers.device)
        return self._interpolate(before, after, timestep, self.config.scales).clamp_(0, 1)

    def forward(self, img0: Tensor, img1: Tensor, timestep: Tensor | float = 0.5, cache: Mapping[str, Tensor] | None = None) -> Tensor:
        """Frames [B, 3, H, W] between padded frames, as ComfyUI's node asks for them.

        timestep: a number, or [B, 1, H, W] that holds one for each frame.  cache: "img0" and "img1" from `extract_features`.
        """
        features = [(cache or {}).get(name) for name in ("img0", "img1")]
        times = timestep[:, 0, 0, 0].float() if isinstance(timestep, Tensor) else img0.new_full((img0.shape[0],), timestep).float()
        before, after = (
            EncodedFrame.of(image, self._features(image) if known is None else known)
            for image, known in zip((img0, img1), features, strict=True)
        )
        return self._interpolate(before, after, times, self.config.scales).to(img0.dtype)

    def _interpolate(self, before: EncodedFrame, after: EncodedFrame, times: Tensor, scales: tuple[int, ...]) -> Tensor:
        frames = (before, after)
        grid = _pixel_grid(before.layers)
        config = self.config
        summed = 5 if config.adds_masks else 4
        total: Tensor | None = None  # flows (and masks, where they are summed) over the blocks so far, at full size
        small = times.new_zeros(0)
        small_scale = 1
        for number, scale in enumerate(scales):
            joined = _joined(self._seen_by_block(frames, times, grid, scale, total, small, small_scale), self.get_dtype())
            small = self.get_submodule(f"block{number}")(joined).float()
            del joined
            small_scale = scale if config.residual else 2 * scale
            step = small[:, :summed].contiguous()
            step[:, :4] *= small_scale
            step = _enlarge(step, small_scale)
            if config.prelu and number == 1 and scales == config.scales and bool(_too_far(step).any()):
                return self._begin_again_smaller(before, after, times, _too_far(step))
            total = step if total is None else total.add_(step)
        assert total is not None
        mask = total[:, 4:5] if config.adds_masks else _enlarge(small[:, 4:5].contiguous(), small_scale)
        first, second = (_sampled(frame.picture, place) for frame, place in zip(frames, _places(total, grid).unbind(1), strict=True))
        return torch.lerp(second, first, torch.sigmoid(mask))

    def _seen_by_block(
        self,
        frames: Sequence[EncodedFrame],
        times: Tensor,
        grid: Tensor,
        scale: int,
        total: Tensor | None,
        small: Tensor,
        small_scale: int,
    ) -> Iterator[Tensor]:
        """What a block looks at, at 1/scale of the size: the frames as they are for the first one, else warped, and what is known."""
        time = times.view(-1, 1, 1, 1).expand(-1, 1, frames[0].picture.shape[2] // scale, frames[0].picture.shape[3] // scale)
        if total is None:
            yield from (_shrink(frame.layers, scale).expand(len(times), -1, -1, -1) for frame in frames)
            yield time
            return
        yield from _shrunk_warps(frames, _places(total, grid), scale)
        flow = _shrink(total, scale)
        if self.config.adds_masks:
            yield from (flow[:, :4] / scale, flow[:, 4:], time)
            return
        known = _enlarge(small, small_scale // scale)
        torch.div(flow, scale, out=known[:, :4])
        known[:, self.config.outputs] = time[:, 0]
        yield known

    def _begin_again_smaller(self, before: EncodedFrame, after: EncodedFrame, times: Tensor, far: Tensor) -> Tensor:
        """Each time by itself: where motion was too far for the usual sizes, at half of them."""
        halved = tuple(2 * scale for scale in self.config.scales)
        if len(times) == 1:
            return self._interpolate(before, after, times, halved)
        return torch.cat(
            [
                self._interpolate(before, after, time, halved if too_far else self.config.scales)
                for time, too_far in zip(times.split(1), far.tolist(), strict=True)
            ]
        )


class _Block(nn.Module):
    """One refinement: what is known at one size -> flow [:, :4], mask [:, 4:5] and features, at that size (up to 4.4: at half of it).

    Its inputs are in the order of `IFNetConfig.input_order`; from 4.5 on its outputs are `padded`.
    """

    def __init__(self, width: int, config: IFNetConfig, first: bool) -> None:
        super().__init__()
        slopes = config.prelu
        self.residual = config.residual
        beginning = _FirstConvolution(width // 2, config.input_order(first))
        self.conv0 = nn.Sequential(_activated(beginning, slopes), _convolution(width // 2, width, 2, slopes))
        if config.residual:
            self.convblock = nn.Sequential(*(_ResidualLayer(width, config.groups) for _ in range(RESIDUAL_LAYERS)))
            self.lastconv = nn.Sequential(_ShuffledConvolution(width, config.outputs))
        else:
            self.convblock = nn.Sequential(*(_convolution(width, width, 1, slopes) for _ in range(RESIDUAL_LAYERS)))
            self.lastconv = nn.ConvTranspose2d(width, config.outputs, 4, 2, 1)  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv0(x)
        return self.lastconv(self.convblock(x) if self.residual else self.convblock(x) + x)


class _ResidualLayer(nn.Module):
    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 1, 1, groups=groups)
        self.beta = nn.Parameter(torch.ones(1, width, 1, 1))
        self._multiplied = False

    def forward(self, x: Tensor) -> Tensor:
        if self._multiplied:
            return F.leaky_relu_(self.conv(x).add_(x), SLOPE)
        return F.leaky_relu_(torch.addcmul(x, self.conv(x), self.beta), SLOPE)

    def multiply_gain(self) -> None:
        """Multiply the gain into the weights; what is left of it is 1."""
        self.conv.weight = nn.Parameter(self.conv.weight * self.beta.view(-1, 1, 1, 1), requires_grad=False)
        self.conv.bias = nn.Parameter(self.conv.bias * self.beta.flatten(), requires_grad=False)
        self.beta = nn.Parameter(torch.ones_like(self.beta), requires_grad=False)
        self._multiplied = True


class _FirstConvolution(nn.Conv2d):
    """Halves the size. Its channels come in `order`: for each, which of the weights' it is; None for one that does not count."""

    def __init__(self, outputs: int, order: Sequence[int | None]) -> None:
        super().__init__(len([number for number in order if number is not None]), outputs, 3, 2, 1)
        self._order = order

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, _arranged(self.weight, self._order, 1), self.bias, 2, 1)


class _ShuffledConvolution(nn.ConvTranspose2d):
    """A transposed convolution and the pixel shuffle after it, to four times the size; its outputs are `padded` with zeros.

    They are computed pixel by pixel, so that whole rows of channels are shuffled.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, 4 * outputs, 4, 2, 1)
        rows = [[4 * channel + pixel for channel in range(outputs)] for pixel in range(4)]
        self._order = [number for row in rows for number in [*row, *[None] * (padded(outputs) - outputs)]]

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        x = F.conv_transpose2d(x, _arranged(self.weight, self._order, 1), _arranged(self.bias, self._order, 0), 2, 1)
        return rearrange(x, "b (p q c) h w -> b (h p) (w q) c", p=2, q=2).movedim(-1, 1)


def _arranged(weight: Tensor, order: Sequence[int | None], dim: int) -> Tensor:
    """Channels of a weight in another order, zeros for None; channels last."""
    zeros = weight.narrow(dim, 0, 1) * 0
    numbers = [weight.shape[dim] if number is None else number for number in order]
    chosen = torch.cat((weight, zeros), dim).index_select(dim, torch.tensor(numbers, device=weight.device))
    return chosen.contiguous(memory_format=torch.channels_last) if chosen.ndim == 4 else chosen


class _NamedHead(nn.Module):
    def __init__(self, head: Head) -> None:
        super().__init__()
        self.cnn0 = nn.Conv2d(3, head.inside, 3, 2, 1)
        self.cnn1 = nn.Conv2d(head.inside, head.inside, 3, 1, 1)
        self.cnn2 = nn.Conv2d(head.inside, head.inside, 3, 1, 1)
        self.cnn3 = nn.ConvTranspose2d(head.inside, head.out, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.cnn0, self.cnn1, self.cnn2):
            x = F.leaky_relu_(layer(x), SLOPE)
        return self.cnn3(x)


def _head(head: Head) -> nn.Module:
    if head.layout == "named":
        return _NamedHead(head)
    first, last = nn.Conv2d(3, head.inside, 3, 2, 1), nn.ConvTranspose2d(head.inside, head.out, 4, 2, 1)
    if head.layout == "pair":
        return nn.Sequential(first, last)
    middle = [nn.Conv2d(head.inside, head.inside, 3, 1, 1) for _ in range(2)]
    return nn.Sequential(first, _leaky(), middle[0], _leaky(), middle[1], _leaky(), last)


def _convolution(inputs: int, outputs: int, stride: int, prelu: bool) -> nn.Sequential:
    return _activated(nn.Conv2d(inputs, outputs, 3, stride, 1), prelu)


def _activated(convolution: nn.Conv2d, prelu: bool) -> nn.Sequential:
    return nn.Sequential(convolution, nn.PReLU(convolution.out_channels) if prelu else _leaky())


def _leaky() -> nn.Module:
    return nn.LeakyReLU(SLOPE, inplace=True)


_DIRECTIONS = (slice(0, 2), slice(2, 4))  # where the flow towards each of the two frames lies


def pad_to_multiple(frames: Tensor, multiple: int) -> Tensor:
    """Frames [B, C, H, W] mirrored (where that is possible, else their edges repeated) at the right and the bottom to whole multiples."""
    height, width = frames.shape[2:]
    bottom, right = -height % multiple, -width % multiple
    if not bottom and not right:
        return frames
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(frames, (0, right, 0, bottom), mode=mode)


def _pixel_grid(image: Tensor) -> Tensor:
    """[2, H, W] float32: x and y of each pixel."""
    height, width = image.shape[2:]
    y, x = torch.meshgrid(torch.arange(height, device=image.device), torch.arange(width, device=image.device), indexing="ij")
    return torch.stack((x, y)).float()


def _places(flows: Tensor, grid: Tensor) -> Tensor:
    """[B, 2, 2, H, W]: x and y (in pixels) of what the flows [B, 4 or more, H, W] point at in each of the two frames."""
    return flows[:, :4].unflatten(1, (2, 2)) + grid


def _sampled(image: Tensor, place: Tensor) -> Tensor:
    """What lies in `image` [1 or B, C, H, W] at `place` [B, 2, h, w]: between pixels bilinearly, outside as at the edge."""
    x, y = (at * (2 / max(size - 1, 1)) - 1 for at, size in zip(place.unbind(1), (image.shape[3], image.shape[2]), strict=True))
    image = image.expand(place.shape[0], -1, -1, -1)
    return F.grid_sample(image, torch.stack((x, y), dim=-1), mode="bilinear", padding_mode="border", align_corners=True)


def _shrunk_warps(frames: Sequence[EncodedFrame], places: Tensor, scale: int) -> Iterator[Tensor]:
    """[B, C, H / scale, W / scale] for each frame: its layers warped, then shrunk. Only pixels that shrinking looks at are warped."""
    means = _means_of_rows if places.device.type == "cpu" else _means_by_grid
    for frame, place in zip(frames, places.unbind(1), strict=True):
        yield means(frame.layers, _middle_pixels(place, scale) if scale > 1 else place[..., None])


def _means_by_grid(image: Tensor, place: Tensor) -> Tensor:
    """[B, C, h, w]: means over what lies in `image` [1 or B, C, H, W] at the n places of each pixel, `place` [B, 2, h, w, n]."""
    return F.avg_pool2d(_sampled(image, place.flatten(-2)), (1, place.shape[-1]))


def _means_of_rows(image: Tensor, place: Tensor) -> Tensor:
    """`_means_by_grid` with channels last, as a CPU does it fastest: each is a sum of rows of channels, of which each has its share."""
    batch, _, height, width, count = place.shape
    x, left, right = _neighbours(place[:, 0], image.shape[3])
    y, above, below = _neighbours(place[:, 1], image.shape[2])
    first = x.add_(y, alpha=image.shape[3])
    if image.shape[0] > 1:
        first += torch.arange(batch, dtype=first.dtype).mul_(image[0, 0].numel()).view(-1, 1, 1, 1)
    numbers, shares = torch.empty(*first.shape, 4, dtype=first.dtype), torch.empty(*first.shape, 4)
    for corner, (row, column) in enumerate(((above, left), (above, right), (below, left), (below, right))):
        torch.add(first, corner // 2 * image.shape[3] + corner % 2, out=numbers[..., corner])
        torch.mul(row, column, out=shares[..., corner])
    rows = image.movedim(1, -1).reshape(-1, image.shape[1])
    sums = F.embedding_bag(numbers.view(-1, 4 * count), rows, mode="sum", per_sample_weights=shares.view(-1, 4 * count))
    return sums.div_(count).view(batch, height, width, -1).movedim(-1, 1)


def _neighbours(at: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Coordinates, those outside as at the edge -> the pixel (int32) before each, its share, and the share of the pixel after it."""
    at = at.nan_to_num(0.0).clamp_(0, size - 1)
    before = at.floor().clamp_(max=size - 2)
    after = at.sub_(before)
    return before.int(), 1 - after, after


def _middle_pixels(x: Tensor, scale: int) -> Tensor:
    """[..., H, W] -> [..., h, w, 4]: the four middle pixels of each scale x scale square, the only ones that bilinear shrinking by an even
    scale looks at."""
    middle = (scale // 2 - 1, scale // 2)
    return torch.stack([x[..., row::scale, column::scale] for row in middle for column in middle], dim=-1)


def _shrink(x: Tensor, scale: int) -> Tensor:
    """[B, C, H, W] bilinearly at 1/scale of its size: the mean of the four middle pixels of each square."""
    if scale == 1:
        return x
    start = scale // 2 - 1
    x = x[:, :, start::scale] + x[:, :, start + 1 :: scale]
    return (x[..., start::scale] + x[..., start + 1 :: scale]).mul_(0.25)


def _enlarge(x: Tensor, scale: int) -> Tensor:
    """[B, C, h, w] bilinearly at `scale` times its size."""
    return x if scale == 1 else F.interpolate(x, scale_factor=float(scale), mode="bilinear")


def _joined(parts: Iterable[Tensor], dtype: torch.dtype) -> Tensor:
    """The parts as channels of one tensor in `dtype`, channels last; each is let go before the next is made."""
    return torch.cat([part.contiguous(memory_format=torch.channels_last).to(dtype) for part in parts], 1)


def _too_far(step: Tensor) -> Tensor:
    """[B] bool: whether a block moved both flows by more than `LARGEST_FLOW` somewhere."""
    first, second = (step[:, part].abs().amax(dim=(1, 2, 3)) > LARGEST_FLOW for part in _DIRECTIONS)
    return first & second


def _look(state_dict: Mapping[str, Tensor]) -> dict[str, object]:
    """What a checkpoint's tensors say about its configuration."""
    names = [f"block{number}.conv0.1.0.weight" for number in range(10)]
    channels = tuple(state_dict[name].shape[0] for name in names if name in state_dict)
    residual = "block0.convblock.0.conv.weight" in state_dict
    last = state_dict.get("block0.lastconv.0.weight" if residual else "block0.lastconv.weight")
    layer = state_dict.get("block0.convblock.0.conv.weight")
    return {
        "channels": channels,
        "outputs": 0 if last is None else last.shape[1] // (4 if residual else 1),
        "head": _look_at_head(state_dict),
        "groups": 1 if layer is None else layer.shape[0] // max(layer.shape[1], 1),
        "prelu": "block0.conv0.0.1.weight" in state_dict,
        "residual": residual,
    }


def _look_at_head(state_dict: Mapping[str, Tensor]) -> Head | None:
    for layout, first, last in (("named", "cnn0", "cnn3"), ("sequence", "0", "6"), ("pair", "0", "1")):
        pair = (state_dict.get(f"encode.{first}.weight"), state_dict.get(f"encode.{last}.weight"))
        if pair[0] is not None and pair[1] is not None:
            return Head(layout, pair[0].shape[0], pair[1].shape[1])
    return None


def _describe(found: Mapping[str, object]) -> str:
    channels = found["channels"]
    if not channels:
        return "no RIFE network"
    assert isinstance(channels, tuple)
    head = found["head"]
    encoder = f"an encoder of {head.inside} and {head.out} channels" if isinstance(head, Head) else "no encoder"
    return f"{len(channels)} blocks of {', '.join(map(str, channels))} channels with {found['outputs']} outputs each and {encoder}"
