"""The causal video VAE in Wan 2.1's layout (parameter names, shapes and maths), at any base width.

Every convolution looks only at the present and the past, so a clip is encoded and decoded chunk by chunk while a
`CausalState` carries the last frames each convolution has seen; memory does not grow with the length of the clip.
Videos are [B, 3, T, H, W] in -1..1; latents are [B, 16, T', H/8, W/8] as the host's LATENT holds them (not normalised).
Architecture: "Wan: Open and Advanced Large-Scale Video Generative Models", arXiv 2503.20314, section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .convolutions import FEW_CHANNELS, conv2d_of_doubled, conv3d, conv3d_to_few_channels, infers_on_cpu

# Per-channel statistics of the published Wan 2.1 latents: the denoiser sees (latent - MEAN) / STD.
LATENT_MEAN = (-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
               0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921)  # fmt: skip
LATENT_STD = (2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
              3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160)  # fmt: skip


def normalize_latent(latent: Tensor) -> Tensor:
    """Latents [B, 16, T', h, w] -> the roughly unit-variance latents the denoiser works on."""
    return (latent - _per_channel(LATENT_MEAN, latent)) / _per_channel(LATENT_STD, latent)


def denormalize_latent(latent: Tensor) -> Tensor:
    """The inverse of `normalize_latent`."""
    return latent * _per_channel(LATENT_STD, latent) + _per_channel(LATENT_MEAN, latent)


def _per_channel(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, -1, 1, 1, 1)


@dataclass(frozen=True)
class VAEConfig:
    """Sizes of the network. Wan 2.1 has base width 96; everything but the width is the same in every Wan 2.1 file."""

    base_width: int = 96
    latent_channels: int = 16
    width_multipliers: tuple[int, ...] = (1, 2, 4, 4)
    residual_blocks: int = 2
    temporal_downsample: tuple[bool, ...] = (False, True, True)

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor]) -> VAEConfig:
        """Read the sizes from tensor shapes.

        Raises:
            ValueError: the tensors are not those of a Wan 2.1 VAE.
        """
        gamma, conv2 = state_dict.get("decoder.head.0.gamma"), state_dict.get("conv2.weight")
        if gamma is None or conv2 is None or "decoder.middle.0.residual.0.gamma" not in state_dict:
            raise ValueError("expected the tensors of a Wan 2.1 video VAE (decoder.head.0.gamma, conv2.weight)")
        if conv2.shape[0] != 16:
            raise ValueError(f"expected a Wan 2.1 VAE with 16 latent channels, got {conv2.shape[0]}")
        return cls(base_width=gamma.shape[0], latent_channels=conv2.shape[0])


@dataclass
class CausalState:
    """What a causal network remembers between two chunks of one clip.

    `past` holds the last input frames of each causal convolution, keyed by the convolution's place in the network, so that a state
    can be kept, moved and resumed. `first` is True until one chunk has gone through.
    """

    first: bool = True
    past: dict[str, Tensor] = field(default_factory=dict)

    def clone(self) -> CausalState:
        """An independent copy, to continue the same clip in two ways."""
        return CausalState(self.first, {name: frames.clone() for name, frames in self.past.items()})

    def to(self, device: torch.device | str) -> CausalState:
        """An independent copy on another device, which keeps no more memory than it needs."""
        return CausalState(self.first, {name: frames.to(device, copy=True) for name, frames in self.past.items()})


