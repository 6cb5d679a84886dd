/**
 * The tools that paint: brush, eraser and pin, rectangle and ellipse, polygon.
 */

import { boxBetween, distance, simplify } from "./geometry.mjs";
import { boxOnStage, drawDraft } from "./overlay.mjs";
import { CLICK, tidyBox, tidyPoint, Tool } from "./tool.mjs";

const MOST_POINTS = 2000;

/** Brush, eraser and pin: a round pen. */
export class Pen extends Tool {
    constructor(desk, { erases = false, pins = false } = {}) {
        super(desk);
        Object.assign(this, { erases, pins, points: null });
    }

    get cursor() {
        const { item } = this.desk.session;
        return item?.locked || (this.erases && !item) ? "not-allowed" : "none"; // none: the brush's outline is drawn
    }

    get isBusy() {
        return this.points !== null;
    }

    down(hand) {
        const { session } = this.desk;
        this.desk.toFirstFrame();
        if (this.erases && !session.item) return this.refuse("nothingToErase");
        if (session.item?.locked) return this.refuse("isLocked");
        this.points = [hand.plan];
        const color = session.item && (!this.pins || session.item.pinned) ? session.item.color : this.desk.nextColor();
        this.desk.beginLive({ color: this.erases ? "#ffffff" : color, radius: session.radius });
        this.desk.live(this.points);
        return true;
    }

    move(hand) {
        if (!this.points) return;
        if (distance(this.desk.view.toStage(this.points.at(-1)), hand.stage) < 1) return;
        this.points.push(hand.plan);
        this.desk.live(this.points);
    }

    up() {
        const { points } = this;
        if (!points) return;
        this.points = null;
        this.desk.endLive();
        const { session } = this.desk;
        const item = this.erases ? session.item : this.target({ pinned: this.pins });
        if (!item) return;
        item.shapes.push({ type: "stroke", op: this.erases ? "subtract" : "add", radius: Number(session.radius.toFixed(4)), points: this.fewer(points) });
        session.commit();
    }

    fewer(points) {
        const { width, height } = this.desk.view.picture;
        const pixels = points.map(([x, y]) => [x * width, y * height]);
        const tolerance = Math.max(0.4, this.desk.session.radius * Math.min(width, height) * 0.05);
        const kept = simplify(pixels, tolerance).map(([x, y]) => tidyPoint([x / width, y / height]));
        return kept.filter((_, index) => index === 0 || kept.length <= MOST_POINTS || index % Math.ceil(kept.length / MOST_POINTS) === 0);
    }

    cancel() {
        if (!this.points) return false;
        this.points = null;
        this.desk.endLive();
        return true;
    }
}

/** Rectangle and ellipse: drag from corner to corner. Alt takes away, Shift keeps the sides equal. */
export class Frame extends Tool {
    constructor(desk, type) {
        super(desk);
        Object.assign(this, { type, from: null, to: null });
    }

    get isBusy() {
        return this.from !== null;
    }

    down(hand) {
        this.desk.toFirstFrame();
        if (this.desk.session.item?.locked) return this.refuse("isLocked");
        [this.from, this.to] = [hand, hand];
        return true;
    }

    move(hand) {
        if (this.from) this.to = hand;
    }

    get box() {
        const { width, height } = this.desk.view.picture;
        return boxBetween(this.from.plan, this.to.plan, { square: this.to.shift, aspect: width / height });
    }

    up(hand) {
        if (!this.from) return;
        this.to = hand;
        const { from, box } = this;
        this.from = null;
        if (distance(from.stage, hand.stage) < CLICK) return;
        this.make(tidyBox(box), hand);
    }

    make(box, { alt }) {
        const item = this.target();
        if (!item) return;
        item.shapes.push({ type: this.type, op: alt ? "subtract" : "add", box });
        this.desk.session.commit();
    }

    cancel() {
        const was = this.from !== null;
        this.from = null;
        return was;
    }

    draw(context) {
        if (!this.from) return;
        const [x, y, w, h] = boxOnStage(this.box, this.desk.view);
        const isRound = this.type === "ellipse";
        const corner = (index) => (isRound ? around(x, y, w, h, index / 40) : [x + (index % 3 ? w : 0), y + (index > 1 ? h : 0)]);
        drawDraft(context, Array.from({ length: isRound ? 40 : 4 }, (_, index) => corner(index)), this.desk.color, { closed: true });
    }
}

function around(x, y, w, h, part) {
    const angle = part * 2 * Math.PI;
    return [x + (w / 2) * (1 + Math.cos(angle)), y + (h / 2) * (1 + Math.sin(angle))];
}

/** Polygon: a corner with every click; the first corner, Enter or a double click closes it. */
export class Polygon extends Tool {
    corners = [];

    get isBusy() {
        return this.corners.length > 0;
    }

    down(hand) {
        this.desk.toFirstFrame();
        if (this.desk.session.item?.locked) return this.refuse("isLocked");
        const first = this.corners[0];
        if (first && this.corners.length > 2 && distance(this.desk.view.toStage(first), hand.stage) < hand.reach) return this.finish(hand);
        this.corners.push(tidyPoint(hand.plan));
        return true;
    }

    move(hand) {
        this.at = hand.stage;
    }

    back() {
        this.corners.pop();
    }

    finish({ alt = false } = {}) {
        const corners = this.corners.filter((corner, index, all) => index === 0 || distance(corner, all[index - 1]) > 1e-4);
        this.corners = [];
        if (corners.length < 3) return;
        const item = this.target();
        if (!item) return;
        item.shapes.push({ type: "polygon", op: alt ? "subtract" : "add", points: corners });
        this.desk.session.commit();
    }

    cancel() {
        const was = this.isBusy;
        this.corners = [];
        return was;
    }

    draw(context) {
        const corners = this.corners.map((corner) => this.desk.view.toStage(corner));
        drawDraft(context, this.at && corners.length ? [...corners, this.at] : corners, this.desk.color, { marks: true });
    }
}
