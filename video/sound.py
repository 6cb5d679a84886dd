"""Sound that is made while it is read, beside the frames of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor


class Sound(Protocol):
    """Samples in blocks, from the start each time `blocks()` is called. Silence follows where a consumer needs more than there is."""

    @property
    def sample_rate(self) -> int:
        """Samples a second of each channel."""

    @property
    def channels(self) -> int:
        """1 or 2, or more."""

    @property
    def duration(self) -> float:
        """Length in seconds."""

    def blocks(self) -> Iterator[Tensor]:
        """float32 [channels, n] in -1..1, n >= 1 and small (a second at most)."""

    def trimmed(self, start: float, duration: float) -> Sound | None:
        """`duration` seconds from `start` on; None where nothing is left."""
