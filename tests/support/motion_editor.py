"""What a person does in the motion brush editor, for the tests and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

Point = tuple[float, float]
PATIENCE = 20_000
"""Milliseconds for anything in the page."""

ADD = """([picture, size]) => {
    app.graph.clear();
    const node = LiteGraph.createNode("SpacetimeMotionBrush");
    app.graph.add(node);
    node.pos = [0, 0];
    if (size) node.setSize(size);
    if (picture) {
        const load = LiteGraph.createNode("LoadImage");
        app.graph.add(load);
        load.pos = [-360, 0];
        const choices = load.widgets[0].options.values;
        if (!choices.includes(picture)) choices.push(picture);
        load.widgets[0].value = picture;
        load.connect(0, node, node.inputs.findIndex(input => input.name === "image"));
    }
    app.canvas.ds.scale = 1;
    app.canvas.ds.offset = [420, 90];
    app.canvas.deselectAll();
    app.graph.setDirtyCanvas(true, true);
    app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
    return node.id;
}"""
EDITORS = "[...document.querySelectorAll('.smb-shell')].map(shell => shell.spacetimeEditor).filter(Boolean)"
PLANS = """() => app.graph.nodes
    .filter(node => node.type === "SpacetimeMotionBrush")
    .map(node => node.widgets.find(widget => widget.name === "plan").value)"""
PLACE = f"""([x, y]) => {{
    const editor = {EDITORS}.at(-1);
    const shown = editor.stage.canvas.getBoundingClientRect();
    const [sx, sy] = editor.stage.view.toStage([x, y]);
    const {{width, height}} = editor.stage.view.stage;
    return [shown.left + sx / width * shown.width, shown.top + sy / height * shown.height];
}}"""


@dataclass
class MotionEditor:
    """The last editor of a page."""

    page: Page

    @property
    def root(self) -> Locator:
        return self.page.locator(".smb-editor").last

    def add(self, picture: str | None = "example.png", size: tuple[int, int] | None = None) -> int:
        """A new graph with the node in it, its editor ready, and its picture, if any, shown."""
        self.page.wait_for_function("() => app.extensionManager?.workflow?.activeWorkflow?.changeTracker", timeout=PATIENCE)
        node = self.page.evaluate(ADD, [picture, size])
        self.ready(picture is not None)
        return node

    def ready(self, with_picture: bool = True) -> None:
        wanted = f"{EDITORS}.length > 0"
        if with_picture:
            wanted += f" && {EDITORS}.every(editor => editor.hasPicture)"
        self.page.wait_for_function(f"() => {wanted}", timeout=PATIENCE)
        self.settle()

    def settle(self) -> None:
        """Until the preview has cut out everything and was drawn."""
        self.page.wait_for_function(f"() => !{EDITORS}.at(-1).preview.isBehind", timeout=PATIENCE)
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def plan(self) -> dict[str, Any]:
        """What the last node would be queued with."""
        return self.plans()[-1]

    def plans(self) -> list[dict[str, Any]]:
        """The plans of all motion brushes, in the order of their making."""
        return [json.loads(text) for text in self.page.evaluate(PLANS)]

    def regions(self) -> list[dict[str, Any]]:
        return self.plan().get("regions", [])

    def place(self, point: Point) -> Point:
        """Where a point of the picture is in the window."""
        x, y = self.page.evaluate(PLACE, list(point))
        return x, y

    def tool(self, name: str) -> None:
        button = self.root.locator(f"[data-tool={name}]")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")

    def drag(self, *points: Point, steps: int = 6) -> None:
        """The mouse goes down at the first point of the picture and up at the last."""
        places = [self.place(point) for point in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for x, y in places[1:]:
            self.page.mouse.move(x, y, steps=steps)
        self.page.mouse.up()
        self.settle()

    def focus(self) -> None:
        """Give the stage the keys, as a click on it does."""
        self.page.evaluate(f"() => {EDITORS}.at(-1).stage.keys.focus()")

    def click(self, point: Point) -> None:
        self.page.mouse.click(*self.place(point))
        self.settle()

    def paint(self, *points: Point) -> None:
        self.tool("brush")
        self.drag(*points)

    def arrow(self, *points: Point) -> None:
        self.tool("path")
        self.drag(*points)

    def press(self, keys: str, times: int = 1) -> None:
        for _ in range(times):
            self.page.keyboard.press(keys)
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def slide(self, control: str, value: float) -> None:
        """Type a value into the number field of one of the panel's sliders."""
        field = self.root.locator(f"[data-control='{control}'] input[type=number]")
        field.fill(str(value))
        field.press("Enter")

    def pixel(self, point: Point) -> list[int]:
        """The red, green and blue that the preview shows at a point of the picture."""
        return self.page.evaluate(
            f"""([x, y]) => {{
                const {{stage}} = {EDITORS}.at(-1);
                const [sx, sy] = stage.view.toStage([x, y]);
                const [px, py] = [sx, sy].map(side => Math.round(side * stage.sharpness));
                return [...stage.base.getImageData(px, py, 1, 1).data].slice(0, 3);
            }}""",
            list(point),
        )

    def frame(self) -> int:
        return self.page.evaluate(f"() => {EDITORS}.at(-1).timeline.frame")


def near(points: Sequence[Sequence[float]], expected: Sequence[Point], reach: float) -> bool:
    """Whether points are each within `reach` of the expected ones."""
    return len(points) == len(expected) and all(abs(a[0] - b[0]) <= reach and abs(a[1] - b[1]) <= reach for a, b in zip(points, expected))
