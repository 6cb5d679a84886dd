"""A painted region followed as a whole: how its pixels of the first frame are shifted, turned and grown.

It is known by its pixels and, where its colours tell it from what is around it, by its silhouette. Pixels alone are not enough: those of a
body of one colour look right in every part of it, and video models wash textures out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .pyramid import inside, own_pixels, sample, values_and_gradient, within
from .silhouette import Silhouette

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
BLURRED, TURN_BLURRED, SCENE_BLURRED, SHARPLY = 1.0, 0.4, 0.2, 8
"""What cannot be told to so many pixels, having nothing to be known by or alike along a line, goes on as it went: shifts; turns and growth,
at the arm's end, sooner; and sooner still all of a body too large for a silhouette. How sharp that is."""
KEPT_SPEED = 0.95
NOISE, TOGETHER = 0.006, 100.0
"""Colour difference that is nothing, and how many neighbouring pixels err alike."""
REACH, SCANNED = 0.25, 150
"""A body that is lost is looked for this far away, in parts of the picture's shorter side, by so many of its pixels."""
TELLING, LARGEST = 0.4, 0.5
"""Least contrast of a silhouette that counts, and of how much of the picture a body at most has one."""
BESIDE = 4
"""How far around a body, in pixels of each level, its silhouette is looked at."""
OUTLINE = 0.15
"""What a whole step from the silhouette to beside it counts, as a difference of colour."""
SAME = 0.25
"""Guesses that differ by no more pixels are one."""
SHAPED, SHAPELESS = 0.75, 0.5
"""Likeness of a silhouette at which no other place has to be looked at; and at which the body is lost."""


@dataclass(frozen=True)
class _Look:
    """What a body is known by on each level of a pyramid: places [K, 2] in the first frame and their values [K, C].

    A difference of 1 counts as `unit` of colour.
    """

    places: dict[int, Tensor]
    values: dict[int, Tensor]
    unit: float = 1.0

    @classmethod
    def of(cls, pyramid: list[Tensor], channels: int, places: dict[int, Tensor], unit: float = 1.0) -> _Look:
        """The first channels of a pyramid at places of some of its levels."""
        return cls(places, {level: sample(pyramid[level], at[None] / 2.0**level, channels)[0] for level, at in places.items()}, unit)


