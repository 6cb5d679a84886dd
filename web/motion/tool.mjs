/**
 * What the tools have in common. Each hears `down`, `move` and `up` with a hand: `{plan, stage, alt, shift, reach}`, where
 * `plan` and `stage` are [x, y] in the coordinates of each and `reach` is how near, in stage pixels, counts as on it.
 */

import { addRegion, MOST_MOVERS, moversIn, tidy } from "./plan_model.mjs";

/** Stage pixels that a click may slip. */
export const CLICK = 5;
export const tidyPoint = ([x, y]) => [tidy(x), tidy(y)];
export const tidyBox = ([x, y, w, h]) => [tidy(x), tidy(y), Math.max(0.001, tidy(w)), Math.max(0.001, tidy(h))];

/** What all tools share. `desk` is the editor: session, view, preview, time, and a voice. */
export class Tool {
    constructor(desk) {
        this.desk = desk;
    }

    get cursor() {
        return "crosshair";
    }

    get isBusy() {
        return false;
    }

    down() {}
    move() {}
    up() {}
    draw() {}
    finish() {}

    /** @returns {boolean} whether there was something to give up */
    cancel() {
        return false;
    }

    /** The region or box to paint into; a new region if none is selected. Null: it may not be changed. */
    target({ pinned = false } = {}) {
        const { session } = this.desk;
        const { item } = session;
        if (item?.locked) return this.refuse("isLocked");
        if (item && (!pinned || item.pinned)) return item;
        if (moversIn(session.plan).length >= MOST_MOVERS) return this.refuse("tooMany");
        const region = addRegion(session.plan, pinned ? { pinned: true } : {});
        session.select(region.id);
        return region;
    }

    refuse(key) {
        this.desk.say(key);
        return null;
    }
}
