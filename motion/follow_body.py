"""A painted region followed as a whole: how its pixels of the first frame are shifted, turned and grown."""

from __future__ import annotations

import torch
from torch import Tensor

from .pyramid import inside, own_pixels, sample, values_and_gradient

LIKENESS = 0.7
"""Least likeness to the first frame at which a body counts as found."""
FAINT, STEADY = 0.4, 2.0
"""Least likeness of a body that goes on as it went, to so many pixels: much of it may be covered."""
CERTAIN = 0.9
"""Likeness at which no other place has to be looked at, and from which on single points do not leave the body at once."""
STRETCH = 3.0
"""A body that looks larger or smaller than in the first frame by more than this is not believed."""
PIXELS = (1000, 600, 400, 250)
"""How many pixels are looked at on each level of the pyramid."""
FEWEST, NARROWEST = 3, 4
"""A level is of use where a body has so many of its pixels, and is so many of them wide."""
STEPS = 8
SETTLED = 0.01
SEEN_PART = 0.5
"""Least part of a body that must be in the picture for it to be known."""
OUTLIER = 0.12
"""Colour difference that is not alike at all, doubled; half of it is alike for the most part."""
SHARPEST, BLUNTEST = 0.015, 0.2
"""Colour difference at which a pixel begins to count as covered by something else: by what most pixels are off, within these."""
CALM = 0.004
"""Squared colour change per squared pixel, over the whole body, that makes steps small where there is less."""
BLURRED, SHARPLY = 0.2, 8
"""What cannot be told to so many pixels, having nothing to be known by or alike along a line, goes on as it went; how sharp that is."""
KEPT_SPEED = 0.95
NOISE, TOGETHER = 0.006, 100.0
"""Colour difference that is nothing, and how many neighbouring pixels err alike."""
REACH, SCANNED = 0.25, 150
"""A body that is lost is looked for this far away, in parts of the picture's shorter side, by so many of its pixels."""


