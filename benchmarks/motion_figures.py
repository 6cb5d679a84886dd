"""What is counted of a clip for `benchmarks.motion`, and what many clips come to. Needs no ComfyUI.

The error of a clip (EPE) is what the Motion Adherence node shows: the mean distance in pixels between where points were asked to be and
where they were found, over all points that are asked to move and all frames after the first. Figures over clips are of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

WAN_MOVE, TIME_TO_MOVE, NONE, TRUTH = "wan-move", "time-to-move", "none", "truth"
ARMS = (WAN_MOVE, TIME_TO_MOVE, NONE)
TITLES = {WAN_MOVE: "Wan-Move", TIME_TO_MOVE: "Time-to-Move", NONE: "no control", TRUTH: "crude moved video"}
EPE_TARGETS = {WAN_MOVE: 1.5, TIME_TO_MOVE: 3.0}
BETTER_TARGET = 5.0
PINNED_TARGET = 0.5


@dataclass(frozen=True)
class Points:
    """Errors [T, N] in pixels of some points of a clip, NaN where one is not compared, and the part of them that were found."""

    errors: np.ndarray
    found: float = 1.0

    @property
    def is_empty(self) -> bool:
        """Whether no point is compared in any frame."""
        return bool(np.isnan(self.errors).all())

    @property
    def mean(self) -> float:
        """Mean over points and frames."""
        return float(np.nanmean(self.errors))

    @property
    def last(self) -> float:
        """Mean over the points of the last frame in which any is compared."""
        frame = np.flatnonzero(~np.isnan(self.errors).all(axis=1))[-1]
        return float(np.nanmean(self.errors[frame]))


def clip_figures(moving: Points, pinned: Points, around: Points) -> dict[str, Any]:
    """What is kept of one clip: errors in pixels, and how many of the places of moving points the follower did not find.

    Args:
        moving: the points that are asked to move, at least one.
        pinned: those in pinned regions.
        around: those of the scene that are asked to stay.
    """
    errors = moving.errors[~np.isnan(moving.errors)]
    return {
        "epe": moving.mean,
        "median": float(np.median(errors)),
        "p90": float(np.quantile(errors, 0.9)),
        "last": moving.last,
        "points": int((~np.isnan(moving.errors)).any(axis=0).sum()),
        "places": len(errors),
        "lost": round((1 - moving.found) * len(errors)),
        "pinned": None if pinned.is_empty else pinned.mean,
        "around": None if around.is_empty else around.mean,
    }


def summary(clips: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Many clips of one arm in figures: medians over clips, and the 90th percentile of their EPE.

    Raises:
        ValueError: there is no clip.
    """
    found = list(clips)
    if not found:
        raise ValueError("expected figures of at least one clip, got none")
    epe = [clip["epe"] for clip in found]
    return {
        "clips": len(found),
        "epe": float(np.median(epe)),
        "epe_p90": float(np.quantile(epe, 0.9)),
        "point_median": _median(found, "median"),
        "last": _median(found, "last"),
        "pinned": _median(found, "pinned"),
        "pinned_clips": sum(clip["pinned"] is not None for clip in found),
        "around": _median(found, "around"),
        "places": sum(clip["places"] for clip in found),
        "lost": sum(clip["lost"] for clip in found),
    }


@dataclass(frozen=True)
class Verdict:
    """One line: what came out, whether it is what was wanted, and what that is."""

    what: str
    held: bool
    target: str


def verdicts(summaries: dict[str, dict[str, Any]]) -> list[Verdict]:
    """The promises about the arms that were measured."""
    found = []
    none = summaries.get(NONE)
    for arm, target in EPE_TARGETS.items():
        result = summaries.get(arm)
        if result is None:
            continue
        title = TITLES[arm]
        found.append(Verdict(f"{title}: median EPE {result['epe']:.2f} px", result["epe"] <= target, f"at most {target:g} px"))
        if none is not None:
            times = none["epe"] / max(result["epe"], 1e-9)
            found.append(
                Verdict(f"{title}: {times:.1f} times nearer than no control", times >= BETTER_TARGET, f"at least {BETTER_TARGET:g}")
            )
        if result["pinned"] is not None:
            what = f"{title}: pinned points drift {result['pinned']:.2f} px, median of {result['pinned_clips']} clips"
            found.append(Verdict(what, result["pinned"] <= PINNED_TARGET, f"at most {PINNED_TARGET:g} px"))
    return found


def table_rows(summaries: dict[str, dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of arms, or of other groups of clips by their names; lengths in pixels of the clip."""
    head = ["", "median EPE", "p90 EPE", "last frame", "points' median", "pinned", "around", "lost"]
    rows = []
    for arm, result in summaries.items():
        lengths = [result[name] for name in ("epe", "epe_p90", "last", "point_median", "pinned", "around")]
        cells = ["-" if length is None else f"{length:.2f}" for length in lengths]
        rows.append([TITLES.get(arm, arm), *cells, f"{result['lost']} of {result['places']} ({result['lost'] / result['places']:.1%})"])
    return head, rows


def _median(clips: list[dict[str, Any]], name: str) -> float | None:
    values = [clip[name] for clip in clips if clip[name] is not None]
    return float(np.median(values)) if values else None
