"""Points followed through a clip by what they look like.

Each group of points, such as a painted region, is first found as a whole: how its pixels of the first frame were shifted, turned and grown.
Then each point is looked for from several guesses, coarse to fine, by Lucas and Kanade's method (Bouguet 2000), and each find is made
exact against the point's window in the first frame under an affine map (inverse compositional, Baker and Matthews 2004), so that small
errors do not add up; the likest one counts. A point that has nothing to be known by goes where its group goes.

Places are in pixels; the pixel in column i covers i <= x < i + 1. Frames come one at a time, and only the first and the last are held.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..video.stream import as_float

LEVELS = 4
SMALLEST_SIDE = 12
"""The pyramid ends before its shorter side falls below so many pixels."""
STEPS = 5
"""Gauss-Newton steps on each level."""
FINE_STEPS = 6
DAMPING = 2e-4
"""Squared gradient per pixel that is added to a window's own, so that a flat one stays where the guess put it."""
TEXTURE = 6e-4
"""Mean squared gradient, in the direction in which a window has least of it, from which on a point can be followed by itself."""
LIKENESS = 0.7
"""Least correlation with the first frame at which a point, or a group, counts as found."""
TOGETHER = 0.03
"""A point is believed to go with its group unless another place is likelier by this: stripes look alike in many places."""
STRETCH = 3.0
"""A window that looks larger or smaller than in the first frame by more than this is not believed."""
BODY_PIXELS = 1000
BODY_STEPS = 8
SEEN_PART = 0.5
"""Least part of a group that must be in the picture for it to be known."""
SETTLED = 0.01
OUTLIER = 0.12
"""Colour difference at which a pixel of a group begins to count as covered by something else."""


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
        first = _picture(frame)
        self._size = (first.shape[-1], first.shape[-2])
        self.points = points.float().clone()
        groups = torch.zeros(len(points), dtype=torch.long) if groups is None else groups.long()
        labels = torch.zeros(first.shape[-2:], dtype=torch.long) if labels is None else labels.long()
        self._before = _pyramid(first)
        self._template = _Template(self._before, self.points, groups, labels)
        self._bodies = {int(group): _Body(self._before, labels == group) for group in groups.unique()}
        self._members = {group: groups == group for group in self._bodies}
        self._affine = torch.eye(2).repeat(len(points), 1, 1)
        self._speed = torch.zeros_like(self.points)
        self.found = _inside(self.points, self._size)

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
        picture = _picture(frame)
        size = (picture.shape[-1], picture.shape[-2])
        if size != self._size:
            raise ValueError(f"expected a frame of {self._size[0]}x{self._size[1]}, got {size[0]}x{size[1]}")
        pyramid = _pyramid(picture)
        alone = _follow(self._before, pyramid, self.points, self._template.offsets)
        hints = [alone] if expected is None else [alone, expected.float()]
        together, turned, group_found = self._with_group(pyramid, hints)
        guesses = [
            (together, turned),
            (self._template.search(pyramid, self.points + self._speed, self._affine, coarse=2), self._affine),
            *((hint, turned) for hint in hints),
        ]
        place, affine, sure = self._likest(pyramid, guesses)
        there = torch.where(sure[:, None], place, torch.where(group_found[:, None], together, self.points))
        self._affine = torch.where(sure[:, None, None], affine, torch.where(group_found[:, None, None], turned, self._affine))
        self.found = (sure | (group_found & ~self.textured)) & _inside(there, self._size)
        self._speed = there - self.points
        self.points, self._before = there, pyramid
        return self.points.clone(), self.found.clone()

    def _with_group(self, pyramid: list[Tensor], hints: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Where each point is if it moved as its group did, [N, 2], how it is turned, [N, 2, 2], and whether the group was found, [N]."""
        together, turned = self.points.clone(), self._affine.clone()
        found = torch.zeros(len(together), dtype=torch.bool)
        for group, body in self._bodies.items():
            own = self._members[group]
            found[own] = body.step(pyramid, [(hint - self.points)[own].median(0).values for hint in hints])
            together[own] = self._template.points[own] @ body.linear.T + body.shift
            turned[own] = body.linear
        return together, turned, found

    def _likest(self, pyramid: list[Tensor], guesses: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
        """Of the guesses, the group's first, made exact, the likest: places [N, 2], maps [N, 2, 2] and whether it is believed, [N]."""
        found = [self._template.find(pyramid[0], guess, affine) for guess, affine in guesses]
        likeness = torch.stack([like for _, _, like in found])
        likeness[0] += TOGETHER
        best, everyone = likeness.argmax(0), torch.arange(likeness.shape[1])
        points = torch.stack([places for places, _, _ in found])[best, everyone]
        affine = torch.stack([maps for _, maps, _ in found])[best, everyone]
        size = affine.det()
        sane = (size > STRETCH**-2) & (size < STRETCH**2) & (affine.norm(dim=(1, 2)) < 2 * STRETCH)
        return points, affine, (likeness.amax(0) >= LIKENESS) & sane & self.textured & _inside(points, self._size)


class _Body:
    """A group of pixels of the first frame that are shifted, turned and grown together: place p goes to linear p + shift."""

    def __init__(self, pyramid: list[Tensor], mask: Tensor) -> None:
        places = torch.nonzero(mask)
        places = places[torch.linspace(0, len(places) - 1, min(len(places), BODY_PIXELS)).round().long()] if len(places) else places
        self.places = places.flip(-1).float() + 0.5  # [K, 2]
        self.values = [_sample(level, self.places[None] / 2.0**number)[0] for number, level in enumerate(pyramid)]  # each [K, 3]
        self.size = (mask.shape[1], mask.shape[0])
        self.linear, self.shift = torch.eye(2), torch.zeros(2)
        self._last = (self.linear, self.shift)

    def step(self, pyramid: list[Tensor], hints: list[Tensor]) -> bool:
        """Find the group in the next frame; it may have gone on by any of `hints`. False, and nothing changes, where it is not seen."""
        if len(self.places) == 0:
            return False
        ahead = self.linear @ torch.linalg.inv(self._last[0])
        guesses = [
            (self.linear, self.shift),
            *((self.linear, self.shift + hint) for hint in hints),
            (ahead @ self.linear, ahead @ (self.shift - self._last[1]) + self.shift),
        ]
        found = [self._fit(pyramid, *guess) for guess in guesses]
        linear, shift, likeness = max(found, key=lambda one: one[2])
        size = float(linear.det())
        if likeness < LIKENESS or not STRETCH**-2 < size < STRETCH**2:
            return False
        self._last = (self.linear, self.shift)
        self.linear, self.shift = linear, shift
        return True

    def _fit(self, pyramid: list[Tensor], linear: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, float]:
        """The map near the given one, and how like the group then looks (-1 to 1)."""
        cos, sin = linear[0, 0], linear[1, 0]
        middle = self.places.mean(0)
        rest = self.places - middle
        arm = float(rest.norm(dim=-1).mean().clamp(min=1.0))
        to = linear @ middle + shift
        for level in reversed(range(len(pyramid))):
            scale = 2.0**level
            for _ in range(BODY_STEPS):
                linear = torch.stack((torch.stack((cos, -sin)), torch.stack((sin, cos))))
                places = rest @ linear.T + to
                seen, slopes = _values_and_gradient(pyramid[level], (places / scale)[None])
                error, slopes = seen[0] - self.values[level], slopes[0] / scale  # [K, 3], [K, 3, 2]
                x, y = rest[:, None, 0] / arm, rest[:, None, 1] / arm
                grown, turned = slopes[..., 0] * x + slopes[..., 1] * y, slopes[..., 1] * x - slopes[..., 0] * y
                change = torch.stack((slopes[..., 0], slopes[..., 1], grown, turned), dim=-1).flatten(0, 1)  # [3 K, 4]
                weights = 1 / (1 + (error / OUTLIER).square().mean(-1)).square() * _inside(places, self.size)
                weights = weights[:, None].expand(-1, 3).flatten()
                weighted = change.T * weights
                damping = (DAMPING / scale**2 * float(weights.sum()) + 1e-6) * torch.diag(torch.tensor([0.02, 0.02, 0.1, 0.1]))
                step = torch.linalg.solve(weighted @ change + damping, weighted @ error.flatten()).clamp(-4 * scale, 4 * scale)
                to, cos, sin = to - step[:2], cos - step[2] / arm, sin - step[3] / arm
                if float(step.abs().max()) < SETTLED * scale:
                    break
        linear = torch.stack((torch.stack((cos, -sin)), torch.stack((sin, cos))))
        return linear, to - linear @ middle, self._likeness(pyramid[0], rest @ linear.T + to)

    def _likeness(self, picture: Tensor, places: Tensor) -> float:
        """1 where all pixels look as in the first frame, 0 where all differ much; those out of the picture count as missing at last."""
        inside = _inside(places, self.size)
        error = (_sample(picture, places[None])[0] - self.values[0]).square().mean(-1)
        like = (1 - error / (2 * OUTLIER) ** 2).clamp(min=0) * inside
        return float(like.sum() / inside.sum().clamp(min=SEEN_PART * len(places)))


class _Template:
    """Windows of the first frame, and how to find them again."""

    def __init__(self, pyramid: list[Tensor], points: Tensor, groups: Tensor, labels: Tensor) -> None:
        self.points, self.groups, self.labels, self.pyramid = points, groups, labels, pyramid
        self.offsets = _window(min(labels.shape))
        self.weights = self._weights(points[:, None] + self.offsets)  # [N, K]
        self.values, gradient = _values_and_gradient(self.pyramid[0], points[:, None] + self.offsets)  # [N, K, 3], [N, K, 3, 2]
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
            values, slopes = _values_and_gradient(self.pyramid[level], here)
            slopes = (slopes.flatten(1, 2) @ torch.linalg.inv(affine)).unflatten(1, values.shape[1:])  # per pixel of this frame
            place = scale * _translate(pyramid[level], place / scale, self.offsets, values, slopes, self._weights(here * scale))
        return place

    def find(self, picture: Tensor, points: Tensor, affine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places [N, 2], maps [N, 2, 2] and likeness [N] (-1 to 1) of the windows near `points`, begun with the maps `affine`."""
        for _ in range(FINE_STEPS):
            error = self._seen(picture, points, affine) - self.values
            error = error - _mean(error, self.weights)  # the light may change
            change = (self.gain @ error.flatten(1)[..., None])[..., 0].clamp(-3, 3)  # [N, 6]
            step = torch.stack((change[:, 2:4], change[:, 4:6]), dim=-1).clamp(-0.4, 0.4) + torch.eye(2)
            affine = affine @ torch.linalg.inv(step)
            points = points - (affine @ change[:, :2, None])[..., 0]
        return points, affine, self._likeness(self._seen(picture, points, affine))

    def _seen(self, picture: Tensor, points: Tensor, affine: Tensor) -> Tensor:
        return _sample(picture, points[:, None] + self.offsets @ affine.mT)

    def _likeness(self, seen: Tensor) -> Tensor:
        """Correlation of windows [N, K, 3] with the first frame's, each colour's mean taken away."""
        root = self.weights.sqrt()[..., None]
        seen, wanted = ((root * (values - _mean(values, self.weights))).flatten(1) for values in (seen, self.values))
        return functional.cosine_similarity(seen, wanted, dim=-1)

    def _weights(self, places: Tensor) -> Tensor:
        """1 where places [N, K, 2] of the first frame belong to their point's group, nearly 0 elsewhere."""
        height, width = self.labels.shape
        column, row = places[..., 0].long().clamp(0, width - 1), places[..., 1].long().clamp(0, height - 1)
        return (self.labels[row, column] == self.groups[:, None]).float().clamp(min=0.01)


def _follow(before: list[Tensor], after: list[Tensor], points: Tensor, offsets: Tensor) -> Tensor:
    """Where the windows around `points` in one pyramid are in another, coarse levels first."""
    place, ones = points, torch.ones(len(points), len(offsets))
    for level in reversed(range(len(before))):
        scale = 2.0**level
        values, slopes = _values_and_gradient(before[level], points[:, None] / scale + offsets)
        place = scale * _translate(after[level], place / scale, offsets, values, slopes, ones)
    return place


def _translate(picture: Tensor, place: Tensor, offsets: Tensor, values: Tensor, slopes: Tensor, weights: Tensor) -> Tensor:
    """Places [N, 2] near `place` where `picture` has the `values` [N, K, 3], whose slopes are [N, K, 3, 2]."""
    weighted = (slopes * weights[..., None, None]).flatten(1, 2).mT  # [N, 2, 3 K]
    damping = DAMPING * 3 * weights.sum(1)[:, None, None] * torch.eye(2)
    gain = torch.linalg.inv(weighted @ slopes.flatten(1, 2) + damping) @ weighted
    for _ in range(STEPS):
        error = _sample(picture, place[:, None] + offsets) - values
        place = place - (gain @ error.flatten(1)[..., None])[..., 0].clamp(-4, 4)
    return place


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The mean colour [N, 1, 3] of windows [N, K, 3]."""
    return (values * weights[..., None]).sum(1, keepdim=True) / weights.sum(1)[:, None, None]


def _picture(frame: Tensor) -> Tensor:
    """A frame [H, W, 3] as float32 [1, 3, H, W] in 0..1."""
    return as_float(frame).float().permute(2, 0, 1)[None].contiguous()


def _pyramid(picture: Tensor) -> list[Tensor]:
    """Smaller and smaller pictures, each with its changes per pixel to the right and down: [1, 9, h, w]."""
    levels = [_smooth(picture)]
    while len(levels) < LEVELS and min(levels[-1].shape[-2:]) >= 2 * SMALLEST_SIDE:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    return [torch.cat((level, *_changes(level)), dim=1) for level in levels]


def _changes(picture: Tensor) -> tuple[Tensor, Tensor]:
    padded = functional.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    return across, (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2


def _smooth(picture: Tensor) -> Tensor:
    """A slight blur (1, 2, 1), which makes gradients of pixels mean something."""
    kernel = torch.tensor([0.25, 0.5, 0.25])
    padded = functional.pad(picture, (1, 1, 1, 1), mode="replicate").transpose(0, 1)  # [3, 1, H + 2, W + 2]
    return functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, 1, 3)), kernel.view(1, 1, 3, 1)).transpose(0, 1)


def _window(shorter: int) -> Tensor:
    """Offsets [K, 2] of a square window's pixels, larger in larger pictures."""
    radius = max(4, min(7, shorter // 48))
    line = torch.arange(-radius, radius + 1, dtype=torch.float32)
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(-1, 2)


def _inside(places: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether places [..., 2] are in a picture of `size` (width, height)."""
    x, y = places.unbind(-1)
    return (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])


def _sample(level: Tensor, places: Tensor, channels: int = 3) -> Tensor:
    """The first channels [N, K, channels] of a level of a pyramid at places [N, K, 2], bilinear; beyond the edge its last pixels."""
    height, width = level.shape[-2:]
    grid = places * torch.tensor([2.0 / width, 2.0 / height]) - 1
    found = functional.grid_sample(level[:, :channels], grid[None], padding_mode="border", align_corners=False)
    return found[0].permute(1, 2, 0)


def _values_and_gradient(level: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Colours [N, K, 3] at places [N, K, 2], and how they change per pixel to the right and down, [N, K, 3, 2]."""
    found = _sample(level, places, 9)
    return found[..., :3], torch.stack((found[..., 3:6], found[..., 6:]), dim=-1)
