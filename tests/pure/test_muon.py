"""The optimiser of weight matrices: against its definition, and against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.precision import fastest_dtype
from models.vae import CausalVideoVAE, VAEConfig
from training.muon import Muon, orthogonalized
from training.run import Optimizers
from training.train_vae import trunk_matrices


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


@pytest.mark.parametrize(("rows", "columns"), [(160, 160), (160, 400), (400, 160)])
def test_both_precisions_make_the_same(rows: int, columns: int):
    given = matrices(rows, columns)
    exact, quick = (orthogonalized(given, dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    assert quick.dtype == torch.float32
    assert (quick - exact).norm() < 0.03 * exact.norm()
    assert torch.equal(orthogonalized(given), quick if fastest_dtype(given.device) == torch.bfloat16 else exact)


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


def test_some_matrices_can_step_by_a_share():
    quick, slow = (nn.Conv2d(4, 4, 3) for _ in range(2))
    slow.load_state_dict(quick.state_dict())
    starts = [one.weight.detach().clone() for one in (quick, slow)]
    both = nn.ModuleList([quick, slow])
    optimizers = Optimizers(both, [quick.weight, slow.weight], lr=0.1, muon_lr=0.02, slow=[slow.weight], slow_share=0.25)
    for factor in (1.0, 0.5):
        for one in (quick, slow):
            one.weight.grad = matrices(4, 36, 1).reshape(4, 4, 3, 3)
        optimizers.step(factor)
    fast, held = (one.weight.detach() - start for one, start in zip((quick, slow), starts, strict=True))
    torch.testing.assert_close(held, 0.25 * fast, rtol=1e-4, atol=1e-6)
    assert fast.norm() > 0.01


def test_matrices_beside_residual_branches_are_the_trunk():
    vae = CausalVideoVAE(VAEConfig(base_width=4))
    trunk = {id(p) for p in trunk_matrices(vae)}
    names = [name for name, p in vae.named_parameters() if id(p) in trunk]
    assert {"encoder.conv1.weight", "conv1.weight", "conv2.weight", "decoder.head.2.weight"} <= set(names)
    assert any("shortcut" in name for name in names) and any("resample.1" in name for name in names)
    assert not any(".residual." in name or "to_qkv" in name or "proj" in name for name in names)
