"""Where the training of a VAE starts from: the best linear codec that its skip connections can hold.

Without its residual branches Wan's VAE is a cascade of strided convolutions, linear but for the norm and SiLU of its two heads. That
cascade costs a tenth of the whole and is soon trained; the whole network gets further from there than from random weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.vae import CausalState, CausalVideoVAE, Downsample, ResidualBlock, Upsample

SPAN = 4.0  # the constant channel, in lengths of nearly the longest feature vector
BEND = 0.1  # typical size of what a head's SiLU gets: small, so that it halves and bends little
NARROW = -6.0  # log-variance that the posterior starts with


def cascade_of(vae: CausalVideoVAE) -> nn.ModuleList:
    """The layers that `straight` uses."""
    encoder, decoder = _skips(vae)
    return nn.ModuleList([*encoder, vae.encoder.head[2], vae.conv1, vae.conv2, *decoder, vae.decoder.head[2]])


def _skips(vae: CausalVideoVAE) -> tuple[list[nn.Module], list[nn.Module]]:
    """The layers before each head without what the residual branches add: of the encoder, of the decoder."""
    modules = ([vae.encoder.conv1, *vae.encoder.downsamples], [vae.decoder.conv1, *vae.decoder.upsamples])
    encoder, decoder = ([one.shortcut if isinstance(one, ResidualBlock) else one for one in part] for part in modules)
    return [layer for layer in encoder if layer is not None], [layer for layer in decoder if layer is not None]


def straight(vae: CausalVideoVAE, video: Tensor) -> tuple[Tensor, Tensor]:
    """Latents of a clip [B, 3, T, H, W], and the clip rebuilt from them, by the skip connections alone.

    The first channel before each head is left out: `settle` needs it.
    """
    encoder, decoder = _skips(vae)
    features = _features(encoder, video)
    latent = vae.conv1(vae.encoder.head[2](features, CausalState()), CausalState())[:, : vae.config.latent_channels]
    features = _features(decoder, vae.conv2(latent, CausalState()))
    return latent, vae.decoder.head[2](features, CausalState())


def _features(layers: list[nn.Module], x: Tensor) -> Tensor:
    state = CausalState()
    for layer in layers:
        x = layer(x, state)
    used = torch.ones(x.shape[1], 1, 1, 1, device=x.device, dtype=x.dtype)
    used[0] = 0
    return x * used


@torch.no_grad()
def settle(vae: CausalVideoVAE, video: Tensor) -> None:
    """Make the whole network compute what `straight` does, nearly, for clips like `video`, and latents of the mean spread 1.

    The first channel before a head becomes a large constant. The norm then divides by nearly the same number everywhere, and what is
    small goes through SiLU nearly in proportion. Later blocks see features that have kept their size.
    """
    latent, _ = straight(vae, video)
    size, channels = latent.std(dim=(0, 2, 3, 4)).square().mean().sqrt(), vae.config.latent_channels
    for values in (vae.conv1.weight, vae.conv1.bias):
        values[:channels] /= size
        values[channels:] = 0
    vae.conv1.bias[channels:] = NARROW
    vae.conv2.weight *= size

    encoder, decoder = _skips(vae)
    _level(encoder, vae.encoder.head[2], video)
    down = next(layer for layer in reversed(vae.encoder.downsamples) if isinstance(layer, Downsample))
    tail = [*vae.encoder.downsamples[-vae.config.residual_blocks :], *vae.encoder.middle]
    _hold(_features(encoder, video), [down.resample[1], down.time_conv], tail, vae.encoder.head)

    latent = vae.conv2(latent / size, CausalState())
    _level(decoder, vae.decoder.head[2], latent)
    up = next(layer for layer in reversed(vae.decoder.upsamples) if isinstance(layer, Upsample))
    _hold(_features(decoder, latent), [up.resample[1]], list(vae.decoder.upsamples[-vae.config.residual_blocks - 1 :]), vae.decoder.head)


def _level(layers: list[nn.Module], head: nn.Module, x: Tensor) -> None:
    """Give the features behind every layer the mean square 1, and `head` the same sums of them as before."""
    state, scale = CausalState(), x.new_ones(())  # features are now 1 / scale of what they were
    for layer in layers:
        main = layer.resample[1] if isinstance(layer, (Downsample, Upsample)) else layer
        if isinstance(layer, Upsample) and layer.time_conv is not None:
            layer.time_conv.bias /= scale
        main.weight *= scale
        y = layer(x, state)
        size = y.square().mean().sqrt()
        main.weight /= size
        main.bias /= size
        if isinstance(layer, Downsample) and layer.time_conv is not None:
            layer.time_conv.bias /= size
        x, scale = y / size, size
    head.weight *= scale


def _hold(features: Tensor, sources: list[nn.Module], blocks: list[nn.Module], head: nn.Sequential) -> None:
    """Give `features` [B, C, T, H, W] their constant channel, made by `sources`, and fit the norms behind it to that."""
    lengths = torch.linalg.vector_norm(features.float(), dim=1).flatten()
    longest = lengths.kthvalue(max(1, int(len(lengths) * 0.999))).values
    constant, typical = SPAN * longest, lengths.square().mean().sqrt()
    for source in sources:
        source.weight[0] = 0
        source.bias[0] = constant
    if len(sources) > 1:
        sources[1].weight[:, 0] = 0
    for block in blocks:
        if isinstance(block, ResidualBlock):
            block.residual[0].gamma[:] = constant / typical
            block.residual[0].gamma[0] = features.shape[1] ** -0.5
    norm, _, conv = head
    norm.gamma[:] = BEND * constant / typical
    conv.weight[:, 1:] *= 2 * typical / (BEND * features.shape[1] ** 0.5)
    conv.weight[:, 0] = 0
