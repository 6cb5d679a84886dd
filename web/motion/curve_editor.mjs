/**
 * A little square in which the two handles of an easing curve are dragged, or moved with the arrow keys.
 */

import { h, hasOwnHistory } from "./elements.mjs";

const SIDE = 120;
const ROOM = 18; // above and below, for curves that overshoot
const LABELS = ["curveFirst", "curveSecond"];

/**
 * @param {{text: Function, value: number[], change: (value: number[], isFinal: boolean) => void}} options
 *     `value` is x1, y1, x2, y2 of a cubic Bezier from (0, 0) to (1, 1)
 * @returns {HTMLElement} with `show(value)`
 */
export function curveEditor({ text, value, change }) {
    let now = [...value];
    const canvas = h("canvas", { width: SIDE * 2, height: (SIDE + 2 * ROOM) * 2, "aria-hidden": "true" });
    const handles = LABELS.map((label, index) => handle(text(label), index));
    const element = h("div", { class: "smb-curve", role: "group", "aria-label": text("curve") }, canvas, ...handles);

    function handle(name, index) {
        const dot = h("button", { class: "smb-curve-handle", type: "button", "aria-label": name, title: name });
        dot.addEventListener("pointerdown", (event) => {
            event.stopPropagation();
            dot.setPointerCapture(event.pointerId);
        });
        dot.addEventListener("pointermove", (event) => {
            if (dot.hasPointerCapture(event.pointerId)) set(index, at(event), false);
        });
        dot.addEventListener("lostpointercapture", () => change([...now], true));
        dot.addEventListener("keydown", (event) => {
            const step = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, 0.02], ArrowDown: [0, -0.02] }[event.key];
            if (!step) return;
            event.preventDefault();
            event.stopPropagation();
            set(index, [now[2 * index] + step[0], now[2 * index + 1] + step[1]], true);
        });
        return hasOwnHistory(dot);
    }

    function at(event) {
        const shown = canvas.getBoundingClientRect();
        const unit = shown.width / SIDE || 1;
        return [(event.clientX - shown.left) / shown.width, 1 - ((event.clientY - shown.top) / unit - ROOM) / SIDE];
    }

    function set(index, [x, y], isFinal) {
        now[2 * index] = round(Math.min(1, Math.max(0, x)));
        now[2 * index + 1] = round(Math.min(1.15, Math.max(-0.15, y)));
        draw();
        change([...now], isFinal);
    }

    function draw() {
        const context = canvas.getContext("2d");
        const style = getComputedStyle(element);
        const place = (x, y) => [x * SIDE, ROOM + (1 - y) * SIDE];
        context.setTransform(2, 0, 0, 2, 0, 0);
        context.clearRect(0, 0, SIDE, SIDE + 2 * ROOM);
        context.strokeStyle = style.getPropertyValue("--smb-line") || "#888";
        context.lineWidth = 1;
        context.strokeRect(0.5, ROOM + 0.5, SIDE - 1, SIDE - 1);
        const line = (...points) => {
            context.beginPath();
            points.forEach((point, index) => (index ? context.lineTo(...point) : context.moveTo(...point)));
            context.stroke();
        };
        line(place(0, 0), place(now[0], now[1]));
        line(place(1, 1), place(now[2], now[3]));
        context.strokeStyle = style.getPropertyValue("--smb-accent") || "#4af";
        context.lineWidth = 2;
        context.beginPath();
        context.moveTo(...place(0, 0));
        context.bezierCurveTo(...place(now[0], now[1]), ...place(now[2], now[3]), ...place(1, 1));
        context.stroke();
        handles.forEach((dot, index) => {
            const [x, y] = place(now[2 * index], now[2 * index + 1]);
            dot.style.left = `${(x / SIDE) * 100}%`;
            dot.style.top = `${(y / (SIDE + 2 * ROOM)) * 100}%`;
        });
    }

    requestAnimationFrame(draw);
    return Object.assign(element, {
        show(value) {
            now = [...value];
            draw();
        },
    });
}

function round(value) {
    return Number(value.toFixed(3));
}
