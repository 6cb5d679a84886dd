"""Make a VAE wider without making it forget: `base_width` above that of `start_from` in `training/train_vae.py`.

The old channels keep their weights and read nothing from the new ones; the new ones begin as faint random views of the old. What the
network computes is then nearly what it computed before, and training goes on from there with the room of the wider one. After Net2Net
(arXiv 1511.05641), with silent new channels in place of copies.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from models.vae import CausalVideoVAE, ChannelNorm, FrameAttention, Upsample

FAINT = 0.2  # the weights of new channels, as a share of the spread of the old ones


@torch.no_grad()
def widened(narrow: CausalVideoVAE, base_width: int, faint: float = FAINT, seed: int = 0) -> CausalVideoVAE:
    """A network of `base_width` that computes nearly what `narrow` does; exactly that with `faint` 0.

    Latents and pictures keep their channels. The new weights are float32 on the CPU.

    Raises:
        ValueError: `base_width` is not above that of `narrow`.
    """
    if base_width <= narrow.config.base_width:
        raise ValueError(f"widened: expected a base width above {narrow.config.base_width}, that of the weights, got {base_width}")
    wide = CausalVideoVAE(replace(narrow.config, base_width=base_width))
    generator = torch.Generator().manual_seed(seed)
    parts = _stacked_outputs(wide)
    before = dict(narrow.named_modules())
    for name, module in wide.named_modules():
        if isinstance(module, ChannelNorm):
            module.gamma.copy_(_wider_gain(before[name].gamma, len(module.gamma)))
        elif isinstance(module, (nn.Conv2d, nn.Conv3d)):
            stacked = parts.get(id(module), 1)
            _fill(module.weight.unflatten(0, (stacked, -1)), before[name].weight.unflatten(0, (stacked, -1)), faint, generator)
            bias, old = module.bias.zero_().unflatten(0, (stacked, -1)), before[name].bias.unflatten(0, (stacked, -1))
            bias[:, : old.shape[1]] = old
    for name, module in wide.named_modules():
        if isinstance(module, FrameAttention):  # attention divides by the root of its width
            channels = module.proj.out_channels
            grown = (channels / before[name].proj.out_channels) ** 0.5
            module.to_qkv.weight[:channels] *= grown
            module.to_qkv.bias[:channels] *= grown
    wide.look_for_past()
    return wide


def _stacked_outputs(vae: CausalVideoVAE) -> dict[int, int]:
    """Convolutions whose outputs are several tensors of channels, one behind the other, by id: how many."""
    found = {}
    for module in vae.modules():
        if isinstance(module, FrameAttention):
            found[id(module.to_qkv)] = 3
        elif isinstance(module, Upsample) and module.time_conv is not None:
            found[id(module.time_conv)] = 2
    return found


def _wider_gain(gain: Tensor, channels: int) -> Tensor:
    """The norm divides by the root mean square, which silent channels make smaller."""
    wider = gain.mean().expand(channels, *gain.shape[1:]).clone()
    wider[: len(gain)] = gain
    return wider * (len(gain) / channels) ** 0.5


def _fill(weight: Tensor, old: Tensor, faint: float, generator: torch.Generator) -> None:
    """Weights [parts, out, in, ...] of a wider convolution, in place: new inputs are not read, new outputs are faint."""
    rows, columns = old.shape[1:3]
    weight.zero_()
    weight[:, :rows, :columns] = old
    new = weight[:, rows:, :columns]
    new.copy_(torch.randn(new.shape, generator=generator) * (faint * old.std()))
