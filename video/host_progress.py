"""What a person sees of a pull in the host: one bar, frames a second, the slowest stage; and the button that cancels it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

import comfy.model_management
import comfy.utils
from comfy_execution.utils import get_executing_context

from . import interrupt
from .prefetch import read_ahead
from .stream import FrameStream, Meter

_SECONDS_BETWEEN_LINES = 1.0


def tell_node(line: str, node_id: str | None = None) -> None:
    """Show a line of text on a node, the running one if no other is named, in the page that queued it, if one did."""
    # the host's web server, which not every process that uses the host has loaded, nor needs: it takes a second and tens of MB
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    context = get_executing_context()
    node_id = node_id or (context.node_id if context else None)
    if node_id is not None and server is not None and server.client_id is not None:
        server.send_progress_text(line, node_id, server.client_id)


@contextlib.contextmanager
def interruption() -> Iterator[None]:
    """While the body runs, `interrupt.check()` raises the host's exception once the job was cancelled."""
    with interrupt.asking(comfy.model_management.throw_exception_if_processing_interrupted):
        yield


class Pull:
    """One reading of a whole stream, made in a thread of its own while the reader works; use it as a context.

    `stream` is what to read; `advance(frames)` is told how many frames the reader has finished, and also checks for a cancel.
    """

    def __init__(self, stream: FrameStream, reader: str) -> None:
        self._meter = Meter()
        self.stream = read_ahead(stream, self._meter)
        self._reader = reader
        self._frames = stream.frames
        self._bar = comfy.utils.ProgressBar(stream.frames)
        self._contexts = contextlib.ExitStack()

    def __enter__(self) -> Pull:
        self._contexts.enter_context(interruption())
        self._began = self._last_line = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._contexts.close()

    def advance(self, frames: int) -> None:
        """`frames` are finished so far."""
        interrupt.check()
        self._bar.update_absolute(frames)
        now = time.perf_counter()
        if now - self._last_line >= _SECONDS_BETWEEN_LINES or frames >= self._frames:
            self._last_line = now
            tell_node(self.line(frames))

    def line(self, frames: int) -> str:
        """How far, how fast, and what takes the time."""
        seconds = max(time.perf_counter() - self._began, 1e-6)
        slowest = self._meter.slowest()
        made = sum(self._meter.seconds.values())
        if made < 0.5 * seconds or slowest is None:  # the worker mostly waited
            slowest = self._reader
        return f"{frames} of {self._frames} frames, {frames / seconds:.3g} frames/s, slowest: {slowest}"
