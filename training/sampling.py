"""Flow-matching noise levels, and the Euler sampler with which training and evaluation look at the model.

The noise level sigma runs from 1 (noise) to 0 (data): x = (1 - sigma) * data + sigma * noise, the network is told 1000 * sigma and
predicts noise - data. The shift is that of Stable Diffusion 3 (arXiv 2403.03206), as the host applies it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def shift_sigma(sigma: Tensor, shift: float) -> Tensor:
    """Move noise levels 0..1 towards noise: shift * s / (1 + (shift - 1) * s)."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def draw_sigmas(count: int, shift: float, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Noise levels to train on: the sigmoid of a unit normal, shifted; [count] in 0..1."""
    return shift_sigma(torch.sigmoid(torch.randn(count, generator=generator, device=device)), shift)


def sigma_schedule(steps: int, shift: float) -> Tensor:
    """Noise levels of a sampler, `steps` + 1 of them from 1 to 0; the host's `simple` schedule over its 1000 levels."""
    levels = torch.arange(1, 1001, dtype=torch.float64) / 1000
    picked = [levels[-(1 + int(i * len(levels) / steps))] for i in range(steps)]
    return torch.cat([shift_sigma(torch.stack(picked), shift), torch.zeros(1, dtype=torch.float64)]).float()


@torch.inference_mode()
def sample(
    predict: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor],
    noise: Tensor,
    extra: Tensor,
    text: tuple[Tensor, Tensor],
    no_text: tuple[Tensor, Tensor],
    steps: int = 20,
    guidance: float = 3.0,
    shift: float = 3.0,
) -> Tensor:
    """Euler's method with classifier-free guidance. Frames that are known from the beginning of the clip on are kept as they are.

    Args:
        predict: the denoiser, (x [B, 36, T', h, w], timestep [B], context, context_mask) -> flow.
        noise: [B, 16, T', h, w].
        extra: [B, 20, T', h, w] known-frame conditioning, zeros for text to video.
        text, no_text: embeddings [B, L, D] and mask [B, L] of the prompt and of the empty prompt.
    Returns:
        Normalised latents [B, 16, T', h, w].
    """
    x = noise.clone()
    known = known_from_the_start(extra)
    sigmas = sigma_schedule(steps, shift).to(noise.device)
    for sigma, following in zip(sigmas[:-1], sigmas[1:], strict=True):
        timestep = (sigma * 1000).expand(len(x))
        entry = torch.cat([x, extra], dim=1)
        flow = predict(entry, timestep, *text)
        if guidance != 1.0:
            free = predict(entry, timestep, *no_text)
            flow = free + guidance * (flow - free)
        x = x + (following - sigma) * flow.to(x.dtype)
        x[:, :, :known] = torch.lerp(extra[:, 4:, :known], noise[:, :, :known], following).to(x.dtype)
    return x


def known_from_the_start(extra: Tensor) -> int:
    """How many latent frames from the first on are known whole, in all clips, by the mask of the conditioning [B, 20, T', h, w]."""
    whole = (extra[:, :4] == 1).all(4).all(3).all(1).all(0)  # [T']
    return int(whole.cumprod(0).sum())
