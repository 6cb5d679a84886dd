/**
 * The picture that is painted on: two canvases, one for the preview and one for what lies over it, and all that a hand does there.
 */

import { h, hasOwnHistory } from "./elements.mjs";
import { drawBox, drawBrush, drawCross, drawRegion } from "./overlay.mjs";
import { isBox, moversIn, PALETTE } from "./plan_model.mjs";
import { strokeLine } from "./raster.mjs";
import { makeTools, moverUnder } from "./tools.mjs";
import { View } from "./view.mjs";

const REACH = { mouse: 9, pen: 12, touch: 18 };
const SHARPEST = 2; // canvas pixels for each CSS pixel
const CURSOR_STEP = 0.01;

// The page zooms its graph by touch events that it captures above the node, so they are stopped higher still; the stage goes by pointer events.
for (const kind of ["touchstart", "touchmove", "touchend", "touchcancel"]) {
    globalThis.addEventListener?.(kind, (event) => event.target.closest?.(".smb-stage") && event.stopPropagation(), { capture: true, passive: true });
}

export class Stage {
    /**
     * @param {{session: object, preview: object, timeline: object, text: Function, say: Function}} parts
     */
    constructor({ session, preview, timeline, text, say }) {
        Object.assign(this, { session, preview, timeline, text, say });
        this.view = new View();
        this.tools = makeTools(this);
        this.pointers = new Map();
        this.hover = null;
        this.keyCursor = null;
        this.spaceTool = null;
        this.sharpness = 1;
        this.element = this.#build();
        this.base = this.canvas.getContext("2d", { alpha: false });
        this.over = this.overlay.getContext("2d");
        this.#listen();
    }

