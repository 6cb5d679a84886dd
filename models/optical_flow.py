"""Frames between two frames without learned weights: optical flow both ways, splatted to the time asked for.

Flow is found from coarse to fine. At each size every pixel first tries its neighbours' flows and keeps the one whose surroundings match
best (as PatchMatch does), then moves by least squares over a window (Lucas and Kanade), and outliers are voted down by neighbours of the
same colour. Both flows are splatted to the time between, weighted by how well they match (softmax splatting, Niklaus and Liu 2020); holes
are filled from their surroundings; along what comes out both frames are looked at, and blended by how much each is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST = 12  # pixels of the shorter side of the coarsest size
WINDOW = 5  # pixels over which a motion has to hold
SEARCHED = 2  # how often a size has to be halved to be searched pixel by pixel: small things that move far
SEARCH = 2  # pixels of that size, each way
STEPS = 3  # of least squares at each size
DAMPING = 2e-4  # how much texture a window needs before it moves by itself
LONGEST_STEP = 1.5  # pixels that one step of least squares may move
OUTLIER = 0.06  # a difference in colour that counts half
MATCH = 40.0  # how strongly a bad match is outvoted when two pixels land in one place
EDGE = 0.08  # a difference in colour beyond which neighbours do not vote


@dataclass(frozen=True)
class Motion:
    """Two frames and the flows between them.

    pictures: [2, 3, H, W] float32 in 0..1.  flows: [2, 2, h, w], x and y in pixels of that size, of the first to the second frame and
    back.  match: [2, 1, h, w], 1 where a flow leads to the same colour, less where not.
    """

    pictures: Tensor
    flows: Tensor
    match: Tensor


def estimate_motion(first: Tensor, second: Tensor, check: Callable[[], None] = lambda: None) -> Motion:
    """The flows between two frames [1, 3, H, W] float32 in 0..1 of any size, found at half their size.

    `check` is called every few operations and may raise to end the work.
    """
    pictures = torch.cat((first, second))
    sizes = _pyramid(_padded_even(pictures))
    flows = sizes[-1].new_zeros(2, 2, *sizes[-1].shape[2:])
    for number in range(len(sizes) - 1, 0, -1):
        here = sizes[number]
        if flows.shape[2:] != here.shape[2:]:
            flows = _resized_flow(flows, here.shape[2:])
        if number >= SEARCHED:
            check()
            flows = _searched(here, here.flip(0), flows)
        flows = _refined(here, here.flip(0), flows, check)
    return motion_of(pictures, flows, sizes[1])


def motion_of(pictures: Tensor, flows: Tensor, sized: Tensor | None = None) -> Motion:
    """Known flows [2, 2, h, w] between two pictures [2, 3, H, W]; `sized` are the pictures at the flows' size where that is smaller."""
    small = pictures if sized is None else sized
    return Motion(pictures, flows, _match(small, warp(small.flip(0), flows)))


