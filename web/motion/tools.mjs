/**
 * All tools by name; and those that move things: select and pan.
 */

import { BoxTool } from "./box_tool.mjs";
import { distance } from "./geometry.mjs";
import { apply, invert, isInside } from "./maths.mjs";
import { hasPivot, pivotOf } from "./overlay.mjs";
import { Frame, Pen, Polygon } from "./paint_tools.mjs";
import { isBox, shiftMover } from "./plan_model.mjs";
import { CLICK, tidyPoint, Tool } from "./tool.mjs";
import { Way } from "./way_tool.mjs";

/** Select: click on what is painted; drag moves it, its points, its handles or its pivot. */
class Pick extends Tool {
    held = null;

    constructor(desk, way, boxes) {
        super(desk);
        Object.assign(this, { way, boxes });
    }

    get cursor() {
        const { hover, view } = this.desk;
        const onBox = this.boxes.cursorOver();
        if (onBox || !hover) return onBox ?? "default";
        const under = this.desk.moverAt(view.toPlan(hover));
        return this.held || (under && !under.locked) ? "move" : "default";
    }

    get isBusy() {
        return this.held !== null;
    }

    down(hand) {
        const { session } = this.desk;
        const { item } = session;
        if (item && !item.locked) {
            if (isBox(item) && this.boxes.grab(item, hand)) return this.hold(this.boxes);
            if (!isBox(item) && this.pivot(item, hand)) return true;
            if (!isBox(item) && this.way.grab(item, hand)) return this.hold(this.way);
        }
        const under = this.desk.moverAt(hand.plan);
        session.select(under?.id ?? null);
        if (under && !under.locked) this.held = new Shift(this.desk, under, hand);
        return true;
    }

    hold(tool) {
        this.held = tool;
        return true;
    }

    pivot(region, hand) {
        const place = hasPivot(region) ? pivotOf(region, this.desk.view) : null;
        if (!place || distance(this.desk.view.toStage(place), hand.stage) > hand.reach) return false;
        return this.hold(new PivotDrag(this.desk, region));
    }

    move(hand) {
        this.held?.move(hand);
    }

    up(hand) {
        this.held?.up(hand);
        this.held = null;
    }

    cancel() {
        const was = this.held?.cancel() ?? false;
        this.held = null;
        return was;
    }
}

/** A drag that moves all of a region or box. */
class Shift {
    constructor(desk, item, hand) {
        Object.assign(this, { desk, item, from: hand, was: structuredClone(item), moved: false });
    }

    move(hand) {
        if (!this.moved && distance(hand.stage, this.from.stage) < CLICK) return;
        this.moved = true;
        this.desk.session.touch(() => {
            Object.assign(this.item, structuredClone(this.was));
            shiftMover(this.item, hand.plan[0] - this.from.plan[0], hand.plan[1] - this.from.plan[1]);
        });
    }

    up() {
        if (this.moved) this.desk.session.commit();
    }

    cancel() {
        if (this.moved) this.desk.session.revert();
        return this.moved;
    }
}

class PivotDrag {
    constructor(desk, region) {
        Object.assign(this, { desk, region });
    }

    move(hand) {
        this.desk.session.touch(() => (this.region.motion.center = tidyPoint(hand.plan)));
    }

    up() {
        this.desk.session.commit();
    }

    cancel() {
        this.desk.session.revert();
        return true;
    }
}

/** Move the view. */
class Pan extends Tool {
    at = null;

    get cursor() {
        return this.at ? "grabbing" : "grab";
    }

    get isBusy() {
        return this.at !== null;
    }

    down(hand) {
        this.at = hand.stage;
        return true;
    }

    move(hand) {
        if (!this.at) return;
        this.desk.view.moveBy(hand.stage[0] - this.at[0], hand.stage[1] - this.at[1]);
        this.at = hand.stage;
    }

    up() {
        this.at = null;
    }

    cancel() {
        const was = this.isBusy;
        this.at = null;
        return was;
    }
}

/** @returns {Record<string, Tool>} every tool, by name */
export function makeTools(desk) {
    const path = new Way(desk);
    const box = new BoxTool(desk);
    return {
        select: new Pick(desk, path, box),
        brush: new Pen(desk),
        eraser: new Pen(desk, { erases: true }),
        polygon: new Polygon(desk),
        rectangle: new Frame(desk, "rectangle"),
        ellipse: new Frame(desk, "ellipse"),
        path,
        box,
        pin: new Pen(desk, { pins: true }),
        pan: new Pan(desk),
    };
}

/** The tools in the order of the bar, with their keys. */
export const TOOL_KEYS = { select: "V", brush: "B", eraser: "E", polygon: "P", rectangle: "R", ellipse: "O", path: "A", box: "X", pin: "N", pan: "H" };

/** What of the plan lies under a place of the picture at a time, the nearest to the viewer first. */
export function moverUnder(preview, place, time) {
    const { width, height } = preview;
    const seen = apply(invert(preview.cameraAt(time)), [place[0] * width, place[1] * height]);
    for (const mover of [...preview.ordered].reverse()) {
        const [x, y] = apply(invert(mover.mapAt(time)), seen);
        if (isInside(mover.shapes, x, y, width, height)) return mover.item;
    }
    return null;
}