class Body:
    """A group of pixels of the first frame that are shifted, turned and grown together: place p goes to linear p + shift.

    Its state is four numbers in pixels: where its middle is, and how an arm of its size lies that pointed to the right at first.
    """

    def __init__(self, pyramid: list[Tensor], labels: Tensor, group: int) -> None:
        self.size = (labels.shape[1], labels.shape[0])
        width = float((labels == group).sum()) ** 0.5
        self.levels: list[int] = []
        self.places: dict[int, Tensor] = {}  # of each level, [K, 2]
        self.values: dict[int, Tensor] = {}  # [K, 3]
        for level, picture in enumerate(pyramid):
            places = _spread(own_pixels(labels, group, round(1.5 * 2**level)), PIXELS[level])
            if level > 0 and (len(places) < FEWEST * 4**level or width < NARROWEST * 2**level):
                break
            if len(places) == 0:
                places = _spread(labels == group, PIXELS[level])
            if len(places):
                self.levels.append(level)
                self.places[level], self.values[level] = places, sample(picture, places[None] / 2.0**level)[0]
        if self.levels:
            self.middle = self.places[0].mean(0)
            self.arm = float((self.places[0] - self.middle).norm(dim=-1).mean().clamp(min=1.0))
        self.linear, self.shift = torch.eye(2), torch.zeros(2)
        self.likeness = 1.0
        self._last = (self.linear, self.shift)
        self._information = torch.zeros(4, 4)

    def step(self, pyramid: list[Tensor], hints: list[Tensor]) -> bool:
        """Find the body in the next frame; it may have gone on by any of `hints`. False, and nothing changes, where it is not seen."""
        if not self.levels:
            return False
        rest, onward = self._state(self.linear, self.shift), self._state(*self._ahead())
        speed = KEPT_SPEED * (onward - rest)
        turning = (_known_part(self._information) @ speed)[2:]  # a turn or growth that was only guessed does not go on
        expected = rest + torch.cat((speed[:2], turning))
        moved = [torch.cat((rest[:2] + hint, rest[2:])) for hint in hints]
        best = max((self._fit(pyramid, guess) for guess in (expected, rest, *moved)), key=lambda one: one[1])
        if best[1] < CERTAIN:
            best = max(best, self._fit(pyramid, self._scan(pyramid, expected)), key=lambda one: one[1])
        state, likeness, information = best
        state = expected + _known_part(information) @ (state - expected)
        linear, shift = self._map(state)
        needed = FAINT if float((state - expected).abs().max()) < STEADY else LIKENESS
        if likeness < needed or not STRETCH**-2 < float(linear.det()) < STRETCH**2:
            return False
        self._last, self._information = (self.linear, self.shift), information
        self.linear, self.shift, self.likeness = linear, shift, likeness
        return True

    def doubt(self, points: Tensor) -> Tensor:
        """How far, in pixels, points [N, 2] of the first frame may be from where the body puts them, as far as its look tells."""
        x, y = ((points - self.middle) / self.arm).unbind(-1)
        one, none = torch.ones_like(x), torch.zeros_like(x)
        change = torch.stack((torch.stack((one, none, x, -y), -1), torch.stack((none, one, y, x), -1)), dim=-2)  # [N, 2, 4]
        spread = torch.linalg.inv(self._information.double() + 1e-9 * torch.eye(4)).float()
        return torch.linalg.eigvalsh(change @ spread @ change.mT)[:, -1].clamp(min=0).sqrt()

    def _ahead(self) -> tuple[Tensor, Tensor]:
        ahead = self.linear @ torch.linalg.inv(self._last[0])
        return ahead @ self.linear, ahead @ (self.shift - self._last[1]) + self.shift

    def _state(self, linear: Tensor, shift: Tensor) -> Tensor:
        return torch.cat((linear @ self.middle + shift, self.arm * linear[:, 0]))

    def _map(self, state: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = state[2:] / self.arm
        linear = torch.stack((torch.stack((cos, -sin)), torch.stack((sin, cos))))
        return linear, state[:2] - linear @ self.middle

    def _fit(self, pyramid: list[Tensor], state: Tensor) -> tuple[Tensor, float, Tensor]:
        """The state near the given one, how like the body then looks (0 to 1), and what is known of the state, [4, 4]."""
        hessian, error = torch.zeros(4, 4), torch.zeros(1)
        for level in reversed(self.levels):
            scale = 2.0**level
            for _ in range(STEPS):
                hessian, pull, error = self._equations(pyramid[level], level, state)
                step = torch.linalg.solve(hessian + CALM * torch.eye(4), pull).clamp(-4 * scale, 4 * scale)
                state = state - step
                if float(step.abs().max()) < SETTLED * scale:
                    break
        linear, shift = self._map(state)
        noise = TOGETHER * max(float(error.median()), NOISE**2)
        return state, self._likeness(pyramid[0], self.places[0] @ linear.T + shift), hessian / noise

    def _equations(self, picture: Tensor, level: int, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The Gauss-Newton matrix [4, 4] and side [4] of a state on a level, and the pixels' mean squared colour differences [K]."""
        linear, shift = self._map(state)
        places = self.places[level] @ linear.T + shift
        x, y = ((self.places[level] - self.middle) / self.arm)[:, None].unbind(-1)
        seen, slopes = values_and_gradient(picture, (places / 2.0**level)[None])
        difference, slopes = seen[0] - self.values[level], slopes[0] / 2.0**level  # [K, 3], [K, 3, 2]
        there = inside(places, self.size)
        grown, turned = slopes[..., 0] * x + slopes[..., 1] * y, slopes[..., 1] * x - slopes[..., 0] * y
        change = torch.stack((slopes[..., 0], slopes[..., 1], grown, turned), dim=-1).flatten(0, 1)  # [3 K, 4]
        error = difference.square().mean(-1)
        weights = _alike(error, there) * there * (len(self.places[0]) / len(places))
        weighted = change.T * weights[:, None].expand(-1, 3).flatten()
        return weighted @ change, weighted @ difference.flatten(), error

    def _likeness(self, picture: Tensor, places: Tensor) -> float:
        """1 where all pixels look as in the first frame, 0 where all differ much; those out of the picture count as missing at last."""
        there = inside(places, self.size)
        error = (sample(picture, places[None])[0] - self.values[0]).square().mean(-1)
        like = (1 - error / (2 * OUTLIER) ** 2).clamp(min=0) * there
        return float(like.sum() / there.sum().clamp(min=SEEN_PART * len(places)))

    def _scan(self, pyramid: list[Tensor], state: Tensor) -> Tensor:
        """Of all shifts of a state by up to a part of the picture, in steps of a pixel of a small copy, the one that looks most alike."""
        level = min(2, self.levels[-1])
        stride = 2.0**level
        most = int(REACH * min(self.size) / stride)
        line = stride * torch.arange(-most, most + 1)
        moves = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(-1, 1, 2)
        chosen = torch.linspace(0, len(self.places[level]) - 1, min(SCANNED, len(self.places[level]))).round().long()
        linear, shift = self._map(state)
        places = self.places[level][chosen] @ linear.T + shift + moves  # [M, K, 2]
        error = (sample(pyramid[level], places / stride) - self.values[level][chosen]).square().mean(-1)
        like = ((1 - error / (2 * OUTLIER) ** 2).clamp(min=0) * inside(places, self.size)).sum(1)
        return torch.cat((state[:2] + moves[int(like.argmax()), 0], state[2:]))


def _known_part(information: Tensor) -> Tensor:
    """What takes off a change [4] of the state the directions in which it is not known: a matrix [4, 4]."""
    known, directions = torch.linalg.eigh(information.double())
    gain = 1 / (1 + (BLURRED**2 * known.clamp(min=1e-12)) ** (-SHARPLY / 2))
    return (directions @ torch.diag(gain) @ directions.T).float()


def _alike(error: Tensor, counted: Tensor) -> Tensor:
    """Weights [K] of pixels by their mean squared colour difference: those that differ more than most are covered, and count little."""
    usual = float(error[counted].median()) ** 0.5 if bool(counted.any()) else 0.0
    border = min(max(2 * usual, SHARPEST), BLUNTEST)
    return 1 / (1 + error / border**2).square()


def _spread(mask: Tensor, count: int) -> Tensor:
    """The middles [K, 2] of at most `count` pixels of a mask, evenly chosen."""
    places = torch.nonzero(mask)
    if len(places) > count:
        places = places[torch.linspace(0, len(places) - 1, count).round().long()]
    return places.flip(-1).float() + 0.5
