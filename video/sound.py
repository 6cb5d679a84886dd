"""Sound that is made while it is read, beside the frames of a stream."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import IO, Any, Protocol

import av
import torch
from torch import Tensor

MAX_SAMPLE_RATE = 384_000
_PREROLL = 0.2  # seconds decoded before a start in the middle of a file: codecs need what came before
_LARGEST_JITTER = 0.02  # seconds that a packet's time may be off before it means a gap


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


class BaseSound:
    """What all sounds here share: `samples` is the exact length; a part is cut by skipping."""

    def __init__(self, sample_rate: int, channels: int, samples: int) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.samples = samples

    @property
    def duration(self) -> float:
        return self.samples / self.sample_rate

    def blocks(self) -> Iterator[Tensor]:
        raise NotImplementedError

    def trimmed(self, start: float, duration: float) -> Sound | None:
        first, end = self._window(start, duration)
        return Part(self, first, end - first) if first < end else None

    def _window(self, start: float, duration: float) -> tuple[int, int]:
        """First and end sample of a part."""
        first = max(round(start * self.sample_rate), 0)
        return first, min(self.samples, round((start + duration) * self.sample_rate))


class TensorSound(BaseSound):
    """A waveform that lies in memory, [channels, n] in -1..1 at any precision.

    Raises:
        ValueError: it has no channel, or no sample rate.
    """

    def __init__(self, waveform: Tensor, sample_rate: int) -> None:
        if waveform.ndim != 2 or not waveform.shape[0] or not 1 <= sample_rate <= MAX_SAMPLE_RATE:
            raise ValueError(f"Sound: expected a waveform [channels, n], got {list(waveform.shape)} at {sample_rate} Hz; load another file")
        super().__init__(int(sample_rate), waveform.shape[0], waveform.shape[1])
        self._waveform = waveform

    def blocks(self) -> Iterator[Tensor]:
        for block in self._waveform.split(self.sample_rate, dim=1):
            if block.shape[1]:
                yield block.float().cpu()

    def trimmed(self, start: float, duration: float) -> Sound | None:
        first, end = self._window(start, duration)
        return TensorSound(self._waveform[:, first:end], self.sample_rate) if first < end else None


class SilentSound(BaseSound):
    """Nothing to hear."""

    def __init__(self, duration: float, sample_rate: int = 48_000, channels: int = 1) -> None:
        super().__init__(sample_rate, channels, round(duration * sample_rate))

    def blocks(self) -> Iterator[Tensor]:
        yield from silence(self.channels, self.samples, self.sample_rate)

    def trimmed(self, start: float, duration: float) -> Sound | None:
        first, end = self._window(start, duration)
        return SilentSound((end - first) / self.sample_rate, self.sample_rate, self.channels) if first < end else None


class FileSound(BaseSound):
    """A sound stream of a file, decoded while it is read.

    Args:
        source: path, or a binary buffer, which is left as it is.
        index: the number of the stream among all streams of the file.
        start, duration: the part to play, in seconds of the file's own time.
        origin: the file's time at which its pictures begin; sound that begins later starts with silence.
    """

    def __init__(self, source: str | os.PathLike[str] | IO[bytes], index: int, start: float, duration: float, origin: float = 0.0) -> None:
        with _opened(source) as container:
            stream: Any = container.streams[index]
            rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
            if not rate:
                rate, channels = _first_decoded(container, stream)
        super().__init__(rate, channels, round(duration * rate))
        self._source = source
        self._index = index
        self._start = start
        self._origin = origin

    def blocks(self) -> Iterator[Tensor]:
        position, end = None, self.samples
        with _opened(self._source) as container:
            for time, block in self._decoded(container):
                at = round((time - self._origin - self._start) * self.sample_rate)
                if position is None or at > position + _LARGEST_JITTER * self.sample_rate:
                    yield from silence(self.channels, min(at, end) - max(position or 0, 0), self.sample_rate)
                    position = at
                begin, position = position, position + block.shape[1]
                kept = block[:, max(-begin, 0) : max(end - begin, 0)]
                if kept.shape[1]:
                    yield kept
                if position >= end:
                    return

    def trimmed(self, start: float, duration: float) -> Sound | None:
        first, end = self._window(start, duration)
        if first >= end:
            return None
        rate = self.sample_rate
        return FileSound(self._source, self._index, self._start + first / rate, (end - first) / rate, self._origin)

    def _decoded(self, container: Any) -> Iterator[tuple[float, Tensor]]:
        """The file's time, and float32 [channels, n], of each piece from a little before the start on."""
        stream = container.streams[self._index]
        begin = self._start + self._origin - _PREROLL
        if begin > _PREROLL:
            container.seek(int(begin / stream.time_base), stream=stream)
        resampler = av.AudioResampler(format="fltp", rate=self.sample_rate, layout=None)
        time = None
        for packet in container.demux(stream):
            for frame in _decode(packet):
                if frame.pts is not None:
                    time = float(frame.pts * frame.time_base)
                elif time is None:
                    time = self._start + self._origin
                for piece in resampler.resample(frame):
                    block = torch.from_numpy(piece.to_ndarray())
                    if block.shape[0] != self.channels:
                        block = mixed_to(block, self.channels)
                    yield time, block
                    time += block.shape[1] / self.sample_rate


class Part(BaseSound):
    """`samples` samples of another sound, from number `first` on."""

    def __init__(self, sound: Sound, first: int, samples: int) -> None:
        super().__init__(sound.sample_rate, sound.channels, samples)
        self._sound = sound
        self._first = first

    def blocks(self) -> Iterator[Tensor]:
        position, end = 0, self._first + self.samples
        for block in self._sound.blocks():
            kept = block[:, max(self._first - position, 0) : max(end - position, 0)]
            position += block.shape[1]
            if kept.shape[1]:
                yield kept
            if position >= end:
                return


def mixed_to(block: Tensor, channels: int) -> Tensor:
    """A block with another number of channels: one is repeated, many become their mean, else the first ones are taken.

    Missing channels are silent.
    """
    have = block.shape[0]
    if have == channels:
        return block
    if have == 1:
        return block.expand(channels, -1)
    if channels == 1:
        return block.mean(dim=0, keepdim=True)
    if have > channels:
        return block[:channels]
    return torch.cat([block, block.new_zeros(channels - have, block.shape[1])])


def _opened(source: str | os.PathLike[str] | IO[bytes]) -> Any:
    if isinstance(source, io.BytesIO):
        return av.open(io.BytesIO(source.getvalue()))  # shares the bytes, but not the position
    return av.open(os.fspath(source) if isinstance(source, os.PathLike) else source)


def _decode(packet: Any) -> list[Any]:
    """The frames of a packet; a damaged packet is skipped, as players do."""
    try:
        return packet.decode()
    except av.error.InvalidDataError:
        return []


def _first_decoded(container: Any, stream: Any) -> tuple[int, int]:
    """Sample rate and channels of a stream whose header does not tell them."""
    for packet in container.demux(stream):
        for frame in _decode(packet):
            return frame.sample_rate, frame.layout.nb_channels
    raise ValueError("Sound: expected a sound stream, got one without a sample; use another file")


def silence(channels: int, samples: int, largest: int) -> Iterator[Tensor]:
    """Blocks of nothing to hear, of at most `largest` samples; none where `samples` is not above 0."""
    for begin in range(0, samples, largest):
        yield torch.zeros(channels, min(largest, samples - begin))
