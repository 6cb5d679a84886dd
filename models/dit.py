"""The video denoiser: a diffusion transformer in the open Wan 2.1 layout (parameter names, shapes and maths), at any size.

Latents [B, C, T', h, w] are cut into 1x2x2 patches; every token attends to all others with a rotary embedding over time, height and
width, and to the text by cross attention; the noise level modulates each block. Architecture: "Wan: Open and Advanced Large-Scale
Video Generative Models", arXiv 2503.20314, section 4.2. Rotary embedding: arXiv 2104.09864. Modulation: arXiv 2212.09748.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

ROTARY_BASE = 10_000.0
STEPS_KEY = "spacetime.steps"
"""Entry of a file's metadata that says for how many steps, and for no guidance, a network was distilled."""


@dataclass(frozen=True)
class DiTConfig:
    """Sizes of the network. The defaults are those of the 1.3B text-to-video file."""

    in_dim: int = 16
    """Input channels: 16 for text to video, 36 with known frames (16 noisy + 4 mask + 16 latents of the known frames)."""
    out_dim: int = 16
    dim: int = 1536
    ffn_dim: int = 8960
    num_layers: int = 30
    num_heads: int = 12
    text_dim: int = 4096
    freq_dim: int = 256
    patch_size: tuple[int, int, int] = (1, 2, 2)
    eps: float = 1e-6

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor], metadata_config: Mapping[str, Any] | None = None) -> DiTConfig:
        """Read the sizes from tensor shapes; the number of heads is in no shape: 128 values a head unless `metadata_config` says so.

        Args:
            metadata_config: the `transformer` part of the `config` entry of a safetensors file's metadata.
        Raises:
            ValueError: the tensors are not those of a Wan text-to-video or known-frames denoiser.
        """
        patch, ffn = state_dict.get("patch_embedding.weight"), state_dict.get("blocks.0.ffn.0.weight")
        if patch is None or ffn is None or "head.modulation" not in state_dict:
            raise ValueError("expected the tensors of a Wan denoiser (patch_embedding.weight, blocks.0.ffn.0.weight, head.modulation)")
        if "img_emb.proj.0.bias" in state_dict:
            raise ValueError("expected a Wan denoiser without an image encoder, got one with img_emb; load it with Load Diffusion Model")
        dim, in_dim, *patch_size = patch.shape
        told = metadata_config or {}
        layers = {key.split(".")[1] for key in state_dict if key.startswith("blocks.")}
        return cls(
            in_dim=in_dim,
            out_dim=state_dict["head.head.weight"].shape[0] // (patch_size[0] * patch_size[1] * patch_size[2]),
            dim=dim,
            ffn_dim=ffn.shape[0],
            num_layers=len(layers),
            num_heads=int(told.get("num_heads", dim // 128)),
            text_dim=state_dict["text_embedding.0.weight"].shape[1],
            freq_dim=state_dict["time_embedding.0.weight"].shape[1],
            patch_size=(patch_size[0], patch_size[1], patch_size[2]),
        )

    def metadata(self) -> dict[str, Any]:
        """What a file must say in its metadata entry `config` so that any loader builds the same network."""
        return {"transformer": {"num_heads": self.num_heads, "text_dim": self.text_dim}}

    def as_dict(self) -> dict[str, Any]:
        """All sizes as plain values."""
        return asdict(self)


def rotary_angles(grid: tuple[int, int, int], head_dim: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary embedding of a (t, h, w) token grid, [1, 1, t*h*w, head_dim/2] float32 each.

    The head's pairs are split over the axes: a third (rounded down to pairs) each for height and width, the rest for time.
    """
    spatial = 2 * (head_dim // 6)
    axes = (head_dim - 2 * spatial, spatial, spatial)
    positions = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in grid), indexing="ij")
    angles = []
    for position, size in zip(positions, axes, strict=True):
        frequency = ROTARY_BASE ** -(torch.arange(0, size, 2, dtype=torch.float64) / size)
        angles.append(position.reshape(-1, 1) * frequency)
    angle = torch.cat(angles, dim=1)[None, None]
    return angle.cos().float().to(device), angle.sin().float().to(device)


def apply_rotary(x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """Turn neighbouring pairs of the last axis of x [B, heads, L, head_dim] by the angles of `rotary_angles`."""
    cos, sin = rotary
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2).to(x.dtype)


def timestep_embedding(timestep: Tensor, dim: int) -> Tensor:
    """Sinusoidal embedding of timesteps [B] in 0..1000 -> [B, dim]: cosines first, then sines."""
    half = dim // 2
    frequency = 10_000.0 ** -(torch.arange(half, dtype=torch.float32, device=timestep.device) / half)
    angle = timestep.float()[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=1)


class RMSNorm(nn.RMSNorm):
    """Like torch's, with its weight in the type of what it is given: in mixed precision that keeps the fused kernel, a fifth of a step."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    """Multi-head attention with normalised queries and keys; self attention where `context` is None, else cross attention."""

    def __init__(self, dim: int, num_heads: int, eps: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))
        self.norm_q, self.norm_k = RMSNorm(dim, eps=eps), RMSNorm(dim, eps=eps)

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        rotary: tuple[Tensor, Tensor] | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        source = x if context is None else context
        q, k, v = self.norm_q(self.q(x)), self.norm_k(self.k(source)), self.v(source)
        q, k, v = (rearrange(part, "b l (heads d) -> b heads l d", heads=self.num_heads) for part in (q, k, v))
        if rotary is not None:
            q, k = apply_rotary(q, rotary), apply_rotary(k, rotary)
        y = attend(q, k, v, mask)
        return self.o(rearrange(y, "b heads l d -> b l (heads d)"))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention of q, k, v [B, heads, L, d]; `mask` is bool, False for keys that do not count.

    Training on a CPU writes it out: torch's fused kernel takes two to five times as long backwards at the lengths of small clips.
    """
    if not (torch.is_grad_enabled() and q.device.type == "cpu"):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    likeness = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        likeness = likeness.masked_fill(~mask, torch.finfo(likeness.dtype).min)
    return likeness.softmax(-1).to(v.dtype) @ v


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x * (1 + scale) + shift."""
    return torch.addcmul(shift, x, 1 + scale)


class Block(nn.Module):
    """Self attention, cross attention to the text, feed-forward; shift, scale and gate of the first and last come from the noise level."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        dim, eps = config.dim, config.eps
        self.norm1 = nn.LayerNorm(dim, eps, elementwise_affine=False)
        self.self_attn = Attention(dim, config.num_heads, eps)
        self.norm3 = nn.LayerNorm(dim, eps)
        self.cross_attn = Attention(dim, config.num_heads, eps)
        self.norm2 = nn.LayerNorm(dim, eps, elementwise_affine=False)
        self.ffn = nn.Sequential(nn.Linear(dim, config.ffn_dim), nn.GELU("tanh"), nn.Linear(config.ffn_dim, dim))
        self.modulation = nn.Parameter(torch.zeros(1, 6, dim))

    def forward(
        self, x: Tensor, noise_level: Tensor, context: Tensor, rotary: tuple[Tensor, Tensor], context_mask: Tensor | None
    ) -> Tensor:
        modulation = (self.modulation + noise_level).to(x.dtype)
        shift1, scale1, gate1, shift2, scale2, gate2 = modulation.chunk(6, dim=1)  # [B, 1, dim] each
        x = torch.addcmul(x, gate1, self.self_attn(modulate(self.norm1(x), shift1, scale1), rotary=rotary))
        x = x + self.cross_attn(self.norm3(x), context=context, mask=context_mask)
        return torch.addcmul(x, gate2, self.ffn(modulate(self.norm2(x), shift2, scale2)))


class Head(nn.Module):
    """Tokens -> the values of their patches."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        t, h, w = config.patch_size
        self.norm = nn.LayerNorm(config.dim, config.eps, elementwise_affine=False)
        self.head = nn.Linear(config.dim, t * h * w * config.out_dim)
        self.modulation = nn.Parameter(torch.zeros(1, 2, config.dim))

    def forward(self, x: Tensor, noise_level: Tensor) -> Tensor:
        shift, scale = (self.modulation + noise_level[:, None]).to(x.dtype).chunk(2, dim=1)
        return self.head(modulate(self.norm(x), shift, scale))


class WanDiT(nn.Module):
    """Predicts the flow (noise - data) of noisy latents; parameter names as in published Wan files.

    A fresh network predicts zero and has identity blocks, which is where training starts well.
    """

    def __init__(self, config: DiTConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DiTConfig()
        dim = config.dim
        self.patch_embedding = nn.Conv3d(config.in_dim, dim, config.patch_size, stride=config.patch_size)
        self.text_embedding = nn.Sequential(nn.Linear(config.text_dim, dim), nn.GELU("tanh"), nn.Linear(dim, dim))
        self.time_embedding = nn.Sequential(nn.Linear(config.freq_dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.head = Head(config)
        self.reset_parameters()

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Tensor], metadata_config: Mapping[str, Any] | None = None) -> WanDiT:
        """Build the network that fits `state_dict` (see `DiTConfig.from_state_dict`) and load it."""
        model = cls(DiTConfig.from_state_dict(state_dict, metadata_config))
        model.load_state_dict(dict(state_dict))
        return model.eval()

    def reset_parameters(self) -> None:
        """Xavier weights; everything that would make a fresh block differ from the identity starts at zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.patch_embedding.weight.flatten(1))
        nn.init.zeros_(self.patch_embedding.bias)  # type: ignore[arg-type]
        for layer in (self.time_projection[1], self.head.head):
            nn.init.zeros_(layer.weight)
        for block in self.blocks:
            nn.init.zeros_(block.cross_attn.o.weight)

    def forward(
        self, x: Tensor, timestep: Tensor, context: Tensor, context_mask: Tensor | None = None
    ) -> Tensor:
        """
        Args:
            x: [B, in_dim, T', h, w] normalised latents (with mask and known frames behind them where in_dim is 36).
            timestep: [B] noise level in 0..1000 (1000 is pure noise).
            context: [B, L, text_dim] text embeddings.
            context_mask: [B, L] bool, False for padding; None where every token counts.
        Returns:
            [B, out_dim, T', h, w] predicted flow, noise - data.
        Raises:
            ValueError: wrong number of channels.
        """
        if x.shape[1] != self.config.in_dim:
            raise ValueError(f"expected {self.config.in_dim} input channels, got {x.shape[1]}")
        size = x.shape[2:]
        x = self.patch_embedding(_pad_to_patches(x, self.config.patch_size))
        grid = (x.shape[2], x.shape[3], x.shape[4])
        x = rearrange(x, "b c t h w -> b (t h w) c")

        embedded = self.time_embedding(timestep_embedding(timestep, self.config.freq_dim).to(self.dtype))
        noise_level = self.time_projection(embedded).unflatten(1, (6, self.config.dim))
        context = self.text_embedding(context.to(self.dtype))
        rotary = rotary_angles(grid, self.config.dim // self.config.num_heads, x.device)
        mask = None if context_mask is None else context_mask[:, None, None, :]
        for block in self.blocks:
            x = block(x, noise_level, context, rotary, mask)
        x = self.head(x, embedded)

        t, h, w = grid
        pt, ph, pw = self.config.patch_size
        x = rearrange(
            x, "b (t h w) (pt ph pw c) -> b c (t pt) (h ph) (w pw)", t=t, h=h, w=w, pt=pt, ph=ph, pw=pw
        )
        return x[:, :, : size[0], : size[1], : size[2]]

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.patch_embedding.weight.dtype


def _pad_to_patches(x: Tensor, patch: tuple[int, int, int]) -> Tensor:
    """Continue x [B, C, T', h, w] past its end, wrapping round as the host does, until every side is a whole number of patches."""
    pad = [(-side) % p for side, p in zip(x.shape[2:], patch, strict=True)]
    if not any(pad):
        return x
    return F.pad(x, (0, pad[2], 0, pad[1], 0, pad[0]), mode="circular")
