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
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
PACK = "comfyui_spacetime"
_MARK = "measured: "
_SAMPLE_SECONDS = 0.01


class ArmFailed(RuntimeError):
    """A measurement ended with an error; the message is the end of what it printed."""


def measure(function: str, options: dict[str, Any], flags: list[str] | None = None, timeout: float | None = None) -> dict[str, Any]:
    """Run "module:function" with keyword `options` in a fresh process of the host's Python.

    Args:
        flags: what the host would be started with, such as --cpu.
    Returns:
        The function's own dict, and "seconds", "idle_bytes", "peak_bytes" (above idle).
    Raises:
        ArmFailed: it ended with an error, or took longer than `timeout` seconds.
    """
    host = find_host()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(host.comfyui), str(ROOT)])}
    command = [str(host.python), "-m", "benchmarks.host_process", function, json.dumps(options), *(flags or [])]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise ArmFailed(f"{function}: took longer than {timeout:g} s") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode or not lines:
        raise ArmFailed(f"{function}: ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-1500:]}")
    return json.loads(lines[-1][len(_MARK) :])


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


def _run_here(function: str, options: dict[str, Any], flags: list[str]) -> dict[str, Any]:
    """In the fresh process: the host with its flags, then the function."""
    # both have a `nodes`, and ComfyUI's must win, as when it runs
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT] + [str(ROOT)]
    import comfy.options

    sys.argv = ["main.py", *flags]
    comfy.options.enable_args_parsing()
    import comfy.model_management
    import nodes  # noqa: F401
    import torch

    load_pack()
    module, name = function.split(":")
    call: Callable[..., Any] = getattr(importlib.import_module(module), name)
    prepared = call(**options)
    watch = MemoryWatch()
    with watch.watching(), torch.inference_mode():
        began = time.perf_counter()
        result = prepared()
        seconds = time.perf_counter() - began
    return {**result, "seconds": seconds, "idle_bytes": watch.idle, "peak_bytes": watch.peak}


if __name__ == "__main__":
    print(_MARK + json.dumps(_run_here(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:])), flush=True)