class CausalConv3d(nn.Conv3d):
    """3D convolution whose window along time ends at the present frame; the past comes from the state, zeros before the start."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int | tuple[int, int, int]) -> None:
        kt, kh, kw = (kernel,) * 3 if isinstance(kernel, int) else kernel
        super().__init__(channels_in, channels_out, (kt, kh, kw), padding=(0, kh // 2, kw // 2))
        self.name = ""
        self.forgets = False

    @property
    def history(self) -> int:
        """How many frames of the past the window spans."""
        return 0 if self.forgets else self.kernel_size[0] - 1

    @torch.no_grad()
    def look_for_past(self) -> None:
        """See from the weights whether the past counts. Where all of its weights are nought, it is neither kept nor computed with."""
        past = self.weight[:, :, :-1]
        self.forgets = self.kernel_size[0] > 1 and not past[:1].any() and not past.any()

    def forward(self, x: Tensor, state: CausalState, in_window: bool = False) -> Tensor:  # type: ignore[override]
        """The present [B, C, T, H, W] -> its frames. `in_window`: `x` is what `window` gave, the present written to its end."""
        if in_window:
            return self._slide(x, state)
        history = self.history
        if history == 0:
            return conv3d(x, self.weight[:, :, -1:], self.bias, self.padding)
        past = state.past.get(self.name)
        if past is None and x.shape[2] == 1:
            # Only zeros lie in the past: the last slice of the kernel gives the same sums for a third of the work.
            y = conv3d(x, self.weight[:, :, -1:], self.bias, self.padding)
        else:
            padded = F.pad(x, (0, 0, 0, 0, history, 0)) if past is None else torch.cat([past, x], dim=2)
            y = conv3d(padded, self.weight, self.bias, self.padding)
        if past is not None and x.shape[2] < history:
            x = torch.cat([past, x], dim=2)
        elif past is None and x.shape[2] < history:
            x = F.pad(x, (0, 0, 0, 0, history - x.shape[2], 0))
        state.past[self.name] = x[:, :, -history:]
        return y

    def window(self, x: Tensor, state: CausalState) -> Tensor:
        """The past, and behind it uninitialised memory for a present like `x`."""
        past = state.past.get(self.name)
        size = (*x.shape[:2], self.history + x.shape[2], *x.shape[3:])
        window = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last_3d)
        before = window[:, :, : self.history]
        before.zero_() if past is None else before.copy_(past)
        return window

    def _slide(self, window: Tensor, state: CausalState) -> Tensor:
        beginning = state.past.get(self.name) is None and window.shape[2] == self.history + 1
        if self.history:
            state.past[self.name] = window[:, :, -self.history :]
        convolve = conv3d_to_few_channels if self.out_channels < FEW_CHANNELS else conv3d
        if beginning or not self.history:  # only zeros lie in the past, as above, or they are multiplied by zeros
            return convolve(window[:, :, self.history :], self.weight[:, :, -1:], self.bias, self.padding)
        return convolve(window, self.weight, self.bias, self.padding)


def channel_norm(x: Tensor, gamma: Tensor) -> Tensor:
    """x [N, C, ...] divided by the root mean square of its channels, times gamma [C, ...]."""
    if infers_on_cpu(x):
        return _normalize_into(torch.empty_like(x), x, gamma)
    return _normalized(x, gamma)


def _normalized(x: Tensor, gamma: Tensor) -> Tensor:
    """`channel_norm` as anything differentiates and compiles it."""
    inverse_length = torch.rsqrt(x.square().sum(dim=1, keepdim=True) + 1e-24)
    return x * inverse_length * _gain(x, gamma)


def _gain(x: Tensor, gamma: Tensor) -> Tensor:
    return (gamma * x.shape[1] ** 0.5).to(x.dtype)


def _normalize_into(out: Tensor, x: Tensor, gamma: Tensor) -> Tensor:
    """`channel_norm` written to `out`."""
    gain = _gain(x, gamma)
    inverse_length = torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_(min=1e-12).reciprocal_()
    rows, lengths = out.movedim(1, -1), inverse_length.movedim(1, -1)
    if not rows[0].is_contiguous():
        return out.copy_(inverse_length).mul_(x).mul_(gain)
    # As matrix products: over fewer channels than a vector register holds, PyTorch multiplies by one number at a time.
    for made, length in zip(rows, lengths):
        torch.mm(length.reshape(-1, 1), gain.view(1, -1), out=made.view(-1, x.shape[1]))
    return out.mul_(x)


def norm_silu(x: Tensor, gamma: Tensor) -> Tensor:
    """`channel_norm`, then SiLU; kept in one function because a compiler fuses it into one pass over memory."""
    return F.silu(_normalized(x, gamma), inplace=not torch.is_grad_enabled())


def _norm_silu_conv(x: Tensor, gamma: Tensor, conv: CausalConv3d, state: CausalState) -> Tensor:
    """`norm_silu` and the convolution after it, without a copy between them: on a CPU, without gradients."""
    window = conv.window(x, state)
    F.silu(_normalize_into(window[:, :, conv.history :], x, gamma), inplace=True)
    return conv(window, state, in_window=True)


class ChannelNorm(nn.Module):
    """Root-mean-square norm over channels (dimension 1) with a learned gain; `spatial` = 2 for [N,C,H,W], 3 for [N,C,T,H,W]."""

    def __init__(self, channels: int, spatial: int = 3) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, *(1,) * spatial))

    def forward(self, x: Tensor) -> Tensor:
        return channel_norm(x, self.gamma)


class ResidualBlock(nn.Module):
    """norm, SiLU, conv, norm, SiLU, conv, plus a 1x1x1 shortcut where the width changes."""

    norm_silu = staticmethod(norm_silu)

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            ChannelNorm(channels_in),
            nn.SiLU(),
            CausalConv3d(channels_in, channels_out, 3),
            ChannelNorm(channels_out),
            nn.SiLU(),
            nn.Dropout(0.0),  # keeps the numbering of the published files
            CausalConv3d(channels_out, channels_out, 3),
        )
        self.shortcut = CausalConv3d(channels_in, channels_out, 1) if channels_in != channels_out else None

    def forward(self, x: Tensor, state: CausalState) -> Tensor:
        norm1, _, conv1, norm2, _, _, conv2 = self.residual
        if infers_on_cpu(x) and self.norm_silu is norm_silu:
            y = _norm_silu_conv(x, norm1.gamma, conv1, state)
            y = _norm_silu_conv(y, norm2.gamma, conv2, state)
            return y.add_(x if self.shortcut is None else self.shortcut(x, state))
        y = conv1(self.norm_silu(x, norm1.gamma), state)
        y = conv2(self.norm_silu(y, norm2.gamma), state)
        return y + (x if self.shortcut is None else self.shortcut(x, state))


class FrameAttention(nn.Module):
    """Single-head self-attention over the cells of each frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels, spatial=2)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, state: CausalState) -> Tensor:
        b, _, _, h, _ = x.shape
        frames = rearrange(x, "b c t h w -> (b t) c h w")
        qkv = rearrange(self.to_qkv(self.norm(frames)), "n (three c) h w -> three n 1 (h w) c", three=3)
        y = F.scaled_dot_product_attention(*qkv)
        y = self.proj(rearrange(y, "n 1 (h w) c -> n c h w", h=h))
        return x + rearrange(y, "(b t) c h w -> b c t h w", b=b)


