"""How well clips keep to motion plans that steer them by Wan-Move, and whether what is pinned stays.

Held-out plans on collages and photographs become tracks; the latent cells of the first frame are carried along them, as Apply Motion does
it. The plans' points are then followed through the clips, and through the same clips made without tracks. The follower's own error is
that on rendered clips, whose points are known.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion.backends.wan_move import move_cells
from training.evaluation import FRAMES, Evaluation, Models, Sampler
from training.follow_truth import follow_truth
from training.known_frames import conditioning, first_known
from training.measure_frames import known_channels
from training.motion_cases import COLLAGE, FIRST_SEED, PHOTOGRAPH, Case, busiest_box, on_photograph, on_scene
from training.photographs import PHOTOGRAPHS, Box, open_photographs, own_pictures, read_square
from training.rooms import room
from training.round_trip import decoded
from training.rows import Row
from training.run import mixed_precision
from training.sampling import sample

EPE, NEARER, DRIFT = 1.5, 5.0, 0.5  # pixels, times, pixels
BATCH = 8


@dataclass(frozen=True)
class Outcome:
    """One plan: mean errors in pixels of what is asked to move, with tracks and without, and of what is pinned (None: nothing is)."""

    kind: str
    source: str
    epe: float
    epe_without: float
    pinned: float | None


def motion_rows(evaluation: Evaluation) -> list[Row]:
    """Plans on held-out collages and photographs by turns."""
    count, outcomes = evaluation.count("motion"), []
    cases = itertools.islice(held_out_cases(evaluation), count)
    while batch := list(itertools.islice(cases, BATCH)):
        outcomes += measure(evaluation.models, batch, evaluation.settings.picture, evaluation.settings.seed)
        evaluation.tell(f"motion: {len(outcomes)} of {count} plans")
    evaluation.details["motion"] = [asdict(outcome) for outcome in outcomes]
    return outcome_rows(outcomes, *follower_errors(evaluation))


def outcome_rows(outcomes: list[Outcome], moving_error: float | None, still_error: float | None) -> list[Row]:
    """Medians over plans; the errors are the follower's own on points that move and on points that stay."""
    epe, without = (float(np.median([getattr(outcome, name) for outcome in outcomes])) for name in ("epe", "epe_without"))
    pinned = [outcome.pinned for outcome in outcomes if outcome.pinned is not None]
    kinds = {kind: [outcome.epe for outcome in outcomes if outcome.kind == kind] for kind in dict.fromkeys(o.kind for o in outcomes)}
    note = ", ".join(f"{kind}s {np.median(errors):.2f}" for kind, errors in kinds.items())
    rows = [
        Row("motion obeyed, median EPE", epe, "px", len(outcomes), EPE, at_most=True, error=moving_error, note=note),
        Row("nearer than without tracks", without / max(epe, 1e-9), "times", len(outcomes), NEARER, note=f"without {without:.2f} px"),
    ]
    if pinned:
        median = float(np.median(pinned))
        rows.append(Row("pinned points drift, median", median, "px", len(pinned), DRIFT, at_most=True, error=still_error))
    return rows


