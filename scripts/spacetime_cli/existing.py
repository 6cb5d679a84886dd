"""What an existing ComfyUI's Python lacks. It is only ever looked at: nothing is installed into it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from .errors import CommandError, Exit
from .locate import Host
from .process import clean_environment

# Runs in the other Python: prints the requirements of the files named that are not met, as a JSON list.
_QUESTION = """
import importlib.metadata, json, pathlib, sys
try:
    from packaging.requirements import Requirement
except ImportError:
    from pip._vendor.packaging.requirements import Requirement
missing = []
for file in sys.argv[1:]:
    for line in pathlib.Path(file).read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        wanted = Requirement(line)
        try:
            if not wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True):
                missing.append(line)
        except importlib.metadata.PackageNotFoundError:
            missing.append(line)
print(json.dumps(missing))
"""


def missing_requirements(host: Host, files: list[Path]) -> list[str]:
    """The lines of the requirement files that the host's Python does not meet."""
    command = [str(host.python), "-c", _QUESTION, *map(str, files)]
    try:
        done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sentence = f"Set-up: the Python of ComfyUI, {host.python}, does not run: {error}"
        raise CommandError(sentence, Exit.SETUP) from error
    missing: list[str] = json.loads(done.stdout)
    return missing


def check_requirements(host: Host, files: list[Path]) -> None:
    """Refuse an existing ComfyUI whose Python lacks something, saying what and how to install it."""
    missing = missing_requirements(host, files)
    if missing:
        named = " ".join(f"-r {file}" for file in files)
        raise CommandError(
            f"Set-up: expected {', '.join(missing)} in the Python of {host.comfyui}, got none or an older one; "
            f"run {host.python} -m pip install {named}",
            Exit.SETUP,
        )
