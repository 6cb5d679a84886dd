"""Running another program, with its output in a log file and, line by line, in a callback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LEAKING = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV")


def clean_environment(**extra: str) -> dict[str, str]:
    """This environment without what would make another Python import or install in the wrong place."""
    kept = {name: value for name, value in os.environ.items() if name not in _LEAKING}
    return {**kept, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", **extra}


def run_logged(
    command: Sequence[str],
    log: Path,
    on_line: Callable[[str], None],
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
) -> int:
    """Run `command`, append its output to `log`, hand each line to `on_line`; return its exit status.

    If the wait is broken off (Ctrl-C), the program is ended before the exception travels on.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as sink:
        sink.write(f"$ {' '.join(command)}\n")
        sink.flush()
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=dict(env),
            pass_fds=tuple(pass_fds),
        )
        try:
            assert child.stdout is not None
            for line in child.stdout:
                sink.write(line)
                on_line(line.rstrip())
            return child.wait()
        except BaseException:
            end(child)
            raise


def end(child: subprocess.Popen[str] | subprocess.Popen[bytes], grace_seconds: float = 5.0) -> None:
    """Ask a child to end, then insist."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log file; empty when there is none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
