"""The motion brush editor in ComfyUI's page, in the classic canvas and in Nodes 2.0."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from support.motion_editor import EDITORS, PATIENCE, MotionEditor, near
from support.motion_golden import assert_golden, golden_cases
from support.page_actions import saved_video, set_widgets

from spacetime_cli.locate import Host
from spacetime_cli.page import PATIENCE_SECONDS, SETTINGS, choose_settings, pack_folder, page_of, visit
from spacetime_cli.server import HostServer

ROOT = Path(__file__).parents[2]
FRONT_ENDS = {"classic": False, "nodes2": True}
CLOSE = 0.02
"""How far from where the hand was a point may lie: a few pixels of the screen."""


@pytest.fixture(scope="module", params=list(FRONT_ENDS))
def page(request: pytest.FixtureRequest, browser: Browser, live_server: HostServer, watch: Any) -> Iterator[Page]:
    """One page for each front end."""
    choose_settings(live_server.url, {**SETTINGS, "Comfy.VueNodes.Enabled": FRONT_ENDS[request.param]})
    try:
        with page_of(browser) as page:
            page.set_default_timeout(PATIENCE)
            page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            watch.over(page)
            visit(page, live_server.url)
            assert page.evaluate("() => LiteGraph.vueNodesMode") == FRONT_ENDS[request.param]
            yield page
    finally:
        choose_settings(live_server.url, {"Comfy.VueNodes.Enabled": False})


@pytest.fixture
def editor(page: Page) -> MotionEditor:
    """A fresh node with the host's example picture, 768 by 768."""
    editor = MotionEditor(page)
    editor.add()
    return editor


