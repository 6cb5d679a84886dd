"""The golden plans of tests/golden/motion, and whether an answer of the editor's JavaScript agrees with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[1] / "golden" / "motion"
PIXELS = 1e-3
MAP_ORDER = [0, 3, 1, 4, 2, 5]
"""A map in the golden files is the two rows of a matrix; the canvas takes it by columns."""


def golden_cases() -> dict[str, dict[str, Any]]:
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))}


def assert_golden(case: dict[str, Any], answer: dict[str, Any]) -> None:
    assert_movers(case["expected"]["movers"], answer["movers"])
    assert_camera(case["expected"]["camera"], answer["camera"])
    assert_tracks(case["expected"]["tracks"], answer["tracks"])


def assert_movers(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    assert [(mover["id"], mover["rank"]) for mover in found] == [(mover["id"], mover["rank"]) for mover in expected]
    for ours, theirs in zip(found, expected):
        if theirs["bounds"] is None:
            assert ours["bounds"] is None
            continue
        np.testing.assert_allclose(ours["bounds"], theirs["bounds"], atol=PIXELS)
        np.testing.assert_allclose(ours["maps"], np.array(theirs["maps"])[:, MAP_ORDER], atol=PIXELS)


def assert_camera(expected: list[list[float]], found: list[list[float]]) -> None:
    np.testing.assert_allclose(found, np.array(expected)[:, MAP_ORDER], atol=PIXELS)


def assert_tracks(expected: dict[str, Any], found: dict[str, Any]) -> None:
    assert found["owner"] == expected["owner"]
    points = np.array(found["points"]).transpose(1, 0, 2)  # n, frame, xy
    np.testing.assert_allclose(points, expected["points"], atol=PIXELS)
    visible = np.array(found["visible"]).T
    assert ["".join("01"[int(seen)] for seen in row) for row in visible] == expected["visible"]
