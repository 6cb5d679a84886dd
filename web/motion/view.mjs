/**
 * Where the picture lies on the stage: fitted into it, then zoomed and moved by the person.
 * Plan coordinates run from 0 to 1 over the picture; stage coordinates are CSS pixels of the canvas before the page scales it.
 */

export const MOST_ZOOM = 16;
const MARGIN = 10;

export class View {
    constructor() {
        this.stage = { width: 1, height: 1 };
        this.picture = { width: 832, height: 480 };
        this.zoom = 1;
        this.shift = { x: 0, y: 0 }; // of the picture's centre from the stage's, in stage pixels
    }

    /** Stage pixels of one picture pixel. */
    get scale() {
        const { stage, picture } = this;
        const fit = Math.min((stage.width - 2 * MARGIN) / picture.width, (stage.height - 2 * MARGIN) / picture.height);
        return Math.max(fit, 1e-3) * this.zoom;
    }

    /** The picture's rectangle on the stage. */
    get frame() {
        const width = this.picture.width * this.scale;
        const height = this.picture.height * this.scale;
        return {
            x: (this.stage.width - width) / 2 + this.shift.x,
            y: (this.stage.height - height) / 2 + this.shift.y,
            width,
            height,
        };
    }

    /** [x, y] of the plan -> [x, y] of the stage */
    toStage([x, y]) {
        const { frame } = this;
        return [frame.x + x * frame.width, frame.y + y * frame.height];
    }

    /** [x, y] of the stage -> [x, y] of the plan */
    toPlan([x, y]) {
        const { frame } = this;
        return [(x - frame.x) / frame.width, (y - frame.y) / frame.height];
    }

    /** [x, y] of the stage for a pointer: the page may show the canvas at any scale, so only its rectangle counts. */
    static pointerOnStage(event, canvas, stage) {
        const shown = canvas.getBoundingClientRect();
        return [
            ((event.clientX - shown.left) / Math.max(shown.width, 1e-6)) * stage.width,
            ((event.clientY - shown.top) / Math.max(shown.height, 1e-6)) * stage.height,
        ];
    }

    /** Zoom by a factor and keep what lies under [x, y] of the stage where it is. */
    zoomAt([x, y], factor) {
        const before = this.toPlan([x, y]);
        this.zoom = Math.min(MOST_ZOOM, Math.max(0.25, this.zoom * factor));
        const after = this.toStage(before);
        this.moveBy(x - after[0], y - after[1]);
    }

    /** Move the picture, but never wholly out of sight. */
    moveBy(dx, dy) {
        const { frame, stage } = this;
        const keep = 40;
        this.shift.x += Math.min(stage.width - keep - frame.x, Math.max(keep - frame.width - frame.x, dx));
        this.shift.y += Math.min(stage.height - keep - frame.y, Math.max(keep - frame.height - frame.y, dy));
    }

    fit() {
        this.zoom = 1;
        this.shift = { x: 0, y: 0 };
    }
}
