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


def layers_of(network: Any) -> tuple[nn.Module, ...]:
    """The modules of a network that hold no others; none where it is no torch module."""
    if not isinstance(network, nn.Module):
        return ()
    return tuple(module for module in network.modules() if next(module.children(), None) is None)


@contextlib.contextmanager
def interruptible(network: Any) -> Iterator[None]:
    """While the body runs, every layer of `network` asks first, so that one long forward can be cancelled.

    Args:
        network: anything that is no torch module is left as it is. Who calls often gives what `layers_of` found, because finding
            takes longer than asking.
    """
    layers = network if isinstance(network, tuple) else layers_of(network)
    handles = [layer.register_forward_pre_hook(_asked) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _asked(*_: Any) -> None:
    check()
