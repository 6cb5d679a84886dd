"""Spacetime Decode's work: a host's VAE and LATENT -> lazy VIDEOs."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import comfy.ldm.wan.vae2_2
import comfy.model_management
import torch
from comfy.cli_args import args
from torch import Tensor

from ..model_loaders.vae import is_wan21, streaming_patcher
from ..models.precision import fastest_cpu_dtype
from .decode import CausalClip, Decoder, WanDecoder, windowed_chunks, windows_for
from .host_video import LazyVideo
from .interrupt import interruptible
from .stream import FrameStream, Needs, frame_rate, skipping

NODE = "Spacetime Decode"
_WAN_BASE_WIDTH = 96


@dataclass(frozen=True)
class DecodeState:
    """Where the decoding of a batch of clips ends, for the clips that go on from there; and in which network that was."""

    clips: tuple[CausalClip, ...]
    family: str


def decode_to_videos(vae: Any, latent: dict[str, Any], fps: float, loop: bool = False) -> list[LazyVideo]:
    """One lazy VIDEO for each clip of a LATENT's batch; nothing is decoded yet. See `decode`."""
    return decode(vae, latent, fps, loop=loop)[0]


def decode(
    vae: Any,
    latent: dict[str, Any],
    fps: float,
    *,
    loop: bool = False,
    continue_from: DecodeState | None = None,
    overlap: int = 0,
    keep_state: bool = False,
) -> tuple[list[LazyVideo], DecodeState | None]:
    """One lazy VIDEO for each clip of a LATENT's batch, and the state for what comes after them; nothing is decoded yet.

    Args:
        loop: the clips are periods of an endless one; a period has 4 frames for each latent frame.
        continue_from: where an earlier piece of the same clips ended; its frames are not decoded again.
        overlap: how many latent frames at the start the earlier piece had already; they are left out.
        keep_state: put the state aside while the frames are made, because somebody will go on from it.
    Returns:
        The state is None for a VAE whose decode cannot be continued.
    Raises:
        ValueError: the latent does not belong to the VAE, the frame rate is none, the VAE cannot loop or go on, or the earlier piece does
            not fit; the message begins with the node's name.
    """
    vae.throw_exception_if_invalid()
    samples = latent["samples"]
    _check_latent(vae, samples)
    rate = frame_rate(fps, NODE)
    network = _causal_network(vae)
    _check_options(network, samples, loop, continue_from, overlap)
    if network is None:
        return [LazyVideo(_windowed_stream(vae, clip, rate)) for clip in samples.split(1)], None
    befores = continue_from.clips if continue_from else [None] * samples.shape[0]
    clips = tuple(
        CausalClip(clip[:, :, overlap:], functools.partial(network.open, clip), before, loop, keep_state)
        for clip, before in zip(samples.split(1), befores, strict=True)
    )
    return [LazyVideo(_causal_stream(vae, network, clip, rate)) for clip in clips], DecodeState(clips, network.family)


@dataclass(frozen=True)
class _CausalNetwork:
    """A VAE that is decoded exactly, latent frame by latent frame: how to load it for a clip, and what that takes."""

    family: str
    open: Callable[[Tensor], Decoder]
    memory: Callable[[Tensor], int]


def _causal_network(vae: Any) -> _CausalNetwork | None:
    if isinstance(vae.first_stage_model, comfy.ldm.wan.vae2_2.WanVAE):
        return _CausalNetwork(
            "Wan 2.2", functools.partial(_HostWan22, vae), lambda clip: int(vae.memory_used_decode(clip.shape, vae.vae_dtype))
        )
    if is_wan21(vae):
        return _CausalNetwork("Wan 2.1", functools.partial(_open_wan21, vae), functools.partial(_wan21_memory, vae))
    return None


def _open_wan21(vae: Any, clip: Tensor) -> Decoder:
    """Our streaming network on the VAE's own weights, loaded where the host computes."""
    patcher = streaming_patcher(vae, decode_dtype(vae), memory=_wan21_memory(vae, clip))
    return _LoadedWan(patcher)


class _LoadedWan(WanDecoder):
    """Keeps the patcher, through which the host counts the memory, for as long as the network is used."""

    def __init__(self, patcher: Any) -> None:
        super().__init__(patcher.model)
        self._patcher = patcher


def _wan21_memory(vae: Any, clip: Tensor) -> int:
    """Bytes to decode a clip beside the weights: the host's figure for the published width, in proportion to this one's.

    Half as much again was measured with bfloat16 on a CPU, whose kernels reorder what they read.
    """
    width, dtype = vae.first_stage_model.decoder.head[0].gamma.shape[0], decode_dtype(vae)
    reordering = 1.5 if dtype != torch.float32 and comfy.model_management.is_device_cpu(vae.device) else 1.0
    return int(vae.memory_used_decode(clip.shape, dtype) * width / _WAN_BASE_WIDTH * reordering)


@dataclass
class _Wan22State:
    """The feature cache of the host's Wan 2.2 decoder: one entry for each causal convolution."""

    caches: list[Any] = field(default_factory=list)
    first: bool = True

    def to(self, device: torch.device | str) -> _Wan22State:
        caches = [cache.to(device, copy=True) if isinstance(cache, Tensor) else cache for cache in self.caches]
        return _Wan22State(caches, self.first)