class TestPainting:
    def test_a_stroke_and_an_arrow_make_a_region_that_moves(self, editor: MotionEditor) -> None:
        editor.paint((0.3, 0.3), (0.45, 0.3))
        editor.arrow((0.35, 0.3), (0.75, 0.3))
        (region,) = editor.regions()
        (stroke,) = region["shapes"]
        assert stroke["type"] == "stroke" and stroke["radius"] == pytest.approx(0.05)
        assert near(stroke["points"], [(0.3, 0.3), (0.45, 0.3)], CLOSE)
        assert near(region["motion"]["path"]["points"], [(0.35, 0.3), (0.75, 0.3)], CLOSE)

    def test_every_shape_tool_and_taking_away(self, editor: MotionEditor) -> None:
        editor.tool("rectangle")
        editor.drag((0.1, 0.1), (0.3, 0.4))
        editor.tool("ellipse")
        editor.page.keyboard.down("Alt")
        editor.drag((0.1, 0.1), (0.2, 0.2))
        editor.page.keyboard.up("Alt")
        editor.tool("polygon")
        for corner in [(0.5, 0.5), (0.7, 0.5), (0.6, 0.7)]:
            editor.click(corner)
        editor.press("Enter")
        editor.tool("eraser")
        editor.drag((0.1, 0.3), (0.3, 0.3))
        (region,) = editor.regions()
        assert [(shape["type"], shape.get("op", "add")) for shape in region["shapes"]] == [
            ("rectangle", "add"),
            ("ellipse", "subtract"),
            ("polygon", "add"),
            ("stroke", "subtract"),
        ]
        assert region["shapes"][0]["box"] == pytest.approx([0.1, 0.1, 0.2, 0.3], abs=CLOSE)
        assert near(region["shapes"][2]["points"], [(0.5, 0.5), (0.7, 0.5), (0.6, 0.7)], CLOSE)

    def test_a_path_is_clicked_bent_and_thinned(self, editor: MotionEditor) -> None:
        editor.paint((0.3, 0.3), (0.4, 0.3))
        editor.tool("path")
        for point in [(0.35, 0.3), (0.6, 0.3), (0.8, 0.6)]:
            editor.click(point)
        editor.press("Enter")
        assert near(editor.regions()[0]["motion"]["path"]["points"], [(0.35, 0.3), (0.6, 0.3), (0.8, 0.6)], CLOSE)
        editor.drag((0.6, 0.3), (0.6, 0.15))
        assert near(editor.regions()[0]["motion"]["path"]["points"], [(0.35, 0.3), (0.6, 0.15), (0.8, 0.6)], CLOSE)
        editor.page.keyboard.down("Alt")
        editor.click((0.6, 0.15))
        editor.page.keyboard.up("Alt")
        assert near(editor.regions()[0]["motion"]["path"]["points"], [(0.35, 0.3), (0.8, 0.6)], CLOSE)
        editor.drag((0.575, 0.45), (0.5, 0.6))
        assert near(editor.regions()[0]["motion"]["path"]["points"], [(0.35, 0.3), (0.5, 0.6), (0.8, 0.6)], 2 * CLOSE)

    def test_boxes_start_end_and_keyframes(self, editor: MotionEditor) -> None:
        editor.tool("box")
        editor.drag((0.1, 0.1), (0.3, 0.3))
        editor.drag((0.2, 0.2), (0.7, 0.2))
        editor.page.evaluate(f"() => {EDITORS}.at(-1).timeline.seek(0.5)")
        editor.drag((0.45, 0.2), (0.45, 0.6))
        (box,) = editor.plan()["boxes"]
        assert box["start"] == pytest.approx([0.1, 0.1, 0.2, 0.2], abs=CLOSE)
        assert box["end"] == pytest.approx([0.6, 0.1, 0.2, 0.2], abs=CLOSE)
        (key,) = box["keyframes"]
        assert key["time"] == 0.5 and key["box"] == pytest.approx([0.35, 0.5, 0.2, 0.2], abs=CLOSE)

    def test_a_box_starts_in_the_first_frame_whatever_was_shown(self, editor: MotionEditor) -> None:
        editor.page.evaluate(f"() => {EDITORS}.at(-1).timeline.seek(0.5)")
        editor.tool("box")
        editor.drag((0.1, 0.1), (0.3, 0.3))
        expect(editor.root.locator(".smb-hint")).to_have_text("Now drag the box to where it ends; dashed: the end.")
        editor.drag((0.2, 0.2), (0.7, 0.2))
        (box,) = editor.plan()["boxes"]
        assert editor.frame() == 0
        assert box["end"] == pytest.approx([0.6, 0.1, 0.2, 0.2], abs=CLOSE) and "keyframes" not in box

    def test_a_pin_and_moving_what_is_painted(self, editor: MotionEditor) -> None:
        editor.tool("pin")
        editor.drag((0.7, 0.7), (0.8, 0.7))
        editor.tool("select")
        editor.drag((0.75, 0.7), (0.55, 0.5))
        (region,) = editor.regions()
        assert region["pinned"] is True
        assert near(region["shapes"][0]["points"], [(0.5, 0.5), (0.6, 0.5)], CLOSE)

    def test_touch_paints_and_two_fingers_zoom(self, editor: MotionEditor) -> None:
        editor.tool("brush")
        touch = editor.page.context.new_cdp_session(editor.page)

        def send(kind: str, *places: tuple[float, float]) -> None:
            points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        (x1, y1), (x2, _) = editor.place((0.3, 0.5)), editor.place((0.6, 0.5))
        send("touchStart", (x1, y1))
        for step in range(1, 6):
            send("touchMove", (x1 + (x2 - x1) * step / 5, y1))
        send("touchEnd")
        editor.settle()
        assert near(editor.regions()[0]["shapes"][0]["points"], [(0.3, 0.5), (0.6, 0.5)], CLOSE)
        zoom = f"() => {EDITORS}.at(-1).stage.view.zoom"
        before, middle = editor.page.evaluate(zoom), (x1 + x2) / 2
        graph = editor.page.evaluate("() => app.canvas.ds.scale")
        send("touchStart", (middle - 20, y1), (middle + 20, y1))
        for spread in (25, 30, 35, 40):
            send("touchMove", (middle - spread, y1), (middle + spread, y1))
            editor.page.wait_for_timeout(40)  # the page draws in between, its graph too
        send("touchEnd")
        assert editor.page.evaluate(zoom) == pytest.approx(2 * before, rel=0.05)
        assert editor.page.evaluate("() => app.canvas.ds.scale") == graph
        assert len(editor.regions()[0]["shapes"]) == 1


