"""Keeping the threads of this process ordinary ones while an encoder opens."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextlib.contextmanager
def ordinary_threads() -> Iterator[None]:
    """Give this thread, and those that begin while the body runs, the scheduling that this thread had before.

    SVT-AV1, where it runs as root (as in most containers), makes its threads and the one that opens it real-time threads of the highest
    priority. They and every process that is started afterwards then keep all others from running. Only Linux has this; elsewhere
    nothing is done.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters, known = os.sched_getscheduler(0), os.sched_getparam(0), _threads()
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)
        for thread in _threads() - known:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                os.sched_setscheduler(thread, policy, parameters)


def _threads() -> set[int]:
    return {int(thread.name) for thread in _THREADS.iterdir()} if _THREADS.is_dir() else set()
