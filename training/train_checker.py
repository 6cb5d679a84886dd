"""Train the reader of clips: `python -m training.train_checker` (a few minutes on one CPU core; `--minutes`).

Kind, colour, motion, size and place of the training scenes are drawn independently, so a fish is as often over a city as under water
and nothing but its own looks tells what a thing is. Frames are blurred, noised, tinted and coarsened at random, and `--vae FILE` passes
a share of the clips through a video VAE, so that the network also reads what a video model makes.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from models.vae import CausalVideoVAE
from training.checker import LOOKS, MARK, SIDE, WEIGHTS, Checker, load_checker
from training.run import Average, Optimizers, mixed_precision
from training.train_dit import read_vae
from training.world import FPS, LABELS, Scene, render, scene_for
from training.world.scene import CAMERA_WEIGHTS, SIZE_WEIGHTS, SPEED_WEIGHTS, TIME_WEIGHTS, WEATHER_WEIGHTS
from training.world.vocabulary import BACKGROUNDS, COLOURS, KINDS, MOTIONS

NAMES = ("kind", "colour", "background")
TRANSLATING_SHARE = 0.8
LARGE_SHARE = 0.3  # of the clips are rendered at twice the size and made smaller
SHIFT = 2  # cells that clips are shifted by, at most
SPACING = 4  # frames from one look to the next in a clip of 17
POOL, FIRST, FRESH, BATCH, FRAMES = 8192, 1024, 24, 96, 2
GOING_ON = 0.3  # of the full learning rates, for weights that have been trained before


@dataclass(frozen=True)
class Clips:
    """Rendered clips: video uint8 [B, 5, 3, 64, 64], marks [B, 5, 16, 16] (share of each cell that is the thing), labels [B, 3]."""

    video: Tensor
    marks: Tensor
    labels: Tensor


def random_scene(rng: random.Random) -> Scene:
    """One thing; every label is drawn for itself. The camera is mostly still."""
    translates = rng.random() < TRANSLATING_SHARE
    motion = rng.choice([name for name, value in MOTIONS.items() if value.translates == translates])
    weighted = {"size": SIZE_WEIGHTS, "speed": SPEED_WEIGHTS, "time": TIME_WEIGHTS, "weather": WEATHER_WEIGHTS}
    drawn = {name: rng.choices(list(weights), list(weights.values()))[0] for name, weights in weighted.items()}
    background = rng.choice(list(BACKGROUNDS))
    return scene_for(
        rng.choice(list(KINDS)),
        rng.choice(list(COLOURS)),
        motion,
        rng.choice(MOTIONS[motion].directions) if MOTIONS[motion].directions else None,
        background,
        size=drawn["size"],
        speed=drawn["speed"],
        time=drawn["time"] if BACKGROUNDS[background].time else "day",
        weather=drawn["weather"] if BACKGROUNDS[background].weather else "clear",
        camera=rng.choices(list(CAMERA_WEIGHTS), list(CAMERA_WEIGHTS.values()))[0],
        seed=rng.getrandbits(31),
    )


def render_clips(scenes: list[Scene], side: int = SIDE, vae: CausalVideoVAE | None = None) -> Clips:
    """The five frames that the network looks at of each scene, rendered at `side` pixels and passed through `vae` if there is one."""
    step = 1 if vae else SPACING
    rendered = render(scenes, (LOOKS - 1) * SPACING // step + 1, side, side, fps=FPS / step)
    video, masks = rendered.video, rendered.masks[:, :: SPACING // step, 0]
    if vae is not None:
        video = round_trip(vae, video)[:, ::SPACING]
    if side != SIDE:
        small = F.interpolate(video.flatten(0, 1).float(), size=(SIDE, SIDE), mode="area")
        video = small.round().byte().unflatten(0, video.shape[:2])
    marks = F.adaptive_avg_pool2d(masks.float(), MARK)
    labels = [[LABELS[name].index(value) for name, value in zip(NAMES, truth(scene))] for scene in scenes]
    return Clips(video, marks.half(), torch.tensor(labels))


def truth(scene: Scene) -> tuple[str, str, str]:
    """Kind, colour and background of a scene with one thing."""
    return scene.things[0].kind, scene.things[0].colour, scene.background


@torch.inference_mode()
def round_trip(vae: CausalVideoVAE, video: Tensor) -> Tensor:
    """uint8 [B, T, 3, H, W] encoded and decoded again."""
    dtype = next(vae.parameters()).dtype
    rebuilt = [vae.decode_chunk(vae.encode_moments(clip)[0]) for clip in video.to(dtype).div(127.5).sub(1).transpose(1, 2).split(4)]
    return torch.cat(rebuilt).float().clamp(-1, 1).add(1).mul(127.5).round().byte().transpose(1, 2)


class ClipPool:
    """Rendered clips in memory; fresh ones take the place of random old ones."""

    def __init__(self, seed: int) -> None:
        self.rng, self.made = random.Random(seed), 0
        self.clips = Clips(
            torch.zeros(POOL, LOOKS, 3, SIDE, SIDE, dtype=torch.uint8),
            torch.zeros(POOL, LOOKS, MARK, MARK, dtype=torch.float16),
            torch.zeros(POOL, len(NAMES), dtype=torch.long),
        )

    def add(self, count: int, vae: CausalVideoVAE | None = None) -> None:
        """Render `count` clips, a share of them at twice the size."""
        scenes = [random_scene(self.rng) for _ in range(count)]
        large = vae is None and self.rng.random() < LARGE_SHARE
        fresh = render_clips(scenes, 2 * SIDE if large else SIDE, vae)
        places = range(self.made, self.made + count) if self.made + count <= POOL else self.rng.sample(range(min(self.made, POOL)), count)
        rows = torch.tensor(list(places))
        for kept, new in zip(vars(self.clips).values(), vars(fresh).values()):
            kept[rows] = new
        self.made += count

    def batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Frames [N, 6, 64, 64], marks [N, 16, 16] and labels [N, 3]: some frames of some clips, spoilt at random."""
        rows = torch.randint(min(self.made, POOL), (BATCH,), generator=generator)
        looks = torch.rand(BATCH, LOOKS, generator=generator).argsort(1)[:, :FRAMES]
        video, marks = move(self.clips.video[rows].float().div_(127.5).sub_(1), self.clips.marks[rows].float(), generator)
        which = torch.arange(BATCH)[:, None]
        spoilt = spoil(torch.cat([video[which, looks], video.mean(1, keepdim=True)], dim=1), generator)
        frames, mean = spoilt[:, :FRAMES], spoilt[:, FRAMES:]
        frames = torch.cat([frames, frames - mean], dim=2)
        return frames.flatten(0, 1), marks[which, looks].flatten(0, 1), self.clips.labels[rows]


