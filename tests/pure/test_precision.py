"""The precision that the networks compute in on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from rooms.models import precision
from rooms.models.precision import fastest_cpu_dtype, fastest_dtype

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.dtype]]:
    """The precisions that are measured in a test, which begins with nothing measured; bfloat16 then counts as twice as fast."""
    found: list[torch.dtype] = []

    def seconds(dtype: torch.dtype) -> float:
        found.append(dtype)
        return 1.0 if dtype == torch.bfloat16 else 2.0

    monkeypatch.setattr(precision, "_typical_convolution", lambda dtype: dtype)
    monkeypatch.setattr(precision, "_seconds", seconds)
    fastest_cpu_dtype.cache_clear()
    yield found
    fastest_cpu_dtype.cache_clear()


def test_the_measured_precision_is_one_of_two_and_draws_no_random_numbers() -> None:
    fastest_cpu_dtype.cache_clear()
    before = torch.get_rng_state()
    assert fastest_cpu_dtype() in (torch.float32, torch.bfloat16)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("capability", ["DEFAULT", "NO AVX", "AVX2"])
def test_cpus_without_bfloat16_need_no_measurement(capability: str, measured: list[torch.dtype], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert fastest_dtype(CPU) == torch.float32
    assert measured == []


def test_other_cpus_are_measured_once(measured: list[torch.dtype], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert fastest_dtype(CPU) == fastest_dtype(CPU) == torch.bfloat16
    assert sorted(map(str, measured)) == ["torch.bfloat16", "torch.float32"]


def test_gpus_compute_in_bfloat16(measured: list[torch.dtype]) -> None:
    assert fastest_dtype(GPU) == torch.bfloat16
    assert measured == []
