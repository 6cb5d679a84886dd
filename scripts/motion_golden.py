"""Write what the motion plan's formulas give: tests/golden/motion/*.json and docs/motion_plan.schema.json.

The golden files hold the Python and the JavaScript of the motion plan to the same numbers. Run it after a change of the format
that is meant, look at the difference, and commit both.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "motion"
SCHEMA = ROOT / "docs" / "motion_plan.schema.json"
DIGITS = 4


def _rooms() -> None:
    """Lets `rooms.motion` be imported with its relative imports, but not the pack's nodes."""
    if "rooms" not in sys.modules:
        spec = importlib.machinery.ModuleSpec("rooms", None, is_package=True)
        spec.submodule_search_locations = [str(ROOT)]
        sys.modules["rooms"] = importlib.util.module_from_spec(spec)


def cases() -> dict[str, dict[str, Any]]:
    """Each golden file's plan, size, frames and count of points."""
    bow = [[0.2, 0.4], [0.35, 0.2], [0.55, 0.3], [0.6, 0.55]]
    loop = [[0.5, 0.2], [0.7, 0.5], [0.5, 0.8], [0.3, 0.5], [0.5, 0.2]]
    stroke = {"type": "stroke", "points": [[0.2, 0.4], [0.3, 0.45], [0.32, 0.5]], "radius": 0.08}
    oval = {"type": "ellipse", "box": [0.55, 0.4, 0.25, 0.3]}
    star = {"type": "polygon", "points": [[0.5, 0.1], [0.6, 0.4], [0.35, 0.2], [0.65, 0.2], [0.4, 0.4]]}
    bite = {"type": "rectangle", "box": [0.6, 0.5, 0.1, 0.1], "op": "subtract"}
    return {
        "straight": _case(
            {"regions": [{"shapes": [stroke], "motion": {"direction": 30, "speed": 0.5, "start": 0.2, "end": 0.8}}]}, 320, 180, 17
        ),
        "paths": _case(
            {
                "anchors": False,
                "regions": [
                    {"id": "smooth", "shapes": [stroke], "motion": {"path": {"points": bow}, "easing": "ease-in-out"}},
                    {
                        "id": "line",
                        "shapes": [oval, bite],
                        "motion": {"path": {"points": bow, "curve": "line"}, "easing": [0.9, 0.1, 0.2, 0.7]},
                    },
                    {"id": "loop", "shapes": [star], "motion": {"path": {"points": loop}, "easing": "ease"}},
                    {
                        "id": "timed",
                        "shapes": [oval],
                        "z": -1,
                        "motion": {"path": {"points": bow, "times": [0, 0.1, 0.7, 1]}, "easing": "ease-in"},
                    },
                ],
            },
            640,
            360,
            13,
        ),
        "turns": _case(
            {
                "seed": 4294967295,
                "regions": [
                    {"id": "turn", "shapes": [oval], "motion": {"rotation": 400, "scale": 0.5, "proximity": 1.5, "easing": "ease-out"}},
                    {"id": "off-centre", "shapes": [star], "strength": 0.5, "motion": {"rotation": -90, "center": [0.1, 0.9], "scale": 2}},
                    {"id": "sway", "shapes": [stroke], "motion": {"ambient": 1, "ambient_cycles": 7}},
                ],
            },
            240,
            416,
            11,
        ),
        "boxes": _case(
            {
                "boxes": [
                    {
                        "start": [0.1, 0.1, 0.2, 0.3],
                        "end": [0.6, 0.5, 0.3, 0.2],
                        "keyframes": [{"time": 0.4, "box": [0.5, 0.1, 0.1, 0.2]}],
                        "easing": "ease-in-out",
                        "start_time": 0.1,
                        "end_time": 0.9,
                    },
                    {
                        "start": [0.5, 0.5, 0.3, 0.3],
                        "end": [0.0, 0.55, 0.2, 0.1],
                        "mode": "soft",
                        "shapes": [oval],
                        "ambient": 0.5,
                        "z": -3,
                    },
                ]
            },
            320,
            320,
            16,
        ),
        "camera": _case(
            {
                "camera": [
                    {"type": "zoom", "factor": 1.7, "center": [0.3, 0.6], "easing": "ease"},
                    {"type": "pan", "x": 0.25, "y": -0.1, "start": 0.25},
                    {"type": "roll", "degrees": 35, "end": 0.5},
                ],
                "regions": [
                    {"shapes": [oval], "pinned": True, "motion": {"direction": 0}},
                    {"shapes": [stroke], "motion": {"path": {"points": bow}}},
                    {"shapes": [star], "hidden": True},
                ],
            },
            416,
            240,
            9,
        ),
        "covered": _case(
            {
                "regions": [
                    {
                        "id": "back",
                        "shapes": [{"type": "rectangle", "box": [0.1, 0.3, 0.3, 0.4]}],
                        "motion": {"direction": 0, "speed": 0.613},
                    },
                    {"id": "front", "shapes": [{"type": "rectangle", "box": [0.51, 0.2, 0.203, 0.6]}], "pinned": True, "z": 5},
                    {
                        "id": "leaves",
                        "shapes": [{"type": "ellipse", "box": [0.0, 0.0, 0.2, 0.2]}],
                        "motion": {"direction": -171.3, "speed": 0.5},
                    },
                ]
            },
            200,
            120,
            10,
        ),
        "single_frame": _case({"regions": [{"shapes": [star, stroke], "motion": {"direction": 90, "speed": 2}}]}, 97, 61, 1),
    }