class Downsample(nn.Module):
    """Halve height and width, and, where `temporal`, the frames after the first."""

    def __init__(self, channels: int, temporal: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, channels, 3, stride=2))
        self.time_conv = nn.Conv3d(channels, channels, (3, 1, 1), stride=(2, 1, 1)) if temporal else None
        self.name = ""
        self.history = int(temporal)

    @torch.no_grad()
    def look_for_past(self) -> None:
        """See from the weights whether a frame made of two depends on the one before them."""
        self.history = int(self.time_conv is not None and bool(self.time_conv.weight[:, :, 0].any()))

    def forward(self, x: Tensor, state: CausalState) -> Tensor:
        x = _per_frame(self.resample, x)
        if self.time_conv is None:
            return x
        past = state.past.get(self.name)
        state.past[self.name] = x[:, :, -1:]
        if not state.first:
            return self.time_conv(torch.cat([past, x], dim=2))
        if x.shape[2] == 1:
            return x
        return torch.cat([x[:, :, :1], self.time_conv(x)], dim=2)


class Upsample(nn.Module):
    """Double height and width (halving the channels) and, where `temporal`, the frames after the first."""

    def __init__(self, channels: int, temporal: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(
            nn.Upsample(scale_factor=2.0, mode="nearest-exact"), nn.Conv2d(channels, channels // 2, 3, padding=1)
        )
        self.time_conv = CausalConv3d(channels, 2 * channels, (3, 1, 1)) if temporal else None

    def forward(self, x: Tensor, state: CausalState) -> Tensor:
        if self.time_conv is not None:
            start = 1 if state.first else 0  # the very first frame stays single
            if x.shape[2] > start:
                doubled = self.time_conv(x[:, :, start:], state)
                doubled = rearrange(doubled, "b (two c) t h w -> b (t two) h w c", two=2).movedim(-1, 1)  # channels stay last
                x = torch.cat([x[:, :, :start], doubled], dim=2) if start else doubled
        return _per_frame(self._double if infers_on_cpu(x) else self.resample, x)

    def _double(self, frames: Tensor) -> Tensor:
        """`resample`, with less work."""
        conv = self.resample[1]
        return conv2d_of_doubled(frames, conv.weight, conv.bias)


def _per_frame(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a 2D layer to every frame of [B, C, T, H, W]."""
    y = layer(rearrange(x, "b c t h w -> (b t) c h w"))
    return rearrange(y, "(b t) c h w -> b c t h w", b=x.shape[0])


class _CausalNetwork(nn.Module):
    """Layers that share one `CausalState`; subclasses list them in `layers()`."""

    def name_causal_layers(self) -> None:
        """Give each layer that remembers something its key in `CausalState.past`."""
        for name, module in self.named_modules():
            if isinstance(module, (CausalConv3d, Downsample)):
                module.name = name

    def run(self, x: Tensor, layers: Iterable[nn.Module], head: nn.Sequential, state: CausalState) -> Tensor:
        """`x` through all layers and the head (norm, SiLU, conv); afterwards the state knows that the clip has begun."""
        for layer in layers:
            x = layer(x, state)
        norm, act, conv = head
        y = _norm_silu_conv(x, norm.gamma, conv, state) if infers_on_cpu(x) else conv(act(norm(x)), state)
        state.first = False
        return y


class Encoder(_CausalNetwork):
    """Video chunk [B, 3, T, H, W] -> features [B, 2*latent_channels, T', H/8, W/8]; T is 1+4n for the first chunk, then 4n."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        widths = [config.base_width * m for m in (1, *config.width_multipliers)]
        self.conv1 = CausalConv3d(3, widths[0], 3)
        layers: list[nn.Module] = []
        for level, (width_in, width) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            layers += [ResidualBlock(width_in if i == 0 else width, width) for i in range(config.residual_blocks)]
            if level < len(config.temporal_downsample):
                layers.append(Downsample(width, config.temporal_downsample[level]))
        self.downsamples = nn.Sequential(*layers)
        self.middle = nn.Sequential(ResidualBlock(width, width), FrameAttention(width), ResidualBlock(width, width))
        self.head = nn.Sequential(ChannelNorm(width), nn.SiLU(), CausalConv3d(width, 2 * config.latent_channels, 3))
        self.name_causal_layers()

    @property
    def forgets(self) -> bool:
        """Whether a latent frame depends on nothing but its own pictures."""
        return not any(module.history for module in self.modules() if isinstance(module, (CausalConv3d, Downsample)))

    def forward(self, x: Tensor, state: CausalState) -> Tensor:
        return self.run(x, [self.conv1, *self.downsamples, *self.middle], self.head, state)


class Decoder(_CausalNetwork):
    """Latent chunk [B, latent_channels, T', h, w] -> video chunk [B, 3, T, 8h, 8w]; T is 4T'-3 for the first chunk, then 4T'."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        multipliers = (config.width_multipliers[-1], *reversed(config.width_multipliers))
        widths = [config.base_width * m for m in multipliers]
        self.conv1 = CausalConv3d(config.latent_channels, widths[0], 3)
        top = widths[0]
        self.middle = nn.Sequential(ResidualBlock(top, top), FrameAttention(top), ResidualBlock(top, top))
        layers: list[nn.Module] = []
        for level, (width_in, width) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            entry = width_in if level == 0 else width_in // 2  # an Upsample halves the channels
            layers += [ResidualBlock(entry if i == 0 else width, width) for i in range(config.residual_blocks + 1)]
            if level < len(config.temporal_downsample):
                layers.append(Upsample(width, tuple(reversed(config.temporal_downsample))[level]))
        self.upsamples = nn.Sequential(*layers)
        self.head = nn.Sequential(ChannelNorm(width), nn.SiLU(), CausalConv3d(width, 3, 3))
        self.name_causal_layers()

    def forward(self, x: Tensor, state: CausalState) -> Tensor:
        return self.run(x, [self.conv1, *self.middle, *self.upsamples], self.head, state)


class CausalVideoVAE(nn.Module):
    """Encoder and decoder with Wan 2.1's parameter names; `load_state_dict` takes published files as they are."""

    def __init__(self, config: VAEConfig | None = None) -> None:
        super().__init__()
        self.config = config or VAEConfig()
        channels = self.config.latent_channels
        self.encoder = Encoder(self.config)
        self.conv1 = CausalConv3d(2 * channels, 2 * channels, 1)
        self.conv2 = CausalConv3d(channels, channels, 1)
        self.decoder = Decoder(self.config)
        self.register_load_state_dict_post_hook(lambda vae, _: vae.look_for_past())

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor], *, assign: bool = False) -> CausalVideoVAE:
        """Build the network that fits `state_dict` and load it; `assign` shares the tensors instead of copying them.

        Raises:
            ValueError: the tensors are not those of a Wan 2.1 VAE.
        """
        config = VAEConfig.from_state_dict(state_dict)
        with torch.device("meta" if assign else "cpu"):
            vae = cls(config)
        try:
            vae.load_state_dict(dict(state_dict), assign=assign)
        except RuntimeError as error:
            reason = str(error).replace("\n", " ")[:300]
            raise ValueError(f"expected the tensors of a Wan 2.1 VAE of base width {config.base_width}: {reason}") from None
        return vae.eval()

    def look_for_past(self) -> None:
        """See from the weights which convolutions need not look back; loading weights does this by itself."""
        for module in self.modules():
            if isinstance(module, (CausalConv3d, Downsample)):
                module.look_for_past()

    def optimize_layout(self) -> CausalVideoVAE:
        """Store convolution weights channels-last, the order in which CPU and GPU kernels are fastest; returns self."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                module.to(memory_format=torch.channels_last_3d)
            elif isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)
        return self

    def compile_elementwise(self) -> CausalVideoVAE:
        """Fuse norm and activation of every residual block with torch.compile (needs a C++ compiler on a CPU); returns self."""
        compiled = torch.compile(norm_silu, dynamic=True)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.norm_silu = compiled
        return self

    def encode_moments(self, video: Tensor, state: CausalState | None = None) -> tuple[Tensor, Tensor]:
        """One chunk [B, 3, T, H, W] in -1..1 -> mean and log-variance of its latents [B, 16, T', H/8, W/8] each."""
        features = self.encoder(_channels_last(video), state or CausalState())
        mean, log_variance = self.conv1(features, CausalState()).chunk(2, dim=1)
        return mean, log_variance

    def decode_chunk(self, latent: Tensor, state: CausalState | None = None) -> Tensor:
        """One chunk of latents [B, 16, T', h, w] -> its frames [B, 3, T, 8h, 8w], about -1..1 (not clamped)."""
        return self.decoder(self.conv2(_channels_last(latent), CausalState()), state or CausalState())

    def encode_stream(self, frames: Iterable[Tensor], state: CausalState | None = None) -> Iterator[Tensor]:
        """Encode a clip that arrives in pieces of any length.

        Args:
            frames: chunks [B, 3, any, H, W] in -1..1.
            state: continue an earlier clip (its frames then come in groups of 4); changed in place.
        Yields:
            Latents [B, 16, 1, H/8, W/8], one for the first frame and one for each following 4.
        Raises:
            ValueError: the number of frames is not 4n+1.
        """
        state = state or CausalState()
        buffer: Tensor | None = None
        for chunk in frames:
            buffer = chunk if buffer is None else torch.cat([buffer, chunk], dim=2)
            while buffer.shape[2] >= (need := 1 if state.first else 4):
                yield self.encode_moments(buffer[:, :, :need], state)[0]
                buffer = buffer[:, :, need:]
        if buffer is not None and buffer.shape[2]:
            raise ValueError(f"expected 4n+1 frames, got {buffer.shape[2]} more than that")

    def decode_stream(self, latents: Tensor | Iterable[Tensor], state: CausalState | None = None) -> Iterator[Tensor]:
        """Decode latent frame by latent frame.

        Args:
            latents: [B, 16, T', h, w], or chunks of that.
            state: continue an earlier clip; changed in place, so that it can be kept and resumed.
        Yields:
            Frames [B, 3, 1, 8h, 8w] for the first latent frame of a clip, then [B, 3, 4, 8h, 8w] for each further one.
        """
        state = state or CausalState()
        for chunk in (latents,) if isinstance(latents, Tensor) else latents:
            for latent in chunk.split(1, dim=2):
                yield self.decode_chunk(latent, state)

    def encode(self, video: Tensor) -> Tensor:
        """Whole clip [B, 3, 4n+1, H, W] in -1..1 -> latents [B, 16, n+1, H/8, W/8] (the mean of the posterior)."""
        return torch.cat(list(self.encode_stream([video])), dim=2)

    def decode(self, latent: Tensor) -> Tensor:
        """Whole latents [B, 16, T', h, w] -> clip [B, 3, 4T'-3, 8h, 8w], about -1..1 (not clamped)."""
        return torch.cat(list(self.decode_stream(latent)), dim=2)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)
