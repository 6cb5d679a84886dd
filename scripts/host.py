"""Find ComfyUI, or set up a private one under `.host/`, and print where it is."""

from __future__ import annotations

import sys

from spacetime_cli.commands import host

if __name__ == "__main__":
    sys.exit(host())
