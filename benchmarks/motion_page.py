"""How fast the motion editor is in ComfyUI's page in Chromium, for `benchmarks.motion`: the preview as it plays, and tasks over 50 ms.

The page is the real one, with the node in a graph and the editor in the full window; the hand is Chromium's own mouse. What such a task was
made of is asked of the browser too (long animation frames), so that the pack's own part can be told from the page's.
"""

from __future__ import annotations

import base64
import io
import json
import math
import sys
from collections import Counter
from typing import Any

from .host_process import find_host

WIDTH, HEIGHT, REGIONS = 1280, 720, 8
WINDOW = (1720, 1000)
PLAY_SECONDS, MOVES = 6.0, 400
LONG_MS = 50
FRONT_ENDS = {"classic": False, "nodes 2.0": True}

EDITOR = "[...document.querySelectorAll('.smb-shell')].map(shell => shell.spacetimeEditor).filter(Boolean).at(-1)"
ADD = """() => {
    app.graph.clear();
    const node = LiteGraph.createNode("SpacetimeMotionBrush");
    app.graph.add(node);
    node.pos = [0, 0];
    app.canvas.ds.scale = 1;
    app.canvas.ds.offset = [420, 90];
    app.graph.setDirtyCanvas(true, true);
}"""
PREPARE = f"""async ([picture, plan]) => {{
    const editor = {EDITOR};
    const file = await (await fetch(picture)).blob();
    editor.setPicture(await createImageBitmap(file));
    editor.session.replace(plan);
    editor.openFull();
    editor.session.setTool("brush");
}}"""
SETTLED = f"() => !{EDITOR}.preview.isBehind"
STAGE = f"""() => {{
    const {{stage, preview}} = {EDITOR};
    const {{left, top, width, height}} = stage.canvas.getBoundingClientRect();
    const {{frame}} = stage.view;
    const [across, down] = [width / stage.view.stage.width, height / stage.view.stage.height];
    return {{
        canvas: [stage.canvas.width, stage.canvas.height],
        preview: [preview.width, preview.height],
        shown: [left + frame.x * across, top + frame.y * down, frame.width * across, frame.height * down],
    }};
}}"""
PLAY = f"""async seconds => {{
    const editor = {EDITOR};
    const played = await editor.measurePlay(seconds);
    return {{...played, stamps: editor.timeline.pace.stamps}};
}}"""
WATCH = """() => {
    const watch = window.spacetimeWatch = {tasks: [], frames: []};
    const hear = (type, take) => {
        if (!PerformanceObserver.supportedEntryTypes.includes(type)) return null;
        const observer = new PerformanceObserver(list => list.getEntries().forEach(take));
        observer.observe({type, buffered: true});
        return [observer, take];
    };
    const began = performance.now();
    const after = take => entry => entry.startTime >= began && take(entry);
    watch.ends = [
        hear("longtask", after(entry => watch.tasks.push({start: entry.startTime - began, milliseconds: entry.duration}))),
        hear("long-animation-frame", after(entry => watch.frames.push({
            start: entry.startTime - began,
            milliseconds: entry.duration,
            scripts: entry.scripts.map(script => ({
                milliseconds: script.duration,
                layout: script.forcedStyleAndLayoutDuration,
                invoker: script.invoker,
                code: `${script.sourceURL.replace(/^https?:..[^/]*/, "").replace(/[?].*/, "")} ${script.sourceFunctionName}`.trim(),
            })),
        }))),
    ].filter(Boolean);
    watch.letGo = null;
    document.addEventListener("pointerup", () => (watch.letGo = performance.now() - began), {capture: true, once: true});
}"""
FOUND = """() => {
    const watch = window.spacetimeWatch;
    for (const [observer, take] of watch.ends) {
        observer.takeRecords().forEach(take);
        observer.disconnect();
    }
    return {tasks: watch.tasks, frames: watch.frames, letGo: watch.letGo};
}"""


class NotHere(RuntimeError):
    """The page cannot be measured on this machine; the message says why and what to do."""


def editor_figures() -> dict[str, Any]:
    """Figures of both front ends: pictures a second of the preview, and the tasks over 50 ms while a long stroke is painted.

    Raises:
        NotHere: there is no Chromium, or Playwright is not installed.
    """
    host = find_host()
    try:
        from spacetime_cli.errors import CommandError
        from spacetime_cli.page import SETTINGS, choose_settings, chromium, find_chromium, page_of, visit
        from spacetime_cli.server import HostServer
    except ImportError as error:
        raise NotHere(
            f"expected Playwright in the host's Python, got none ({error}); run `python scripts/test.py` once, which brings it"
        ) from None
    if find_chromium() is None:
        raise NotHere("expected Chromium, got none; install it (Debian: apt install chromium) or name it in CHROMIUM")
    picture = _picture()
    figures: dict[str, Any] = {}
    try:
        with HostServer(host, private_folders=True) as server, chromium() as browser:
            version = browser.version
            for name, is_vue in FRONT_ENDS.items():
                choose_settings(server.url, {**SETTINGS, "Comfy.VueNodes.Enabled": is_vue})
                with page_of(browser, size=WINDOW) as page:
                    visit(page, server.url)
                    print(f"measuring the editor, {name}", file=sys.stderr, flush=True)
                    figures[name] = _measured(page, picture)
    except CommandError as error:
        raise NotHere(str(error)) from error
    return {"chromium": version, "front_ends": figures}


