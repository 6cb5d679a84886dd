"""Latents -> frames, latent frame by latent frame, through a causal video VAE; and window by window through any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import Tensor

from ..models.vae import CausalState, CausalVideoVAE
from .interrupt import interruptible, layers_of

LOOP_WARM_UP = 38
"""Latent frames before a loop's first one after which a Wan decoder remembers nothing of how it began (an error of 0.2 % at 20)."""


class State(Protocol):
    """What a causal decoder remembers of the latents it has seen."""

    def to(self, device: torch.device | str) -> State:
        """An independent copy on a device."""


class Decoder(Protocol):
    """A causal video decoder, ready to run."""

    device: torch.device

    def new_state(self) -> Any:
        """The state before the first latent frame."""

    def prepare(self, latent: Tensor) -> Tensor:
        """What the network does to the whole clip [1, C, T', h, w] before it goes through it frame by frame."""

    def step(self, latent: Tensor, state: Any) -> Tensor:
        """One prepared latent frame [1, C, 1, h, w] -> its frames [n, H, W, 3] float32 in 0..1 on the CPU; changes `state`."""


class _Past(dict[str, Tensor]):
    """What each convolution remembers, in memory of its own that is written over in each step.

    A network hands over views, which keep all of what they were cut from alive and lie elsewhere after each step; between such
    neighbours the heap falls into pieces, and the process grows to more than twice what it uses.
    """

    def __setitem__(self, name: str, frames: Tensor) -> None:
        kept = self.get(name)
        if kept is not None and kept.shape == frames.shape and kept.stride()[1:] == frames.stride()[1:]:
            kept.copy_(frames)
        else:  # the first step, or one that lays its frames out in another order, which the kernels' sums depend on
            super().__setitem__(name, frames.clone())


class _SteadyState(CausalState):
    """A `CausalState` that lies in the same memory from one step to the next."""

    def __init__(self, first: bool = True, past: Mapping[str, Tensor] = MappingProxyType({})) -> None:
        """The tensors of `past` become its own."""
        super().__init__(first, _Past(past))

    def to(self, device: torch.device | str) -> _SteadyState:
        moved = super().to(device)
        return _SteadyState(moved.first, moved.past)


class WanDecoder:
    """`CausalVideoVAE` as a `Decoder`, cancelled between layers. The network computes in its own precision, where it lies."""

    def __init__(self, vae: CausalVideoVAE) -> None:
        self._vae = vae
        self._layers = layers_of(vae.decoder)
        self.device = vae.conv2.weight.device

    def new_state(self) -> CausalState:
        return _SteadyState()

    def prepare(self, latent: Tensor) -> Tensor:
        return latent

    @torch.inference_mode()
    def step(self, latent: Tensor, state: CausalState) -> Tensor:
        with interruptible(self._layers):
            return to_frames(self._vae.decode_chunk(latent.to(self.device, self._vae.conv2.weight.dtype), state))


@dataclass
class CausalClip:
    """The exact decode of one clip as its frames are asked for, maybe the continuation of another clip.

    `latent` is [1, C, T', h, w] as a LATENT holds it. With `loop` the clip has no first frame: every latent frame, the first too, gives
    `frames_per_latent` frames, and the last one leads into the first. `keep_end` puts the decoder's memory aside on the CPU when the last
    frame is out, so that a clip with this one as its `before` begins without decoding anything twice; without, it decodes this one again.
    """

    latent: Tensor
    open_decoder: Callable[[], Decoder]
    before: CausalClip | None = None
    loop: bool = False
    keep_end: bool = False
    frames_per_latent: int = 4
    _end: State | None = field(default=None, repr=False)

    @property
    def frames(self) -> int:
        """Length of the clip."""
        whole = self.latent.shape[2] * self.frames_per_latent
        return whole if self.loop or self.before else whole - self.frames_per_latent + 1

    def chunks(self) -> Iterator[Tensor]:
        """Frames [n, H, W, 3] float32 in 0..1 on the CPU: 1 first where a clip begins, then `frames_per_latent` at a time."""
        decoder = self.open_decoder()
        state = self.before.end(decoder).to(decoder.device) if self.before else decoder.new_state()
        latent, count = decoder.prepare(self.latent), self.latent.shape[2]
        warm_up = LOOP_WARM_UP if self.loop else 0
        for number in range(-warm_up, count):
            frames = decoder.step(latent[:, :, number % count][:, :, None], state)
            if number == count - 1 and self.keep_end and self._end is None:
                self._end = state.to("cpu")
            if number >= 0:
                yield frames

    def end(self, decoder: Decoder) -> State:
        """The decoder's memory after the last frame; decodes the clip where that was not kept."""
        if self._end is None:
            self.keep_end = True
            state = self.before.end(decoder).to(decoder.device) if self.before else decoder.new_state()
            for latent in decoder.prepare(self.latent).split(1, dim=2):
                decoder.step(latent, state)
            self._end = state.to("cpu")
        return self._end


