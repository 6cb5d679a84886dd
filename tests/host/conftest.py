"""ComfyUI in this process: no command line, CPU only. Both must be settled before anything of it is imported."""

from __future__ import annotations

import pytest

try:
    import comfy.options
except ImportError as error:
    raise pytest.UsageError("tests/host: expected a ComfyUI, got none; run `python scripts/host.py` first") from error

comfy.options.enable_args_parsing(False)

from comfy.cli_args import args  # noqa: E402

args.cpu = True
