"""Several plans as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .plan import VERSION, Plan, PlanError, from_data, to_data

LONGEST_ID = 64
LIMITS = {"regions": 64, "boxes": 64, "camera": 32}


def combine(plans: Sequence[Plan]) -> Plan:
    """One plan with all regions, boxes and camera moves, in the order of the plans; the seed is the first plan's.

    An id that is taken gets a number behind it. Of equal z, what comes from a later plan is in front.

    Raises:
        PlanError: the plans together are over a limit of one plan; or there is none.
    """
    if not plans:
        raise PlanError("", "expected at least one plan to combine, got none")
    for name, most in LIMITS.items():
        total = sum(len(getattr(plan, name)) for plan in plans)
        if total > most:
            raise PlanError(name, f"expected at most {most} in all plans together, got {total}; combine fewer plans")
    written = [to_data(plan) for plan in plans]
    taken: set[str] = set()
    return from_data(
        {
            "version": VERSION,
            "seed": plans[0].seed,
            "anchors": any(plan.anchors for plan in plans),
            "regions": _with_own_ids(written, "regions", taken),
            "boxes": _with_own_ids(written, "boxes", taken),
            "camera": [move for data in written for move in data.get("camera", [])],
        }
    )


def _with_own_ids(written: Sequence[dict[str, Any]], name: str, taken: set[str]) -> list[dict[str, Any]]:
    """All regions or boxes of plans in plain values, each with an id that is not in `taken`."""
    named = []
    for part in (part for data in written for part in data.get(name, [])):
        number, own = 2, part["id"]
        while own in taken:
            ending = f"-{number}"
            own, number = part["id"][: LONGEST_ID - len(ending)] + ending, number + 1
        taken.add(own)
        named.append({**part, "id": own})
    return named
