"""How long a plan takes to become conditioning at the size of a large model, for `benchmarks.motion`; the networks are left out."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from .host_process import room
from .motion_arms import NODE, TinyBox
from .motion_figures import TIME_TO_MOVE, TITLES, WAN_MOVE

WIDTH, HEIGHT, FRAMES = 832, 480, 81
TARGET_MS = 50.0
WARM_UPS = 2
CAMERA = [{"type": "pan", "x": 0.1, "start": 0.2}]
PLAN: dict[str, Any] = {
    "version": 1,
    "regions": [
        {
            "shapes": [{"type": "stroke", "points": [[0.15, 0.6], [0.25, 0.55], [0.35, 0.6]], "radius": 0.06}],
            "motion": {"path": {"points": [[0.25, 0.58], [0.45, 0.4], [0.7, 0.5]]}, "easing": "ease-in-out"},
        },
        {
            "shapes": [{"type": "polygon", "points": [[0.5, 0.7], [0.62, 0.72], [0.6, 0.9], [0.48, 0.88]]}],
            "motion": {"direction": -60, "speed": 0.3, "scale": 1.2, "rotation": 20},
        },
        {"shapes": [{"type": "ellipse", "box": [0.7, 0.1, 0.18, 0.2]}], "motion": {"ambient": 0.6}},
        {"shapes": [{"type": "rectangle", "box": [0.02, 0.05, 0.2, 0.25]}], "pinned": True},
    ],
    "boxes": [{"start": [0.4, 0.15, 0.15, 0.2], "end": [0.5, 0.2, 0.2, 0.26]}],
}
"""Three regions that move, a pinned one and a box."""


@torch.inference_mode()
def conditioning_times(rounds: int) -> dict[str, dict[str, Any]]:
    """Milliseconds of each round, by backend, from a plan to what the sampler is given.

    Wan-Move and ATI: tracks, and the picture's latents moved along them. Time-to-Move: the crude moved video and which of its latent cells
    are held. The VAE is not run; it gives random latents of the right size.
    """
    motion: Any = room("sampling.motion")
    box, clip = TinyBox(), _clip(PLAN)
    latent = torch.randn(1, 16, (FRAMES - 1) // 4 + 1, HEIGHT // 8, WIDTH // 8)
    conditioned = {"concat_latent_image": latent, "concat_mask": torch.ones(1, 1, *latent.shape[2:])}
    facts, shape = motion.model_facts(box.model), room("models.shapes").LatentShape(*latent.shape[2:], 16)
    with _given_latents(motion, latent):
        works: dict[str, Callable[[], Any]] = {
            "tracks alone": lambda: room("sampling.motion_nodes").clip_tracks(clip, 200, NODE),
            TITLES[WAN_MOVE]: lambda: motion._steered("wan_move", box.model, clip, conditioned, 1.0),
            "ATI": lambda: motion._steered("ati", box.model, clip, conditioned, 1.0),
            TITLES[TIME_TO_MOVE]: lambda: motion._held_video(box.vae, clip, shape, facts, 1.0),
        }
        return {name: _timed(work, rounds) for name, work in works.items()}


def _clip(plan: dict[str, Any]) -> Any:
    nodes = room("sampling.motion_nodes")
    value = nodes.MotionPlan(room("motion.plan").from_data(plan))
    return nodes.Clip.of(value, torch.rand(1, HEIGHT, WIDTH, 3), WIDTH, HEIGHT, FRAMES, NODE)


def _timed(work: Callable[[], Any], rounds: int) -> dict[str, Any]:
    for _ in range(WARM_UPS):
        work()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return {"milliseconds": times, "median": statistics.median(times)}


@contextlib.contextmanager
def _given_latents(motion: Any, latent: Tensor) -> Iterator[None]:
    """While the body runs, encoding gives `latent` at once."""
    before = motion.encoded
    motion.encoded = lambda vae, frames: latent
    try:
        yield
    finally:
        motion.encoded = before
