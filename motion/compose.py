"""Several plans as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TypeVar

from .plan import Box, Plan, PlanError, Region, checked

Part = TypeVar("Part", Region, Box)
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
    taken: set[str] = set()
    regions = _with_own_ids([region for plan in plans for region in plan.regions], taken)
    boxes = _with_own_ids([box for plan in plans for box in plan.boxes], taken)
    camera = tuple(move for plan in plans for move in plan.camera)
    return checked(Plan(seed=plans[0].seed, anchors=any(plan.anchors for plan in plans), regions=regions, boxes=boxes, camera=camera))


def _with_own_ids(parts: Iterable[Part], taken: set[str]) -> tuple[Part, ...]:
    named = []
    for part in parts:
        number, name = 2, part.id
        while name in taken:
            ending = f"-{number}"
            name, number = part.id[: 64 - len(ending)] + ending, number + 1
        taken.add(name)
        named.append(part if name == part.id else dataclasses.replace(part, id=name))
    return tuple(named)