def frames_between(motion: Motion, times: Sequence[float]) -> Tensor:
    """Frames [len(times), 3, H, W] float32 in 0..1 at times in 0..1."""
    return torch.cat([_frame_at(motion, time) for time in times])


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """What `flow` [B, 2, H, W] (pixels) points at in `image` [B, C, H, W]; edges go on for ever."""
    height, width = flow.shape[2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    at = torch.stack(((flow[:, 0] + x) * (2 / width) + (1 / width - 1), (flow[:, 1] + y) * (2 / height) + (1 / height - 1)), dim=-1)
    return F.grid_sample(image, at, mode="bilinear", padding_mode="border", align_corners=False)


def _frame_at(motion: Motion, time: float) -> Tensor:
    """One frame [1, 3, H, W]."""
    to_first, to_second, seen = _flows_seen_from(motion, time)
    size = motion.pictures.shape[2:]
    first, second = motion.pictures.split(1)
    both = _resized_flow(torch.cat((to_first, to_second)), size)
    from_first, from_second = warp(first, both[:1]), warp(second, both[1:])
    seen = F.interpolate(seen, size=size, mode="bilinear")
    weights = torch.cat(((1 - time) * seen[:1], time * seen[1:])) + 1e-4
    share = weights[:1] / weights.sum(dim=0, keepdim=True)
    return torch.lerp(from_second, from_first, share).clamp_(0, 1)


def _flows_seen_from(motion: Motion, time: float) -> tuple[Tensor, Tensor, Tensor]:
    """From the time between: the flows [1, 2, h, w] to the first and to the second frame, and [2, 1, h, w] how much each is seen."""
    weight = torch.exp(MATCH * (motion.match - 1))
    ahead = (time, 1 - time)
    velocity = torch.stack((motion.flows[0], -motion.flows[1]))  # both as first to second
    splatted = [
        _splat(
            torch.cat((velocity[i : i + 1] * weight[i : i + 1], weight[i : i + 1], torch.ones_like(weight[i : i + 1])), dim=1),
            motion.flows[i : i + 1] * ahead[i],
        )
        for i in range(2)
    ]
    nearness = (1 - time, time)
    total = splatted[0] * nearness[0] + splatted[1] * nearness[1]
    filled = _filled(total[:, :2], total[:, 2:3])
    seen = torch.cat([part[:, 3:4].clamp(0, 1) for part in splatted])
    return -time * filled, (1 - time) * filled, F.avg_pool2d(seen, 3, 1, 1)


def _splat(values: Tensor, flow: Tensor) -> Tensor:
    """[1, C, h, w]: every pixel's values added, bilinearly, to where its flow takes it; what leaves the picture is lost."""
    _, channels, height, width = values.shape
    x = flow[0, 0] + torch.arange(width, device=flow.device)
    y = flow[0, 1] + torch.arange(height, device=flow.device)[:, None]
    left, top = x.floor(), y.floor()
    result = values.new_zeros(channels, height * width)
    flat = values[0].reshape(channels, -1)
    for down in (0, 1):
        for right in (0, 1):
            column, row = left + right, top + down
            share = (1 - (x - column).abs()) * (1 - (y - row).abs())
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            index = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long().reshape(-1)
            result.index_add_(1, index, flat * (share * inside).reshape(1, -1))
    return result.view(1, channels, height, width)


def _filled(summed: Tensor, weight: Tensor) -> Tensor:
    """Weighted means `summed / weight` [1, 2, h, w]; where there is little weight, from the surroundings, ever wider."""
    if min(summed.shape[2:]) <= 2:
        return summed / weight.clamp(min=1e-6)
    size = summed.shape[2:]
    coarse = _filled(*(F.avg_pool2d(part, 2, ceil_mode=True, count_include_pad=False) for part in (summed, weight)))
    coarse = F.interpolate(coarse, size=size, mode="bilinear")
    enough = 0.02
    return (summed + coarse * enough) / (weight + enough)


def _refined(here: Tensor, there: Tensor, flow: Tensor, check: Callable[[], None]) -> Tensor:
    """The flow from `here` to `there` [B, C, h, w], better."""
    for reach in (2, 1):
        check()
        flow = _propagated(here, there, flow, reach)
    for _ in range(STEPS):
        check()
        flow = _voted(flow + _least_squares(here, warp(there, flow)), here)
    return flow


def _searched(here: Tensor, there: Tensor, flow: Tensor) -> Tensor:
    """Each pixel's flow, or one up to `SEARCH` pixels beside it, whichever matches best."""
    beside = range(-SEARCH, SEARCH + 1)
    return _best(here, there, flow, (flow + flow.new_tensor([dx, dy]).view(1, 2, 1, 1) for dy in beside for dx in beside if dx or dy))


def _propagated(here: Tensor, there: Tensor, flow: Tensor, reach: int) -> Tensor:
    """Each pixel's flow, or that of a neighbour `reach` pixels away, whichever matches best."""
    ways = ((reach, 0), (-reach, 0), (0, reach), (0, -reach))
    return _best(here, there, flow, (_shifted(flow, dx, dy) for dx, dy in ways))


def _best(here: Tensor, there: Tensor, flow: Tensor, candidates: Iterable[Tensor]) -> Tensor:
    """At each pixel that of several flows which matches best."""
    best, cost = flow, _cost(here, there, flow)
    for candidate in candidates:
        its_cost = _cost(here, there, candidate)
        better = its_cost < cost
        best, cost = torch.where(better, candidate, best), torch.where(better, its_cost, cost)
    return best


def _cost(here: Tensor, there: Tensor, flow: Tensor) -> Tensor:
    """[B, 1, h, w]: the difference in colour over a window."""
    return _mean(_difference(here, warp(there, flow)), 5)


def _difference(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().mean(dim=1, keepdim=True)


def _match(here: Tensor, there: Tensor) -> Tensor:
    return 1 - _mean(_difference(here, there), 3).clamp(0, 1)


def _least_squares(target: Tensor, warped: Tensor) -> Tensor:
    """[B, 2, h, w]: how far each window of `warped` has to look on to be most like `target`, whatever their brightness."""
    difference = warped - target
    dx, dy = _gradients((warped + target) / 2)
    weight = OUTLIER**2 / (OUTLIER**2 + difference.square().mean(dim=1, keepdim=True))
    products = torch.cat(
        [(part * weight).mean(dim=1, keepdim=True) for part in (dx * dx, dx * dy, dy * dy, dx * difference, dy * difference)], 1
    )
    xx, xy, yy, xd, yd = _mean(products, WINDOW).split(1, dim=1)
    xx, yy = xx + DAMPING, yy + DAMPING
    scale = -1 / (xx * yy - xy * xy)
    step = torch.cat(((yy * xd - xy * yd) * scale, (xx * yd - xy * xd) * scale), dim=1)
    return step.clamp_(-LONGEST_STEP, LONGEST_STEP)


def _voted(flow: Tensor, guide: Tensor) -> Tensor:
    """Each flow, drawn to those of its neighbours that have its colour."""
    total, weights = flow.clone(), torch.ones_like(flow[:, :1])
    for dx, dy in ((2, 0), (-2, 0), (0, 2), (0, -2), (1, 1), (-1, 1), (1, -1), (-1, -1)):
        apart = _difference(guide, _shifted(guide, dx, dy))
        weight = torch.exp(-apart / EDGE)
        total.addcmul_(_shifted(flow, dx, dy), weight)
        weights += weight
    return total / weights


def _gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences in x and y [B, C, h, w]."""
    wide = F.pad(image, (1, 1, 1, 1), mode="replicate")
    return (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) / 2, (wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]) / 2


def _mean(x: Tensor, window: int) -> Tensor:
    """Over a square window, one direction after the other; beyond the edges there is nothing to count."""
    x = F.avg_pool2d(x, (window, 1), 1, (window // 2, 0), count_include_pad=False)
    return F.avg_pool2d(x, (1, window), 1, (0, window // 2), count_include_pad=False)


def _shifted(x: Tensor, dx: int, dy: int) -> Tensor:
    """[B, C, h, w] whose pixel (x, y) is that at (x + dx, y + dy); edges repeat."""
    reach = max(abs(dx), abs(dy))
    height, width = x.shape[2:]
    wide = F.pad(x, (reach,) * 4, mode="replicate")
    return wide[:, :, reach + dy : reach + dy + height, reach + dx : reach + dx + width]


def _pyramid(pictures: Tensor) -> list[Tensor]:
    """The pictures and each half of the size before, down to `SMALLEST` pixels."""
    sizes = [pictures]
    while len(sizes) < 2 or min(sizes[-1].shape[2:]) >= 2 * SMALLEST:
        sizes.append(F.avg_pool2d(sizes[-1], 2, ceil_mode=True, count_include_pad=False))
    return sizes


def _padded_even(pictures: Tensor) -> Tensor:
    height, width = pictures.shape[2:]
    return F.pad(pictures, (0, width % 2, 0, height % 2), mode="replicate") if height % 2 or width % 2 else pictures


def _resized_flow(flow: Tensor, size: Sequence[int]) -> Tensor:
    """The same motion at another size, in its pixels."""
    ratio = flow.new_tensor([size[1] / flow.shape[3], size[0] / flow.shape[2]]).view(1, 2, 1, 1)
    return F.interpolate(flow, size=tuple(size), mode="bilinear") * ratio
