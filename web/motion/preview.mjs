/**
 * The moving picture, from the plan alone: regions cut out of it once, then drawn in depth order where the plan puts them at a time.
 * Cutting out and filling the scene behind take long, so they are done in slices; until they are done, what was made before is shown.
 */

import { cameraMover, chain, IDENTITY, inDepthOrder, isInFront, moversOf } from "./maths.mjs";
import { fillHoles, paintShapes, settle, standIn, surface, wholePixels } from "./raster.mjs";
import { SlicedWork } from "./slices.mjs";

const LONGEST = 1280; // pixels of the picture's longer side in the preview

export class Preview {
    /** @param {() => void} [changed] hears when there is something new to draw */
    constructor(changed = () => {}) {
        this.changed = changed;
        this.work = new SlicedWork();
        this.serial = 0;
        this.movers = [];
        this.tints = new Map(); // what each mover covers, in its colour: {key, area, canvas}, without area and canvas if nothing of it is in the picture
        this.cuts = new Map(); // what is seen of each mover, cut out of the picture: the same
        this.cameraAt = () => IDENTITY;
        this.hasCamera = false;
        this.setPicture(null, 832, 480);
    }

    /** Show another picture; null: a pattern of that size stands for it. */
    setPicture(bitmap, width = bitmap?.width, height = bitmap?.height) {
        const scale = Math.min(1, LONGEST / Math.max(width, height));
        this.width = Math.max(1, Math.round(width * scale));
        this.height = Math.max(1, Math.round(height * scale));
        this.picture = surface(this.width, this.height);
        const context = this.picture.getContext("2d");
        context.imageSmoothingQuality = "high";
        context.drawImage(bitmap ?? standIn(this.width, this.height), 0, 0, this.width, this.height);
        this.serial += 1;
        this.work.stop();
        this.tints.clear();
        this.cuts.clear();
        this.plate = { key: "", canvas: this.picture };
        if (this.plan) this.setPlan(this.plan);
    }

    /** Take a new plan, and begin to make what it needs anew. */
    setPlan(plan) {
        const { width, height, serial } = this;
        this.plan = plan;
        this.movers = moversOf(plan, width, height).map((mover) => ({ ...mover, outline: JSON.stringify(mover.shapes) }));
        this.ordered = inDepthOrder(this.movers);
        this.cameraAt = cameraMover(plan.camera, width, height);
        this.hasCamera = plan.camera.length > 0;
        for (const mover of this.movers) {
            mover.ahead = this.movers.filter((other) => other !== mover && isInFront(other, mover) && overlap(other.bounds, mover.bounds));
            mover.tintKey = `${serial}${mover.item.color}${mover.outline}`;
            mover.cutKey = `${serial}${[mover, ...mover.ahead].map((each) => each.outline)}`;
        }
        for (const made of [this.tints, this.cuts]) for (const id of made.keys()) if (!this.movers.some((mover) => mover.id === id)) made.delete(id);
        this.plateKey = `${serial}${this.movers.filter((mover) => mover.moves).map((mover) => mover.outline)}`;
        if (this.isBehind && !this.work.isGoingOn) this.work.begin(this.#makeAnew());
    }

    get #withoutTint() {
        return this.ordered.find((mover) => this.tints.get(mover.id)?.key !== mover.tintKey);
    }

