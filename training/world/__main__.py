"""python -m training.world --sheet FILE: look at scenes of the world."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch

from training.world.scene import SPLITS, STYLES, sample_scene
from training.world.sheet import save_sheet


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.world", description="Render a contact sheet of random scenes.")
    parser.add_argument("--sheet", type=Path, required=True, help="picture file to write, for example scenes.png")
    parser.add_argument("--style", choices=STYLES, default="picture_book")
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--count", type=int, default=24, help="number of scenes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=128, help="width and height of a picture in pixels")
    parser.add_argument("--frames", type=int, default=17, help="length of each clip; five of its frames are shown")
    options = parser.parse_args()
    torch.set_num_threads(2)
    generator = random.Random(options.seed)
    scenes = [sample_scene(generator, options.split, options.style) for _ in range(options.count)]
    save_sheet(options.sheet, scenes, options.seed, options.side, options.frames)
    print(f"{len(scenes)} scenes -> {options.sheet}")


if __name__ == "__main__":
    main()
