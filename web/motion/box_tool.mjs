/**
 * The tool for boxes: where something starts, where it ends, and keyframes between.
 */

import { distance, dragBox } from "./geometry.mjs";
import { boxAt } from "./maths.mjs";
import { boxOnStage, handlesOf, isBetween } from "./overlay.mjs";
import { Frame } from "./paint_tools.mjs";
import { addBox, isBox, MOST_MOVERS, moversIn } from "./plan_model.mjs";
import { tidyBox } from "./tool.mjs";

/** Boxes: drag makes one; then its end, its start, or where it is now can be dragged and resized. */
export class BoxTool extends Frame {
    held = null;

    constructor(desk) {
        super(desk, "rectangle");
    }

    get isBusy() {
        return this.from !== null || this.held !== null;
    }

    down(hand) {
        const { item } = this.desk.session;
        if (isBox(item) && !item.locked && this.grab(item, hand)) return true;
        [this.from, this.to] = [hand, hand];
        return true;
    }

    /** Take hold of one of a box's three rectangles; Alt prefers where it starts. */
    grab(box, hand) {
        const time = this.desk.time;
        const parts = [isBetween(box, time) ? "now" : null, "end", "start"].filter(Boolean);
        if (hand.alt) parts.reverse();
        const found = this.find(box, parts, hand, hitHandle) ?? this.find(box, parts, hand, hitInside);
        if (!found) return false;
        this.held = { ...found, box, from: hand.plan, was: this.partOf(box, found.part) };
        return true;
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
        if (moversIn(session.plan).length >= MOST_MOVERS) return this.refuse("tooMany");
        session.select(addBox(session.plan, box).id);
        session.commit();
        return this.desk.say("dragBoxEnd");
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
