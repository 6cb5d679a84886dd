"""Making the pack one of a ComfyUI's custom nodes without touching an install that is not ours."""

from __future__ import annotations

import json
from pathlib import Path

from .errors import CommandError, Exit
from .link import link_folder, links_to
from .locate import Host
from .paths import PACK_NAME, ROOT


def is_visible(host: Host, root: Path = ROOT) -> bool:
    """Whether something in the host's `custom_nodes/` leads to the pack."""
    try:
        entries = list(host.custom_nodes.iterdir())
    except OSError:
        return False
    return any(links_to(entry, root) for entry in entries)


def visibility_options(host: Host, root: Path = ROOT) -> list[str]:
    """Options for `main.py` that let it load the pack.

    None when the pack is in `custom_nodes/` already; otherwise a link to it is made under the pack's own `.host/` and
    named as one more folder of custom nodes, so that nothing is written into somebody else's ComfyUI.
    """
    if is_visible(host, root):
        return []
    folder = root / ".host" / "visible"
    link = folder / "custom_nodes" / PACK_NAME
    try:
        link_folder(link, root)
        config = folder / "extra_model_paths.yaml"
        # JSON strings are YAML strings: any character of the path survives.
        quoted = json.dumps(str(link.parent), ensure_ascii=False)
        config.write_text(f"spacetime:\n  custom_nodes: {quoted}\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"Set-up: cannot link the pack for {host.comfyui}: {error}", Exit.SETUP) from error
    return ["--extra-model-paths-config", str(config)]
