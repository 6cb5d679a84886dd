"""Runs one measurement in a process of its own, with the host loaded as it would load itself, and watches its memory.

`measure("benchmarks.stream_arms:ours", {"frames": 97}, flags=["--cpu"])` in any Python returns what that function returned and, beside it,
the seconds it took, the bytes in use before it ("idle": host and pack are loaded) and the most it took above that.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
PACK = "comfyui_spacetime"
_MARK, _PROGRESS = "measured: ", "progress: "
_SAMPLE_SECONDS = 0.01
_SECONDS_BETWEEN_LINES = 5.0


class ArmFailed(RuntimeError):
    """A measurement ended with an error; the message is the end of what it printed."""


def measure(
    function: str,
    options: dict[str, Any],
    flags: list[str] | None = None,
    timeout: float | None = None,
    on_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Run "module:function" with keyword `options` in a fresh process of the host's Python.

    Args:
        flags: what the host would be started with, such as --cpu.
        on_progress: told every few seconds how far the host's bar is, such as "120 of 1440, 95 s".
    Returns:
        The function's own dict, and "seconds", "cpu_seconds" (of all threads), "idle_bytes", "peak_bytes" (above idle).
    Raises:
        ArmFailed: it ended with an error, or took longer than `timeout` seconds.
    """
    host = find_host()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(host.comfyui), str(ROOT)])}
    command = [str(host.python), "-m", "benchmarks.host_process", function, json.dumps(options), *(flags or [])]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace")
        said, in_time = _read(process, timeout, on_progress)
        if not in_time:
            raise ArmFailed(f"{function}: took longer than {timeout:g} s")
        lines = [line for line in said if line.startswith(_MARK)]
        if process.returncode or not lines:
            errors.seek(0)
            raise ArmFailed(f"{function}: ended with {process.returncode}: {(errors.read() or ''.join(said)).strip()[-1500:]}")
    return json.loads(lines[-1][len(_MARK) :])


def _read(process: subprocess.Popen[str], timeout: float | None, on_progress: Callable[[str], None]) -> tuple[list[str], bool]:
    """Wait for the end of a process: the lines that it printed, and whether it ended before it had to be stopped."""
    late, said = threading.Event(), []

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(threading.TIMEOUT_MAX if timeout is None else timeout, stop)
    timer.daemon = True
    timer.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith(_PROGRESS):
                on_progress(line[len(_PROGRESS) :].strip())
            else:
                said.append(line)
        process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    return said, not late.is_set()


def machine() -> dict[str, str]:
    """What the numbers were measured on, to be written beside them."""
    return {"system": platform.platform(), "processor": platform.processor() or platform.machine()}


def find_host() -> Any:
    """The ComfyUI that the commands in `scripts/` use."""
    sys.path.append(str(ROOT / "scripts"))
    from spacetime_cli.locate import find_existing
    from spacetime_cli.provision import Provisioner

    host = find_existing(None) or Provisioner().host
    if not host.comfyui.is_dir():
        raise SystemExit("benchmarks: expected a ComfyUI, got none; run `python scripts/host.py` first")
    return host


def load_pack() -> ModuleType:
    """The pack under the name `comfyui_spacetime`, as the host would import its folder."""
    if PACK not in sys.modules:
        spec = importlib.util.spec_from_file_location(PACK, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[PACK] = module
        spec.loader.exec_module(module)
    return sys.modules[PACK]


def room(name: str) -> ModuleType:
    """One module of the pack, such as "video.host_decode"."""
    return importlib.import_module(f"{load_pack().__name__}.{name}")


class MemoryWatch:
    """The bytes of RAM in use by this process before and at most while the body runs."""

    idle = 0
    most = 0

    @contextlib.contextmanager
    def watching(self) -> Iterator[MemoryWatch]:
        """Looks a hundred times a second, and asks the kernel for its own highest mark where it keeps one."""
        import psutil

        process, stop = psutil.Process(), threading.Event()
        _forget_highest()
        self.idle = self.most = process.memory_info().rss

        def look() -> None:
            while not stop.wait(_SAMPLE_SECONDS):
                self.most = max(self.most, process.memory_info().rss)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()
            self.most = max(self.most, _highest() or 0)

    @property
    def peak(self) -> int:
        """Bytes above what was in use before."""
        return self.most - self.idle


def _forget_highest() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _highest() -> int | None:
    """The kernel's mark since it was forgotten; None where there is none, or it could not be forgotten."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        return None
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def _tell_progress(began: float) -> Callable[..., None]:
    """What the host calls when one of its bars moves; prints a line every few seconds."""
    told = began

    def moved(value: int, total: int, *_: Any, **__: Any) -> None:
        nonlocal told
        now = time.perf_counter()
        if now - told >= _SECONDS_BETWEEN_LINES:
            told = now
            print(f"{_PROGRESS}{value} of {total}, {now - began:.0f} s", flush=True)

    return moved


def _run_here(function: str, options: dict[str, Any], flags: list[str]) -> dict[str, Any]:
    """In the fresh process: the host with its flags, then the function."""
    # both have a `nodes`, and ComfyUI's must win, as when it runs
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT] + [str(ROOT)]
    import comfy.options

    sys.argv = ["main.py", *flags]
    comfy.options.enable_args_parsing()
    import comfy.model_management
    import comfy.utils
    import nodes  # noqa: F401
    import torch

    load_pack()
    module, name = function.split(":")
    call: Callable[..., Any] = getattr(importlib.import_module(module), name)
    prepared = call(**options)
    watch = MemoryWatch()
    with watch.watching(), torch.inference_mode():
        began, worked = time.perf_counter(), time.process_time()
        comfy.utils.set_progress_bar_global_hook(_tell_progress(began))
        result = prepared()
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
    return {**result, "seconds": seconds, "cpu_seconds": cpu_seconds, "idle_bytes": watch.idle, "peak_bytes": watch.peak}


if __name__ == "__main__":
    print(_MARK + json.dumps(_run_here(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:])), flush=True)
