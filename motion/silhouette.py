"""What of a picture looks like one body and not like what is around it, by colour alone.

The colours of the body and of the rest of the first frame are two histograms; a pixel shows the body as far as its colour is commoner in
the first (pixel-wise posteriors: Bibby and Reid 2008). The map of it has the body's outline, which holds a body that is of one colour, and
it stays when texture is blurred away, as video models do.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .pyramid import halves

BINS = 16
"""Of each colour channel."""
SPREAD = (0.25, 0.5, 0.25)
"""How far a colour counts as its neighbours, once and again."""
UNSEEN = 0.02
"""Share of all pixels from which on a colour is known: one that is in neither histogram is not the body's."""


class Silhouette:
    """Of the pixels `own` [H, W] in the smoothed first frame, the first three channels of `first` [1, C, H, W]."""

    def __init__(self, first: Tensor, own: Tensor) -> None:
        inside, outside = (_histogram(first[0, :3, mask].T) for mask in (own, ~own))
        self._table = inside / (inside + outside + UNSEEN / BINS**2)  # [B, B, B]
        shown = self.map(first)[0, 0]
        self.contrast = float(shown[own].mean() - shown[~own].mean())

    def map(self, picture: Tensor) -> Tensor:
        """How much each pixel shows the body, [1, 1, H, W] in 0..1, of a picture [1, 3 or more, H, W]."""
        places = (picture[:, :3] * BINS - 0.5).clamp(0, BINS - 1) / (BINS - 1) * 2 - 1
        grid = places.flip(1).movedim(1, -1)[:, None]  # [1, 1, H, W, 3], the last channel first
        return functional.grid_sample(self._table[None, None], grid, align_corners=True)[:, :, 0]

    def pyramid(self, picture: Tensor) -> list[Tensor]:
        """The map and its halves with their changes, as `halves` gives them: [1, 3, h, w]."""
        return halves(self.map(picture))


def _histogram(colours: Tensor) -> Tensor:
    """Shares [B, B, B] of colours [K, 3] in 0..1, spread over their neighbours."""
    cells = (colours * BINS).long().clamp(0, BINS - 1)
    number = (cells[:, 0] * BINS + cells[:, 1]) * BINS + cells[:, 2]
    shares = torch.bincount(number, minlength=BINS**3).float().view(1, 1, BINS, BINS, BINS) / max(1, len(colours))
    kernel = torch.tensor(SPREAD)
    for _ in range(2):
        for axis in range(3):
            shape, padding = [1, 1, 1, 1, 1], [0, 0, 0]
            shape[2 + axis], padding[axis] = 3, 1
            shares = functional.conv3d(shares, kernel.view(shape), padding=padding)
    return shares[0, 0]
