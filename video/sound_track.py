"""The sound of a file that is being written: encoded beside the pictures, never far ahead of them, to their exact length."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import torch
from torch import Tensor

from .sound import Sound
from .sound_edits import Resampled

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
_BITS_PER_CHANNEL = {"aac": 96_000, "libopus": 80_000}
_OPUS_RATE = 48_000


class SoundTrack:
    """One sound stream of an output container.

    Add it before the first packet is muxed. Silence follows where the sound is shorter than what is asked for.
    """

    def __init__(self, output: av.container.OutputContainer, sound: Sound, encoder: str) -> None:
        rate = written_rate(sound.sample_rate, encoder)
        channels = sound.channels if sound.channels in _LAYOUTS else 2
        if (rate, channels) != (sound.sample_rate, sound.channels):
            sound = Resampled(sound, rate, channels)
        self._output = output
        self._rate = rate
        self._channels = channels
        self._layout = _LAYOUTS[channels]
        self._blocks: Iterator[Tensor] = sound.blocks()
        self._rest: Tensor | None = None
        self._written = 0
        self._stream: Any = output.add_stream(encoder, rate=rate, layout=self._layout)
        if encoder in _BITS_PER_CHANNEL:
            self._stream.codec_context.bit_rate = _BITS_PER_CHANNEL[encoder] * channels

    def write_until(self, seconds: Fraction) -> None:
        """Encode the samples up to a time of the clip."""
        wanted = round(seconds * self._rate)
        while self._written < wanted:
            block = self._next_block(wanted - self._written)
            frame = av.AudioFrame.from_ndarray(block.clamp(-1, 1).contiguous().numpy(), format="fltp", layout=self._layout)
            frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._written
            self._written += block.shape[1]
            self._output.mux(self._stream.encode(frame))

    def finish(self, seconds: Fraction) -> None:
        """Encode up to the end of the clip, and what the encoder still holds."""
        self.write_until(seconds)
        self._output.mux(self._stream.encode(None))
        close = getattr(self._blocks, "close", None)
        if close is not None:
            close()

    def _next_block(self, most: int) -> Tensor:
        """Between 1 and `most` samples [channels, n]."""
        block = self._rest if self._rest is not None else next(self._blocks, None)
        if block is None:
            return torch.zeros(self._channels, min(most, self._rate))
        self._rest = block[:, most:] if block.shape[1] > most else None
        return block[:, :most]


def written_rate(sample_rate: int, encoder: str) -> int:
    """The sample rate to write: the sound's own where the encoder has it, else the next higher one, else its highest."""
    if encoder == "libopus":
        return _OPUS_RATE
    possible = sorted(av.Codec(encoder, "w").audio_rates or ())
    if not possible or sample_rate in possible:
        return sample_rate
    return next((rate for rate in possible if rate > sample_rate), possible[-1])
