"""Reading ahead: a stream is made in a thread of its own while its consumer works on what came before."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from . import interrupt
from .stream import FrameStream, Meter, Needs, meter

AHEAD = 2
"""Chunks that wait for the consumer; one more is in its hands and one is being made."""
_CHUNK_FRAMES = 4
_POLL = 0.05  # seconds between two looks at whether the other side ended


class _Unwanted(BaseException):
    """Ends the making of frames that nobody will read; never leaves this file."""


class _Item(NamedTuple):
    """A chunk, or None at the end, with what ended it early."""

    chunk: Tensor | None = None
    error: BaseException | None = None


def read_ahead(stream: FrameStream, watch: Meter | None = None, ahead: int = AHEAD) -> FrameStream:
    """The same stream, made in a worker thread that runs at most `ahead` chunks before its consumer.

    The worker sees the context variables, the inference mode and the CUDA device of whoever starts to read. What goes wrong in it is raised
    to the reader. When the reader closes the iterator, the worker ends before the next layer or chunk, its stages are closed, it is joined.

    Args:
        watch: collects the times of the stages that the worker runs. Without one, the reader's meter counts its waiting as the stage's.
    """

    def make_chunks(first: int) -> Iterator[Tensor]:
        return _from_worker(lambda: stream.chunks(first), watch, ahead)

    waiting = 12 * _CHUNK_FRAMES * stream.width * stream.height * ahead
    return replace(stream, make_chunks=make_chunks, sources=(stream,), needs=Needs(ram=waiting))


def _from_worker(start: Callable[[], Generator[Tensor, None, None]], watch: Meter | None, ahead: int) -> Generator[Tensor, None, None]:
    waiting: queue.Queue[_Item] = queue.Queue(maxsize=ahead)
    unwanted = threading.Event()
    work = _worker(start, waiting, unwanted, watch)
    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="spacetime-frames", daemon=True)
    thread.start()
    try:
        while (item := _next_item(waiting)).chunk is not None:
            yield item.chunk
            del item
        if item.error is not None:
            raise item.error
    finally:
        unwanted.set()
        thread.join()


def _next_item(waiting: queue.Queue[_Item]) -> _Item:
    """What the worker made next; asks for interruption meanwhile. The worker always ends with an item without a chunk."""
    while True:
        with contextlib.suppress(queue.Empty):
            return waiting.get(timeout=_POLL)
        interrupt.check()


def _worker(
    start: Callable[[], Generator[Tensor, None, None]], waiting: queue.Queue[_Item], unwanted: threading.Event, watch: Meter | None
) -> Callable[[], None]:
    """What the thread runs. Called in the reader's thread, whose inference mode and device it takes over."""
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
    device = torch.cuda.current_device() if torch.cuda.is_available() and torch.cuda.is_initialized() else None

    def hand_over(item: _Item) -> None:
        while True:
            if unwanted.is_set():
                raise _Unwanted
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=_POLL)
                return

    def ask() -> None:
        if unwanted.is_set():
            raise _Unwanted
        outer()

    outer = interrupt.question()

    def make_all() -> None:
        with contextlib.closing(start()) as chunks:
            for chunk in chunks:
                hand_over(_Item(chunk))
                del chunk

    def work() -> None:
        meter.set(watch)
        if device is not None:
            torch.cuda.set_device(device)
        end = _Item()
        try:
            with torch.inference_mode(inference), torch.set_grad_enabled(gradients and not inference), interrupt.asking(ask):
                make_all()
        except _Unwanted:
            return
        except BaseException as error:  # whatever it is belongs to the reader
            end = _Item(error=error)
        with contextlib.suppress(_Unwanted):
            hand_over(end)

    return work
