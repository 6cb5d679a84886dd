"""Make the pictures of the help pages and the templates' thumbnails, from the real page and from real videos.

    help         web/docs/NODE/node.png and docs/images/text_to_video.png: nodes and graph as the page draws them
    thumbnails   workflows/NAME.jpg: a frame of the video that the workflow makes
    screenshots  workflows/NAME.jpg: the template as the page draws it, where its model is too large to run
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from spacetime_cli.command import continue_in, ensure_host, parser, run
from spacetime_cli.console import Console
from spacetime_cli.paths import ROOT

WORKFLOWS = ROOT / "workflows"
NODES = tuple(json.loads((ROOT / "nodes" / "search_aliases.json").read_text(encoding="utf-8")))
THUMBNAIL_SIDE = 512
MOMENT = 0.4
"""How far into the video the thumbnail's frame lies; at the ends things may be out of the picture."""
MARGIN = 24


def main() -> int:
    made = parser(__doc__)
    made.add_argument("what", choices=("help", "thumbnails", "screenshots"))
    made.add_argument("names", nargs="*", metavar="NAME", help="only these nodes or workflows")
    made.add_argument("--server", metavar="URL", help="use a running ComfyUI instead of starting one")
    options = made.parse_args()
    console = Console()
    host = ensure_host(options.comfyui, console, with_tests=True)
    continue_in(host.python)

    from spacetime_cli.server import HostServer

    with contextlib.ExitStack() as stack:
        url = options.server or stack.enter_context(HostServer(host, private_folders=True, console=console)).url
        if options.what == "thumbnails":
            thumbnails(url, console, options.names)
            return 0

        from spacetime_cli.page import choose_settings, chromium, page_of, visit

        page = stack.enter_context(page_of(stack.enter_context(chromium()), size=(1500, 1500), scale=2.0))
        choose_settings(url)
        visit(page, url)
        {"help": help_pictures, "screenshots": screenshots}[options.what](page, options.names)
    return 0


def help_pictures(page: Any, names: list[str]) -> None:
    """Every node, from the text to video template where it is there, else alone; and the whole of that template. Twice full size."""
    template = WORKFLOWS / "text_to_video.json"
    in_template = {node["type"] for node in json.loads(template.read_text(encoding="utf-8"))["nodes"]}
    _open(page, template)
    for node in sorted(names or NODES, key=lambda name: name not in in_template):
        if node not in in_template:
            page.evaluate("type => spacetime.alone(type)", node)
        page.evaluate("type => spacetime.centre(type)", node)
        page.wait_for_timeout(1500)  # some redraws, also of what lies over the canvas
        x, y, width, height = page.evaluate("type => spacetime.centre(type)", node)
        page.wait_for_timeout(500)
        clip = {"x": x - MARGIN, "y": y - 2 * MARGIN, "width": width + 2 * MARGIN, "height": height + 3 * MARGIN}  # with its group's title
        _save_png(page.screenshot(clip=clip), ROOT / "web" / "docs" / node / "node.png")
    if names:
        return
    _open(page, template)
    x, y, width, height = page.evaluate("() => spacetime.fit()")
    page.wait_for_timeout(500)
    clip = {"x": x - MARGIN, "y": y - MARGIN, "width": width + 2 * MARGIN, "height": height + 2 * MARGIN}
    _save_png(page.screenshot(clip=clip), ROOT / "docs" / "images" / "text_to_video.png")


def thumbnails(url: str, console: Console, names: list[str]) -> None:
    """A frame of what each API workflow makes."""
    from PIL import Image

    from spacetime_cli.generation import Request, generate, prepare
    from spacetime_cli.sheet import read_frames

    for workflow in sorted((WORKFLOWS / "api").glob("*.json")):
        if names and workflow.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            request = Request(workflow, out=Path(folder) / "video.mp4", server=url)
            video, _ = generate(request, prepare(request), None, console)
            frames = [frame for _, frame in read_frames(video, sys.maxsize)]
        frame = frames[int(MOMENT * (len(frames) - 1))]
        side = min(frame.size)
        left, top = (frame.width - side) // 2, (frame.height - side) // 2
        square = frame.crop((left, top, left + side, top + side))
        _save_thumbnail(square.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS), WORKFLOWS / f"{workflow.stem}.jpg")


def screenshots(page: Any, names: list[str]) -> None:
    """Each template as the page shows it, on a square."""
    from PIL import Image

    for template in sorted(WORKFLOWS.glob("*.json")):
        if names and template.stem not in names:
            continue
        _open(page, template)
        x, y, width, height = page.evaluate("() => spacetime.fit()")
        page.wait_for_timeout(500)
        clip = {"x": x, "y": y + (height - width) / 2, "width": width, "height": width}
        with Image.open(io.BytesIO(page.screenshot(clip=clip))) as picture:
            small = picture.convert("RGB").resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
        _save_thumbnail(small, WORKFLOWS / f"{template.stem}.jpg")


def _open(page: Any, template: Path) -> None:
    page.evaluate("workflow => app.loadGraphData(workflow)", json.loads(template.read_text(encoding="utf-8")))


def _save_thumbnail(picture: Any, target: Path) -> None:
    picture.save(target, quality=88)
    print(target)


def _save_png(content: bytes, target: Path) -> None:
    """Write a screenshot as small as PNG allows without changing a pixel."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        picture.convert("RGB").save(target, optimize=True)
    print(target)


if __name__ == "__main__":
    sys.exit(run(main))