class Body:
    """A group of pixels of the first frame that are shifted, turned and grown together: place p goes to linear p + shift.

    Its state is four numbers in pixels: where its middle is, and how an arm of its size lies that pointed to the right at first.
    """

    def __init__(self, pyramid: list[Tensor], labels: Tensor, group: int) -> None:
        self.size = (labels.shape[1], labels.shape[0])
        own = labels == group
        width = float(own.sum()) ** 0.5
        places: dict[int, Tensor] = {}
        for level in range(len(pyramid)):
            chosen = _spread(own_pixels(labels, group, round(1.5 * 2**level)), PIXELS[level])
            if level > 0 and (len(chosen) < FEWEST * 4**level or width < NARROWEST * 2**level):
                break
            if len(chosen) == 0:
                chosen = _spread(own, PIXELS[level])
            if len(chosen):
                places[level] = chosen
        self.levels = list(places)
        self._colours = _Look.of(pyramid, 3, places)
        if self.levels:
            self.middle = places[0].mean(0)
            self.arm = float((places[0] - self.middle).norm(dim=-1).mean().clamp(min=1.0))
        self.linear, self.shift = torch.eye(2), torch.zeros(2)
        self.likeness = 1.0
        self._last = (self.linear, self.shift)
        self._information = torch.zeros(4, 4)
        large = float(own.float().mean()) > LARGEST
        self._blurred = torch.tensor((SCENE_BLURRED,) * 4 if large else (BLURRED, BLURRED, TURN_BLURRED, TURN_BLURRED))
        self.silhouette: Silhouette | None = None
        if self.levels and not large:
            self._take_silhouette(pyramid, own)

    def _take_silhouette(self, pyramid: list[Tensor], own: Tensor) -> None:
        """Know the body by its silhouette as well, if that tells anything."""
        silhouette = Silhouette(pyramid[0], own)
        if silhouette.contrast >= TELLING:
            self.silhouette = silhouette
            places = {level: _spread(within(own, BESIDE * 2**level), PIXELS[level]) for level in self.levels}
            self._outline = _Look.of(silhouette.pyramid(pyramid[0]), 1, places, OUTLINE * silhouette.contrast)

    def step(self, pyramid: list[Tensor], hints: list[Tensor]) -> bool:
        """Find the body in the next frame; it may have gone on by any of `hints`. False, and nothing changes, where it is not seen."""
        if not self.levels:
            return False
        rest, onward = self._state(self.linear, self.shift), self._state(*self._ahead())
        speed = KEPT_SPEED * (onward - rest)
        turning = (_known_part(self._information, self._blurred) @ speed)[2:]  # a turn or growth that was only guessed does not go on
        expected = rest + torch.cat((speed[:2], turning))
        guesses = _apart([expected, rest, *(torch.cat((rest[:2] + hint, rest[2:])) for hint in hints)])
        shown = self.silhouette.pyramid(pyramid[0]) if self.silhouette else []
        best = max((self._fit(pyramid, shown, guess) for guess in guesses), key=_Fit.score)
        if best.likeness < CERTAIN or best.shape < SHAPED:
            best = max(best, self._fit(pyramid, shown, self._scan(pyramid, expected)), key=_Fit.score)
        state, likeness, information = best.state, best.likeness, best.information
        state = expected + _known_part(information, self._blurred) @ (state - expected)
        linear, shift = self._map(state)
        needed = FAINT if float((state - expected).abs().max()) < STEADY else LIKENESS
        if likeness < needed or best.shape < SHAPELESS or not STRETCH**-2 < float(linear.det()) < STRETCH**2:
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

    def _fit(self, pyramid: list[Tensor], shown: list[Tensor], state: Tensor) -> _Fit:
        """The state near the given one; `shown` is the pyramid of the silhouette, empty where the body has none."""
        looks = [(pyramid, self._colours)]
        if shown:
            looks.append((shown, self._outline))
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        for level in reversed(self.levels):
            scale = 2.0**level
            for _ in range(STEPS):
                parts = [self._equations(seen[level], look, level, state) for seen, look in looks]
                hessian, pull = (sum(part[index] for part in parts) for index in (0, 1))
                step = torch.linalg.solve(hessian + CALM * torch.eye(4), pull).clamp(-4 * scale, 4 * scale)
                state = state - step
                if float(step.abs().max()) < SETTLED * scale:
                    break
        information = sum(hessian / (TOGETHER * max(float(error.median()), NOISE**2)) for hessian, _, error in parts)
        linear, shift = self._map(state)
        likeness = self._likeness(pyramid[0], self._colours.places[0] @ linear.T + shift)
        return _Fit(state, likeness, self._shape(shown[0], linear, shift) if shown else 1.0, information)

    def _equations(self, picture: Tensor, look: _Look, level: int, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The Gauss-Newton matrix [4, 4] and side [4] of a state on a level, and the pixels' mean squared colour differences [K]."""
        linear, shift = self._map(state)
        places = look.places[level] @ linear.T + shift
        x, y = ((look.places[level] - self.middle) / self.arm)[:, None].unbind(-1)
        seen, slopes = values_and_gradient(picture, (places / 2.0**level)[None])
        difference = look.unit * (seen[0] - look.values[level])  # [K, C]
        slopes = look.unit / 2.0**level * slopes[0]  # [K, C, 2]
        there = inside(places, self.size)
        grown, turned = slopes[..., 0] * x + slopes[..., 1] * y, slopes[..., 1] * x - slopes[..., 0] * y
        change = torch.stack((slopes[..., 0], slopes[..., 1], grown, turned), dim=-1).flatten(0, 1)  # [C K, 4]
        error = difference.square().mean(-1)
        weights = _alike(error, there) * there * (len(look.places[0]) / len(places))
        weighted = change.T * weights[:, None].expand(-1, difference.shape[1]).flatten()
        return weighted @ change, weighted @ difference.flatten(), error

    def _likeness(self, picture: Tensor, places: Tensor) -> float:
        """1 where all pixels look as in the first frame, 0 where all differ much; those out of the picture count as missing at last."""
        there = inside(places, self.size)
        error = (sample(picture, places[None])[0] - self._colours.values[0]).square().mean(-1)
        like = (1 - error / (2 * OUTLIER) ** 2).clamp(min=0) * there
        return float(like.sum() / there.sum().clamp(min=SEEN_PART * len(places)))

    def _shape(self, shown: Tensor, linear: Tensor, shift: Tensor) -> float:
        """1 where the silhouette is as in the first frame, 0 where it is elsewhere: what both have of what either has."""
        places, wanted = self._outline.places[0] @ linear.T + shift, self._outline.values[0][:, 0]
        there = inside(places, self.size)
        seen = sample(shown, places[None], 1)[0, :, 0]
        both, either = torch.minimum(seen, wanted)[there].sum(), torch.maximum(seen, wanted)[there].sum()
        return float(both / either.clamp(min=1e-6))

    def _scan(self, pyramid: list[Tensor], state: Tensor) -> Tensor:
        """Of all shifts of a state by up to a part of the picture, in steps of a pixel of a small copy, the one that looks most alike."""
        level = min(2, self.levels[-1])
        stride = 2.0**level
        most = int(REACH * min(self.size) / stride)
        line = stride * torch.arange(-most, most + 1)
        moves = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(-1, 1, 2)
        own, values = self._colours.places[level], self._colours.values[level]
        chosen = torch.linspace(0, len(own) - 1, min(SCANNED, len(own))).round().long()
        linear, shift = self._map(state)
        places = own[chosen] @ linear.T + shift + moves  # [M, K, 2]
        error = (sample(pyramid[level], places / stride) - values[chosen]).square().mean(-1)
        like = ((1 - error / (2 * OUTLIER) ** 2).clamp(min=0) * inside(places, self.size)).sum(1)
        return torch.cat((state[:2] + moves[int(like.argmax()), 0], state[2:]))


@dataclass(frozen=True)
class _Fit:
    """A state, how like the body then looks by its pixels and by its silhouette (0 to 1), and what is known of the state, [4, 4]."""

    state: Tensor
    likeness: float
    shape: float
    information: Tensor

    def score(self) -> float:
        """The larger, the likelier."""
        return self.likeness * self.shape


def _apart(guesses: list[Tensor]) -> list[Tensor]:
    """States [4] without those that are nearly one before them."""
    kept: list[Tensor] = []
    for guess in guesses:
        if all(float((guess - other).abs().max()) > SAME for other in kept):
            kept.append(guess)
    return kept


def _known_part(information: Tensor, blurred: Tensor) -> Tensor:
    """What takes off a change [4] of the state the directions in which it is not known to `blurred` [4] pixels: a matrix [4, 4]."""
    unit = blurred.double()
    known, directions = torch.linalg.eigh(unit[:, None] * information.double() * unit)
    gain = 1 / (1 + known.clamp(min=1e-12) ** (-SHARPLY / 2))
    return (unit[:, None] * (directions @ torch.diag(gain) @ directions.T) / unit).float()


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
