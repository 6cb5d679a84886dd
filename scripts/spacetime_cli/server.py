"""A headless ComfyUI on a free loopback port, which ends with the command that started it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from .console import Console, clock
from .errors import CommandError, Exit
from .locate import Host
from .paths import ROOT
from .process import clean_environment, end, tail
from .visible import visibility_options

LOOPBACK = "127.0.0.1"
START_SECONDS = 300.0
_GUARD = Path(__file__).with_name("guarded_main.py")
_KEPT_LOGS = 10


class HostServer:
    """`with HostServer(host) as server:` runs ComfyUI for the body; `server.url` is where.

    private_folders: keep outputs, previews and settings in a scratch folder that is removed at the end, so that
    several servers do not meet; otherwise ComfyUI's own folders are used. `input/` is always ComfyUI's own.
    port: 0 for any free one.
    """

    def __init__(
        self,
        host: Host,
        private_folders: bool = False,
        port: int = 0,
        options: tuple[str, ...] = (),
        console: Console | None = None,
    ) -> None:
        self.host = host
        self.private_folders = private_folders
        self.port = port
        self.options = options
        self.console = console if console is not None else Console()
        self.log = Path()
        self.scratch: Path | None = None
        self.child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def output_folder(self) -> Path:
        """Where SaveVideo and its like write."""
        return (self.scratch or self.host.comfyui) / "output"

    def __enter__(self) -> HostServer:
        self.log = _new_log()
        if self.private_folders:
            self.scratch = Path(tempfile.mkdtemp(prefix="spacetime-"))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def is_running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def stop(self) -> None:
        """End ComfyUI and remove its scratch folder; does nothing the second time."""
        if self.child is not None:
            if self.child.stdin is not None:
                with contextlib.suppress(OSError):
                    self.child.stdin.close()
            end(self.child)
            self.child = None
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch = None

    def _start(self) -> None:
        attempts = 1 if self.port else 3  # a free port may be taken between choosing and using it
        for attempt in range(attempts):
            port = self.port or free_port()
            self._launch(port)
            if self._wait_until_ready(port):
                self.port = port
                return
            if attempt + 1 == attempts or "address already in use" not in tail(self.log, 40).lower():
                break
        raise CommandError(
            f"ComfyUI at {self.host.comfyui} did not start; its last words were:\n{tail(self.log)}\n"
            f"the whole log is {self.log}",
            Exit.SERVER,
        )

    def _launch(self, port: int) -> None:
        folders: list[str] = []
        if self.scratch is not None:
            for name in ("output", "user"):
                (self.scratch / name).mkdir(exist_ok=True)
                folders += [f"--{name}-directory", str(self.scratch / name)]
            folders += ["--temp-directory", str(self.scratch)]  # ComfyUI adds "temp" itself
        command = [str(self.host.python), str(_GUARD), str(self.host.comfyui), str(self.scratch or "")]
        command += ["--listen", LOOPBACK, "--port", str(port), "--disable-auto-launch"]
        command += ["--database-url", "sqlite:///:memory:", *folders, *visibility_options(self.host)]
        command += [*device_options(self.host), *self.options]
        with self.log.open("ab") as sink:
            self.child = subprocess.Popen(
                command,
                cwd=self.host.comfyui,
                env=clean_environment(),
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=os.name != "nt",  # a Ctrl-C is for the command, which then cancels the job
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )

    def _wait_until_ready(self, port: int) -> bool:
        """Whether the server answered before it ended; raises CommandError when it takes too long."""
        began = time.monotonic()
        while self.is_running():
            waited = time.monotonic() - began
            if answers(f"http://{LOOPBACK}:{port}"):
                return True
            if waited > START_SECONDS:
                raise CommandError(
                    f"ComfyUI at {self.host.comfyui} did not answer within {clock(START_SECONDS)}; see {self.log}",
                    Exit.SERVER,
                )
            self.console.status(f"starting ComfyUI {clock(waited)}")
            time.sleep(0.2)
        return False


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on this loopback port right now."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) != 0


def answers(url: str, seconds: float = 5.0) -> bool:
    """Whether a ComfyUI answers at `url`."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/system_stats", timeout=seconds) as reply:
            return "system" in json.load(reply)
    except (OSError, ValueError):
        return False


def device_options(host: Host) -> list[str]:
    """`--cpu` where no accelerator can be used; PyTorch is only asked when there is a sign of one."""
    if not _sign_of_accelerator():
        return ["--cpu"]
    question = "import torch; print(torch.cuda.is_available() or torch.backends.mps.is_available())"
    answer = subprocess.run(
        [str(host.python), "-c", question], env=clean_environment(), capture_output=True, text=True, check=False
    )
    return [] if answer.stdout.strip() == "True" else ["--cpu"]


def _sign_of_accelerator() -> bool:
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if Path("/dev/kfd").exists():  # AMD's driver on Linux
        return True
    driver = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    try:
        ctypes.CDLL(driver)
    except OSError:
        return False
    return True


def end_on_signals() -> None:
    """Make a request to end this command (SIGTERM, a closed terminal) unwind it like Ctrl-C, so servers end too."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupt)


def _new_log() -> Path:
    folder = ROOT / ".host" / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("server-*.log"))[:-_KEPT_LOGS]:
        with contextlib.suppress(OSError):
            old.unlink()
    handle, name = tempfile.mkstemp(prefix=f"server-{time.strftime('%Y%m%d-%H%M%S')}-", suffix=".log", dir=folder)
    os.close(handle)
    return Path(name)