    get #withoutCut() {
        return this.ordered.find((mover) => this.cuts.get(mover.id)?.key !== mover.cutKey);
    }

    /** Whether something of what is painted has still to get its tint. */
    get isUntinted() {
        return this.#withoutTint !== undefined;
    }

    /** Whether something has still to be made. */
    get isBehind() {
        return this.isUntinted || this.#withoutCut !== undefined || this.plate.key !== this.plateKey;
    }

    /** Make everything that the plan of the moment needs. A change of the plan lets a begun tint or cut be finished, but not a begun plate. */
    *#makeAnew() {
        while (this.isBehind) {
            const [untinted, uncut] = [this.#withoutTint, this.#withoutCut];
            if (untinted) yield* this.#tint(untinted);
            else if (uncut) yield* this.#cut(uncut);
            else yield* this.#makePlate();
            if (untinted || !this.isBehind) this.changed();
        }
    }

    /** What shapes cover of an area of the picture, in white; returns a canvas. */
    *#mask(shapes, { x, y, width, height }) {
        const mask = surface(width, height);
        const context = mask.getContext("2d");
        context.translate(-x, -y);
        for (const shape of shapes) {
            paintShapes(context, [shape], this.width, this.height);
            settle(mask);
            yield;
        }
        return mask;
    }

    *#tint(mover) {
        const made = { key: mover.tintKey, area: wholePixels(mover.bounds, this.width, this.height) };
        if (made.area) {
            made.canvas = yield* this.#mask(mover.shapes, made.area);
            const context = made.canvas.getContext("2d");
            context.globalCompositeOperation = "source-in";
            context.fillStyle = mover.item.color;
            context.fillRect(0, 0, this.width, this.height);
            settle(made.canvas);
            yield;
        }
        this.tints.set(mover.id, made);
    }

    *#cut(mover) {
        const { area, canvas: tint } = this.tints.get(mover.id);
        const made = { key: mover.cutKey, area };
        if (area) {
            made.canvas = surface(area.width, area.height);
            const context = made.canvas.getContext("2d");
            context.drawImage(tint, 0, 0);
            settle(made.canvas);
            yield;
            yield* this.#takeOut(mover.ahead, made.canvas, area);
            context.globalCompositeOperation = "source-in";
            context.drawImage(this.picture, -area.x, -area.y);
            settle(made.canvas);
            yield;
        }
        this.cuts.set(mover.id, made);
    }

    /** Take movers out of what a canvas shows of an area of the picture. */
    *#takeOut(movers, canvas, area) {
        const context = canvas.getContext("2d");
        for (const mover of movers) {
            const mask = yield* this.#mask(mover.shapes, area);
            context.globalCompositeOperation = "destination-out";
            context.drawImage(mask, 0, 0);
            context.globalCompositeOperation = "source-over";
            settle(canvas);
            yield;
        }
    }

    /** The scene behind what moves; given up if the plan comes to need another. */
    *#makePlate() {
        const key = this.plateKey;
        const moving = this.movers.filter((mover) => mover.moves && mover.bounds);
        const canvas = moving.length ? surface(this.width, this.height) : this.picture;
        if (moving.length) {
            for (const _ of this.#fillBehind(moving, canvas)) {
                if (this.plateKey !== key) return;
                yield;
            }
        }
        this.plate = { key, canvas };
    }

    *#fillBehind(movers, canvas) {
        canvas.getContext("2d").drawImage(this.picture, 0, 0);
        settle(canvas);
        yield;
        yield* this.#takeOut(movers, canvas, { x: 0, y: 0, width: this.width, height: this.height });
        yield* fillHoles(canvas);
    }

    /**
     * Draw the picture at a time.
     * @param {CanvasRenderingContext2D} context
     * @param {number[]} place the map from the picture's pixels to the context's
     * @param {number} time
     */
    draw(context, place, time) {
        const { width, height } = this;
        context.save();
        context.setTransform(...place);
        context.beginPath();
        context.rect(0, 0, width, height);
        context.clip();
        const seen = chain(this.cameraAt(time), place);
        context.setTransform(...seen);
        if (this.hasCamera) drawBeyond(context, this.plate.canvas, width, height);
        context.drawImage(this.plate.canvas, 0, 0);
        for (const mover of this.ordered) {
            const cut = this.cuts.get(mover.id);
            if (!cut?.area || (!mover.moves && !this.#isOver(mover))) continue;
            context.setTransform(...chain(mover.mapAt(time), seen));
            context.drawImage(cut.canvas, cut.area.x, cut.area.y);
        }
        context.restore();
    }

    /** Whether something that stays has to be drawn at all: only over what moves behind it. */
    #isOver(mover) {
        return this.movers.some((other) => other.moves && isInFront(mover, other));
    }

    /** Draw what is painted, in its colours, where it is at a time. */
    drawTints(context, place, time, opacityOf) {
        context.save();
        const seen = chain(this.cameraAt(time), place);
        for (const mover of this.ordered) {
            const tint = this.tints.get(mover.id);
            if (!tint?.area) continue;
            context.globalAlpha = opacityOf(mover);
            context.setTransform(...chain(mover.mapAt(time), seen));
            context.drawImage(tint.canvas, tint.area.x, tint.area.y);
        }
        context.restore();
    }
}

function overlap(a, b) {
    return Boolean(a && b) && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** Beyond its edges a picture goes on as it ends. */
function drawBeyond(context, canvas, width, height) {
    const far = 2;
    const [w, h] = [width * far, height * far];
    const columns = [[0, 1, -w, w + 1], [0, width, 0, width], [width - 1, 1, width - 1, w + 1]];
    const rows = [[0, 1, -h, h + 1], [0, height, 0, height], [height - 1, 1, height - 1, h + 1]];
    for (const [sx, sw, dx, dw] of columns) {
        for (const [sy, sh, dy, dh] of rows) {
            if (sw === width && sh === height) continue;
            context.drawImage(canvas, sx, sy, sw, sh, dx, dy, dw, dh);
        }
    }
}
