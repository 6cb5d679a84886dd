/**
 * The moving picture, from the plan alone: regions cut out of it once, then drawn in depth order where the plan puts them at a time.
 */

import { cameraMover, chain, IDENTITY, inDepthOrder, isInFront, moversOf } from "./maths.mjs";
import { fillHoles, paintShapes, standIn, surface, wholePixels } from "./raster.mjs";

const LONGEST = 1280; // pixels of the picture's longer side in the preview

export class Preview {
    constructor() {
        this.serial = 0;
        this.movers = [];
        this.layers = new Map();
        this.stale = [];
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
        this.layers.clear();
        this.plate = { key: "", canvas: this.picture };
        if (this.plan) this.setPlan(this.plan);
    }

    /** Take a new plan. What has to be cut out anew is done piece by piece in `work`. */
    setPlan(plan) {
        const { width, height } = this;
        this.plan = plan;
        this.movers = moversOf(plan, width, height);
        this.ordered = inDepthOrder(this.movers);
        this.cameraAt = cameraMover(plan.camera, width, height);
        this.hasCamera = plan.camera.length > 0;
        this.stale = this.ordered.filter((mover) => this.layers.get(mover.id)?.key !== this.#keyOf(mover));
        for (const id of this.layers.keys()) if (!this.movers.some((mover) => mover.id === id)) this.layers.delete(id);
        const moving = this.movers.filter((mover) => mover.moves);
        this.plateKey = `${this.serial}${JSON.stringify(moving.map((mover) => mover.shapes))}`;
    }

    #ahead(mover) {
        return this.movers.filter((other) => other !== mover && isInFront(other, mover) && overlap(other.bounds, mover.bounds));
    }

    #keyOf(mover) {
        return `${this.serial}${mover.item.color}${JSON.stringify([mover.shapes, this.#ahead(mover).map((other) => other.shapes)])}`;
    }

    /** Whether something has still to be cut out. */
    get isBehind() {
        return this.stale.length > 0 || this.plate.key !== this.plateKey;
    }

    /** Cut out one thing; a few milliseconds. */
    work() {
        const mover = this.stale.shift();
        if (mover) this.layers.set(mover.id, this.#cut(mover));
        else if (this.plate.key !== this.plateKey) this.plate = { key: this.plateKey, canvas: this.#makePlate() };
    }

    #cut(mover) {
        const { width, height } = this;
        const key = this.#keyOf(mover);
        const area = wholePixels(mover.bounds, width, height);
        if (!area) return { key, area: null };
        const cut = surface(area.width, area.height);
        const context = cut.getContext("2d");
        context.translate(-area.x, -area.y);
        paintShapes(context, mover.shapes, width, height);
        const tint = surface(area.width, area.height);
        const colored = tint.getContext("2d");
        colored.drawImage(cut, 0, 0);
        colored.globalCompositeOperation = "source-in";
        colored.fillStyle = mover.item.color;
        colored.fillRect(0, 0, area.width, area.height);
        for (const other of this.#ahead(mover)) erase(context, other.shapes, width, height, area);
        context.globalCompositeOperation = "source-in";
        context.drawImage(this.picture, 0, 0);
        return { key, area, cut, tint };
    }

    /** The scene behind what moves. */
    #makePlate() {
        const { width, height } = this;
        const moving = this.movers.filter((mover) => mover.moves && mover.bounds);
        if (!moving.length) return this.picture;
        const plate = surface(width, height);
        const context = plate.getContext("2d");
        context.drawImage(this.picture, 0, 0);
        for (const mover of moving) erase(context, mover.shapes, width, height, { x: 0, y: 0, width, height });
        fillHoles(plate);
        return plate;
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
            const layer = this.layers.get(mover.id);
            if (!layer?.area || (!mover.moves && !this.#isOver(mover))) continue;
            context.setTransform(...chain(mover.mapAt(time), seen));
            context.drawImage(layer.cut, layer.area.x, layer.area.y);
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
            const layer = this.layers.get(mover.id);
            if (!layer?.area) continue;
            context.globalAlpha = opacityOf(mover);
            context.setTransform(...chain(mover.mapAt(time), seen));
            context.drawImage(layer.tint, layer.area.x, layer.area.y);
        }
        context.restore();
    }
}

function overlap(a, b) {
    return Boolean(a && b) && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** Take shapes out of what a context shows; its transform puts the picture's pixels. */
function erase(context, shapes, width, height, area) {
    const mask = surface(area.width, area.height);
    const painter = mask.getContext("2d");
    painter.translate(-area.x, -area.y);
    paintShapes(painter, shapes, width, height);
    context.globalCompositeOperation = "destination-out";
    context.drawImage(mask, area.x, area.y);
    context.globalCompositeOperation = "source-over";
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