class _HostWan22:
    """The host's own Wan 2.2 network, driven one latent frame at a time with its feature cache, as its whole decode does."""

    def __init__(self, vae: Any, clip: Tensor) -> None:
        self._vae = vae
        self.device = vae.device
        memory = vae.memory_used_decode(clip.shape, vae.vae_dtype)
        comfy.model_management.load_models_gpu([vae.patcher], memory_required=memory, force_full_load=vae.disable_offload)

    def new_state(self) -> _Wan22State:
        return _Wan22State([None] * comfy.ldm.wan.vae2_2.count_conv3d(self._vae.first_stage_model.decoder))

    @torch.inference_mode()
    def prepare(self, latent: Tensor) -> Tensor:
        with comfy.model_management.cuda_device_context(self._vae.device):
            return self._vae.first_stage_model.conv2(latent.to(self._vae.device, self._vae.vae_dtype))

    @torch.inference_mode()
    def step(self, latent: Tensor, state: _Wan22State) -> Tensor:
        network, vae = self._vae.first_stage_model, self._vae
        with interruptible(network), comfy.model_management.cuda_device_context(vae.device):
            video = network.decoder(latent, feat_cache=state.caches, feat_idx=[0], first_chunk=state.first)
            state.first = False
            video = comfy.ldm.wan.vae2_2.unpatchify(video, patch_size=2)
        video = vae.process_output(video.to(vae.output_device, vae.vae_output_dtype(), copy=True))
        return video[0].movedim(0, -1).float().cpu()


def _causal_stream(vae: Any, network: _CausalNetwork, clip: CausalClip, rate: Fraction) -> FrameStream:
    return _stream(vae, clip.latent, clip.frames, rate, clip.chunks, network.memory(clip.latent))


def _windowed_stream(vae: Any, clip: Tensor, rate: Fraction) -> FrameStream:
    """A clip of a VAE that looks at the whole clip: window by window, or, where it is not known how to, whole."""
    scale = vae.spacial_compression_decode()
    frame_bytes = clip.shape[-1] * clip.shape[-2] * scale * scale * 12
    windows = windows_for(vae.upscale_ratio[0], frame_bytes)
    piece = clip if windows is None else clip[:, :, : windows.length]

    def decode_piece(latent: Tensor) -> Tensor:
        with interruptible(vae.first_stage_model):
            return vae.decode(latent)[0, ..., :3].float().cpu()

    def chunks() -> Iterator[Tensor]:
        if windows is None:
            logging.warning("%s: this VAE cannot be decoded in pieces, so the whole clip is held in memory", NODE)
            yield from decode_piece(clip).split(4)
            return
        if len(windows.pieces(clip.shape[2])) > 1:
            logging.info(
                "%s: this VAE is decoded in windows of %d latent frames that overlap by %d and fade into each other",
                NODE, windows.length, windows.overlap,
            )  # fmt: skip
        yield from windowed_chunks(clip, windows, decode_piece)

    memory = int(vae.memory_used_decode(piece.shape, vae.vae_dtype))
    held = 2 * frame_bytes * vae.upscale_ratio[0](piece.shape[2])
    return _stream(vae, clip, vae.upscale_ratio[0](clip.shape[2]), rate, chunks, memory, held)


def _stream(
    vae: Any, clip: Tensor, frames: int, rate: Fraction, chunks: Callable[[], Iterator[Tensor]], memory: int, held: int = 0
) -> FrameStream:
    scale = vae.spacial_compression_decode()
    return FrameStream(
        name=NODE,
        width=clip.shape[-1] * scale,
        height=clip.shape[-2] * scale,
        frames=frames,
        frame_rate=rate,
        make_chunks=lambda first: skipping(chunks(), first),
        needs=Needs(ram=held, device=memory),
    )


def decode_dtype(vae: Any) -> torch.dtype:
    """The precision to decode in: the host's choice, but on a CPU that is faster with bfloat16 that, unless --fp32-vae is set."""
    if comfy.model_management.is_device_cpu(vae.device) and not args.fp32_vae:
        return fastest_cpu_dtype()
    return vae.vae_dtype


def _check_latent(vae: Any, samples: Tensor) -> None:
    if vae.latent_dim != 3:
        raise ValueError(f"{NODE}: expected a video VAE, got one for {'sound' if vae.latent_dim == 1 else 'images'}; use VAE Decode for it")
    if samples.ndim != 5:
        raise ValueError(f"{NODE}: expected a video latent [B, C, T, H, W], got {list(samples.shape)}; connect the latent of a video model")
    if samples.shape[1] != vae.latent_channels:
        raise ValueError(
            f"{NODE}: expected a {vae.latent_channels}-channel latent for this VAE, got {samples.shape[1]} channels; "
            "load the VAE that belongs to the model"
        )


def _check_options(network: _CausalNetwork | None, samples: Tensor, loop: bool, before: DecodeState | None, overlap: int) -> None:
    if network is None and (loop or before):
        raise ValueError(
            f"{NODE}: expected a Wan VAE to {'decode a loop' if loop else 'continue from a state'}, got another kind; "
            f"{'turn loop off' if loop else 'disconnect continue_from'}"
        )
    if loop and before:
        raise ValueError(f"{NODE}: expected either a loop or a clip to continue from, got both; turn loop off")
    if overlap and before is None:
        raise ValueError(f"{NODE}: expected an overlap of 0 without a clip to continue from, got {overlap}; connect continue_from")
    if not 0 <= overlap < samples.shape[2]:
        raise ValueError(f"{NODE}: expected an overlap of 0 to {samples.shape[2] - 1} latent frames, got {overlap}; lower it")
    if network is None or before is None:
        return
    mine = [samples.shape[0], *samples.shape[3:]]
    theirs = [len(before.clips), *before.clips[0].latent.shape[3:]]
    if before.family != network.family or mine != theirs:
        raise ValueError(
            f"{NODE}: expected to continue {theirs[0]} clip(s) of {theirs[2]}x{theirs[1]} cells of a {before.family} VAE, "
            f"got {mine[0]} of {mine[2]}x{mine[1]} of a {network.family} VAE; connect the piece that follows"
        )
