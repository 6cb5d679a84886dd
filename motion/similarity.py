"""Points that are shifted, turned and grown together: which of many they are, and how, in each frame.

A place is a complex number here, x + i y in pixels, so that a similarity is `turn * place + shift`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MEMBERS = 3
"""A similarity fits any two points; from so many on it says something."""
PAIRS, SCORED_FRAMES, SCORED_POINTS = 192, 12, 400
"""How many pairs of points are tried, and on how many frames and points each is judged at first."""
REFINED = 4
"""How many of the best pairs are fitted to all their points, and how often."""
NEARLY_ALL, FAR = 0.9, 3.0
"""A point goes along where it is within the tolerance in so many of the frames that show it, and never farther off than so many of it."""


@dataclass(frozen=True)
class Similarity:
    """Where places of the first frame are in each frame: `turn` and `shift`, [T] complex."""

    turn: np.ndarray
    shift: np.ndarray

    def at(self, first: np.ndarray) -> np.ndarray:
        """Places [T, n] of the places [n] of the first frame."""
        return self.turn[:, None] * first + self.shift[:, None]

    @property
    def angle(self) -> np.ndarray:
        """[T] radians, clockwise on the screen; whole turns are counted where no step between frames is more than half of one."""
        return np.unwrap(np.angle(self.turn))

    @property
    def growth(self) -> np.ndarray:
        """[T], the logarithm of the size."""
        return np.log(np.abs(self.turn))


def fitted(places: np.ndarray, seen: np.ndarray) -> Similarity:
    """The similarity nearest to places [T, n] in each frame, by the points that are `seen` [T, n] there.

    In frames that show fewer than two it is between those of the frames before and after.
    """
    weight = seen.astype(np.float64)
    count = np.maximum(weight.sum(axis=1), 1.0)[:, None]
    before = places[0] - (weight * places[0]).sum(axis=1, keepdims=True) / count
    middle = (weight * places).sum(axis=1, keepdims=True) / count
    spread = (weight * np.abs(before) ** 2).sum(axis=1)
    known = spread > 1e-6
    turn = np.where(known, (weight * before.conj() * (places - middle)).sum(axis=1) / np.where(known, spread, 1.0), 1.0)
    known &= np.abs(turn) > 1e-6
    if not known.any():
        return Similarity(np.ones(len(places), complex), (middle - (weight * places[0]).sum(axis=1, keepdims=True) / count)[:, 0])
    shift = middle[:, 0] - turn * (places[0] - before)[:, 0]
    frames, moments, centre = np.arange(len(places)), np.flatnonzero(known), places[0].mean()
    angle = np.interp(frames, moments, np.unwrap(np.angle(turn[known])))
    size = np.exp(np.interp(frames, moments, np.log(np.abs(turn[known]))))
    went = np.interp(frames, moments, (turn * centre + shift)[known])
    turn = size * np.exp(1j * angle)
    return Similarity(turn, went - turn * centre)


def groups(places: np.ndarray, seen: np.ndarray, tolerance: float) -> Iterator[tuple[Similarity, np.ndarray]]:
    """Groups of at least three points that one similarity takes along within `tolerance` pixels, the largest first: it and their numbers.

    Args:
        places: [T, n] complex; seen: [T, n]. Points that are not seen in the first frame and another one are in no group.
    """
    left = np.flatnonzero(seen[0] & (seen.sum(axis=0) > 1))
    while len(left) >= MEMBERS:
        found = _largest(places[:, left], seen[:, left], tolerance)
        if found is None:
            return
        similarity, members = found
        yield similarity, left[members]
        left = np.delete(left, members)


def along(expected: np.ndarray, places: np.ndarray, counted: np.ndarray, tolerance: float) -> np.ndarray:
    """Which of the points go as expected in nearly all of the frames that count: of complex places [T, ..., n] and `counted`, [..., n]."""
    away = places - expected
    off = np.where(counted, np.maximum(np.abs(away.real), np.abs(away.imag)), 0.0)
    count = counted.sum(axis=0)
    close = ((off <= tolerance) & counted).sum(axis=0)
    missed = np.floor((1 - NEARLY_ALL) * count + 0.5)
    return (count > 0) & (close >= count - missed) & (off.max(axis=0) <= FAR * tolerance)


def _largest(places: np.ndarray, seen: np.ndarray, tolerance: float) -> tuple[Similarity, np.ndarray] | None:
    best: tuple[Similarity, np.ndarray] | None = None
    most = 0
    for pair in _likely_pairs(places, seen, tolerance):
        members = pair
        for attempt in range(REFINED):
            similarity = fitted(places[:, members], seen[:, members])
            known = seen & (seen[:, members].sum(axis=1) >= 2)[:, None]
            allowed = 2 * tolerance if attempt == 0 else tolerance  # a pair's own errors count double far from it
            members = np.flatnonzero(along(similarity.at(places[0]), places, known, allowed))
            if len(members) < MEMBERS:
                break
        if len(members) >= MEMBERS and int(seen[:, members].sum()) > most:
            best, most = (similarity, members), int(seen[:, members].sum())
    return best


def _likely_pairs(places: np.ndarray, seen: np.ndarray, tolerance: float) -> np.ndarray:
    """The pairs [k, 2] of points whose similarities take most points along most often, best first."""
    count = places.shape[1]
    pairs = _pairs(places[0])
    frames = np.unique(np.linspace(1, len(places) - 1, min(len(places) - 1, SCORED_FRAMES)).round().astype(int))
    judged = np.unique(np.linspace(0, count - 1, min(count, SCORED_POINTS)).round().astype(int))
    some, shown = places[frames], seen[frames]
    first, second = pairs.T
    turn = (some[:, second] - some[:, first]) / (places[0, second] - places[0, first])  # [F, P]
    shift = some[:, first] - turn * places[0, first]
    expected = turn[..., None] * places[0, judged] + shift[..., None]  # [F, P, n]
    counted = (shown[:, first] & shown[:, second])[..., None] & shown[:, None, judged]
    goes = along(expected, np.broadcast_to(some[:, None, judged], expected.shape), counted, 2 * tolerance)  # [P, n]
    scores = (goes * counted.sum(axis=0)).sum(axis=1)
    return pairs[np.argsort(-scores, kind="stable")[:REFINED]]


def _pairs(first: np.ndarray) -> np.ndarray:
    """Pairs [k, 2] of different places [n]: points beside one another, which often belong together, and any."""
    chance = np.random.default_rng(0)
    count = len(first)
    ones = np.unique(np.linspace(0, count - 1, min(count, PAIRS // 4)).round().astype(int))
    order = np.argsort(np.abs(first[ones, None] - first), axis=1, kind="stable")
    ranks = np.minimum(np.array([2, 5, 11]), count - 1)
    beside = np.stack([np.repeat(ones, len(ranks)), order[:, ranks].reshape(-1)], axis=1)
    any_two = np.stack([chance.integers(count, size=PAIRS // 4), chance.integers(count, size=PAIRS // 4)], axis=1)
    pairs = np.concatenate([beside, any_two])
    return pairs[np.abs(first[pairs[:, 0]] - first[pairs[:, 1]]) > 1e-3]