class TestPanel:
    def test_sliders_easing_and_camera_write_the_plan(self, editor: MotionEditor) -> None:
        editor.paint((0.3, 0.3), (0.4, 0.3))
        way = editor.root.locator("[data-control=way] select")
        way.select_option("direction")
        editor.slide("direction", 90)
        for control, value in [("speed", 0.5), ("scale", 1.5), ("rotation", 30), ("proximity", -0.5), ("ambient", 0.4), ("end", 0.8)]:
            editor.slide(control, value)
        editor.root.locator("[data-control=easing] select").select_option("own")
        editor.root.get_by_role("button", name="First handle; arrow keys move it").press("ArrowRight")
        motion = editor.regions()[0]["motion"]
        assert motion.pop("easing") == pytest.approx([0.27, 0.25, 0.75, 0.75])
        assert motion == {"direction": 90, "speed": 0.5, "scale": 1.5, "rotation": 30, "proximity": -0.5, "ambient": 0.4, "end": 0.8}
        editor.root.get_by_role("tab", name="Camera").click()
        for kind in ("Pan", "Zoom", "Roll"):
            editor.button(kind).click()
        editor.slide("1.factor", 2)
        assert editor.plan()["camera"] == [{"type": "pan", "x": 0.2}, {"type": "zoom", "factor": 2}, {"type": "roll", "degrees": 10}]

    def test_eight_regions_named_hidden_locked_ordered_and_removed(self, editor: MotionEditor) -> None:
        for number in range(8):
            if number:
                editor.button("New region").click()
            editor.paint((0.1 + 0.1 * number, 0.2), (0.1 + 0.1 * number, 0.3))
        assert len({item["id"] for item in editor.regions()}) == 8
        rows = editor.root.locator(".smb-item")
        expect(rows).to_have_count(8)
        rows.first.locator(".smb-name").fill("kite")
        rows.first.locator(".smb-name").press("Enter")
        rows.first.get_by_role("button", name="Hide and leave out").click()
        rows.first.get_by_role("button", name="Lock").click()
        top = editor.regions()[-1]
        assert (top["name"], top["hidden"], top["locked"]) == ("kite", True, True)
        rows.first.get_by_role("button", name="Farther from the viewer").click()
        assert [item.get("name") for item in editor.regions()][-2:] == ["kite", None]
        rows.nth(1).click()
        editor.tool("brush")
        editor.drag((0.5, 0.8), (0.6, 0.8))
        assert len(editor.regions()[-2]["shapes"]) == 1, "a locked region is not painted into"
        rows.first.click()
        editor.button("Remove").click()
        expect(rows).to_have_count(7)

    def test_what_the_editor_shows_follows_the_maths(self, editor: MotionEditor) -> None:
        """The pink dress, moved up by a third of the picture, is where the sky was; the frame under the cursor is told."""
        editor.tool("rectangle")
        editor.drag((0.42, 0.5), (0.55, 0.7))
        editor.arrow((0.48, 0.6), (0.48, 0.2))
        editor.root.locator(".smb-scrub").focus()
        editor.press("End")
        assert editor.frame() == 16
        playing = f"(yes) => {{ const {{timeline, stage}} = {EDITORS}.at(-1); timeline.isPlaying = yes; stage.draw(); }}"
        editor.page.evaluate(playing, True)  # without tints and lines
        shown = editor.pixel((0.44, 0.25))
        editor.page.evaluate(playing, False)
        assert shown[0] > 220 and shown[1] < 200 and shown[2] > 180, f"expected the pink of the dress, got {shown}"
        track = editor.root.locator(".smb-track")
        box = track.bounding_box()
        assert box is not None
        editor.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(editor.root.locator(".smb-bubble")).to_have_text("Frame 8")

    def test_a_pause_shows_the_frame_that_is_named_and_what_is_painted(self, editor: MotionEditor) -> None:
        editor.tool("rectangle")
        editor.drag((0.1, 0.1), (0.3, 0.3))
        tinted = editor.pixel((0.2, 0.2))
        play = editor.root.locator(".smb-play")
        play.click()
        editor.page.wait_for_function(f"() => {EDITORS}.at(-1).timeline.time > 0", timeout=PATIENCE)
        playing = editor.pixel((0.2, 0.2))
        play.click()
        editor.settle()
        paused = editor.pixel((0.2, 0.2))
        assert playing != tinted and playing != paused
        frame = editor.page.evaluate(f"() => {EDITORS}.at(-1).timeline.time * {EDITORS}.at(-1).timeline.lastFrame")
        assert frame == pytest.approx(editor.frame(), abs=1e-9)

    def test_somebody_new_is_told_what_comes_next(self, editor: MotionEditor) -> None:
        hint = editor.root.locator(".smb-hint")
        expect(hint).to_have_text("Paint over something, then drag an arrow to say where it goes.")
        editor.paint((0.3, 0.3), (0.4, 0.3))
        expect(hint).to_have_text("Now drag an arrow (A) to where it goes, or choose a direction in the panel.")
        expect(editor.root.locator(".smb-next")).to_have_attribute("data-tool", "path")
        editor.arrow((0.35, 0.3), (0.75, 0.3))
        expect(hint).to_have_text("Play (Space) shows how it moves; Run makes the video.")
        next_ = editor.root.locator(".smb-next")
        expect(next_).to_have_attribute("aria-label", "Play")
        next_.click()
        expect(hint).to_be_hidden()
        expect(editor.root.locator(".smb-next")).to_have_count(0)

    def test_somebody_with_a_finished_plan_is_told_that_strokes_join_its_region(self, page: Page) -> None:
        editor = MotionEditor(page)
        editor.add()
        plan = {
            "version": 1,
            "regions": [{"name": "kite", "shapes": [{"type": "ellipse", "box": [0.2, 0.2, 0.3, 0.3]}], "motion": {"direction": 0}}],
        }
        load = """plan => {
            const node = app.graph.nodes.find(node => node.type === "SpacetimeMotionBrush");
            node.widgets.find(widget => widget.name === "plan").value = plan;
        }"""
        page.evaluate(load, json.dumps(plan))
        expect(editor.root.locator(".smb-hint")).to_have_text("What you paint joins \u201ckite\u201d; New region begins another one.")
        editor.button("New region").click()
        editor.paint((0.7, 0.7), (0.8, 0.7))
        assert [len(region["shapes"]) for region in editor.regions()] == [1, 1]

    def test_the_cursor_says_what_a_press_would_do(self, editor: MotionEditor) -> None:
        def over(point: tuple[float, float]) -> str:
            editor.page.mouse.move(*editor.place(point))
            editor.settle()
            return editor.page.evaluate(f"() => getComputedStyle({EDITORS}.at(-1).stage.canvas).cursor")

        editor.tool("eraser")
        assert over((0.5, 0.5)) == "not-allowed", "nothing is selected to erase from"
        editor.tool("box")
        assert over((0.5, 0.5)) == "crosshair"
        editor.drag((0.2, 0.2), (0.6, 0.6))
        assert (over((0.4, 0.4)), over((0.6, 0.6)), over((0.2, 0.4))) == ("move", "nwse-resize", "ew-resize")
        editor.tool("select")
        assert (over((0.4, 0.4)), over((0.9, 0.9))) == ("move", "default")
        editor.button("Lock").click()
        assert over((0.4, 0.4)) == "default"
        editor.tool("brush")
        assert over((0.4, 0.4)) == "not-allowed"


