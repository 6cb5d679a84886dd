"""What `benchmarks.stream` measures: each function loads and makes everything first, and returns the work to be measured.

They run with the host loaded, in processes of their own. Ours and the stock graph get the same latents and the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from comfy_api.latest import InputImpl
from torch import Tensor

from .host_process import ROOT, room

FPS = 16.0
Work = Callable[[], dict[str, Any]]


def ours(frames: int, size: int, target: str, interpolate: bool, weights: str | None = None, stages: int = 0) -> Work:
    """latents -> Spacetime Decode -> (2x) -> mp4; `stages` adds stages that do nothing."""
    vae, latent = _vae(), _latent(frames, size)
    double = _our_doubling(weights) if interpolate else None

    def work() -> dict[str, Any]:
        (video,) = room("video.host_decode").decode_to_videos(vae, {"samples": latent}, FPS)
        if stages:
            stream = video.stream
            for number in range(stages):
                stream = stream.then(f"nothing {number}", _passing)
            video = room("video.host_video").LazyVideo(stream)
        if double:
            video = double(video)
        video.save_to(target)
        return {"frames": video.get_frame_count(), "latent_bytes": latent.nbytes}

    return work


def stock(frames: int, size: int, target: str, interpolate: bool, weights: str | None = None) -> Work:
    """latents -> VAE Decode -> Run Frame Interpolation Model -> Create Video -> Save Video, outputs kept as the host's cache keeps them."""
    import nodes
    from comfy_extras.nodes_frame_interpolation import FrameInterpolate
    from comfy_extras.nodes_video import CreateVideo

    vae, latent = _vae(), _latent(frames, size)
    model = _stock_model(weights) if interpolate else None

    def work() -> dict[str, Any]:
        (images,) = nodes.VAEDecode().decode(vae, {"samples": latent})
        (more,) = FrameInterpolate.execute(model, images, 2).args if model is not None else (images,)
        (video,) = CreateVideo.execute(more, FPS * 2 if model is not None else FPS).args
        video.save_to(target)
        return {"frames": len(more)}

    return work


def from_file(source: str, target: str) -> Work:
    """A file -> 2x -> mp4, with the interpolator in the box."""
    double = _our_doubling(None)

    def work() -> dict[str, Any]:
        video = double(InputImpl.VideoFromFile(source))
        video.save_to(target)
        return {"frames": video.get_frame_count()}

    return work


def make_clip(target: str, frames: int, width: int, height: int) -> Work:
    """A file of coloured waves that drift, made as a stream."""
    stream = room("video.stream")
    y, x = torch.meshgrid(torch.linspace(0, 6, height), torch.linspace(0, 10, width), indexing="ij")

    def chunks(first: int) -> Iterator[Tensor]:
        for number in range(first, frames):
            phase = number / 12
            waves = [torch.sin(x + phase + k) * torch.cos(y * (1 + k / 3) - phase) for k in range(3)]
            yield torch.stack(waves, dim=-1)[None].mul(0.45).add(0.5)

    def work() -> dict[str, Any]:
        room("video.host_video").LazyVideo(stream.FrameStream("Waves", width, height, frames, Fraction(24), chunks)).save_to(target)
        return {"bytes": Path(target).stat().st_size}

    return work


def compare(ours: str, stock: str) -> Work:
    """PSNR in dB between two files, over the frames that both have."""

    def work() -> dict[str, Any]:
        read = room("video.host_video").stream_of
        streams = [read(InputImpl.VideoFromFile(path), "benchmark") for path in (ours, stock)]
        total = count = 0.0
        for one, other in zip(*(_single_frames(stream) for stream in streams), strict=False):
            total += (one.double() - other.double()).square().mean().item()
            count += 1
        return {"psnr": 99.0 if total == 0 else 10 * math.log10(255**2 / (total / count)), "compared": int(count)}

    return work


def decode_only(frames: int, size: int, stages: int, rounds: int) -> Work:
    """Seconds of a decode alone and of the same through `stages` stages that do nothing, best of `rounds` each, taken in turns."""
    import time

    vae, latent = _vae(), _latent(frames, size)

    def seconds(extra: int) -> float:
        (video,) = room("video.host_decode").decode_to_videos(vae, {"samples": latent}, FPS)
        stream = video.stream
        for number in range(extra):
            stream = stream.then(f"nothing {number}", _passing)
        began = time.perf_counter()
        for _ in stream.chunks():
            pass
        return time.perf_counter() - began

    def work() -> dict[str, Any]:
        seconds(0)
        pairs = [(seconds(0), seconds(stages)) for _ in range(rounds)]
        return {"alone": min(a for a, _ in pairs), "staged": min(b for _, b in pairs)}

    return work


def write_random_rife(path: str) -> Work:
    """A RIFE 4.25 file with small random weights, which the host's loader and ours both open."""
    from safetensors.torch import save_file

    interpolator = room("models.interpolator")
    config = next(version for version in interpolator.VERSIONS if version.versions.startswith("4.25 or"))

    def work() -> dict[str, Any]:
        torch.manual_seed(0)
        network = interpolator.IFNet(config)
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)
        return {}

    return work


def _passing(chunks: Iterator[Tensor]) -> Iterator[Tensor]:
    yield from chunks


def _single_frames(stream: Any) -> Iterator[Tensor]:
    as_uint8 = room("video.stream").as_uint8
    for chunk in stream.chunks():
        yield from as_uint8(chunk)


def _vae() -> Any:
    path = ROOT / "weights" / "vae" / "spacetime_tiny_vae.safetensors"
    return room("model_loaders.vae").load_vae(path)


def _latent(frames: int, size: int) -> Tensor:
    """Smooth random latents with the statistics of real ones, so that the file is of a usual size."""
    shape = (1, 16, (frames - 1) // 4 + 1, size // 8, size // 8)
    coarse = torch.randn(1, 16, max(2, shape[2] // 4), 6, 6, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(coarse, shape[2:], mode="trilinear")
    return room("models.vae").denormalize_latent(smooth / smooth.std())


def _our_doubling(weights: str | None) -> Callable[[Any], Any]:
    """Twice the frame rate through Spacetime Interpolate, with a RIFE file or, without one, the interpolator in the box."""
    interpolation = room("video.host_interpolate")
    model = _stock_model(weights) if weights else None
    return lambda video: interpolation.interpolate_video(video, model=model, multiplier=2)


def _stock_model(weights: str | None) -> Any:
    """The host's loader, without its list of files."""
    import comfy.model_management
    import comfy.model_patcher
    from comfy_extras.nodes_frame_interpolation import FrameInterpolationModelLoader

    assert weights is not None
    network = FrameInterpolationModelLoader._detect_and_load(comfy.utils.load_torch_file(weights, safe_load=True)).eval()
    return comfy.model_patcher.CoreModelPatcher(
        network,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
