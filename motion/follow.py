"""Points followed through a clip by what they look like.

Each group of points, such as a painted region, is first found as a whole: how its pixels of the first frame, and its silhouette, were
shifted, turned and grown. Then each point is looked for from several guesses, coarse to fine, by Lucas and Kanade's method (Bouguet
2000), and each find is made exact against the point's window in the first frame under an affine map (inverse compositional, Baker and
Matthews 2004), so that small errors do not add up; the likest one counts. A point that has nothing to be known by goes where its group
goes. What is covered, looks alike in two places, or could lie anywhere along a line as far as its look tells, is said to be lost.

Places are in pixels; the pixel in column i covers i <= x < i + 1. Frames come one at a time, and only the first and the last are held.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .follow_body import CERTAIN, STRETCH, Body
from .pyramid import inside, own_pixels, pyramid_of, sample, values_and_gradient

STEPS = 5
"""Gauss-Newton steps on each level."""
FINE_STEPS = 6
DAMPING = 2e-4
"""Squared gradient per pixel that is added to a window's own, so that a flat one stays where the guess put it."""
TEXTURE = 6e-4
"""Mean squared gradient, in the direction in which a window has least of it, from which on a point can be followed by itself."""
LIKENESS = 0.7
"""Least correlation with the first frame at which a point counts as found by itself."""
TOGETHER = 0.04
"""A point is believed to go with its group unless another place is likelier by this: stripes look alike in many places."""
FAR = 0.1
"""So much likelier again has a place to be that is elsewhere than its group puts it."""
JUMP = 0.03
"""How far a point goes at most in a frame by itself, beside a group that is found for certain, in parts of the picture's shorter side."""
ELSEWHERE = 1.5
"""Pixels between two places that are not the same one."""
DOUBTFUL = 0.6
"""A place that its group's look leaves open by more than so many pixels is not known."""
EDGE = 1
"""Pixels beside a smaller group that a window leaves out."""
COVERED = 0.12
"""Colour difference, of a window at its group's place, from which on it shows something else."""
OUTLIER = 0.2
"""Colour difference at which a pixel of a window begins to count as covered by something else."""
SHOWN = 0.4
"""Least part of a window that must be in the picture for it to be known."""


