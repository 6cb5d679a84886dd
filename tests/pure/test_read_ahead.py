"""A worker makes frames ahead of their reader, in the reader's context, and is gone when the reader is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from rooms.video import interrupt
from rooms.video.prefetch import AHEAD, read_ahead
from rooms.video.stream import FrameStream, Meter, StageError
from torch import nn

LIMIT = 20.0  # seconds; no wait here comes near it
mark: ContextVar[str] = ContextVar("mark", default="none")


class Cancelled(BaseException):
    """As the host's, no Exception."""


def source(frames: int = 40, name: str = "Source") -> tuple[FrameStream, dict[str, object]]:
    """Numbered frames one by one, and what was seen while they were made."""
    seen: dict[str, object] = {"made": 0, "closed": threading.Event()}

    def make_chunks(first: int) -> Iterator[torch.Tensor]:
        seen["thread"] = threading.current_thread()
        seen["mark"] = mark.get()
        seen["inference"] = torch.is_inference_mode_enabled()
        try:
            for number in range(first, frames):
                seen["made"] = number + 1 - first
                yield torch.full((1, 2, 2, 3), number / 255)
        finally:
            seen["closed"].set()  # type: ignore[attr-defined]

    return FrameStream(name, 2, 2, frames, Fraction(16), make_chunks), seen


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "spacetime-frames"]


def numbers(stream: FrameStream, first: int = 0) -> list[int]:
    return [round(frame.mean().item() * 255) for chunk in stream.chunks(first) for frame in chunk]


def test_every_frame_comes_in_order_from_another_thread() -> None:
    stream, seen = source()
    assert numbers(read_ahead(stream)) == list(range(40))
    assert numbers(read_ahead(stream), first=30) == list(range(30, 40))
    assert seen["thread"] is not threading.main_thread() and workers() == []


def test_it_runs_in_the_readers_context_and_inference_mode() -> None:
    stream, seen = source()
    token = mark.set("mine")
    with torch.inference_mode():
        numbers(read_ahead(stream))
    mark.reset(token)
    assert (seen["mark"], seen["inference"]) == ("mine", True)
    numbers(read_ahead(stream))
    assert (seen["mark"], seen["inference"]) == ("none", False)


def test_it_makes_no_more_than_it_may_ahead() -> None:
    stream, seen = source()
    chunks = read_ahead(stream).chunks()
    next(chunks)
    for _ in range(20):  # it would run away within this time
        threading.Event().wait(0.01)
    assert seen["made"] <= 1 + AHEAD + 1
    chunks.close()


def test_a_reader_that_stops_early_ends_and_joins_the_worker() -> None:
    stream, seen = source(10_000)
    chunks = read_ahead(stream).chunks()
    next(chunks)
    chunks.close()
    assert seen["closed"].wait(LIMIT) and workers() == []  # type: ignore[attr-defined]
    assert seen["made"] < 20


def test_a_fault_in_the_worker_reaches_the_reader() -> None:
    def failing(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        for number, chunk in enumerate(chunks):
            if number == 3:
                raise ArithmeticError("it is too much")
            yield chunk

    stream, seen = source()
    got = []
    with pytest.raises(StageError, match=r"^Middle: it is too much$"):
        for chunk in read_ahead(stream.then("Middle", failing)).chunks():
            got.append(chunk)
    assert len(got) == 3 and seen["closed"].is_set() and workers() == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_cancel_in_any_stage_reaches_the_reader_and_ends_the_worker(stage: int) -> None:
    cancelled = threading.Event()
    taken = threading.Lock()

    def question() -> None:
        with taken:  # like the host's, it raises once
            if cancelled.is_set():
                cancelled.clear()
                raise Cancelled

    def cancelling(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        for number, chunk in enumerate(chunks):
            if number == 3:
                cancelled.set()
            yield chunk

    stream, seen = source(10_000)
    for number in range(3):
        stream = stream.then(f"Stage {number}", cancelling if number == stage else lambda chunks: (chunk for chunk in chunks))
    with interrupt.asking(question), pytest.raises(Cancelled):
        numbers(read_ahead(stream))
    assert seen["closed"].wait(LIMIT) and workers() == []  # type: ignore[attr-defined]
    assert seen["made"] < 20


def test_a_reader_that_is_cancelled_while_it_waits_stops_a_long_forward() -> None:
    """The worker is inside a network with ten thousand layers when the reader gives up; it ends before the next layers."""
    layers, ran, entered = 10_000, [], threading.Event()

    class Slow(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            ran.append(1)
            entered.set()
            threading.Event().wait(0.005)
            return x

    network = nn.Sequential(*[Slow() for _ in range(layers)])

    def forward(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        for chunk in chunks:
            with interrupt.interruptible(network):
                yield network(chunk)

    def question() -> None:
        if entered.is_set() and threading.current_thread() is threading.main_thread():
            raise Cancelled

    with interrupt.asking(question), pytest.raises(Cancelled):
        numbers(read_ahead(source()[0].then("Long", forward)))
    assert len(ran) < layers / 10 and workers() == []


def test_stages_in_the_worker_are_timed() -> None:
    def slow(chunks: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        for chunk in chunks:
            threading.Event().wait(0.01)
            yield chunk

    watch = Meter()
    numbers(read_ahead(source(10)[0].then("Slow", slow).then("Quick", lambda chunks: (chunk for chunk in chunks)), watch))
    assert watch.slowest() == "Slow" and watch.seconds["Slow"] >= 0.1
    assert set(watch.seconds) == {"Source", "Slow", "Quick"}


def test_two_read_at_once() -> None:
    one, other = read_ahead(source()[0]).chunks(), read_ahead(replace(source()[0], name="Other")).chunks()
    pairs = [(a.mean().item(), b.mean().item()) for a, b in zip(one, other, strict=True)]
    assert len(pairs) == 40 and all(a == b for a, b in pairs)
