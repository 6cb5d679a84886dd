"""Small clips whose every frame and sample is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import Interpolation

SAMPLE_RATE = 48_000


def grey_frames(numbers: Any, width: int = 48, height: int = 32) -> torch.Tensor:
    """uint8 [n, height, width, 3], frame n of the grey value n modulo 256."""
    values = torch.as_tensor(list(numbers)).remainder(256).to(torch.uint8)
    return values.view(-1, 1, 1, 1).expand(-1, height, width, 3).clone()


def numbered_chunks(frames: int, first: int = 0, chunk: int = 7, width: int = 48, height: int = 32) -> Iterator[torch.Tensor]:
    """Grey frames from number `first` on."""
    for start in range(first, frames, chunk):
        yield grey_frames(range(start, min(start + chunk, frames)), width, height)


def sine(seconds: float, hertz: float = 440.0, channels: int = 2, sample_rate: int = SAMPLE_RATE) -> torch.Tensor:
    """float32 [channels, n], amplitude 0.5."""
    time = torch.arange(round(seconds * sample_rate), dtype=torch.float64) / sample_rate
    return (0.5 * torch.sin(2 * math.pi * hertz * time)).float().expand(channels, -1).clone()


def heard(sound: Any) -> torch.Tensor:
    """All samples of a sound."""
    blocks = list(sound.blocks())
    assert all(0 < block.shape[1] <= sound.sample_rate and block.dtype == torch.float32 for block in blocks)
    return torch.cat(blocks, dim=1) if blocks else torch.zeros(sound.channels, 0)


def shown(stream: Any, first: int = 0) -> torch.Tensor:
    """All frames of a stream from number `first` on, as uint8."""
    chunks = [chunk if chunk.dtype == torch.uint8 else (chunk * 255).round().to(torch.uint8) for chunk in stream.chunks(first)]
    return torch.cat(chunks)


def greys(frames: torch.Tensor) -> list[int]:
    """The mean value of each frame, rounded."""
    return [round(float(frame.float().mean())) for frame in frames]


def pictures_in(path: Path | str) -> np.ndarray:
    """All frames of a file, uint8 [n, H, W, 3]."""
    with av.open(str(path)) as container:
        flags = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        return np.stack([frame.reformat(format="rgb24", interpolation=flags).to_ndarray() for frame in container.decode(video=0)])


def sound_in(path: Path | str) -> tuple[np.ndarray, int]:
    """All samples of a file's sound from the time 0 on, float [channels, n], and the sample rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout=None, rate=None)
        pieces, begin = [], None
        for frame in container.decode(stream):
            begin = float(frame.pts * frame.time_base) if begin is None else begin
            pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
        samples = np.concatenate(pieces, axis=1)
        lead = round((begin or 0.0) * stream.rate)
        return np.pad(samples, ((0, 0), (lead, 0))) if lead >= 0 else samples[:, -lead:], stream.rate


def video_packets(path: Path | str) -> list[bytes]:
    """The data of each packet of the pictures."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def write_clip(
    path: Path,
    frames: int,
    rate: Fraction = Fraction(16),
    size: tuple[int, int] = (48, 32),
    hertz: float | None = None,
    codec: str = "libx264",
) -> Path:
    """A file of grey numbered frames, with a tone if `hertz` is given, made without the code under test."""
    with av.open(str(path), "w") as output:
        video = output.add_stream(codec, rate=rate)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        audio = output.add_stream("aac", rate=SAMPLE_RATE, layout="stereo") if hertz else None
        for frame in grey_frames(range(frames), *size):
            output.mux(video.encode(av.VideoFrame.from_ndarray(frame.numpy(), format="rgb24")))
        output.mux(video.encode(None))
        if audio is not None:
            tone = av.AudioFrame.from_ndarray(sine(float(frames / rate), hertz or 0.0).numpy(), format="fltp", layout="stereo")
            tone.sample_rate, tone.pts = SAMPLE_RATE, 0
            output.mux(audio.encode(tone))
            output.mux(audio.encode(None))
    return path
