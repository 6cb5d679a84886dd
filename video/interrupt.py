"""Asking whether somebody cancelled the work; who answers is set by the room that knows the host."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from torch import nn

_question: ContextVar[Callable[[], None]] = ContextVar("spacetime_interruption_question", default=lambda: None)


def check() -> None:
    """Raise what the asker of the running work raises when it was cancelled; nothing where nobody asked to be asked."""
    _question.get()()


def question() -> Callable[[], None]:
    """What `check` calls in this context; a thread that does part of the work asks it too."""
    return _question.get()


@contextlib.contextmanager
def asking(question: Callable[[], None]) -> Iterator[None]:
    """While the body runs, `check()` in this context calls `question`, which raises to end the work."""
    token = _question.set(question)
    try:
        yield
    finally:
        _question.reset(token)


@contextlib.contextmanager
def interruptible(network: Any) -> Iterator[None]:
    """While the body runs, every layer of `network` asks first, so that one long forward can be cancelled.

    Anything that is no torch module is left as it is.
    """
    if not isinstance(network, nn.Module):
        yield
        return
    leaves = [module for module in network.modules() if next(module.children(), None) is None]
    handles = [module.register_forward_pre_hook(lambda *_: check()) for module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
