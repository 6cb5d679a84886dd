"""A lock between processes that cannot outlive its owner.

The lock is the operating system's own lock on an open file, so it ends with the process that holds it, however that
process ends. The owner writes its process id into the file for others to name. A child that must finish before
anybody else may start (pip, when its parent is killed) inherits the lock through `inheritable_fds`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 30  # beyond the text, so that others can still read the owner's id

    def _try_lock(fd: int) -> bool:
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class ProcessLock:
    """`with ProcessLock(path, on_wait):` runs its body in one process at a time.

    `on_wait(owner)` is called once if somebody else holds the lock; `owner` is that process id, or None.
    """

    def __init__(self, path: Path, on_wait: Callable[[int | None], None], poll_seconds: float = 0.2) -> None:
        self.path = path
        self.on_wait = on_wait
        self.poll_seconds = poll_seconds
        self._fd: int | None = None

    @property
    def inheritable_fds(self) -> tuple[int, ...]:
        """For `subprocess.Popen(pass_fds=...)`; empty on Windows, where locks belong to one process."""
        return () if self._fd is None or os.name == "nt" else (self._fd,)

    def owner(self) -> int | None:
        """The process id in the file, or None while nobody has written one."""
        try:
            return int(self.path.read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            return None

    def __enter__(self) -> ProcessLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._wait(fd)
            os.ftruncate(fd, 0)
            os.lseek(fd, 0, os.SEEK_SET)
            os.write(fd, f"{os.getpid()}\n".encode("ascii"))
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return self

    def _wait(self, fd: int) -> None:
        told = False
        while not _try_lock(fd):
            if not told:
                self.on_wait(self.owner())
                told = True
            time.sleep(self.poll_seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