def eight_regions() -> dict[str, Any]:
    """A plan of eight painted regions that all move: paths, directions, growing, turning."""
    regions = []
    for number in range(REGIONS):
        x, y = 0.14 + 0.24 * (number % 4), 0.3 + 0.4 * (number // 4)
        line = [[round(x + 0.07 * (step / 12 - 0.5), 4), round(y + 0.05 * math.sin(step / 2 + number), 4)] for step in range(13)]
        motion: dict[str, Any] = {"direction": 45 * number, "speed": 0.2, "rotation": 15 - 5 * number}
        if number % 2:
            end = [round(x + 0.1, 4), round(y - 0.12, 4)]
            motion = {"path": {"points": [[x, y], [round(x + 0.08, 4), y], end]}, "easing": "ease-in-out", "scale": 1.1}
        regions.append({"shapes": [{"type": "stroke", "points": line, "radius": 0.07}], "motion": motion})
    return {"version": 1, "regions": regions}


def _measured(page: Any, picture: str) -> dict[str, Any]:
    page.wait_for_function("() => app.extensionManager?.workflow?.activeWorkflow?.changeTracker")
    page.evaluate(ADD)
    page.wait_for_function(f"() => {EDITOR}")
    page.evaluate(PREPARE, [picture, json.dumps(eight_regions())])
    page.wait_for_function(SETTLED)
    page.wait_for_timeout(1500)  # the page's own work after a change of the graph
    stage = page.evaluate(STAGE)
    played = page.evaluate(PLAY, PLAY_SECONDS)
    stamps = played.pop("stamps")
    gaps = sorted(after - before for before, after in zip(stamps, stamps[1:]))
    page.wait_for_timeout(500)
    page.evaluate(WATCH)
    _stroke(page, stage["shown"])
    page.wait_for_timeout(1000)
    painted = page.evaluate(FOUND)
    return {
        "canvas": stage["canvas"],
        "preview": stage["preview"],
        "frames_per_second": 1000 * len(gaps) / sum(gaps) if gaps else 0.0,
        "slow_gap_ms": gaps[int(0.95 * (len(gaps) - 1))] if gaps else None,
        "draw_ms": played["drawMilliseconds"],
        "playing_long_tasks": played["longTasks"],
        "painting": painting(painted),
    }


def painting(found: dict[str, Any]) -> dict[str, Any]:
    """The tasks over 50 ms of a stroke, before and after the hand let go, and the code that long frames were spent in, longest first."""
    let_go = found["letGo"] if found["letGo"] is not None else math.inf
    tasks = [[task["milliseconds"] for task in found["tasks"] if (task["start"] >= let_go) == is_after] for is_after in (False, True)]
    code: Counter[str] = Counter()
    for frame in found["frames"]:
        for script in frame["scripts"]:
            code[f"{script['code']} ({script['invoker']})"] += script["milliseconds"]
    spent = [{"code": name, "milliseconds": milliseconds} for name, milliseconds in code.most_common(8)]
    return {"moves": MOVES, "while_painting": tasks[0], "letting_go": tasks[1], "long_frames": found["frames"], "code": spent}


def _stroke(page: Any, shown: list[float]) -> None:
    """One long line over the picture, with a movement of the mouse for each of its pieces."""
    left, top, width, height = shown

    def place(step: int) -> tuple[float, float]:
        part = step / MOVES
        return left + width * (0.1 + 0.8 * part), top + height * (0.5 + 0.35 * math.sin(14 * part))

    page.mouse.move(*place(0))
    page.mouse.down()
    for step in range(1, MOVES + 1):
        page.mouse.move(*place(step))
    page.mouse.up()


def _picture() -> str:
    """A picture of 1280 by 720 with much to see, as a data URL."""
    from PIL import Image

    from training.world.collage import paint_texture

    texture = (paint_texture("leaves", 1, HEIGHT, WIDTH).transpose(1, 2, 0) * 255).round().astype("uint8")
    file = io.BytesIO()
    Image.fromarray(texture).save(file, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
