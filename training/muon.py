"""Muon (Keller Jordan, 2024), the optimiser of weight matrices, in the quickest precision and cheap for matrices that are wide or tall.

The same steps as `torch.optim.Muon`, which always orthogonalises in bfloat16 and on the whole matrix. CPUs without bfloat16
instructions need sixty times as long for that as in float32; and the iteration is a polynomial in X Xᵀ, which for a convolution's
weight is up to 27 times smaller than X. Where bfloat16 is quick, large matrices take PyTorch's way, which for 256 x 256 is seven times
as fast as the polynomial in float32 on a CPU core with such instructions (in bfloat16 the polynomial would lose the small singular values).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from models.precision import fastest_dtype

COEFFICIENTS = (3.4445, -4.775, 2.0315)  # of the quintic step, as published: steep at nought rather than exact at one
STEPS = 5
LARGE = 128  # rows and columns from which the precision is chosen by speed


def orthogonalized(matrices: Tensor, steps: int = STEPS, dtype: torch.dtype | None = None) -> Tensor:
    """Matrices [B, N, M] with their singular vectors kept and their singular values near 1 (0.7 to 1.2), by Newton-Schulz steps.

    `dtype` is that of the steps, float32 or bfloat16; None: float32 for small matrices, for others what is quickest on their device.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp_min(1e-7)
    if dtype is None:
        dtype = fastest_dtype(x.device) if x.shape[-2] >= LARGE else torch.float32
    x = (_direct if dtype == torch.bfloat16 else _by_polynomial)(x.to(dtype), steps).to(matrices.dtype)
    return x.mT if tall else x


def _direct(x: Tensor, steps: int) -> Tensor:
    a, b, c = COEFFICIENTS
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def _by_polynomial(x: Tensor, steps: int) -> Tensor:
    a, b, c = COEFFICIENTS
    gram = x @ x.mT
    result = torch.eye(gram.shape[-1], dtype=x.dtype, device=x.device).expand_as(gram)
    for step in range(steps):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        result = factor @ result if step else factor
        if step < steps - 1:
            gram = factor @ gram @ factor
    return result @ x


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay. All parameters are matrices; those of one shape are stepped together.

    `lr` is for a square matrix: taller ones step by sqrt(rows / columns) times as much.

    Raises:
        ValueError: a parameter that is no matrix.
    """

    def __init__(self, params: Any, lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            if wrong := next((p.shape for p in group["params"] if p.ndim != 2), None):
                raise ValueError(f"Muon: expected matrices, got a parameter of shape {list(wrong)}; give it to another optimiser")

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One step on every parameter that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in alike.items():
                updates = orthogonalized(torch.stack([self._nesterov(p, group["momentum"]) for p in parameters]))
                size = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(parameters, list(updates.unbind()), alpha=-size)

    def _nesterov(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum_buffer"], momentum).float()
