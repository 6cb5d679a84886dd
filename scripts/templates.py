"""Make the templates that the page offers from the API workflows, by the page itself.

`workflows/api/NAME.json` says what runs and `workflows/layouts/NAME.json` how it is arranged and, by node, where its models are to be
had; the page opens the one, arranges it by the other, and its own export becomes `workflows/NAME.json`.
"""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import Any

from spacetime_cli.command import continue_in, ensure_host, parser, run
from spacetime_cli.console import Console
from spacetime_cli.paths import ROOT

WORKFLOWS = ROOT / "workflows"


def main() -> int:
    options = parser(__doc__).parse_args()
    console = Console()
    host = ensure_host(options.comfyui, console, with_tests=True)
    continue_in(host.python)

    from spacetime_cli.page import choose_settings, chromium, page_of, visit
    from spacetime_cli.server import HostServer

    with HostServer(host, private_folders=True, console=console) as server, chromium() as browser, page_of(browser) as page:
        choose_settings(server.url)
        for layout in sorted((WORKFLOWS / "layouts").glob("*.json")):
            visit(page, server.url)
            print(make_template(page, layout))
    return 0


def make_template(page: Any, layout: Path) -> Path:
    """Let `page` arrange and export the workflow that `layout` is for; the file it went to."""
    prompt = json.loads((WORKFLOWS / "api" / layout.name).read_text(encoding="utf-8"))
    page.evaluate("([prompt, name]) => spacetime.open(prompt, name)", [prompt, layout.stem])
    arrangement = json.loads(layout.read_text(encoding="utf-8"))
    page.evaluate("layout => spacetime.arrange(layout)", arrangement)
    workflow = page.evaluate("() => spacetime.exported()")["workflow"]
    workflow["id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"ComfyUI-Spacetime/{layout.stem}"))  # the same at every making
    for node in workflow["nodes"]:
        if str(node["id"]) in arrangement.get("models", {}):
            node["properties"]["models"] = arrangement["models"][str(node["id"])]
    target = WORKFLOWS / layout.name
    target.write_text(json.dumps(workflow, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return target


if __name__ == "__main__":
    sys.exit(run(main))