def move(video: Tensor, marks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Clips [B, 5, 3, 64, 64] with their marks [B, 5, 16, 16], half of them mirrored, all shifted by the same few cells of the mark."""
    mirrored = torch.rand(len(video), 1, 1, 1, generator=generator) < 0.5
    video, marks = torch.where(mirrored[..., None], video.flip(-1), video), torch.where(mirrored, marks.flip(-1), marks)
    x, y = (int(cells) for cells in torch.randint(-SHIFT, SHIFT + 1, (2,), generator=generator))
    return _shifted(video.flatten(1, 2), x, y).view_as(video), _shifted(marks, x, y)


def _shifted(planes: Tensor, x: int, y: int) -> Tensor:
    """[B, C, H, W] shifted by x and y cells of the mark, the edges drawn out."""
    cell, (height, width) = planes.shape[-1] // MARK, planes.shape[-2:]
    margin = SHIFT * cell
    padded = F.pad(planes, (margin, margin, margin, margin), mode="replicate")
    top, left = margin - y * cell, margin - x * cell
    return padded[..., top : top + height, left : left + width]


def spoil(video: Tensor, generator: torch.Generator) -> Tensor:
    """Clips [B, T, 3, 64, 64] in -1..1, each blurred or coarsened, noised, tinted and dimmed in its own way; half stay sharp."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(len(video), *shape, generator=generator) * (high - low) + low

    flat = video.flatten(1, 2)
    blurred = F.avg_pool2d(F.pad(flat, (1, 1, 1, 1), mode="replicate"), 3, 1)
    coarse = F.interpolate(F.avg_pool2d(flat, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    amount = uniform(-1, 1, 1, 1, 1).clamp_min(0)
    worse = torch.where(uniform(0, 1, 1, 1, 1) < 0.6, blurred, coarse)
    flat = torch.lerp(flat, worse, amount)
    flat = flat + torch.randn(flat.shape, generator=generator) * uniform(-0.06, 0.10, 1, 1, 1).clamp_min(0)
    video = flat.unflatten(1, video.shape[1:3])
    video = video * uniform(0.88, 1.08, 1, 1, 1, 1) + uniform(-0.06, 0.06, 1, 1, 1, 1) + uniform(-0.05, 0.05, 1, 3, 1, 1)
    return video.clamp(-1, 1)


def checker_loss(seen: dict[str, Tensor], marks: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Cross entropies of the mark and of the labels; a frame in which the thing is hardly seen does not count for kind and colour."""
    weight = (marks.mean((1, 2)) / 0.02).clamp(max=1)
    losses = {"mark": 4 * F.binary_cross_entropy_with_logits(seen["mark"], marks)}
    for column, name in enumerate(NAMES):
        target = labels[:, column].repeat_interleave(FRAMES)
        each = F.cross_entropy(seen[name], target, reduction="none", label_smoothing=0.05)
        losses[name] = (each * weight).sum() / weight.sum() if name != "background" else 0.5 * each.mean()
    return torch.stack(list(losses.values())).sum(), {name: float(value.detach()) for name, value in losses.items()}


def train(minutes: float, seed: int, out: Path, vae_file: Path | None, start_from: Path | None) -> None:
    """Train for so many minutes; writes weights now and then, and at the end."""
    torch.manual_seed(seed)
    checker = load_checker(start_from).requires_grad_(True).train() if start_from else Checker()
    checker = checker.to(memory_format=torch.channels_last)
    vae = read_vae(str(vae_file), torch.device("cpu")) if vae_file else None
    matrices = [p for name, p in checker.named_parameters() if p.ndim == 4 and p.shape[0] > 1 and "stem.0" not in name]
    optimizers, average = Optimizers(checker, matrices, 2e-3, 0.02), Average(checker, 0.99)
    generator, pool = torch.Generator().manual_seed(seed), ClipPool(seed)
    pool.add(FIRST)
    if vae is not None:
        pool.add(FIRST // 16, vae)
    started, step, peak = time.monotonic(), 0, GOING_ON if start_from else 1.0
    while (passed := (time.monotonic() - started) / (60 * minutes)) < 1:
        pool.add(FRESH)
        if vae is not None and step % 8 == 0:
            pool.add(FRESH // 2, vae)
        frames, marks, labels = pool.batch(generator)
        with mixed_precision(frames.device):
            seen = checker(frames.contiguous(memory_format=torch.channels_last))
        loss, parts = checker_loss({name: value.float() for name, value in seen.items()}, marks, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(checker.parameters(), 1.0)
        optimizers.step(peak * min(1.0, (step + 1) / 20) * max(0.02, 1 - passed))
        average.update(checker, step)
        step += 1
        if step % 50 == 0:
            right = {name: _share_right(seen[name], labels[:, column]) for column, name in enumerate(NAMES)}
            print(f"step {step}  {time.monotonic() - started:.0f} s  losses {_figures(parts)}  right {_figures(right)}", flush=True)
            save(average, out)
    save(average, out)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB after {step} steps and {pool.made} clips")


def save(average: Average, out: Path) -> None:
    """Write the averaged weights in float16."""
    save_file({name: value.half().contiguous() for name, value in average.weights.items()}, out)


def _share_right(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels.repeat_interleave(FRAMES)).float().mean())


def _figures(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in values.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--vae", type=Path, help="pass a share of the clips through this VAE")
    parser.add_argument("--start-from", type=Path, help="weights to go on from")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train(arguments.minutes, arguments.seed, arguments.out, arguments.vae, arguments.start_from)


if __name__ == "__main__":
    main()