class Follower:
    """Follows points from the frame it is made with through the frames that it is given, in order."""

    def __init__(self, frame: Tensor, points: Tensor, groups: Tensor | None = None, labels: Tensor | None = None) -> None:
        """
        Args:
            frame: [H, W, 3], uint8 or float in 0..1.
            points: [N, 2], x and y in pixels.
            groups: [N], a number for each point; points of one number move together, more or less. None: all are one group.
            labels: [H, W], which group each pixel of the frame belongs to. None: all of it is group 0.
        """
        self._before = pyramid_of(frame)
        self._size = (self._before[0].shape[-1], self._before[0].shape[-2])
        self.points = points.float().clone()
        groups = torch.zeros(len(points), dtype=torch.long) if groups is None else groups.long()
        labels = torch.zeros(frame.shape[:2], dtype=torch.long) if labels is None else labels.long()
        self._template = _Template(self._before, self.points, groups, labels)
        self._bodies = {int(group): Body(self._before, labels, int(group)) for group in groups.unique()}
        self._members = {group: groups == group for group in self._bodies}
        self._affine = torch.eye(2).repeat(len(points), 1, 1)
        self._speed, self._together = torch.zeros_like(self.points), self.points
        self.found = inside(self.points, self._size)

    @property
    def textured(self) -> Tensor:
        """[N] bool: which points can be followed by what they look like alone."""
        return self._template.texture >= TEXTURE

    def step(self, frame: Tensor, expected: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Places [N, 2] in the next frame, and whether each point is still found, [N].

        A lost one is where its group is, or rests where it was last seen; it may be found again. `expected` [N, 2] are places to look at as
        well: they count only where the picture there is likelier than elsewhere.

        Raises:
            ValueError: a frame of another size.
        """
        size = (frame.shape[1], frame.shape[0])
        if size != self._size:
            raise ValueError(f"expected a frame of {self._size[0]}x{self._size[1]}, got {size[0]}x{size[1]}")
        pyramid = pyramid_of(frame)
        alone = _follow(self._before, pyramid, self.points, self._template.offsets)
        hints = [alone] if expected is None else [alone, expected.float()]
        together, turned, group_found, certain, doubt = self._with_group(pyramid, hints)
        guesses = [
            (together, turned),
            (self._template.search(pyramid, self.points + self._speed, self._affine, coarse=2), self._affine),
            *((hint, turned) for hint in hints),
        ]
        trusted = group_found & (doubt < DOUBTFUL)
        near = (self.points + together - self._together, torch.where(certain, JUMP * min(self._size), torch.inf))
        place, affine, sure = self._likest(pyramid, guesses, trusted, near)
        there = torch.where(sure[:, None], place, torch.where(group_found[:, None], together, self.points))
        self._affine = torch.where(sure[:, None, None], affine, torch.where(group_found[:, None, None], turned, self._affine))
        known = trusted & ~self.textured & self._template.shown(pyramid[0], together, turned)
        self.found = (sure | known) & inside(there, self._size)
        self._speed = there - self.points
        self.points, self._together, self._before = there, torch.where(group_found[:, None], together, there), pyramid
        return self.points.clone(), self.found.clone()

    def _with_group(self, pyramid: list[Tensor], hints: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Where each point is if it moved as its group did, [N, 2], and how it is turned, [N, 2, 2].

        Also whether the group was found, whether for certain, and how far off it may be in pixels, all [N].
        """
        together, turned = self.points.clone(), self._affine.clone()
        found, certain = (torch.zeros(len(together), dtype=torch.bool) for _ in range(2))
        doubt = torch.full((len(together),), torch.inf)
        for group, body in self._bodies.items():
            own = self._members[group]
            if body.step(pyramid, [(hint - self.points)[own].median(0).values for hint in hints]):
                found[own], certain[own] = True, body.likeness >= CERTAIN
                together[own] = self._template.points[own] @ body.linear.T + body.shift
                turned[own] = body.linear
                doubt[own] = body.doubt(self._template.points[own])
        return together, turned, found, certain, doubt

    def _likest(
        self, pyramid: list[Tensor], guesses: list[tuple[Tensor, Tensor]], trusted: Tensor, near: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of the guesses, the group's first, as they are and made exact, the likest: places [N, 2], maps [N, 2, 2], and if it is believed.

        Where two places are as likely the group's counts, if it is `trusted` [N], and else none. None counts that is not `near`: places
        [N, 2], and how far from them at most, [N].
        """
        whole, turned = guesses[0]
        exact = [self._template.find(pyramid[0], guess, affine) for guess, affine in guesses]
        found = [(whole, turned, self._template.likeness(pyramid[0], whole, turned)), *exact]
        points = torch.stack([places for places, _, _ in found])  # [G, N, 2]
        affine = torch.stack([maps for _, maps, _ in found])
        likeness = torch.stack([like for _, _, like in found])
        likeness[0] += torch.where(trusted, TOGETHER, 0.0)
        likeness[1:] -= FAR * (trusted & ((points[1:] - whole).norm(dim=-1) > ELSEWHERE))
        size = affine.det()
        sane = (size > STRETCH**-2) & (size < STRETCH**2) & (affine.norm(dim=(-2, -1)) < 2 * STRETCH)
        sane &= inside(points, self._size) & ((points - near[0]).norm(dim=-1) <= near[1])
        likeness = torch.where(sane, likeness, -1.0)
        best, everyone = likeness.argmax(0), torch.arange(likeness.shape[1])
        place, most = points[best, everyone], likeness[best, everyone]
        rivals = ((points - place).norm(dim=-1) > ELSEWHERE) & (likeness > most - TOGETHER)
        clear = ~rivals.any(0) | (trusted & ((place - whole).norm(dim=-1) <= ELSEWHERE))
        return place, affine[best, everyone], (most >= LIKENESS) & clear & self.textured


class _Template:
    """Windows of the first frame, and how to find them again."""

    def __init__(self, pyramid: list[Tensor], points: Tensor, groups: Tensor, labels: Tensor) -> None:
        self.points, self.groups, self.pyramid = points, groups, pyramid
        self.numbers, self.rows = groups.unique(return_inverse=True)
        self.owned = torch.stack([own_pixels(labels, int(group), EDGE) for group in self.numbers]).float()  # [G, H, W]
        self.offsets = _window(min(labels.shape))
        self.weights = self._weights(points[:, None] + self.offsets)  # [N, K]
        self.values, gradient = values_and_gradient(self.pyramid[0], points[:, None] + self.offsets)  # [N, K, 3], [N, K, 3, 2]
        across, along = self.offsets[:, None, :1], self.offsets[:, None, 1:]
        self.steepest = torch.cat((gradient, gradient * across, gradient * along), dim=-1)  # [N, K, 3, 6]
        weighted = (self.steepest * self.weights[..., None, None]).flatten(1, 2)  # [N, 3 K, 6]
        hessian = weighted.mT @ self.steepest.flatten(1, 2)
        pixels = 3 * self.weights.sum(1)
        scale = 1.0 + float(self.offsets.square().mean())
        damping = DAMPING * torch.diag(torch.tensor([1.0, 1.0, scale, scale, scale, scale]))
        self.gain = torch.linalg.inv(hessian + pixels[:, None, None] * damping) @ weighted.mT  # [N, 6, 3 K]
        self.texture = torch.linalg.eigvalsh(hessian[:, :2, :2] / pixels[:, None, None])[:, 0]

    def search(self, pyramid: list[Tensor], guess: Tensor, affine: Tensor, coarse: int) -> Tensor:
        """Where the windows, looking as `affine` makes them, are near the places `guess`; from `coarse` levels of the pyramid down."""
        place = guess
        turned = self.offsets @ torch.linalg.inv(affine).mT  # [N, K, 2]
        for level in reversed(range(min(coarse, len(pyramid)))):
            scale = 2.0**level
            here = self.points[:, None] / scale + turned
            values, slopes = values_and_gradient(self.pyramid[level], here)
            slopes = (slopes.flatten(1, 2) @ torch.linalg.inv(affine)).unflatten(1, values.shape[1:])  # per pixel of this frame
            place = scale * _translate(pyramid[level], place / scale, self.offsets, values, slopes, self._weights(here * scale))
        return place

    def find(self, picture: Tensor, points: Tensor, affine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places [N, 2], maps [N, 2, 2] and likeness [N] (-1 to 1) of the windows near `points`, begun with the maps `affine`."""
        for _ in range(FINE_STEPS):
            seen, weights = self._seen(picture, points, affine)
            error = seen - self.values
            error = error - _mean(error, weights)  # the light may change
            trust = (weights / self.weights.clamp(min=1e-6)) / (1 + error.square().mean(-1) / OUTLIER**2).square()
            change = (self.gain @ (error * trust[..., None]).flatten(1)[..., None])[..., 0].clamp(-3, 3)  # [N, 6]
            step = torch.stack((change[:, 2:4], change[:, 4:6]), dim=-1).clamp(-0.4, 0.4) + torch.eye(2)
            affine = affine @ torch.linalg.inv(step)
            points = points - (affine @ change[:, :2, None])[..., 0]
        return points, affine, self.likeness(picture, points, affine)

    def shown(self, picture: Tensor, points: Tensor, affine: Tensor) -> Tensor:
        """Whether the windows look at these places as in the first frame, [N]: nothing is in front of them."""
        seen, weights = self._seen(picture, points, affine)
        error = ((seen - self.values).square().mean(-1) * weights).sum(1) / weights.sum(1).clamp(min=1e-6)
        return (error.sqrt() < COVERED) & self._enough(weights)

    def _seen(self, picture: Tensor, points: Tensor, affine: Tensor) -> tuple[Tensor, Tensor]:
        """What the windows show, [N, K, 3], and their weights, 0 outside the picture, [N, K]."""
        places = points[:, None] + self.offsets @ affine.mT
        return sample(picture, places), self.weights * inside(places, (picture.shape[-1], picture.shape[-2]))

    def _enough(self, weights: Tensor) -> Tensor:
        return weights.sum(1) >= SHOWN * self.weights.sum(1)

    def likeness(self, picture: Tensor, points: Tensor, affine: Tensor) -> Tensor:
        """Correlation [N], -1 to 1, of the windows there with the first frame's, each colour's mean taken away."""
        seen, weights = self._seen(picture, points, affine)
        root = weights.sqrt()[..., None]
        seen, wanted = ((root * (values - _mean(values, weights))).flatten(1) for values in (seen, self.values))
        return torch.where(self._enough(weights), functional.cosine_similarity(seen, wanted, dim=-1), -1.0)

    def _weights(self, places: Tensor) -> Tensor:
        """1 where places [N, K, 2] of the first frame belong to their point's group, nearly 0 elsewhere."""
        height, width = self.owned.shape[1:]
        column, row = places[..., 0].long().clamp(0, width - 1), places[..., 1].long().clamp(0, height - 1)
        return self.owned[self.rows[:, None], row, column].clamp(min=0.01)


def _follow(before: list[Tensor], after: list[Tensor], points: Tensor, offsets: Tensor) -> Tensor:
    """Where the windows around `points` in one pyramid are in another, coarse levels first."""
    place, ones = points, torch.ones(len(points), len(offsets))
    for level in reversed(range(len(before))):
        scale = 2.0**level
        values, slopes = values_and_gradient(before[level], points[:, None] / scale + offsets)
        place = scale * _translate(after[level], place / scale, offsets, values, slopes, ones)
    return place


def _translate(picture: Tensor, place: Tensor, offsets: Tensor, values: Tensor, slopes: Tensor, weights: Tensor) -> Tensor:
    """Places [N, 2] near `place` where `picture` has the `values` [N, K, 3], whose slopes are [N, K, 3, 2]."""
    weighted = (slopes * weights[..., None, None]).flatten(1, 2).mT  # [N, 2, 3 K]
    damping = DAMPING * 3 * weights.sum(1)[:, None, None] * torch.eye(2)
    gain = torch.linalg.inv(weighted @ slopes.flatten(1, 2) + damping) @ weighted
    for _ in range(STEPS):
        error = sample(picture, place[:, None] + offsets) - values
        place = place - (gain @ error.flatten(1)[..., None])[..., 0].clamp(-4, 4)
    return place


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The mean colour [N, 1, 3] of windows [N, K, 3]."""
    return (values * weights[..., None]).sum(1, keepdim=True) / weights.sum(1)[:, None, None].clamp(min=1e-6)


def _window(shorter: int) -> Tensor:
    """Offsets [K, 2] of a square window's pixels, larger in larger pictures."""
    radius = max(4, min(7, shorter // 48))
    line = torch.arange(-radius, radius + 1, dtype=torch.float32)
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(-1, 2)