def held_out_cases(evaluation: Evaluation) -> Iterator[Case]:
    """Plans without end, the same ones every time; collages alone where no photograph can be had."""
    size = evaluation.settings.size
    photographs = _photographs(evaluation)
    for number in itertools.count():
        generator = random.Random(FIRST_SEED + number)
        if number % 2 == 0 or not photographs:
            yield on_scene(number, generator, COLLAGE, size)
            continue
        source, picture, things = photographs[number // 2 % len(photographs)]
        yield on_photograph(number, generator, PHOTOGRAPH, source, picture, things or (busiest_box(picture, generator),))


def _photographs(evaluation: Evaluation) -> list[tuple[str, Tensor, tuple[Box, ...]]]:
    """Source, picture [1, S, S, 3] and boxes around things of each photograph; no boxes on the asker's own."""
    size, folder = evaluation.settings.size, evaluation.settings.pictures
    if folder is not None:
        return [(file.name, read_square(file, size), ()) for file in own_pictures(folder)]
    opened = open_photographs(PHOTOGRAPHS, lambda text: evaluation.tell(f"motion: {text}"))
    return [(photograph.source, read_square(file, size), photograph.things) for photograph, file in opened]


@torch.inference_mode()
def measure(models: Models, cases: list[Case], sampler: Sampler, seed: int = 0) -> list[Outcome]:
    """Clips of cases with and without tracks, from the same noise, and how far they are off."""
    plans = [room("motion.plan").from_data(case.plan) for case in cases]
    asked = [_asked(case, plan) for case, plan in zip(cases, plans, strict=True)]
    plain = torch.cat([_first_frame(models, case) for case in cases])
    moved = torch.cat([_steered(case, plan, known[None]) for case, plan, known in zip(cases, plans, plain, strict=True)])
    numbers = [seed + case.number for case in cases]
    with_tracks = steered_clips(models, moved, plain, numbers, sampler)
    without = steered_clips(models, plain, plain, numbers, sampler)
    outcomes = []
    for case, plan, wanted, clip, other in zip(cases, plans, asked, with_tracks, without, strict=True):
        epe, pinned = _errors(plan, wanted, clip)
        outcomes.append(Outcome(case.kind, case.source, epe, _errors(plan, wanted, other)[0], pinned))
    return outcomes


@torch.inference_mode()
def steered_clips(models: Models, moved: Tensor, plain: Tensor, seeds: list[int], sampler: Sampler) -> Tensor:
    """Clips [B, 3, T, H, W] in -1..1 without words, of known frames [B, 20, T', h, w] with tracks in them (`moved`) and without.

    As on the node, only the guided prediction sees the tracks, so that guidance acts on the motion.
    """
    dims = (16, *plain.shape[2:])
    noise = torch.stack([torch.randn(dims, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
    text, no_text = (models.encoder.encode([""] * len(seeds)) for _ in range(2))

    def predict(entry: Tensor, timestep: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        known = plain if context is no_text[0] else moved
        return models.dit(torch.cat([entry[:, :16], known], dim=1), timestep, context, mask)

    guidance = 1.0 if moved is plain else sampler.guidance  # both predictions are the same one
    with mixed_precision(noise.device):
        latent = sample(predict, noise, moved, text, no_text, sampler.steps, guidance, sampler.shift)
    return decoded(models.vae, latent)


def follower_errors(evaluation: Evaluation) -> tuple[float | None, float | None]:
    """The follower's own median error in pixels on rendered clips: of points on things, and on the background."""
    moving: list[float] = []
    still: list[float] = []
    for number in range(evaluation.count("follower")):
        clip = follow_truth(room("motion.follow").Follower, number, evaluation.settings.size, FRAMES)
        for errors, kept in ((clip.errors[:, clip.on_things], moving), (clip.errors[:, ~clip.on_things], still)):
            if errors.isfinite().any():
                kept.append(float(errors.nanmean()))
    evaluation.tell(f"motion: follower measured on {evaluation.count('follower')} rendered clips")
    found = [float(np.median(errors)) if errors else None for errors in (moving, still)]
    return found[0], found[1]


def _asked(case: Case, plan: Any) -> Any:
    """Where the plan wants points to be, a `motion.adherence.Asked`."""
    height, width = case.image.shape[1:3]
    return room("motion.adherence").asked(plan, (width, height), FRAMES, case.masks)


def _first_frame(models: Models, case: Case) -> Tensor:
    """The picture as the known first frame, [1, 20, T', h, w]."""
    clip = case.image.movedim(-1, 1)[:, :, None].mul(2).sub(1).expand(-1, -1, FRAMES, -1, -1)
    return known_channels(models.vae, clip, first_known(FRAMES))


def _steered(case: Case, plan: Any, plain: Tensor) -> Tensor:
    """The known first frame [1, 20, T', h, w] with its cells carried along the plan's tracks."""
    height, width = case.image.shape[1:3]
    tracks = room("motion.tracks").plan_tracks(plan, width, height, FRAMES, masks=case.masks)
    order = sorted(range(len(plan.shown)), key=lambda index: (plan.shown[index].z, index))
    front = torch.tensor([order.index(owner) if owner >= 0 else -1 for owner in tracks.owner.tolist()], dtype=torch.float32)
    points, visible = torch.from_numpy(tracks.points), torch.from_numpy(tracks.visible)
    return conditioning(plain[:, :4], move_cells(plain[:, 4:], points, visible, torch.from_numpy(tracks.strength), front))


def _errors(plan: Any, wanted: Any, clip: Tensor) -> tuple[float, float | None]:
    """Mean error in pixels of a clip [3, T, H, W]: of what is asked to move, and of what is pinned."""
    frames = clip.add(1).mul(127.5).round().byte().permute(1, 2, 3, 0)
    result = room("motion.adherence").measure(wanted, iter(frames))
    ids = {region.id for region in plan.regions if region.pinned}
    pinned = result.errors[:, np.array([part.id in ids for part in wanted.parts])[wanted.owner]]
    return result.moving.mean, (float(np.nanmean(pinned)) if np.isfinite(pinned).any() else None)
