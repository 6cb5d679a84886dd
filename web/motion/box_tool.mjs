/**
 * The tool for boxes: where something starts, where it ends, and keyframes between.
 */

import { distance, dragBox } from "./geometry.mjs";
import { boxAt } from "./maths.mjs";
import { boxOnStage, handlesOf, isBetween } from "./overlay.mjs";
import { Frame } from "./paint_tools.mjs";
import { addBox, isBox, MOST_MOVERS, moversIn } from "./plan_model.mjs";
import { tidyBox } from "./tool.mjs";

const CURSORS = { move: "move", nw: "nwse-resize", se: "nwse-resize", ne: "nesw-resize", sw: "nesw-resize", n: "ns-resize", s: "ns-resize", e: "ew-resize", w: "ew-resize" };
const REACH = 9; // of a pointer that only hovers, in stage pixels

/** Boxes: drag makes one; then its end, its start, or where it is now can be dragged and resized. */
export class BoxTool extends Frame {
    held = null;

    constructor(desk) {
        super(desk, "rectangle");
    }

    get cursor() {
        return this.cursorOver() ?? super.cursor;
    }

    get isBusy() {
        return this.from !== null || this.held !== null;
    }

    /** The cursor for what of the selected box would be taken hold of; null: nothing. */
    cursorOver() {
        const { hover, session } = this.desk;
        if (this.held) return CURSORS[this.held.handle];
        if (this.from || !hover || !isBox(session.item) || session.item.locked) return null;
        const found = this.under(session.item, { stage: hover, reach: REACH });
        return found && CURSORS[found.handle];
    }

    down(hand) {
        const { item } = this.desk.session;
        if (isBox(item) && !item.locked && this.grab(item, hand)) return true;
        this.desk.toFirstFrame(); // where it is drawn is where it starts
        [this.from, this.to] = [hand, hand];
        return true;
    }

    /** Take hold of one of a box's three rectangles. */
    grab(box, hand) {
        const found = this.under(box, hand);
        if (!found) return false;
        this.held = { ...found, box, from: hand.plan, was: this.partOf(box, found.part) };
        return true;
    }

    /** Which rectangle of a box lies under the hand, and what of it; Alt prefers where the box starts. */
    under(box, hand) {
        const parts = [isBetween(box, this.desk.time) ? "now" : null, "end", "start"].filter(Boolean);
        if (hand.alt) parts.reverse();
        return this.find(box, parts, hand, hitHandle) ?? this.find(box, parts, hand, hitInside);
    }

    find(box, parts, hand, hit) {
        for (const part of parts) {
            const handle = hit(boxOnStage(this.partOf(box, part), this.desk.view), hand);
            if (handle) return { part, handle };
        }
        return null;
    }

    partOf(box, part) {
        return part === "now" ? boxAt(box, this.desk.time) : box[part];
    }

    move(hand) {
        if (!this.held) return super.move(hand);
        const { box, part, handle, from, was } = this.held;
        const dragged = tidyBox(dragBox(was, handle, hand.plan[0] - from[0], hand.plan[1] - from[1]));
        return this.desk.session.touch(() => (part === "now" ? setKeyframe(box, this.desk.time, dragged) : (box[part] = dragged)));
    }

    up(hand) {
        if (!this.held) return super.up(hand);
        this.held = null;
        return this.desk.session.commit();
    }

    make(box) {
        const { session } = this.desk;
        if (moversIn(session.plan).length >= MOST_MOVERS) {
            this.refuse("tooMany");
            return;
        }
        session.select(addBox(session.plan, box).id);
        session.commit();
    }

    cancel() {
        if (!this.held) return super.cancel();
        this.held = null;
        this.desk.session.revert();
        return true;
    }
}

function hitHandle(rectangle, { stage, reach }) {
    return Object.entries(handlesOf(rectangle)).find(([, place]) => distance(place, stage) <= reach)?.[0];
}

function hitInside([x, y, w, h], { stage: [px, py] }) {
    return px >= x && px <= x + w && py >= y && py <= y + h ? "move" : undefined;
}

/** Put a keyframe at a time, in place of one that is there. */
export function setKeyframe(box, time, rectangle) {
    const at = Number(time.toFixed(4));
    box.keyframes = [...box.keyframes.filter((key) => Math.abs(key.time - at) > 1e-3), { time: at, box: rectangle }].sort((a, b) => a.time - b.time);
}
