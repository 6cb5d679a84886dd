"""Spacetime Interpolate's work: a host's VIDEO and INTERP_MODEL -> a lazy VIDEO at another rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import comfy.model_management
import comfy.model_patcher
import torch
from torch import Tensor

from ..models.interpolator import IFNet, pad_to_multiple
from ..models.precision import fastest_cpu_dtype
from . import interrupt
from .host_video import LazyVideo, stream_of
from .interpolate import FlowInterpolator, Interpolator, RifeInterpolator, Rules, interpolated, multiplied_rate, target_rate
from .prefetch import read_ahead
from .scenes import DEFAULT_THRESHOLD
from .stream import FrameStream, Needs, as_float

NODE = "Spacetime Interpolate"
_CPU_BATCH_BYTES = 400_000_000  # a CPU gains nothing from larger batches
_FLOW_BYTES_PER_PIXEL = 200  # of the pictures, at the peak of the optical flow; measured


def interpolate_video(
    video: Any,
    *,
    fps: float | None = None,
    multiplier: float | None = None,
    model: Any = None,
    cut_threshold: float = DEFAULT_THRESHOLD,
    repair_repeats: bool = False,
    loop: bool = False,
) -> LazyVideo:
    """The video at `fps` frames a second, or at `multiplier` times its rate; nothing is computed yet.

    Args:
        model: an INTERP_MODEL of the host or of our loader; None for the optical flow in the box.
        cut_threshold, repair_repeats, loop: see `interpolate.Rules`.
    Raises:
        ValueError: the rate, the multiplier, the threshold, the video or the model is none that can be used; one sentence.
    """
    source = stream_of(video, NODE)
    if (fps is None) == (multiplier is None):
        raise ValueError(f"{NODE}: expected either fps or a multiplier, got {'neither' if fps is None else 'both'}; give one of them")
    rate = target_rate(fps, NODE) if fps is not None else multiplied_rate(source.frame_rate, multiplier, NODE)  # type: ignore[arg-type]
    if not 0 <= cut_threshold <= 1:
        raise ValueError(f"{NODE}: expected a cut threshold of 0 to 1, got {cut_threshold:g}; use {DEFAULT_THRESHOLD}")
    rules = Rules(cut_threshold, repair_repeats, loop)
    method = _flow_method(source) if model is None else _model_method(model, source)
    if comfy.model_management.is_device_cpu(method.device):
        # what makes the frames runs beside this network: each leaves cores idle between its layers, and in small ones
        source = read_ahead(source, ahead=1)
    return LazyVideo(interpolated(source, rate, method.open, NODE, rules, method.needs))


class _Method:
    """How frames between are made: `open` when they are asked for, what that takes, and where they are computed."""

    def __init__(self, needs: Needs, device: torch.device) -> None:
        self.needs = needs
        self.device = device

    def open(self) -> Interpolator:
        raise NotImplementedError


def _flow_method(source: FrameStream) -> _Method:
    return _Flow(source.width * source.height * _FLOW_BYTES_PER_PIXEL)


def _model_method(patcher: Any, source: FrameStream) -> _Method:
    """Raises: ValueError: it makes no frames."""
    network = getattr(patcher, "model", None)
    if not isinstance(network, torch.nn.Module) or not hasattr(patcher, "load_device"):
        raise ValueError(
            f"{NODE}: expected an interpolation model, got {type(patcher).__name__}; connect Load Interpolation Model, or nothing"
        )
    try:
        tensors = network.state_dict()
        ours = IFNet.from_state_dict({name: tensor.to("meta") for name, tensor in tensors.items()}, assign=True)
    except (ValueError, RuntimeError) as error:
        if all(hasattr(network, name) for name in ("extract_features", "memory_used_forward")):
            return _HostNetwork(patcher, source)
        raise ValueError(f"{NODE}: {error}; connect Load Interpolation Model, or nothing") from error
    return _Rife(patcher, ours, source)


class _Flow(_Method):
    def __init__(self, memory: int) -> None:
        super().__init__(Needs(device=memory), comfy.model_management.get_torch_device())

    def open(self) -> Interpolator:
        comfy.model_management.free_memory(self.needs.device, self.device)
        return FlowInterpolator(self.device)


class _Rife(_Method):
    """RIFE of any version through our network, on a copy of the model's weights in the precision that is fastest here."""

    def __init__(self, patcher: Any, network: IFNet, source: FrameStream) -> None:
        self._patcher = patcher
        self._each = network.memory_used_forward((1, source.height + network.pad_align, source.width + network.pad_align), torch.float32)
        super().__init__(Needs(device=self._each), patcher.load_device)

    def open(self) -> Interpolator:
        device = self.device
        dtype = fastest_cpu_dtype() if comfy.model_management.is_device_cpu(device) else self._patcher.model_dtype()
        weights = {name: tensor.detach().to("cpu", dtype, copy=True) for name, tensor in self._patcher.model.state_dict().items()}
        network = IFNet.from_state_dict(weights, assign=True).optimize_layout()
        loaded = _Loaded(
            comfy.model_patcher.ModelPatcher(network, load_device=device, offload_device=self._patcher.offload_device), self._each
        )
        return _Kept(RifeInterpolator(network, _batch_bytes(device)), loaded)


