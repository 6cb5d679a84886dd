"""An aid to training: halfway through the denoiser, its tokens must tell what is where. The aid is thrown away afterwards.

A denoiser learns late which token shows which part of a thing, because the error of the picture tells it only roundabout. The renderer
knows: which thing a token shows, how much of it, and where in the thing. Asking for that from the middle of the network, through two small
layers, makes shapes appear after far fewer clips. The idea is that of representation alignment (arXiv 2410.06940), with the truth in
place of another network's features; as there, it helps early and is given up late (arXiv 2505.16792).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.shapes import WAN
from training.world import LABELS, Scene

TOKEN = WAN.pixel_multiple  # pixels of a token's side
SEEN = 0.15  # share of a token that a thing covers, from which on the token shows it
NAMELESS = -1  # kind of what a collage's cut-out shows
KIND, COVER, ACROSS, DOWN, SIZE = range(5)
NEAR = 2.5  # spreads of a thing from its middle to where places count as farthest


def scene_layout(scenes: list[Scene], masks: Tensor) -> Tensor:
    """What each token shows: masks bool [B, 4n + 1, N, H, W] -> float32 [B, n + 1, H/16, W/16, 5].

    The kind (0 nothing, else 1 + its label), the covered share, where in the thing (across and down from its middle, in spreads of its
    pixels) and the logarithm of its spread in tokens. Of the four pictures of a latent frame the third counts.
    """
    picked = [0, *range(WAN.time - 1, masks.shape[1], WAN.time)]
    cover = F.avg_pool2d(masks[:, picked].flatten(0, 1).float(), TOKEN).unflatten(0, (len(masks), -1))  # [B, T', N, h, w]
    height, width = cover.shape[-2:]
    down = torch.arange(height, device=cover.device).add(0.5).view(-1, 1)
    across = torch.arange(width, device=cover.device).add(0.5).view(1, -1)
    total = cover.sum((-1, -2), keepdim=True).clamp_min(1e-3)

    def middle(place: Tensor) -> Tensor:
        return (cover * place).sum((-1, -2), keepdim=True) / total

    y, x = middle(down), middle(across)
    spread = (middle((down - y).square() + (across - x).square()) / 2 + 1 / 12).sqrt()
    kinds = torch.zeros(cover.shape[0], cover.shape[2], device=cover.device)
    for row, scene in enumerate(scenes):
        for number, thing in enumerate(scene.things):
            kinds[row, number] = 1 + LABELS["kind"].index(thing.kind)
        kinds[row, : len(scene.cutouts)] = NAMELESS
    share, top = cover.max(2)
    shows = share >= SEEN

    def of_top(values: Tensor) -> Tensor:
        return values.expand_as(cover).gather(2, top[:, :, None])[:, :, 0]

    kind = torch.where(shows, of_top(kinds[:, None, :, None, None]), 0)
    places = [of_top((place / spread).clamp(-NEAR, NEAR)) for place in (across - x, down - y)]
    return torch.stack([kind, share, *places, of_top(spread.log())], dim=-1)


class LayoutGuide(nn.Module):
    """Reads the layout off the tokens of one block of a denoiser."""

    def __init__(self, block: nn.Module, dim: int) -> None:
        super().__init__()
        self.read = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, len(LABELS["kind"]) + 1 + 4))
        self.tokens: Tensor | None = None
        block.register_forward_hook(self._keep)

    def _keep(self, _block: nn.Module, _given: object, tokens: Tensor) -> None:
        self.tokens = tokens if torch.is_grad_enabled() else None

    def loss(self, layout: Tensor) -> Tensor:
        """How wrong the tokens of the last forward pass are about the `layout`, as `scene_layout` gives it."""
        if self.tokens is None:
            raise RuntimeError("expected a forward pass with gradients before its layout is judged")
        told, self.tokens = self.read(self.tokens).float().flatten(0, 1), None
        truth = layout.flatten(0, -2)
        shows = (truth[:, KIND] != 0).float()
        named = truth[:, KIND] >= 0
        weight = (1 + 3 * shows) * named
        kind_error = F.cross_entropy(told[:, :-4], truth[:, KIND].clamp_min(0).long(), reduction="none")
        kind = (kind_error * weight).sum() / weight.sum().clamp_min(1)
        places = ((told[:, -3:] - truth[:, ACROSS:]).abs().mean(1) * shows).sum() / shows.sum().clamp_min(1)
        return kind + (told[:, -4] - truth[:, COVER]).abs().mean() + places