    #build() {
        this.canvas = h("canvas", { class: "smb-base", "aria-hidden": "true" });
        this.liveCanvas = h("canvas", { class: "smb-overlay", "aria-hidden": "true" });
        this.overlay = h("canvas", { class: "smb-overlay", "aria-hidden": "true" });
        this.keys = hasOwnHistory(
            h("textarea", { class: "smb-keys", readonly: true, inputmode: "none", rows: 1, "aria-label": this.text("stage"), "aria-roledescription": this.text("stageRole") }),
        );
        this.options = h("div", { class: "smb-options" });
        this.hint = h("div", { class: "smb-hint", role: "status", hidden: true });
        return h("div", { class: "smb-stage" }, this.canvas, this.liveCanvas, this.overlay, this.keys, this.options, this.hint);
    }

    #listen() {
        const { canvas } = this;
        canvas.addEventListener("pointerdown", (event) => this.#down(event));
        canvas.addEventListener("pointermove", (event) => this.#move(event));
        canvas.addEventListener("pointerup", (event) => this.#up(event));
        canvas.addEventListener("pointercancel", (event) => this.#lost(event));
        canvas.addEventListener("lostpointercapture", (event) => this.#lost(event));
        canvas.addEventListener("pointerleave", () => this.#leave());
        canvas.addEventListener("mousedown", (event) => event.preventDefault()); // the keys stay with the stage
        canvas.addEventListener("dblclick", (event) => this.#finish(event));
        canvas.addEventListener("contextmenu", (event) => event.preventDefault());
        new ResizeObserver(() => this.resize()).observe(this.element);
    }

    /* What the tools ask for. */

    get time() {
        return this.timeline.time;
    }

    get tool() {
        return this.tools[this.spaceTool ?? this.session.tool];
    }

    get color() {
        return this.session.item?.color ?? this.nextColor();
    }

    nextColor() {
        return PALETTE[moversIn(this.session.plan).length % PALETTE.length];
    }

    moverAt(place) {
        return moverUnder(this.preview, place, this.time);
    }

    toFirstFrame() {
        this.timeline.pause();
        if (this.time > 0) this.timeline.seek(0);
    }

    /** Begin to show a line while it is being drawn. */
    beginLive({ color, radius }) {
        this.liveLine = { color, radius, drawn: 0 };
        const context = this.#live();
        context.clearRect(0, 0, this.view.stage.width, this.view.stage.height);
        this.liveCanvas.style.opacity = "0.5";
    }

    /** Draw what has been added to the line; only that. */
    live(points) {
        const { liveLine, view } = this;
        if (!liveLine) return;
        const context = this.#live();
        context.strokeStyle = context.fillStyle = liveLine.color;
        const radius = this.radiusOnStage(liveLine.radius);
        const fresh = points.slice(Math.max(0, liveLine.drawn - 1)).map((point) => view.toStage(point));
        context.beginPath();
        strokeLine(context, fresh, 1, 1, radius);
        liveLine.drawn = points.length;
    }

    endLive() {
        this.liveLine = null;
        this.clearLive = true; // with the next picture, which has the line in its tint
    }

    #live() {
        const context = this.liveCanvas.getContext("2d");
        context.setTransform(this.sharpness, 0, 0, this.sharpness, 0, 0);
        context.lineCap = context.lineJoin = "round";
        return context;
    }

    radiusOnStage(radius) {
        return radius * Math.min(this.view.picture.width, this.view.picture.height) * this.view.scale;
    }

    /* The hand. */

    #hand(event) {
        const stage = View.pointerOnStage(event, this.canvas, this.view.stage);
        const reach = REACH[event.pointerType] ?? REACH.mouse;
        return { stage, plan: this.view.toPlan(stage), alt: event.altKey, shift: event.shiftKey, reach };
    }

    #down(event) {
        if (event.button === 1) return;
        event.stopPropagation();
        this.keys.focus({ preventScroll: true });
        this.keyCursor = null;
        this.canvas.setPointerCapture(event.pointerId);
        this.pointers.set(event.pointerId, this.#hand(event));
        if (this.pointers.size === 2) return this.#beginPinch();
        if (this.pointers.size > 2) return;
        if (event.button === 2) this.spaceTool = "pan";
        this.tool.down(this.#hand(event));
        this.schedule();
    }

    #move(event) {
        const hand = this.#hand(event);
        this.hover = event.pointerType === "touch" ? null : hand.stage;
        if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, hand);
        if (this.pinch) return this.#pinch();
        const between = this.pointers.size && this.session.tool !== "pan" ? (event.getCoalescedEvents?.() ?? []) : [];
        for (const one of between.slice(0, -1)) this.tool.move(this.#hand(one));
        this.tool.move(hand);
        this.schedule();
    }

    #up(event) {
        if (!this.pointers.has(event.pointerId)) return;
        const hand = this.#hand(event);
        this.pointers.delete(event.pointerId);
        if (this.pinch) {
            if (this.pointers.size === 0) this.pinch = null;
            return;
        }
        this.tool.up(hand);
        if (event.button === 2) this.spaceTool = null;
        this.schedule();
    }

    #lost(event) {
        if (!this.pointers.delete(event.pointerId)) return;
        if (this.pointers.size === 0) this.pinch = null;
        this.tool.cancel();
        if (event.button === 2) this.spaceTool = null;
        this.schedule();
    }

    #leave() {
        this.hover = null;
        this.schedule();
    }

    #finish(event) {
        event.preventDefault();
        this.tool.finish(this.#hand(event));
        this.schedule();
    }

    /** Two fingers zoom and move the view; what one of them had begun is given up. */
    #beginPinch() {
        this.tool.cancel();
        this.pinch = this.#fingers();
    }

    #fingers() {
        const [a, b] = [...this.pointers.values()].map((hand) => hand.stage);
        return { middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], apart: Math.max(8, Math.hypot(b[0] - a[0], b[1] - a[1])) };
    }

    #pinch() {
        if (this.pointers.size < 2) return;
        const [before, now] = [this.pinch, this.#fingers()];
        this.view.moveBy(now.middle[0] - before.middle[0], now.middle[1] - before.middle[1]);
        this.view.zoomAt(now.middle, now.apart / before.apart);
        this.pinch = now;
        this.schedule();
    }

    /** Zoom with the wheel. */
    wheel(event) {
        const place = View.pointerOnStage(event, this.canvas, this.view.stage);
        const lines = event.deltaMode === 1 ? 30 : 1;
        this.view.zoomAt(place, Math.exp(-event.deltaY * lines * 0.0015));
        this.schedule();
    }

    zoom(factor) {
        this.view.zoomAt([this.view.stage.width / 2, this.view.stage.height / 2], factor);
        this.schedule();
    }

    fit() {
        this.view.fit();
        this.schedule();
    }

    /* The keyboard draws with a cross that the arrow keys move: Enter puts the tool down and lifts it. */

    moveCross(dx, dy, isLarge) {
        const step = CURSOR_STEP * (isLarge ? 5 : 1);
        const { width, height } = this.view.picture;
        this.keyCursor ??= { plan: [0.5, 0.5], isDown: false };
        const [x, y] = this.keyCursor.plan;
        const within = (value) => Math.min(1.5, Math.max(-0.5, value));
        this.keyCursor.plan = [within(x + dx * step), within(y + (dy * step * width) / height)];
        this.tool.move(this.#keyHand());
        this.announce(this.text("crossAt", { x: Math.round(this.keyCursor.plan[0] * 100), y: Math.round(this.keyCursor.plan[1] * 100) }));
        this.schedule();
    }

    /** @returns {boolean} whether the key did something */
    pressCross(event) {
        if (!this.keyCursor) {
            const was = this.tool.isBusy;
            this.tool.finish({ alt: event.altKey });
            if (!was) this.moveCross(0, 0, false);
            this.schedule();
            return true;
        }
        const hand = { ...this.#keyHand(), alt: event.altKey, shift: event.shiftKey };
        if (this.keyCursor.isDown) this.tool.up(hand);
        else this.tool.down(hand);
        this.keyCursor.isDown = !this.keyCursor.isDown;
        if (this.session.tool === "polygon" || !this.tool.isBusy) this.keyCursor.isDown = false;
        this.schedule();
        return true;
    }

    #keyHand() {
        const { plan } = this.keyCursor;
        return { plan, stage: this.view.toStage(plan), alt: false, shift: false, reach: REACH.pen };
    }

    /** Give up what the hand has begun. @returns {boolean} whether there was anything */
    cancel() {
        const was = this.tool.cancel() || this.keyCursor !== null;
        if (this.liveLine) this.endLive();
        this.keyCursor = null;
        this.schedule();
        return was;
    }

    /** For screen readers. */
    announce(message) {
        this.keys.value = message;
    }

    showHint(message) {
        this.hint.hidden = !message;
        this.hint.textContent = message ?? "";
    }

    /* Drawing. */

    resize() {
        const width = this.element.clientWidth;
        const height = this.element.clientHeight;
        if (!width || !height) return;
        const shown = this.element.getBoundingClientRect().width / width;
        this.sharpness = Math.min(SHARPEST, Math.max(1, (globalThis.devicePixelRatio || 1) * shown));
        Object.assign(this.view.stage, { width, height });
        const [w, ht] = [Math.round(width * this.sharpness), Math.round(height * this.sharpness)];
        for (const canvas of [this.canvas, this.liveCanvas, this.overlay]) {
            if (canvas.width !== w || canvas.height !== ht) Object.assign(canvas, { width: w, height: ht });
        }
        this.draw();
    }

    /** The picture's pixels on the canvas, as a map. */
    get place() {
        const { frame } = this.view;
        const k = this.sharpness;
        return [(frame.width / this.preview.width) * k, 0, 0, (frame.height / this.preview.height) * k, frame.x * k, frame.y * k];
    }

    /** Draw before the page is shown next. */
    schedule() {
        this.pending ??= requestAnimationFrame(() => {
            this.pending = null;
            this.draw();
        });
    }

    draw() {
        const { base, canvas, preview, timeline } = this;
        base.setTransform(1, 0, 0, 1, 0, 0);
        base.fillStyle = this.background ??= getComputedStyle(this.element).backgroundColor || "#111";
        base.fillRect(0, 0, canvas.width, canvas.height);
        base.imageSmoothingQuality = timeline.isPlaying ? "low" : "medium";
        preview.draw(base, this.place, timeline.time);
        if (!timeline.isPlaying) this.#drawTints();
        this.#drawOver();
        if (this.clearLive && !preview.isUntinted) {
            this.clearLive = false;
            this.liveCanvas.getContext("2d").clearRect(0, 0, this.liveCanvas.width, this.liveCanvas.height);
        }
        canvas.style.setProperty("--smb-cursor", this.tool.cursor);
    }

    #drawTints() {
        const { selected } = this.session;
        const weight = this.time > 0 ? 0.5 : 1;
        this.preview.drawTints(this.base, this.place, this.time, (mover) => (mover.id === selected ? 0.5 : 0.32) * weight);
    }

    #drawOver() {
        const { over, view, session, time } = this;
        over.setTransform(1, 0, 0, 1, 0, 0);
        over.clearRect(0, 0, this.overlay.width, this.overlay.height);
        over.setTransform(this.sharpness, 0, 0, this.sharpness, 0, 0);
        if (!this.timeline.isPlaying || this.tool.isBusy) {
            const items = moversIn(session.plan).filter((item) => !item.hidden);
            items.sort((a, b) => Number(a.id === session.selected) - Number(b.id === session.selected));
            for (const item of items) (isBox(item) ? drawBox : drawRegion)(over, item, view, time, item.id === session.selected);
        }
        this.tool.draw(over);
        if (this.tool.cursor === "none" && this.hover && !this.pinch) {
            drawBrush(over, this.hover, this.radiusOnStage(session.radius), session.tool === "eraser" ? "#ffffff" : this.color);
        }
        if (this.keyCursor) drawCross(over, view.toStage(this.keyCursor.plan), this.keyCursor.isDown);
    }

    /** Forget colours taken from the page, as after a change of its theme. */
    forgetColors() {
        this.background = null;
    }
}
