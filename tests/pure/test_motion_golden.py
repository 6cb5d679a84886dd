"""The numbers of the motion plan's formulas are those of the golden files, which the JavaScript is held to as well."""

from __future__ import annotations

import json
from pathlib import Path

import motion_golden
import numpy as np
import pytest

FILES = sorted(motion_golden.GOLDEN.glob("*.json"))


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_there_is_a_file_for_each_case_and_they_are_small() -> None:
    assert [path.stem for path in FILES] == sorted(motion_golden.cases())
    assert sum(path.stat().st_size for path in FILES) < 200_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_python_gives_the_golden_numbers(path: Path) -> None:
    golden = read(path)
    wanted = golden.pop("expected")
    assert golden == motion_golden.cases()[path.stem]
    found = motion_golden.answer(golden)
    assert [mover["id"] for mover in found["movers"]] == [mover["id"] for mover in wanted["movers"]]
    for one, other in zip(found["movers"], wanted["movers"]):
        assert one["rank"] == other["rank"] and one["grid"] == other["grid"]
        assert np.allclose(one["bounds"], other["bounds"], rtol=0, atol=1e-3)
        assert np.allclose(one["maps"], other["maps"], rtol=0, atol=1e-3)
    assert np.allclose(found["camera"], wanted["camera"], rtol=0, atol=1e-3)
    assert found["tracks"]["owner"] == wanted["tracks"]["owner"]
    assert found["tracks"]["visible"] == wanted["tracks"]["visible"]
    assert np.allclose(found["tracks"]["points"], wanted["tracks"]["points"], rtol=0, atol=1e-3)
    assert found["tracks"]["strength"] == wanted["tracks"]["strength"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_golden_point_is_so_near_an_edge_that_rounding_decides(path: Path) -> None:
    """Otherwise JavaScript and Python could differ in what is visible without either being wrong."""
    golden = read(path)
    points = np.array(golden["expected"]["tracks"]["points"])
    from_edge = np.minimum(np.abs(points), np.abs(points - [golden["width"], golden["height"]]))
    assert len(points) > 0
    assert from_edge.min() > 1e-6 or golden["frames"] == 1
