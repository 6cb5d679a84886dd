"""Rendered scenes as latents and text embeddings, kept in memory; a few fresh ones replace old ones at every step.

Rendering and encoding a clip costs more than training on it once, so each is used several times, always with other noise.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.text_encoder import TextEncoder
from models.vae import CausalVideoVAE, normalize_latent
from training.known_frames import conditioning, draw_known, grey_unknown, known_mask
from training.world import Scene, caption, render, sample_scene


@dataclass
class Example:
    """One clip: latents [16, T', h, w], the 20 known-frame channels or None, a caption's embedding [L, D] a language, and which share of
    each latent cell its things cover [T', h, w]."""

    latent: Tensor
    known: Tensor | None
    text: list[Tensor]
    things: Tensor


@dataclass(frozen=True)
class Batch:
    """What one training step sees; `text` [B, L, D] is padded, `text_mask` [B, L] is True for real tokens.

    `weight` [B, 1, T', h, w] says how much the error of each latent cell counts; its mean over a clip is 1.
    """

    latent: Tensor
    known: Tensor
    text: Tensor
    text_mask: Tensor
    weight: Tensor


def thing_cover(masks: Tensor) -> Tensor:
    """Share of each latent cell that things cover: masks bool [B, 4n + 1, N, H, W] -> [B, n + 1, H/8, W/8] in 0..1.

    A latent frame of four pictures takes the largest share of the four.
    """
    cells = F.avg_pool2d(masks.any(2).float(), 8)  # [B, T, h, w]
    rest = cells[:, 1:].unflatten(1, (-1, 4)).amax(2) if cells.shape[1] > 1 else cells[:, 1:]
    return torch.cat([cells[:, :1], rest], dim=1)


class LatentPool:
    """Examples of one clip size."""

    def __init__(self, vae: CausalVideoVAE, encoder: TextEncoder, config: dict[str, Any], stage: dict[str, Any], seed: int) -> None:
        self.vae, self.encoder, self.config, self.stage = vae, encoder, config, stage
        self.rng = random.Random(seed)
        self.examples: list[Example] = []
        self.device = next(vae.parameters()).device
        self.dtype = next(vae.parameters()).dtype
        self.empty_text = encoder.encode([""])[0][0].half()

    def fill(self, count: int) -> None:
        """Render until the pool holds `count` examples."""
        while len(self.examples) < count:
            self.add(16)

    @torch.no_grad()
    def add(self, count: int) -> None:
        """Render and encode `count` fresh clips; past the pool's size they replace random old ones."""
        stage, rng = self.stage, self.rng
        style = "collage" if rng.random() < self.config["collage_share"] else "picture_book"
        scenes = [self._draw_scene(style) for _ in range(count)]
        rendered = render(scenes, stage["frames"], stage["height"], stage["width"], device=str(self.device))
        things = thing_cover(rendered.masks).half().cpu()
        video = rendered.video.to(self.dtype).div(127.5).sub(1).transpose(1, 2).contiguous()  # [B, 3, T, H, W]
        latent = normalize_latent(self.vae.encode_moments(video)[0].float())
        known_share = 1.0 if style == "collage" else self.config["known_share"]  # a collage has no caption worth learning
        known: list[Tensor | None] = [None] * count
        chosen = [i for i in range(count) if rng.random() < known_share]
        for start in range(0, len(chosen), 8):
            group = chosen[start : start + 8]
            flags = draw_known(rng, stage["frames"])
            seen = normalize_latent(self.vae.encode_moments(grey_unknown(video[group], flags))[0].float())
            mask = known_mask(flags, *latent.shape[-2:]).to(seen.device)
            for i, one in zip(group, seen, strict=True):
                known[i] = conditioning(mask[None], one[None])[0].half().cpu()
        captions = [caption(scene, rng, language) for scene in scenes for language in ("en", "zh")]
        embedded, mask = self.encoder.encode(captions)
        texts = [one[: int(length)].half() for one, length in zip(embedded, mask.sum(1), strict=True)]
        for i in range(count):
            self._keep(Example(latent[i].half().cpu(), known[i], texts[2 * i : 2 * i + 2], things[i]))

    def _draw_scene(self, style: str) -> Scene:
        """A scene of the world with at most `max_things` things."""
        while True:
            scene = sample_scene(self.rng, "train", style)
            if len(scene.things) <= self.config["max_things"]:
                return scene

    def _keep(self, example: Example) -> None:
        if len(self.examples) < self.config["pool"]:
            self.examples.append(example)
        else:
            self.examples[self.rng.randrange(len(self.examples))] = example

    def batch(self, count: int) -> Batch:
        """`count` random examples with one of their captions each, dropped for the share `text_dropout`."""
        chosen = self.rng.sample(self.examples, count)
        texts = []
        for example in chosen:
            dropped = self.rng.random() < self.config["text_dropout"]
            texts.append(self.empty_text if dropped else self.rng.choice(example.text))
        width = self.config["text_tokens"]
        text = torch.zeros(count, width, texts[0].shape[-1])
        mask = torch.zeros(count, width, dtype=torch.bool)
        for row, one in enumerate(texts):
            length = min(width, len(one))
            text[row, :length] = one[:length].float()
            mask[row, :length] = True
        latent = torch.stack([example.latent for example in chosen]).float()
        nothing = torch.zeros(20, *latent.shape[2:])
        known = torch.stack([nothing if e.known is None else e.known.float() for e in chosen])
        weight = 1 + self.config["thing_weight"] * torch.stack([example.things for example in chosen]).float()
        weight = weight / weight.mean((1, 2, 3), keepdim=True)
        return Batch(latent, known, text, mask, weight[:, None])

    def save(self, path: Path) -> None:
        """Keep the pool, so that a resumed run starts at once."""
        torch.save([(e.latent, e.known, e.text, e.things) for e in self.examples], path)

    def load(self, path: Path) -> None:
        """Take back what `save` kept."""
        self.examples = [Example(*entry) for entry in torch.load(path, weights_only=True)]
