"""Stages of a running prompt, from the server's websocket events: one bar per node, and where the time went."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .console import Console, clock
from .workflow import Prompt, title

_BAR_CELLS = 24
_TOLD_SECONDS = 0.5


@dataclass
class Stage:
    """One node at work. `value` of `maximum` steps are done; times are in seconds of the clock in use."""

    name: str
    began: float
    value: float = 0.0
    maximum: float = 1.0
    ended: float | None = None

    def seconds(self, now: float) -> float:
        return (self.ended if self.ended is not None else now) - self.began

    def line(self, now: float) -> str:
        """`Name [####----] 12/20 8.1 s, 5.4 s left`; nodes that count no steps show their time alone."""
        spent = self.seconds(now)
        if self.maximum <= 1:
            return f"{self.name} {clock(spent)}"
        share = min(max(self.value / self.maximum, 0.0), 1.0)
        filled = round(share * _BAR_CELLS)
        bar = "#" * filled + "-" * (_BAR_CELLS - filled)
        left = f", {clock(spent / share - spent)} left" if 0 < share < 1 else ""
        return f"{self.name} [{bar}] {self.value:g}/{self.maximum:g} {clock(spent)}{left}"


@dataclass
class Stages:
    """Turns events into stages: `update` returns the stages that an event changed, finished ones included."""

    prompt: Prompt
    now: Callable[[], float] = time.monotonic
    stages: dict[str, Stage] = field(default_factory=dict)
    submitted: float = field(init=False)
    started: float | None = None

    def __post_init__(self) -> None:
        self.submitted = self.now()

    def update(self, kind: str, data: dict[str, Any]) -> list[Stage]:
        if kind == "execution_start":
            self.started = self.now()
        if kind == "progress_state":
            changes = [self._node(key, node) for key, node in data.get("nodes", {}).items()]
            return [stage for stage in changes if stage is not None]
        return []

    def notes(self, kind: str, data: dict[str, Any]) -> list[str]:
        """`Name: text` for each text that a node shows in the page, from an `executed` event."""
        texts = (data.get("output") or {}).get("text") if kind == "executed" else None
        if isinstance(texts, str):
            texts = [texts]
        return [f"{self._name(str(data.get('node')), data)}: {text}" for text in texts or ()]

    def queue_seconds(self) -> float:
        """How long the job waited behind others."""
        return 0.0 if self.started is None else self.started - self.submitted

    def times(self) -> list[tuple[str, float]]:
        """Seconds per node, in the order they began."""
        now = self.now()
        return [(stage.name, stage.seconds(now)) for stage in self.stages.values()]

    def _node(self, key: str, node: dict[str, Any]) -> Stage | None:
        """The stage of one node of a `progress_state` event, or None if nothing changed for it."""
        state, value, maximum = node.get("state"), float(node.get("value", 0)), float(node.get("max", 1))
        stage = self.stages.get(key)
        if stage is None:
            if state not in ("running", "finished", "error"):
                return None
            stage = self.stages[key] = Stage(self._name(key, node), self.now(), maximum=maximum)
        elif stage.ended is not None or (state == "running" and (stage.value, stage.maximum) == (value, maximum)):
            return None
        stage.maximum = max(stage.maximum, maximum)  # the server resets both at the end of a node
        stage.value = stage.maximum if state == "finished" else value
        if state in ("finished", "error"):
            stage.ended = self.now()
        return stage

    def _name(self, key: str, node: dict[str, Any]) -> str:
        """A node made by another while running is shown under the node of the workflow that made it."""
        for known in (key, *(str(node.get(also)) for also in ("display_node_id", "display_node", "parent_node_id"))):
            if known in self.prompt:
                return title(self.prompt, known)
        return f"node {key}"


class Bars:
    """Shows stages on a console: the running one live, each finished one and each node's note as a line that stays."""

    def __init__(self, prompt: Prompt, console: Console) -> None:
        self.stages = Stages(prompt)
        self.console = console

    def on_event(self, event: tuple[str, dict[str, Any]]) -> None:
        for note in self.stages.notes(*event):
            self.console.say(note)
        for stage in self.stages.update(*event):
            now = self.stages.now()
            if stage.ended is None:
                self.console.status(stage.line(now))
            elif stage.seconds(now) >= _TOLD_SECONDS or stage.maximum > 1:
                self.console.say(stage.line(now))

    def tick(self) -> None:
        """Redraw, so that the time of a node that reports nothing goes on."""
        now = self.stages.now()
        running = [stage for stage in self.stages.stages.values() if stage.ended is None]
        if running:
            self.console.status(running[-1].line(now))
        elif self.stages.started is None:
            self.console.status(f"waiting in the server's queue {clock(now - self.stages.submitted)}")


def where_the_time_went(parts: list[tuple[str, float]]) -> list[str]:
    """A table of the parts of at least a hundredth of the whole, the rest as one row, and the sum."""
    total = sum(seconds for _, seconds in parts)
    shown = [part for part in parts if part[1] >= total / 100]
    rest = total - sum(seconds for _, seconds in shown)
    rows = shown + ([("everything else", rest)] if rest >= 0.05 else []) + [("in all", total)]
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {clock(seconds):>12}" for name, seconds in rows]
