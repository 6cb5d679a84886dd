"""What every command does around its work: options, the host, its Python, errors to exit codes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .console import Console
from .errors import CommandError, Exit, exit_code_help
from .existing import check_requirements
from .locate import Host, find_existing
from .paths import ROOT
from .provision import Provisioner
from .server import end_on_signals

_CONTINUED = "SPACETIME_CONTINUED_IN"


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with `--comfyui` and the exit codes in its help."""
    made = argparse.ArgumentParser(
        description=description, epilog=exit_code_help(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--comfyui",
        metavar="PATH",
        help="use this ComfyUI (else COMFYUI_PATH, else the install this pack lies in, else one is set up in .host)",
    )
    return made


def run(work: Callable[[], int]) -> int:
    """Run a command's work and return its exit code; expected failures become one sentence on standard error."""
    end_on_signals()
    try:
        return work()
    except CommandError as error:
        Console().say(f"error: {error.sentence}")
        return int(error.code)
    except KeyboardInterrupt:
        Console().say("cancelled")
        return int(Exit.CANCELLED)


def ensure_host(named: str | None, console: Console, with_tests: bool = False) -> Host:
    """The ComfyUI to use, ready to run: an existing one that has what the pack needs, or the private one."""
    existing = find_existing(named)
    if existing is None:
        return Provisioner(console=console).ensure(with_tests)
    files = [ROOT / "requirements.txt"] + ([ROOT / "tests" / "requirements.txt"] if with_tests else [])
    check_requirements(existing, files)
    return existing


def continue_in(python: Path) -> None:
    """Go on with this same command in another Python; returns only when it is this one already."""
    target = os.path.abspath(python)
    if os.path.abspath(sys.executable) == target or os.environ.get(_CONTINUED) == target:
        return
    command = [target, *sys.argv]
    environment = {**os.environ, _CONTINUED: target, "PYTHONUTF8": "1"}
    environment.pop("PYTHONHOME", None)
    if os.name != "nt":
        os.execve(target, command, environment)
    raise SystemExit(_wait(subprocess.Popen(command, env=environment)))


def _wait(child: subprocess.Popen[bytes]) -> int:
    """Wait for the continuing command, which gets Ctrl-C too and decides what it means."""
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue
