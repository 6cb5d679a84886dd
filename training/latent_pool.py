"""Rendered scenes as latents and text embeddings, kept in memory; a few fresh ones replace old ones at every step.

Rendering and encoding a clip costs more than training on it once, so each is used several times, always with other noise.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.shapes import WAN
from models.text_encoder import TextEncoder
from models.vae import CausalVideoVAE, normalize_latent
from motion.backends.wan_move import move_cells
from training.known_frames import conditioning, draw_known, first_known, grey_unknown, known_mask
from training.layout_guide import scene_layout
from training.world import Scene, caption, render, sample_scene
from training.world.compose import Rendered

AT_ONCE = 8  # clips encoded together
MOST_POINTS = 200  # that carry a clip; the motion brush gives no more unless asked


@dataclass(frozen=True)
class Group:
    """One kind of clip that every `every`th step trains on.

    `collage`, `known` and `tracked` are shares of the clips: made of cut-outs, with known frames, and with the first frame known and
    its things carried along their true tracks. `calm` is the share of the collages in which one cut-out moves and the rest stands still, as
    in a picture that somebody brings to life. `still` is the share of picture-book clips in which every thing stays and the camera stands
    still, besides those that are drawn so anyway: one in fifty. `close_ups` is how many crops around a thing, `close_cells` latent cells
    high and wide, a step trains on beside the `batch` whole ones.
    """

    frames: int
    height: int
    width: int
    batch: int
    fresh: int = 1
    every: int = 1
    first: int = 512
    most: int = 12000
    max_things: int = 2
    collage: float = 0.0
    calm: float = 0.0
    still: float = 0.0
    known: float = 0.0
    tracked: float = 0.0
    close_ups: int = 0
    close_cells: int = 10

    @property
    def name(self) -> str:
        """Frames and size: 17x96x96."""
        return f"{self.frames}x{self.height}x{self.width}"


@dataclass
class Example:
    """One clip: latents [16, T', h, w], the 20 known-frame channels or None, a caption's embedding [L, D] a language, which share of each
    latent cell its things cover (all of it in a collage) [T', h, w], and the layout that its tokens show [T', h/2, w/2, 5]."""

    latent: Tensor
    known: Tensor | None
    text: list[Tensor]
    things: Tensor
    layout: Tensor

    def close_up(self, cells: int, rng: random.Random) -> Example:
        """A window of `cells` (even) by `cells` with a part of a thing in its middle half, where there is one and the border allows it."""
        cover = self.things[rng.randrange(len(self.things))].float()
        height, width = cover.shape
        spots = cover.flatten().tolist() if cover.any() else [1.0] * (height * width)
        row, column = divmod(rng.choices(range(height * width), spots)[0], width)
        corner = [spot - rng.randint(cells // 4, cells - 1 - cells // 4) for spot in (row, column)]
        top, left = (2 * (max(0, min(at, side - cells)) // 2) for at, side in zip(corner, (height, width)))
        window = (..., slice(top, top + cells), slice(left, left + cells))
        known = None if self.known is None else self.known[window]
        layout = self.layout[:, top // 2 : (top + cells) // 2, left // 2 : (left + cells) // 2]
        return Example(self.latent[window], known, self.text, self.things[window], layout)


@dataclass(frozen=True)
class Batch:
    """What one training step sees; `text` [B, L, D] is padded, `text_mask` [B, L] is True for real tokens.

    `weight` [B, 1, T', h, w] says how much the error of each latent cell counts; its mean over a clip is 1. `layout` is
    [B, T', h/2, w/2, 5], what the tokens show.
    """

    latent: Tensor
    known: Tensor
    text: Tensor
    text_mask: Tensor
    weight: Tensor
    layout: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def thing_cover(masks: Tensor) -> Tensor:
    """Share of each latent cell that things cover: masks bool [B, 4n + 1, N, H, W] -> [B, n + 1, H/8, W/8] in 0..1.

    A latent frame of four pictures takes the largest share of the four.
    """
    cells = F.avg_pool2d(masks.any(2).float(), WAN.space)  # [B, T, h, w]
    rest = cells[:, 1:].unflatten(1, (-1, WAN.time)).amax(2) if cells.shape[1] > 1 else cells[:, 1:]
    return torch.cat([cells[:, :1], rest], dim=1)


def calmed(scene: Scene, rng: random.Random) -> Scene:
    """A collage that begins like `scene` and in which all but one of the cut-outs, and the ground, stand still."""
    moving = rng.choice(scene.cutouts)
    still = (one if one is moving else replace(one, velocity=(0.0, 0.0), rate=0.0, turn=0.0) for one in scene.cutouts)
    return replace(scene, drift=(0.0, 0.0), cutouts=tuple(still))


def stands_still(scene: Scene) -> bool:
    """Whether all things of a picture-book scene stay and its camera does not move; rain and snow may fall."""
    return scene.camera == "still" and all(thing.motion == "stay" for thing in scene.things)


class LatentPool:
    """Examples of one group."""

    def __init__(self, vae: CausalVideoVAE, encoder: TextEncoder, config: dict[str, Any], group: Group, seed: int) -> None:
        self.vae, self.encoder, self.config, self.group = vae, encoder, config, group
        self.rng = random.Random(f"{group} {seed}")
        self.examples: list[Example] = []
        self.device = next(vae.parameters()).device
        self.dtype = next(vae.parameters()).dtype
        self.empty_text = encoder.encode([""])[0][0].half()

    def fill(self, count: int) -> None:
        """Render until the pool holds `count` examples."""
        while len(self.examples) < count:
            self.add(64 if self.group.frames == 1 else 8)

    @torch.no_grad()
    def add(self, count: int) -> None:
        """Render and encode `count` fresh clips; past the pool's size they replace random old ones."""
        group, rng = self.group, self.rng
        scenes = [self._draw_scene("collage" if rng.random() < group.collage else "picture_book") for _ in range(count)]
        rendered = render(scenes, group.frames, group.height, group.width, device=str(self.device))
        video = rendered.video.to(self.dtype).div(127.5).sub(1).transpose(1, 2).contiguous()  # [B, 3, T, H, W]
        latent = self._encode(video)
        known = self._known(video, rendered, scenes)
        captions = [caption(scene, rng, language) for scene in scenes for language in ("en", "zh")]
        embedded, mask = self.encoder.encode(captions)
        texts = [one[: int(length)].half() for one, length in zip(embedded, mask.sum(1), strict=True)]
        things, layout = thing_cover(rendered.masks).half().cpu(), scene_layout(scenes, rendered.masks).half().cpu()
        things[torch.tensor([scene.style == "collage" for scene in scenes])] = 1  # what lies behind cut-outs is as hard to keep as they are
        for i in range(count):
            self._keep(Example(latent[i].half().cpu(), known[i], texts[2 * i : 2 * i + 2], things[i], layout[i]))

    def _encode(self, video: Tensor) -> Tensor:
        """Clips [B, 3, T, H, W] in -1..1 -> normalised latents [B, 16, T', h, w], float32."""
        parts = [self.vae.encode_moments(part)[0].float() for part in video.split(64 if video.shape[2] == 1 else AT_ONCE)]
        return normalize_latent(torch.cat(parts))

    def _known(self, video: Tensor, rendered: Rendered, scenes: list[Scene]) -> list[Tensor | None]:
        """The 20 channels of each clip, for those that are to have known frames. A collage always has: its caption tells too little."""
        group, rng = self.group, self.rng
        chosen: dict[int, bool] = {}  # clip -> whether its things are carried along
        for i, scene in enumerate(scenes):
            drawn = rng.random() * (group.known + group.tracked if scene.style == "collage" else 1.0)
            if group.frames > 1 and drawn < group.known + group.tracked:
                chosen[i] = drawn < group.tracked
        known: list[Tensor | None] = [None] * len(video)
        for tracked in (False, True):
            numbers = [i for i, one in chosen.items() if one == tracked]
            for start in range(0, len(numbers), AT_ONCE):
                some = numbers[start : start + AT_ONCE]
                flags = first_known(group.frames) if tracked else draw_known(rng, group.frames)
                seen = self._encode(grey_unknown(video[some], flags))
                mask = known_mask(flags, *seen.shape[-2:]).to(seen.device)
                for i, one in zip(some, seen, strict=True):
                    moved = self._carry(one[None], rendered, i) if tracked else one[None]
                    known[i] = conditioning(mask[None], moved)[0].half().cpu()
        return known

    def _carry(self, latent: Tensor, rendered: Rendered, number: int) -> Tensor:
        """The first frame's cells moved along some of the true tracks of a clip: those of things, of the background, or of both."""
        owners = rendered.owners[number]
        usable = [i for i, owner in enumerate(owners.tolist()) if owner >= -1]
        if self.rng.random() < 0.4:
            usable = [i for i in usable if owners[i] >= 0] or usable
        count = self.rng.randint(1, min(len(usable), MOST_POINTS))
        points = self.rng.sample(usable, count)
        order = rendered.depth_order[number].tolist()
        front = torch.tensor([order.index(owner) + 1.0 if owner >= 0 else 0.0 for owner in owners[points].tolist()])
        return move_cells(latent, rendered.tracks[number][:, points], rendered.visibility[number][:, points], front=front)

    def _draw_scene(self, style: str) -> Scene:
        """A scene of the world with at most `max_things` things."""
        quiet = self.rng.random() < (self.group.calm if style == "collage" else self.group.still)
        while True:
            scene = sample_scene(self.rng, "train", style)
            if style == "collage":
                return calmed(scene, self.rng) if quiet else scene
            if len(scene.things) <= self.group.max_things and (stands_still(scene) or not quiet):
                return scene

    def _keep(self, example: Example) -> None:
        if len(self.examples) < self.group.most:
            self.examples.append(example)
        else:
            self.examples[self.rng.randrange(len(self.examples))] = example

    def batches(self) -> dict[str, Batch]:
        """What a step trains on: whole examples, and close-ups where the group has them."""
        group, rng = self.group, self.rng
        found = {group.name: self.batch(rng.sample(self.examples, group.batch))}
        if group.close_ups:
            chosen = rng.choices(self.examples, k=group.close_ups)
            found[f"{group.name} close"] = self.batch([one.close_up(group.close_cells, rng) for one in chosen])
        return found

    def batch(self, chosen: list[Example]) -> Batch:
        """Examples of one size with one of their captions each, dropped for the share `text_dropout`."""
        texts = []
        for example in chosen:
            dropped = self.rng.random() < self.config["text_dropout"]
            texts.append(self.empty_text if dropped else self.rng.choice(example.text))
        longest = self.config["text_tokens"]
        width = longest if self.config["compile"] else min(longest, max(len(one) for one in texts))  # a compiled step has one shape
        text = torch.zeros(len(chosen), width, texts[0].shape[-1])
        mask = torch.zeros(len(chosen), width, dtype=torch.bool)
        for row, one in enumerate(texts):
            length = min(width, len(one))
            text[row, :length] = one[:length].float()
            mask[row, :length] = True
        latent = torch.stack([example.latent for example in chosen]).float()
        nothing = torch.zeros(20, *latent.shape[2:])
        known = torch.stack([nothing if e.known is None else e.known.float() for e in chosen])
        weight = 1 + self.config["thing_weight"] * torch.stack([example.things for example in chosen]).float()
        weight = weight / weight.mean((1, 2, 3), keepdim=True)
        layout = torch.stack([example.layout for example in chosen]).float()
        return Batch(latent, known, text, mask, weight[:, None], layout)

    def save(self, path: Path) -> None:
        """Keep the pool, so that a resumed run starts at once."""
        torch.save([(e.latent, e.known, e.text, e.things, e.layout) for e in self.examples], path)

    def load(self, path: Path) -> None:
        """Take back what `save` kept."""
        self.examples = [Example(*entry) for entry in torch.load(path, weights_only=True)]