class _HostNetwork(_Method):
    """Another network of the host's, such as FILM, called as the host's own node calls it."""

    def __init__(self, patcher: Any, source: FrameStream) -> None:
        self._patcher = patcher
        shape = (1, source.height, source.width, 3)
        super().__init__(Needs(device=int(patcher.model.memory_used_forward(shape, torch.float32))), patcher.load_device)

    def open(self) -> Interpolator:
        loaded = _Loaded(self._patcher, self.needs.device)
        return _Kept(HostInterpolator(self._patcher.model, self.device, self._patcher.model_dtype()), loaded)


class _Loaded:
    """A model that the host's memory management has put on its device for as long as this object lives."""

    def __init__(self, patcher: Any, memory: int) -> None:
        comfy.model_management.load_models_gpu([patcher], memory_required=memory, force_full_load=True)
        self.patcher = patcher


class _Kept:
    """An interpolator together with what it needs to be kept alive."""

    def __init__(self, interpolator: Interpolator, loaded: _Loaded) -> None:
        self._loaded = loaded
        self.encode = interpolator.encode
        self.between = interpolator.between


class HostInterpolator:
    """A network with the interface that the host's FrameInterpolate uses: frames at several times at once where it can do that."""

    def __init__(self, network: Any, device: torch.device, dtype: torch.dtype) -> None:
        self._network = network
        self._layers = interrupt.layers_of(network)
        self._device = device
        self._dtype = dtype

    @torch.inference_mode()
    def encode(self, frame: Tensor) -> tuple[Tensor, Any, tuple[int, int]]:
        picture = as_float(frame.to(self._device)).movedim(-1, 0)[None].to(self._dtype)
        picture = pad_to_multiple(picture, getattr(self._network, "pad_align", 1))
        with interrupt.interruptible(self._layers):
            return picture, self._network.extract_features(picture), (frame.shape[0], frame.shape[1])

    def between(self, before: Any, after: Any, times: Sequence[float]) -> Iterator[Tensor]:
        (first, first_features, (height, width)), (second, second_features, _) = before, after
        cache = {"img0": first_features, "img1": second_features}
        several = getattr(self._network, "forward_multi_timestep", None)
        for group in [list(times)] if several else [[time] for time in times]:
            with torch.inference_mode(), interrupt.interruptible(self._layers):
                if several:
                    made = several(first, second, group, cache=cache)
                else:
                    timestep = torch.full((1, 1, *first.shape[2:]), group[0], device=self._device, dtype=self._dtype)
                    made = self._network(first, second, timestep=timestep, cache=cache)
                made = made[:, :, :height, :width].float().clamp(0, 1).movedim(1, -1).cpu()
            yield made


def _batch_bytes(device: torch.device) -> int:
    """How much a batch of frames may take on a device."""
    if comfy.model_management.is_device_cpu(device):
        return _CPU_BATCH_BYTES
    return int(comfy.model_management.get_free_memory(device) * 0.5)
