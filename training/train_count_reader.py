"""Train the reader of how many things a clip shows: `python -m training.train_count_reader` (some minutes on one CPU core).

Training scenes of the world with one, two and three things, as often each, before a still camera. Looks are blurred, noised, tinted and
coarsened at random as for the checker, whose features are computed once for each clip.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from training.checker import LOOKS, MARK, SIDE, Checker, load_checker
from training.count_reader import FEATURES, WEIGHTS, CountReader, look_features
from training.run import Average
from training.train_checker import SPACING, spoil
from training.world import FPS, Scene, render, sample_scene
from training.world.vocabulary import MAX_THINGS

BATCH, AT_ONCE, RATE = 48, 48, 2e-3


def draw_scenes(count: int, rng: random.Random, split: str = "train") -> list[Scene]:
    """Scenes of one, two and three things, as many of each, before a still camera."""
    by_number: dict[int, list[Scene]] = {number: [] for number in range(1, MAX_THINGS + 1)}
    each = -(-count // MAX_THINGS)
    while any(len(scenes) < each for scenes in by_number.values()):
        scene = sample_scene(rng, split)
        scenes = by_number[len(scene.things)]
        if scene.camera == "still" and len(scenes) < each:
            scenes.append(scene)
    drawn = [scene for scenes in by_number.values() for scene in scenes]
    rng.shuffle(drawn)
    return drawn[:count]


@torch.inference_mode()
def examples(checker: Checker, scenes: list[Scene], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Features float16 [B, 5, 129, 16, 16] of rendered scenes, and their numbers of things less one, [B].

    A third of the clips is rendered at twice the size, half are mirrored, all are spoilt in their own ways.
    """
    features = torch.empty(len(scenes), LOOKS, FEATURES, MARK, MARK, dtype=torch.float16)
    for start in range(0, len(scenes), AT_ONCE):
        some = scenes[start : start + AT_ONCE]
        side = 2 * SIDE if start // AT_ONCE % 3 == 0 else SIDE
        video = render(some, LOOKS, side, side, fps=FPS / SPACING).video.float().div(127.5).sub(1)
        if side != SIDE:
            video = F.interpolate(video.flatten(0, 1), size=(SIDE, SIDE), mode="area").unflatten(0, video.shape[:2])
        mirrored = torch.rand(len(some), 1, 1, 1, 1, generator=generator) < 0.5
        video = spoil(torch.where(mirrored, video.flip(-1), video), generator)
        looks = torch.cat([video, video - video.mean(1, keepdim=True)], dim=2)
        features[start : start + AT_ONCE] = look_features(checker, looks).half()
    return features, torch.tensor([len(scene.things) - 1 for scene in scenes])


def share_right(reader: CountReader, features: Tensor, numbers: Tensor) -> list[float]:
    """Of each number, how often it is read."""
    with torch.inference_mode():
        read = torch.cat([reader(some.float()).argmax(1) for some in features.split(BATCH)])
    return [float((read[numbers == number] == number).float().mean()) for number in range(MAX_THINGS)]


def train(clips: int, epochs: int, seed: int, out: Path) -> None:
    """Render, train, write, and tell how often it is right on held-out scenes."""
    torch.manual_seed(seed)
    began, checker, generator = time.monotonic(), load_checker(), torch.Generator().manual_seed(seed)
    features, numbers = examples(checker, draw_scenes(clips, random.Random(f"count {seed}")), generator)
    print(f"{clips} clips rendered in {time.monotonic() - began:.0f} s", flush=True)
    reader = CountReader()
    average, steps = Average(reader, 0.98), epochs * (clips // BATCH)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=RATE, weight_decay=0.05)
    for step in range(steps):
        if step % (clips // BATCH) == 0:
            order = torch.randperm(clips, generator=generator)
        some = order[step % (clips // BATCH) * BATCH :][:BATCH]
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / 20) * max(0.02, 1 - step / steps)
        loss = F.cross_entropy(reader(features[some].float()), numbers[some], label_smoothing=0.05)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update(reader, step)
        if step % 50 == 0:
            print(f"step {step} of {steps}  {time.monotonic() - began:.0f} s  loss {float(loss.detach()):.3f}", flush=True)
    save_file({name: value.half().contiguous() for name, value in average.weights.items()}, out)
    reader.load_state_dict(average.weights)
    held_out = examples(checker, draw_scenes(240, random.Random("held-out count"), "held_out"), generator)
    shares = ", ".join(f"{number}: {share:.1%}" for number, share in enumerate(share_right(reader.eval(), *held_out), 1))
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB after {steps} steps; right about held-out scenes of {shares}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=9600, help="rendered clips to train on (9600, about 3 GB)")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train(arguments.clips, arguments.epochs, arguments.seed, arguments.out)


if __name__ == "__main__":
    main()
