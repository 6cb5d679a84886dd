"""What all schemas share."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from comfy_api.latest import io

from ..video.host_progress import tell_node

CATEGORY = "spacetime"


@functools.cache
def _all_search_aliases() -> dict[str, list[str]]:
    return json.loads(Path(__file__).with_name("search_aliases.json").read_text(encoding="utf-8"))


def search_aliases(node_id: str) -> list[str]:
    """Other words, English and Chinese, under which the host's search finds a node."""
    return _all_search_aliases()[node_id]


def show_on_node(text: str, hidden: io.HiddenHolder | None) -> None:
    """Show a line of text under the running node, whose `cls.hidden` holds its id, in the page that queued it, if one did."""
    if hidden is not None:
        tell_node(text, hidden.unique_id)
