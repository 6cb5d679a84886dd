"""What `benchmarks.box_speed` measures: the same clip through our nodes and through the stock ones, in processes of their own.

Both get the same weights, prompt, noise, steps and shift; loading and one clip that does not count come first. The text encoder is the
one in the box for both, since the host has none that opens its file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .host_process import room

FPS = 16.0
PARTS = ("text", "denoise", "decode")
Make = Callable[[], tuple[dict[str, float], Tensor]]
"""Makes one clip: seconds of each of `PARTS`, and its frames, uint8 [T, H, W, 3]."""


@dataclass(frozen=True)
class Clip:
    """What is made: prompt, sides in pixels, frames, steps, guidance, shift, seed of the noise."""

    prompt: str
    size: int
    frames: int
    steps: int
    cfg: float
    shift: float = 3.0
    seed: int = 0


def ours(clip: dict[str, Any], rounds: int, target: str) -> Callable[[], dict[str, Any]]:
    """Spacetime Text Encode -> Spacetime Denoise -> Spacetime Decode, the frames pulled; they are kept in the file `target`."""
    wanted = Clip(**clip)
    model, encoder, vae = _box()
    encode = room("nodes.text_encode").SpacetimeTextEncode
    denoise = room("nodes.denoise").SpacetimeDenoise
    decode, as_uint8 = room("video.host_decode").decode_to_videos, room("video.stream").as_uint8
    size = {"width": wanted.size, "height": wanted.size, "length": float(wanted.frames), "length_unit": "frames", "fps": FPS}
    settings: dict[str, Any] = {"steps": wanted.steps, "cfg": wanted.cfg, "shift": wanted.shift, "seed": wanted.seed, "denoise": 1.0}
    settings |= {"sampler_name": "euler", "scheduler": "simple"}

    def make() -> tuple[dict[str, float], Tensor]:
        clock = _Clock()
        positive, negative = encode.execute(encoder, wanted.prompt).args
        clock.lap("text")
        (latent,) = denoise.execute(model, positive, negative if wanted.cfg != 1 else None, **size, **settings).args
        clock.lap("denoise")
        (video,) = decode(vae, latent, FPS)
        frames = torch.cat([as_uint8(chunk) for chunk in video.stream.chunks()])
        clock.lap("decode")
        return clock.seconds, frames

    def keep(frames: Tensor) -> dict[str, Any]:
        torch.save(frames, target)
        return {"frames": len(frames)}

    return _timed(make, rounds, keep)


def stock(clip: dict[str, Any], rounds: int, reference: str) -> Callable[[], dict[str, Any]]:
    """UNETLoader, VAELoader -> CLIPTextEncode -> KSampler -> VAEDecode; PSNR in dB to the frames in the file `reference`."""
    import nodes
    from comfy_extras.nodes_hunyuan import EmptyHunyuanLatentVideo
    from comfy_extras.nodes_model_advanced import ModelSamplingSD3

    wanted = Clip(**clip)
    _, encoder, _ = _box()
    files = room("model_loaders.folders").BOX_FILES
    (model,) = nodes.UNETLoader().load_unet(files["diffusion_models"], "default")
    (model,) = ModelSamplingSD3().patch(model, wanted.shift)
    (vae,) = nodes.VAELoader().load_vae(files["vae"])
    as_uint8 = room("video.stream").as_uint8

    def make() -> tuple[dict[str, float], Tensor]:
        clock = _Clock()
        (positive,) = nodes.CLIPTextEncode().encode(encoder, wanted.prompt)
        (negative,) = nodes.CLIPTextEncode().encode(encoder, "")
        clock.lap("text")
        (empty,) = EmptyHunyuanLatentVideo.execute(wanted.size, wanted.size, wanted.frames, 1).args
        (latent,) = nodes.KSampler().sample(
            model, wanted.seed, wanted.steps, wanted.cfg, "euler", "simple", positive, negative, empty, denoise=1.0
        )  # fmt: skip
        clock.lap("denoise")
        (images,) = nodes.VAEDecode().decode(vae, latent)
        clock.lap("decode")
        return clock.seconds, as_uint8(images.clone())

    def compared(frames: Tensor) -> dict[str, Any]:
        other = torch.load(reference, weights_only=True)
        return {"frames": len(frames), "psnr": psnr(frames, other)}

    return _timed(make, rounds, compared)


def psnr(one: Tensor, other: Tensor) -> float:
    """PSNR in dB between frames uint8 of one shape; 99 where they are equal."""
    error = (one.double() - other.double()).square().mean().item()
    return 99.0 if error == 0 else 10 * math.log10(255**2 / error)


def _timed(make: Make, rounds: int, finish: Callable[[Tensor], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """One clip that does not count, then `rounds` that do; `finish` is given the last one's frames."""
    with torch.inference_mode():
        make()

    def work() -> dict[str, Any]:
        laps, frames = [], None
        for _ in range(rounds):
            seconds, frames = make()
            laps.append(seconds)
        assert frames is not None
        return {"rounds": laps, "threads": torch.get_num_threads(), **finish(frames)}

    return work


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self._since = now - self._since, now


def _box() -> tuple[Any, Any, Any]:
    """MODEL, CLIP and VAE of the box, as Load Spacetime Tiny loads them."""
    room("model_loaders.folders").register_weight_folders()
    node = room("nodes.load_tiny").SpacetimeLoadTiny
    names = {widget.id: widget.default for widget in node.define_schema().inputs}
    return tuple(node.execute(**names).args)