class TestKeeping:
    def test_undo_and_redo_are_the_editors_own(self, editor: MotionEditor) -> None:
        editor.paint((0.3, 0.3), (0.4, 0.3))
        editor.arrow((0.35, 0.3), (0.75, 0.3))
        editor.press("Control+z")
        assert "motion" not in editor.regions()[0]
        editor.press("Control+z")
        assert editor.regions() == []
        editor.press("Control+y", times=2)
        assert "path" in editor.regions()[0]["motion"]
        assert editor.page.evaluate("() => app.graph.nodes.length") == 2, "the graph stayed as it was"

    def test_the_graphs_undo_brings_the_plan_back(self, editor: MotionEditor) -> None:
        editor.paint((0.3, 0.3), (0.4, 0.3))
        editor.arrow((0.35, 0.3), (0.75, 0.3))
        editor.page.evaluate("() => app.extensionManager.workflow.activeWorkflow.changeTracker.undo()")
        editor.ready()
        assert len(editor.regions()) == 1 and "motion" not in editor.regions()[0]
        editor.page.evaluate("() => app.extensionManager.workflow.activeWorkflow.changeTracker.redo()")
        editor.ready()
        assert "path" in editor.regions()[0]["motion"]
        editor.focus()
        editor.press("Control+z")
        assert "motion" not in editor.regions()[0], "the editor's own steps outlive the graph's"

    def test_copies_of_the_node_have_plans_of_their_own(self, editor: MotionEditor) -> None:
        editor.paint((0.3, 0.3), (0.4, 0.3))
        editor.page.evaluate(
            """() => {
                const node = app.graph.nodes.find(node => node.type === "SpacetimeMotionBrush");
                app.canvas.selectNode(node);
                app.canvas.copyToClipboard([node]);
                app.canvas.pasteFromClipboard({position: [0, 900]});
                const [first, second] = app.graph.nodes.filter(node => node.type === "SpacetimeMotionBrush");
                first.pos = [0, 2000];
                second.pos = [0, 0];
                app.canvas.setDirty(true, true);
            }"""
        )
        editor.page.wait_for_function(f"() => {EDITORS}.length === 2", timeout=PATIENCE)
        first, second = editor.plans()
        assert first == second and len(first["regions"]) == 1
        editor.settle()
        editor.tool("rectangle")
        editor.drag((0.6, 0.6), (0.8, 0.8))
        first, second = editor.plans()
        assert (len(first["regions"][0]["shapes"]), len(second["regions"][0]["shapes"])) == (1, 2)

    def test_a_shared_workflow_fits_a_picture_of_another_size(
        self, editor: MotionEditor, comfyui: Host, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        editor.tool("rectangle")
        editor.drag((0.25, 0.25), (0.5, 0.75))
        plan = editor.plan()
        wide = comfyui.comfyui / "input" / "spacetime_test_wide.png"
        request.addfinalizer(lambda: wide.unlink(missing_ok=True))
        Image.new("RGB", (640, 200), (40, 90, 160)).save(wide)
        workflow = editor.page.evaluate("() => JSON.stringify(app.rootGraph.serialize())")
        file = tmp_path / "shared.json"
        file.write_text(workflow.replace("example.png", wide.name), encoding="utf-8")
        editor.page.set_input_files("#comfy-file-input", file)
        editor.page.wait_for_function(f"() => {EDITORS}.at(-1)?.stage.view.picture.width === 640", timeout=PATIENCE)
        assert editor.plan() == plan
        editor.settle()
        area = editor.page.evaluate(f"() => {EDITORS}.at(-1).preview.tints.get('region1').area")
        assert (area["width"] / 640, area["height"] / 200) == pytest.approx((0.25, 0.5), abs=CLOSE)

    def test_copy_paste_export_import_and_reset(self, editor: MotionEditor, tmp_path: Path) -> None:
        editor.paint((0.3, 0.3), (0.4, 0.3))
        plan = editor.plan()
        editor.button("More").click()
        with editor.page.expect_download(timeout=PATIENCE) as waiting:
            editor.root.get_by_role("menuitem", name="Save as JSON").click()
        file = tmp_path / "motion_plan.json"
        waiting.value.save_as(file)
        assert json.loads(file.read_text(encoding="utf-8")) == plan
        editor.root.locator(".smb-base").click(position={"x": 3, "y": 3}, button="right")
        editor.press("Control+c")
        editor.button("More").click()
        editor.root.get_by_role("menuitem", name="Start afresh").click()
        assert editor.regions() == []
        editor.focus()
        editor.press("Control+v")
        assert editor.plan() == plan
        editor.press("Control+z")
        assert editor.regions() == []
        editor.button("More").click()
        with editor.page.expect_file_chooser(timeout=PATIENCE) as chooser:
            editor.root.get_by_role("menuitem", name="Open JSON").click()
        chooser.value.set_files(file)
        editor.page.wait_for_function(f"() => {EDITORS}.at(-1).session.plan.regions.length === 1", timeout=PATIENCE)
        assert editor.plan() == plan
        chooser_file = tmp_path / "wrong.json"
        chooser_file.write_text('{"version": 2}', encoding="utf-8")
        editor.button("More").click()
        with editor.page.expect_file_chooser(timeout=PATIENCE) as chooser:
            editor.root.get_by_role("menuitem", name="Open JSON").click()
        chooser.value.set_files(chooser_file)
        expect(editor.root.locator(".smb-message")).to_have_text("This is no motion plan: version: expected 1, got 2")
        assert editor.plan() == plan

    def test_a_dropped_picture_is_kept_with_the_node(self, page: Page, comfyui: Host, request: pytest.FixtureRequest) -> None:
        editor = MotionEditor(page)
        editor.add(picture=None)
        request.addfinalizer(lambda: [file.unlink() for file in (comfyui.comfyui / "input" / "spacetime").glob("spacetime_test_drop*")])
        drop_picture(page)
        editor.ready()
        kept = page.evaluate("() => app.graph.serialize().nodes[0].properties.spacetime_picture")
        assert kept["subfolder"] == "spacetime" and kept["filename"].startswith("spacetime_test_drop")
        assert page.evaluate("() => app.graph.nodes.length") == 1, "the page made no node of the dropped file"

    def test_a_dropped_picture_goes_to_the_connected_load_image(
        self, editor: MotionEditor, comfyui: Host, request: pytest.FixtureRequest
    ) -> None:
        request.addfinalizer(lambda: [file.unlink() for file in (comfyui.comfyui / "input").glob("spacetime_test_drop*")])
        editor.paint((0.3, 0.3), (0.4, 0.3))
        drop_picture(editor.page)
        editor.page.wait_for_function(f"() => {EDITORS}.at(-1).stage.view.picture.width === 320", timeout=PATIENCE)
        load = "() => app.graph.nodes.find(node => node.type === 'LoadImage').widgets[0]"
        chosen = editor.page.evaluate(f"() => [({load})().value, ({load})().options.values.includes(({load})().value)]")
        assert chosen[0].startswith("spacetime_test_drop") and chosen[1]
        assert editor.page.evaluate("() => app.graph.nodes.every(node => !node.properties.spacetime_picture)")
        assert len(editor.regions()) == 1
        editor.page.evaluate("() => app.extensionManager.workflow.activeWorkflow.changeTracker.undo()")
        editor.page.wait_for_function(f"() => ({load})().value === 'example.png'", timeout=PATIENCE)


def drop_picture(page: Page) -> None:
    """Let a picture of 320 by 240 fall on the editor."""
    data = io.BytesIO()
    Image.new("RGB", (320, 240), (200, 120, 40)).save(data, "PNG")
    page.evaluate(
        """async bytes => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(bytes)], "spacetime_test_drop.png", {type: "image/png"}));
            const drop = new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true});
            [...document.querySelectorAll(".smb-editor")].at(-1).dispatchEvent(drop);
        }""",
        list(data.getvalue()),
    )


class TestInThePage:
    def test_every_control_is_reached_and_named(self, editor: MotionEditor) -> None:
        editor.paint((0.3, 0.3), (0.4, 0.3))
        unnamed = editor.root.evaluate(
            """root => [...root.querySelectorAll("button, input, select, textarea, [role=option], [role=tab]")]
                .filter(each => !each.closest("[hidden]"))
                .filter(each => !(each.getAttribute("aria-label") || each.textContent.trim() || each.labels?.length))
                .map(each => each.outerHTML)"""
        )
        assert unnamed == []
        editor.page.evaluate("() => document.querySelector('.smb-editor .smb-bar button').focus()")
        reached = set()
        for _ in range(60):
            editor.page.keyboard.press("Tab")
            inside = editor.page.evaluate(
                """() => {
                    const {activeElement: active} = document;
                    return active.closest('.smb-editor') && (active.className || active.type);
                }"""
            )
            if not inside:
                break
            reached.add(inside)
        assert {"smb-keys", "smb-scrub", "smb-tab", "smb-item", "smb-name", "smb-select", "smb-number"} <= reached

    def test_a_region_is_painted_and_sent_off_with_the_keyboard_alone(self, editor: MotionEditor) -> None:
        editor.focus()
        editor.press("b")
        editor.press("ArrowRight")
        editor.press("Enter")
        editor.press("Shift+ArrowRight", times=3)
        editor.press("Enter")
        editor.press("a")
        editor.press("Enter")
        editor.press("Shift+ArrowUp", times=4)
        editor.press("Enter")
        (region,) = editor.regions()
        assert near(region["shapes"][0]["points"], [(0.51, 0.5), (0.66, 0.5)], 1e-3)
        assert near(region["motion"]["path"]["points"], [(0.66, 0.5), (0.66, 0.3)], 1e-3)
        editor.press("Space")
        assert editor.page.evaluate(f"() => {EDITORS}.at(-1).timeline.isPlaying")
        editor.press("Space")
        editor.press("Home")
        editor.press(".")
        assert editor.frame() == 1
        editor.press("Delete")
        assert editor.regions() == []

    def test_the_wheel_and_keys_stay_the_canvas_s_until_the_editor_is_used(self, editor: MotionEditor) -> None:
        scale = "() => app.canvas.ds.scale"
        zoom = f"() => {EDITORS}.at(-1).stage.view.zoom"
        editor.page.evaluate("() => document.activeElement.blur()")
        editor.page.mouse.move(*editor.place((0.5, 0.5)))
        before = editor.page.evaluate(scale)
        editor.page.mouse.wheel(0, -120)
        editor.page.wait_for_function(f"() => ({scale})() > {before}", timeout=PATIENCE)
        assert editor.page.evaluate(zoom) == 1
        editor.press("r")
        assert editor.root.locator("[data-tool=brush]").get_attribute("aria-pressed") == "true"
        editor.page.evaluate("() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [420, 90]; app.canvas.setDirty(true, true); }")
        editor.settle()
        editor.focus()
        editor.page.mouse.wheel(0, -120)
        editor.page.wait_for_function(f"() => ({zoom})() > 1", timeout=PATIENCE)
        assert editor.page.evaluate(scale) == 1

    def test_a_middle_drag_moves_the_canvas_until_the_editor_is_used(self, editor: MotionEditor) -> None:
        offset = "() => [...app.canvas.ds.offset]"
        shift = f"() => {{ const {{x, y}} = {EDITORS}.at(-1).stage.view.shift; return [x, y]; }}"
        editor.page.evaluate("() => document.activeElement.blur()")
        before = editor.page.evaluate(offset)
        x, y = editor.place((0.5, 0.5))

        def drag() -> None:
            editor.page.mouse.move(x, y)
            editor.page.mouse.down(button="middle")
            editor.page.mouse.move(x + 40, y + 30, steps=3)
            editor.page.mouse.up(button="middle")
            editor.settle()

        drag()
        assert editor.page.evaluate(offset) == pytest.approx([before[0] + 40, before[1] + 30], abs=2)
        assert editor.page.evaluate(shift) == [0, 0]
        if editor.page.evaluate("() => LiteGraph.vueNodesMode"):
            return  # Nodes 2.0 takes middle drags before any node hears them
        editor.focus()
        moved = editor.page.evaluate(offset)
        drag()
        assert editor.page.evaluate(offset) == moved
        assert editor.page.evaluate(shift) == pytest.approx([40, 30], abs=2)
        assert editor.regions() == []

    def test_a_text_that_is_no_plan_is_told_and_kept(self, editor: MotionEditor) -> None:
        editor.page.evaluate(
            """() => {
                const node = app.graph.nodes.find(node => node.type === "SpacetimeMotionBrush");
                node.widgets.find(widget => widget.name === "plan").value = '{"version": 3}';
            }"""
        )
        expect(editor.root.locator(".smb-hint")).to_contain_text("version: expected 1, got 3")
        assert editor.plan() == {"version": 3}
        editor.paint((0.3, 0.3), (0.4, 0.3))
        assert len(editor.regions()) == 1
        editor.press("Control+z")
        assert editor.plan() == {"version": 3}

    def test_chinese_pages_get_chinese_words(self, editor: MotionEditor, live_server: HostServer) -> None:
        words = editor.page.evaluate(
            """async folder => {
                const {loadText} = await import(`/extensions/${folder}/motion/text.mjs`);
                const say = async language => (await loadText(language))("frame", {frame: 7});
                return [await say("zh"), await say("zh-TW"), await say("en"), await say("fr")];
            }""",
            pack_folder(live_server.url),
        )
        assert words == ["\u7b2c 7 \u5e27"] * 2 + ["Frame 7"] * 2

    def test_painting_hits_the_mark_at_any_zoom_of_the_canvas(self, editor: MotionEditor) -> None:
        for scale in (0.4, 1.6):
            editor.page.evaluate(
                """scale => {
                    app.canvas.ds.scale = scale;
                    app.canvas.ds.offset = scale < 1 ? [420, 200] : [-40, -100];
                    app.canvas.setDirty(true, true);
                }""",
                scale,
            )
            editor.page.wait_for_function(
                f"""scale => {{
                    const shown = {EDITORS}.at(-1).element.getBoundingClientRect().width / {EDITORS}.at(-1).element.clientWidth;
                    return Math.abs(shown - scale) < 0.01;
                }}""",
                arg=scale,
                timeout=PATIENCE,
            )
            editor.focus()
            editor.press("b")
            editor.drag((0.4, 0.4), (0.6, 0.5))
            assert near(editor.regions()[0]["shapes"][-1]["points"], [(0.4, 0.4), (0.6, 0.5)], CLOSE)
        editor.page.evaluate("() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [420, 90]; }")

    def test_it_resizes_with_the_node_and_folds_when_narrow(self, editor: MotionEditor) -> None:
        size = f"() => {{ const {{element}} = {EDITORS}.at(-1); return [element.clientWidth, element.clientHeight]; }}"
        wide = editor.page.evaluate(size)
        editor.page.evaluate("() => { app.graph.nodes[0].setSize([460, 900]); app.canvas.setDirty(true, true); }")
        editor.page.wait_for_function(f"() => ({size})()[0] < 460", timeout=PATIENCE)
        narrow = editor.page.evaluate(size)
        assert narrow[1] > wide[1] + 80
        expect(editor.root).to_have_attribute("data-width", "narrow")
        expect(editor.root.locator(".smb-panel")).to_be_hidden()
        editor.button("Panel").click()
        expect(editor.root.locator(".smb-panel")).to_be_visible()

    def test_the_full_window_is_the_same_editor(self, editor: MotionEditor) -> None:
        editor.paint((0.3, 0.3), (0.4, 0.3))
        editor.button("Full window").click()
        dialog = editor.page.locator("dialog.smb-dialog")
        expect(dialog).to_be_visible()
        editor.settle()
        editor.root.locator("[data-tool=path]").click()
        editor.press("b")
        editor.press("Escape")
        expect(dialog).to_have_count(0)
        assert editor.root.evaluate("root => root.parentElement.className").startswith("smb-shell")
        assert len(editor.regions()) == 1

    def test_what_was_painted_survives_a_reload(self, editor: MotionEditor, live_server: HostServer) -> None:
        editor.paint((0.3, 0.3), (0.4, 0.3))
        plan = editor.plan()
        file = editor.page.evaluate("() => JSON.stringify(app.rootGraph.serialize())")
        visit(editor.page, live_server.url)
        editor.page.evaluate("async file => { await app.loadGraphData(JSON.parse(file)); }", file)
        editor.ready()
        assert editor.plan() == plan
        assert editor.page.evaluate(f"() => {EDITORS}.at(-1).session.plan.regions.length") == 1


SCENE = """async folder => {
    const load = file => import(`/extensions/${folder}/motion/${file}`);
    const [{Preview}, {readPlan}, {surface}] = await Promise.all(["preview.mjs", "plan_model.mjs", "raster.mjs"].map(load));
    const pixels = canvas => {
        const context = surface(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
        context.drawImage(canvas, 0, 0);
        return context.getImageData(0, 0, canvas.width, canvas.height).data;
    };
    const same = (one, other) => one.length === other.length && one.every((value, index) => value === other[index]);
    const stroke = (x, y) => ({type: "stroke", radius: 0.1, points: [[x, y], [x + 0.3, y + 0.1]]});
    const plan = (...ways) => readPlan(JSON.stringify({
        version: 1,
        regions: ways.map(([x, y], index) => ({id: `r${index}`, shapes: [stroke(x, y)], motion: {direction: 0}})),
    }));
    const [first, second] = [plan([0.1, 0.2]), plan([0.1, 0.2], [0.3, 0.25], [0.5, 0.7])];
    const [sliced, whole] = [new Preview(), new Preview()];
    sliced.setPlan(first);
    sliced.work.finish();
    const before = sliced.plate;
    sliced.setPlan(plan([0.4, 0.4]));
    const kept = sliced.isBehind && sliced.plate === before;
    for (let turn = 0; turn < 3; turn += 1) await new Promise(done => setTimeout(done));
    sliced.setPlan(second);
    while (sliced.isBehind) await new Promise(done => setTimeout(done));
    whole.setPlan(second);
    whole.work.finish();
    const scene = pixels(sliced.plate.canvas);
    const picture = pixels(sliced.picture);
    const moving = [...sliced.tints.values()];
    const isFar = index => {
        const [x, y] = [index % sliced.width, Math.floor(index / sliced.width)];
        return moving.every(({area}) => x < area.x || y < area.y || x >= area.x + area.width || y >= area.y + area.height);
    };
    const count = sliced.width * sliced.height;
    return {
        kept,
        scene: same(scene, pixels(whole.plate.canvas)),
        cuts: second.regions.every(({id}) => same(pixels(sliced.cuts.get(id).canvas), pixels(whole.cuts.get(id).canvas))),
        tints: second.regions.every(({id}) => same(pixels(sliced.tints.get(id).canvas), pixels(whole.tints.get(id).canvas))),
        opaque: Array.from({length: count}, (_, index) => scene[4 * index + 3]).every(alpha => alpha === 255),
        elsewhere: Array.from({length: count}, (_, index) => index)
            .filter(isFar)
            .every(index => [0, 1, 2].every(channel => scene[4 * index + channel] === picture[4 * index + channel])),
    };
}"""


def test_what_the_preview_makes_in_slices_is_whole_and_exact(page: Page, live_server: HostServer) -> None:
    """Another plan in the midst of it changes nothing of the result; until it is there the old one is shown."""
    told = page.evaluate(SCENE, pack_folder(live_server.url))
    assert told == dict.fromkeys(("kept", "scene", "cuts", "tints", "opaque", "elsewhere"), True)


def test_the_preview_can_be_measured(page: Page) -> None:
    """What benchmarks call; how fast this machine is does not matter here."""
    editor = MotionEditor(page)
    editor.add()
    editor.paint((0.3, 0.3), (0.4, 0.3))
    played = page.evaluate(f"() => {EDITORS}.at(-1).measurePlay(0.3)")
    painted = page.evaluate(f"() => {EDITORS}.at(-1).measurePaint(0.2)")
    assert played["perSecond"] > 0 and math.isfinite(played["drawMilliseconds"])
    assert painted["strokes"] >= 1 and all(task >= 50 for task in painted["longTasks"])
    assert len(editor.regions()) == 1, "the made-up strokes are gone again"


def test_the_maths_are_the_same_in_this_browser(page: Page, live_server: HostServer) -> None:
    for case in golden_cases().values():
        answer = page.evaluate(
            "async ([folder, case_]) => (await import(`/extensions/${folder}/motion/golden.mjs`)).answer(case_)",
            [pack_folder(live_server.url), case],
        )
        assert_golden(case, answer)


def queued(page: Page) -> dict[str, str]:
    """Press Run and wait for Save Video, on a slow machine up to two minutes."""
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    try:
        page.evaluate("() => { app.queuePrompt(0, 1); }")
        return saved_video(page)
    finally:
        page.set_default_timeout(PATIENCE)


def test_a_painted_plan_is_queued_and_its_preview_saved(page: Page) -> None:
    editor = MotionEditor(page)
    editor.add()
    editor.tool("rectangle")
    editor.drag((0.42, 0.5), (0.55, 0.7))
    editor.arrow((0.48, 0.6), (0.48, 0.3))
    page.evaluate(
        """() => {
            const brush = app.graph.nodes.find(node => node.type === "SpacetimeMotionBrush");
            const small = {width: 64, height: 64, length: 5};
            for (const [name, value] of Object.entries(small)) brush.widgets.find(widget => widget.name === name).value = value;
            const save = LiteGraph.createNode("SaveVideo");
            app.graph.add(save);
            save.pos = [900, 0];
            brush.connect(brush.outputs.findIndex(output => output.type === "VIDEO"), save, 0);
        }"""
    )
    assert queued(page)["filename"].endswith(".mp4")
    assert editor.regions(), "the plan is still there"


def test_a_template_is_painted_in_and_the_model_in_the_box_makes_the_video(page: Page, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["page"] != "nodes2":
        pytest.skip("once is enough; the classic canvas queues the preview above")
    page.set_input_files("#comfy-file-input", ROOT / "workflows" / "motion_brush_box.json")
    editor = MotionEditor(page)
    page.wait_for_function("() => app.graph.nodes.some(node => node.type === 'SpacetimeApplyMotion')")
    page.evaluate("() => spacetime.centre('SpacetimeMotionBrush')")
    editor.ready()
    editor.tool("rectangle")
    editor.drag((0.1, 0.1), (0.3, 0.3))
    for node in ("SpacetimeMotionBrush", "SpacetimeApplyMotion"):
        set_widgets(page, node, width=64, height=64, length=5)
    set_widgets(page, "SpacetimeDenoise", steps=1, cfg=1.0)
    painted = editor.plan()
    assert [shape["type"] for shape in painted["regions"][0]["shapes"]] == ["ellipse", "rectangle"]
    assert queued(page)["filename"].endswith(".mp4")
    assert editor.plan() == painted
