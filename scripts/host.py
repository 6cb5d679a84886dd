"""Find ComfyUI, or set up a private one under `.host/`, and say where it is."""

from __future__ import annotations

import sys

from spacetime_cli.command import ensure_host, parser, run
from spacetime_cli.console import Console


def main() -> int:
    options = parser(__doc__).parse_args()
    host = ensure_host(options.comfyui, Console())
    print(f"ComfyUI  {host.comfyui} ({host.origin})")
    print(f"Python   {host.python}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