def _case(plan: dict[str, Any], width: int, height: int, frames: int, count: int = 40) -> dict[str, Any]:
    return {"plan": {"version": 1, **plan}, "width": width, "height": height, "frames": frames, "count": count}


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """What the Python of the motion plan gives for a case; numbers to four digits.

    `movers`: id, bounds (left, top, right, bottom), rank, grid (48 rows of 48 cells as text of 0 and 1), and the map of each frame
    as [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f. `camera`: maps likewise. `tracks`: for each point its places in the
    frames, and when it is visible as text of 0 and 1.
    """
    _rooms()
    from rooms.motion.camera import camera_maps
    from rooms.motion.movers import movers
    from rooms.motion.plan import from_data
    from rooms.motion.tracks import plan_tracks

    plan = from_data(case["plan"])
    size = (case["width"], case["height"], case["frames"])
    tracks = plan_tracks(plan, *size, count=case["count"])
    return {
        "movers": [
            {
                "id": mover.id,
                "bounds": _rounded(mover.outline.bounds),
                "rank": mover.rank,
                "grid": ["".join(str(int(cell)) for cell in row) for row in mover.grid],
                "maps": _rounded(mover.maps.reshape(-1, 6), 6),
            }
            for mover in movers(plan, *size)
        ],
        "camera": _rounded(camera_maps(plan.camera, *size)[:, :2].reshape(-1, 6), 6),
        "tracks": {
            "points": _rounded(tracks.points.swapaxes(0, 1)),
            "visible": ["".join(str(int(seen)) for seen in point) for point in tracks.visible.T],
            "owner": tracks.owner.tolist(),
            "strength": _rounded(tracks.strength),
        },
    }


def _rounded(values: Any, digits: int = DIGITS) -> Any:
    import numpy as np

    return (np.round(np.asarray(values, dtype=np.float64), digits) + 0.0).tolist()


def schema_text() -> str:
    """The JSON schema's file."""
    _rooms()
    from rooms.motion.plan import json_schema

    return json.dumps(json_schema(), indent=2) + "\n"


def main() -> None:
    """Write all files."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, case in cases().items():
        text = json.dumps({**case, "expected": answer(case)}, separators=(",", ":"))
        (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
