"""Run every test, or what the pytest arguments name, with the real ComfyUI.

The packages that only tests need are installed here, into the private ComfyUI's environment.
"""

from __future__ import annotations

import subprocess
import sys

from spacetime_cli.command import ensure_host, run
from spacetime_cli.console import Console
from spacetime_cli.paths import ROOT
from spacetime_cli.process import clean_environment


def main() -> int:
    """All arguments are pytest's; `COMFYUI_PATH` names an existing ComfyUI."""
    arguments = sys.argv[1:]
    host = ensure_host(None, Console(), with_tests=True)
    named = any((ROOT / argument.partition("::")[0]).exists() for argument in arguments if argument[:1] != "-")
    command = [str(host.python), "-m", "pytest", "-c", "tests/pytest.ini", "--rootdir", "tests"]
    command += arguments if named else ["tests", *arguments]
    return subprocess.run(command, cwd=ROOT, env=clean_environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(run(main))
