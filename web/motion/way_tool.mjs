/**
 * The tool for arrows and paths.
 */

import { distance, nearestPiece, nearestPoint, simplify } from "./geometry.mjs";
import { drawDraft, pathOnStage } from "./overlay.mjs";
import { isBox } from "./plan_model.mjs";
import { CLICK, tidyPoint, Tool } from "./tool.mjs";

/** Arrow and path: drag draws one, clicks add points, dragging a point or the line bends it, Alt and a click takes a point away. */
export class Way extends Tool {
    drawn = null; // what the hand has drawn, in plan coordinates
    clicked = null; // the region to whose path clicks add
    dragged = -1;

    get isBusy() {
        return this.drawn !== null || this.dragged >= 0 || this.clicked !== null;
    }

    down(hand) {
        const { session } = this.desk;
        const { region } = session;
        if (region && !region.locked && !region.pinned && !this.clicked && this.grab(region, hand)) return true;
        const under = this.desk.moverAt(hand.plan);
        if (!this.clicked && under && !isBox(under) && under.id !== session.selected) session.select(under.id);
        if (!session.region) return this.refuse("paintFirst");
        if (session.region.locked) return this.refuse("isLocked");
        this.drawn = [hand.plan];
        this.from = hand;
        return true;
    }

    /** Take hold of a point of the path, or of its line, which gets a point there. */
    grab(region, hand) {
        const { path } = region.motion;
        if (!path) return false;
        const { view, session } = this.desk;
        const index = nearestPoint(path.points.map((point) => view.toStage(point)), hand.stage, hand.reach);
        if (index >= 0 && hand.alt) {
            this.removePoint(region, index);
            return true;
        }
        this.dragged = index;
        if (index >= 0) return true;
        const curve = pathOnStage(path, view);
        const piece = nearestPiece(curve, hand.stage, hand.reach * 0.7);
        if (piece < 0) return false;
        const per = path.curve === "line" ? 1 : (curve.length - 1) / (path.points.length - 1);
        this.dragged = Math.floor(piece / per) + 1;
        session.touch(() => {
            path.points.splice(this.dragged, 0, tidyPoint(hand.plan));
            if (path.times) path.times.splice(this.dragged, 0, (path.times[this.dragged - 1] + path.times[this.dragged]) / 2);
        });
        return true;
    }

    removePoint(region, index) {
        const { path } = region.motion;
        if (path.points.length > 2) {
            path.points.splice(index, 1);
            path.times = null;
        } else {
            region.motion.path = null;
        }
        this.desk.session.commit();
    }

    move(hand) {
        if (this.dragged >= 0) {
            this.desk.session.touch(() => (this.desk.session.region.motion.path.points[this.dragged] = tidyPoint(hand.plan)));
        } else if (this.drawn) {
            if (hand.shift) this.drawn = [this.drawn[0], hand.plan];
            else this.drawn.push(hand.plan);
        }
    }

    up(hand) {
        const { session, view } = this.desk;
        if (this.dragged >= 0) {
            this.dragged = -1;
            session.commit();
            return;
        }
        if (!this.drawn) return;
        const drawn = this.drawn.map((point) => view.toStage(point));
        this.drawn = null;
        if (drawn.every((point) => distance(point, drawn[0]) < CLICK)) this.click(hand);
        else this.give(simplify(drawn, 4).map((point) => tidyPoint(view.toPlan(point))));
    }

    give(points) {
        const { session } = this.desk;
        this.clicked = null;
        const { motion } = session.region;
        if (session.region.pinned) session.region.pinned = false;
        Object.assign(motion, { path: { points, curve: motion.path?.curve ?? "smooth", times: null }, direction: null, speed: null });
        session.commit();
    }

    click(hand) {
        const { session } = this.desk;
        const { motion } = session.region;
        if (this.clicked) {
            this.clicked.push(tidyPoint(hand.plan));
            session.region.pinned = false;
            Object.assign(motion, { path: { points: [...this.clicked], curve: motion.path?.curve ?? "smooth", times: null }, direction: null, speed: null });
            session.commit();
        } else {
            this.clicked = [tidyPoint(hand.plan)];
        }
    }

    finish() {
        this.clicked = null;
    }

    back() {
        if (!this.clicked) return;
        this.clicked.pop();
        if (!this.clicked.length) this.clicked = null;
    }

    cancel() {
        const was = this.isBusy;
        if (this.dragged >= 0) this.desk.session.revert();
        Object.assign(this, { drawn: null, clicked: null, dragged: -1 });
        return was;
    }

    draw(context) {
        const { view } = this.desk;
        if (this.drawn) drawDraft(context, this.drawn.map((point) => view.toStage(point)), this.desk.color);
        if (this.clicked?.length === 1) drawDraft(context, this.clicked.map((point) => view.toStage(point)), this.desk.color, { marks: true });
    }
}
