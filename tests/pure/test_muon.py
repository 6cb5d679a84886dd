"""The optimiser of weight matrices: against its definition, and against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.muon import Muon, orthogonalized


def matrices(rows: int, columns: int, count: int = 2) -> Tensor:
    return torch.randn(count, rows, columns, generator=torch.Generator().manual_seed(rows))


@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (12, 200), (200, 12)])
def test_singular_values_come_near_one_and_singular_vectors_stay(rows: int, columns: int):
    given = matrices(rows, columns)
    made = orthogonalized(1000 * given)
    u, s, vh = torch.linalg.svd(given, full_matrices=False)
    turned = u.mT @ made @ vh.mT
    values = turned.diagonal(dim1=1, dim2=2)
    seen = s > 0.1 * s.amax(1, keepdim=True)
    assert ((values > 0.6) & (values < 1.25))[seen].all()
    assert (turned - torch.diag_embed(values)).abs().max() < 1e-3


def test_columns_without_a_gradient_stay_nought():
    given = matrices(8, 40)
    given[:, :, 10:20] = 0
    assert orthogonalized(given)[:, :, 10:20].abs().max() == 0
    assert orthogonalized(torch.zeros(1, 4, 4)).abs().max() == 0


def test_steps_are_those_of_pytorchs_muon():
    """Which orthogonalises in bfloat16, hence the tolerance."""
    shapes = [(24, 24), (24, 24), (24, 60), (60, 24)]
    runs = []
    for kind in (Muon, torch.optim.Muon):
        generator = torch.Generator().manual_seed(0)
        parameters = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
        starts = [one.detach().clone() for one in parameters]
        optimizer = kind(parameters, lr=0.02, momentum=0.9, weight_decay=0.1)
        for _ in range(3):
            for one in parameters:
                one.grad = torch.randn(one.shape, generator=generator)
            optimizer.step()
        runs.append([one.detach() - start for one, start in zip(parameters, starts, strict=True)])
    for ours, theirs in zip(*runs, strict=True):
        assert (ours - theirs).norm() < 0.03 * theirs.norm()


def test_what_is_no_matrix_is_refused():
    with pytest.raises(ValueError, match=r"expected matrices, got a parameter of shape \[3, 3, 3\]"):
        Muon([nn.Parameter(torch.zeros(3, 3, 3))])
