"""Sounds made of other sounds: each reads its sources while it is read, and holds no more than a few blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import av
import torch
from torch import Tensor

from .sound import BaseSound, Sound, mixed_to, silence


class Resampled(BaseSound):
    """The same sound at another sample rate and with another number of channels."""

    def __init__(self, sound: Sound, sample_rate: int, channels: int) -> None:
        super().__init__(sample_rate, channels, round(sound.duration * sample_rate))
        self._sound = sound

    def blocks(self) -> Iterator[Tensor]:
        same_channels = (mixed_to(block, self.channels) for block in self._sound.blocks())
        if self._sound.sample_rate == self.sample_rate:
            yield from same_channels
            return
        left = self.samples
        for block in _resampled(same_channels, self._sound.sample_rate, self.sample_rate):
            if left > 0:
                yield block[:, :left]
            left -= block.shape[1]


class Exact(BaseSound):
    """A sound cut, or followed by silence, to an exact length in samples."""

    def __init__(self, sound: Sound, samples: int) -> None:
        super().__init__(sound.sample_rate, sound.channels, samples)
        self._sound = sound

    def blocks(self) -> Iterator[Tensor]:
        left = self.samples
        for block in self._sound.blocks():
            if left <= 0:
                return
            yield block[:, :left]
            left -= block.shape[1]
        yield from silence(self.channels, left, self.sample_rate)


class Delayed(BaseSound):
    """A sound after a silence of `samples` samples."""

    def __init__(self, sound: Sound, samples: int) -> None:
        super().__init__(sound.sample_rate, sound.channels, samples + round(sound.duration * sound.sample_rate))
        self._sound = sound
        self._silence = samples

    def blocks(self) -> Iterator[Tensor]:
        yield from silence(self.channels, self._silence, self.sample_rate)
        yield from self._sound.blocks()


class Looped(BaseSound):
    """A sound again and again, to an exact length in samples.

    Raises:
        ValueError: there is nothing to repeat.
    """

    def __init__(self, sound: Sound, samples: int) -> None:
        if not round(sound.duration * sound.sample_rate):
            raise ValueError("Sound: expected a sound to loop, got an empty one; load another file")
        super().__init__(sound.sample_rate, sound.channels, samples)
        self._sound = sound

    def blocks(self) -> Iterator[Tensor]:
        left = self.samples
        while left > 0:
            before = left
            for block in self._sound.blocks():
                yield block[:, :left]
                left -= block.shape[1]
                if left <= 0:
                    return
            if left == before:  # it promised samples, but a damaged file has none
                yield from silence(self.channels, left, self.sample_rate)
                return


class Louder(BaseSound):
    """A sound times `volume`."""

    def __init__(self, sound: Sound, volume: float) -> None:
        super().__init__(sound.sample_rate, sound.channels, round(sound.duration * sound.sample_rate))
        self._sound = sound
        self._volume = volume

    def blocks(self) -> Iterator[Tensor]:
        for block in self._sound.blocks():
            yield block * self._volume


class Faded(BaseSound):
    """A sound that rises from silence over its first `fade_in` samples and falls over its last `fade_out`.

    Sample n rises by curve((n + 0.5) / fade_in), where the curve goes from 0 to 1; the fall mirrors it.
    """

    def __init__(self, sound: Sound, fade_in: int, fade_out: int, curve: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__(sound.sample_rate, sound.channels, round(sound.duration * sound.sample_rate))
        self._sound = sound
        self._fade_in, self._fade_out = fade_in, fade_out
        self._curve = curve or linear

    def blocks(self) -> Iterator[Tensor]:
        position = 0
        for block in self._sound.blocks():
            n = torch.arange(position, position + block.shape[1], dtype=torch.float64) + 0.5
            position += block.shape[1]
            gain = torch.ones_like(n)
            if self._fade_in:
                gain *= self._curve((n / self._fade_in).clamp(0, 1))
            if self._fade_out:
                gain *= self._curve(((self.samples - n) / self._fade_out).clamp(0, 1))
            yield block * gain.float()


class Mixed(BaseSound):
    """Several sounds of one sample rate and number of channels at once, each from a sample of its own on, to an exact length in samples.

    A sound is opened when its first sample comes and closed after its last.
    """

    def __init__(self, parts: Sequence[tuple[int, Sound]], samples: int) -> None:
        first = parts[0][1]
        if any((sound.sample_rate, sound.channels) != (first.sample_rate, first.channels) for _, sound in parts):
            raise ValueError("Sound: expected sounds of one sample rate and number of channels, got several; resample them first")
        super().__init__(first.sample_rate, first.channels, samples)
        self._parts = sorted(parts, key=lambda part: part[0])

    def blocks(self) -> Iterator[Tensor]:
        waiting = [(begin, _Reader(sound.blocks(), self.channels)) for begin, sound in self._parts]
        playing: list[tuple[int, _Reader]] = []
        size = self.sample_rate // 4 or 1
        for position in range(0, self.samples, size):
            end = min(position + size, self.samples)
            playing += [part for part in waiting if part[0] < end]
            waiting = [part for part in waiting if part[0] >= end]
            block = torch.zeros(self.channels, end - position)
            for begin, reader in playing:
                at = max(begin - position, 0)
                piece = reader.read(end - position - at)
                block[:, at : at + piece.shape[1]] += piece
            playing = [part for part in playing if not part[1].ended]
            yield block


class _Reader:
    """Reads any number of samples from blocks of any size."""

    def __init__(self, blocks: Iterator[Tensor], channels: int) -> None:
        self._blocks = blocks
        self._rest = torch.zeros(channels, 0)
        self.ended = False

    def read(self, samples: int) -> Tensor:
        """The next samples, fewer only at the end."""
        pieces, have = [self._rest], self._rest.shape[1]
        while have < samples and not self.ended:
            block = next(self._blocks, None)
            if block is None:
                self.ended = True
            else:
                pieces.append(block)
                have += block.shape[1]
        whole = torch.cat(pieces, dim=1)
        self._rest = whole[:, samples:]
        return whole[:, :samples]


def linear(rise: Tensor) -> Tensor:
    """A fade whose gains add up to 1, for two sounds that are alike."""
    return rise


def equal_power(rise: Tensor) -> Tensor:
    """A fade whose squared gains add up to 1, for two sounds that are unlike."""
    return torch.sin(rise * (math.pi / 2))


def _resampled(blocks: Iterator[Tensor], source: int, target: int) -> Iterator[Tensor]:
    """Blocks [channels, n] at `source` Hz -> blocks at `target` Hz, through FFmpeg's resampler, with what it holds back at the end."""
    resampler: av.AudioResampler | None = None
    for block in blocks:
        layout = _layout(block.shape[0])
        if resampler is None:
            resampler = av.AudioResampler(format="fltp", layout=layout, rate=target)
        frame = av.AudioFrame.from_ndarray(block.contiguous().numpy(), format="fltp", layout=layout)
        frame.sample_rate = source
        yield from (torch.from_numpy(piece.to_ndarray()) for piece in resampler.resample(frame))
    if resampler is not None:
        yield from (torch.from_numpy(piece.to_ndarray()) for piece in resampler.resample(None))


def _layout(channels: int) -> str:
    """A layout with so many channels; which speakers they are does not matter while only the rate changes."""
    return {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}.get(channels, f"{channels}c")