@dataclass(frozen=True)
class Windows:
    """How a long clip is cut into overlapping pieces of latent frames for a VAE that packs `time` frames into one.

    The first latent frame of a piece stands for one frame only, and decodes worse, so it is not shown; over the rest of the overlap one
    piece fades into the next.
    """

    time: int
    length: int
    overlap: int

    def pieces(self, count: int) -> list[tuple[int, int]]:
        """First and end latent frame of each piece of a clip of `count` latent frames; all but the last have `length`."""
        starts = [0]
        while starts[-1] + self.length < count:
            starts.append(starts[-1] + self.length - self.overlap)
        return [(start, min(start + self.length, count)) for start in starts]


def windows_for(frames_of: Callable[[int], int], frame_bytes: int, budget: int = 400 * 2**20) -> Windows | None:
    """Windows of about 64 frames, fewer where a frame is large, for a VAE that makes `frames_of(n)` frames of n latent frames.

    None where n latent frames are not 1 + (n - 1) * time frames, so that it is not known which frames a piece makes.
    """
    time = frames_of(2) - frames_of(1)
    if time < 1 or any(frames_of(count) != 1 + (count - 1) * time for count in (1, 2, 3, 7, 20)):
        return None
    overlap = max(3, 16 // time)
    fitting = budget // max(1, frame_bytes * time)
    return Windows(time, max(overlap + 2, min(max(64 // time, overlap + 4), fitting)), overlap)


def windowed_chunks(latent: Tensor, windows: Windows, decode: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
    """The frames of `latent` [1, C, T', h, w], piece by piece through `decode`, which makes [frames, H, W, 3] of latents."""
    time, fading = windows.time, None
    pieces = windows.pieces(latent.shape[2])
    for number, (start, end) in enumerate(pieces):
        frames = decode(latent[:, :, start:end])
        if fading is not None:
            frames = _faded(fading, frames[time:])
        last = number == len(pieces) - 1
        # the next piece shows from the end of its first latent frame on
        shown = len(frames) if last else len(frames) - (windows.overlap - 2) * time - 1
        fading = None if last else frames[shown:].clone()
        yield from frames[:shown].split(max(time, 4))


def _faded(old: Tensor, new: Tensor) -> Tensor:
    """`new`, its beginning blended with `old`, which shows the same frames."""
    weight = torch.arange(1, len(old) + 1, dtype=new.dtype).div(len(old) + 1).view(-1, 1, 1, 1)
    return torch.cat([torch.lerp(old, new[: len(old)], weight), new[len(old) :]])


def decode_chunks(vae: CausalVideoVAE, latent: Tensor) -> Iterator[Tensor]:
    """Decode one clip as its frames are asked for.

    Args:
        vae: in the precision and on the device to compute with.
        latent: [1, 16, T', h, w] as a LATENT holds it, anywhere.
    Yields:
        Frames [n, 8h, 8w, 3] float32 in 0..1 on the CPU: 1 first, then 4 at a time.
    """
    return CausalClip(latent, lambda: WanDecoder(vae)).chunks()


def to_frames(video: Tensor) -> Tensor:
    """A clip [1, 3, T, H, W] in -1..1 -> frames [T, H, W, 3] float32 in 0..1 on the CPU."""
    return video[0].permute(1, 2, 3, 0).float().add(1).div_(2).clamp_(0, 1).cpu()
