/**
 * The panel's part for what is selected: how a region moves, or how a box goes from start to end.
 */

import { button, choice, h, hasOwnHistory, slider, tick } from "./elements.mjs";
import { curveEditor } from "./curve_editor.mjs";
import { bezierOf } from "./maths.mjs";
import { DEFAULT_SPEED, EASINGS, isBox } from "./plan_model.mjs";

/** Controls that write into one object of the plan. Each merges its own small steps into one of the history. */
export class Fields {
    constructor({ session, text }, where, getObject) {
        Object.assign(this, { session, text, where, getObject });
    }

    set(key, value, isFinal) {
        const object = this.getObject();
        if (!object) return;
        object[key] = value;
        if (isFinal) this.session.commit(`${this.where}.${key}`);
        else this.session.touch();
    }

    slider(key, options) {
        const object = this.getObject();
        return slider({
            name: this.text(options.label ?? key),
            tip: this.text(`${options.label ?? key}Tip`),
            key,
            value: object[key] ?? options.otherwise,
            ...options,
            input: (value) => this.set(key, value, false),
            change: (value) => this.set(key, value, true),
        });
    }

    tick(key, label = key) {
        return tick({ name: this.text(label), tip: this.text(`${label}Tip`), key, value: this.getObject()[key], change: (value) => this.set(key, value, true) });
    }

    /** The list of easings, and the curve if it is one of its own. */
    easing() {
        const { text } = this;
        const { easing } = this.getObject();
        const isOwn = Array.isArray(easing);
        const options = [...EASINGS.map((name) => [name, text(`easing_${name}`)]), ["own", text("easing_own")]];
        const list = choice({
            name: text("easing"),
            tip: text("easingTip"),
            key: "easing",
            options,
            value: isOwn ? "own" : easing,
            change: (name) => this.set("easing", name === "own" ? [...(bezierOf(easing) ?? [0.25, 0.25, 0.75, 0.75])] : name, true),
        });
        if (!isOwn) return list;
        const curve = curveEditor({ text, value: easing, change: (value, isFinal) => this.set("easing", value, isFinal) });
        return h("div", {}, list, curve);
    }

    /** Start and end, which may not cross. */
    times(from, to, lastFrame) {
        const part = 1 / Math.max(2, lastFrame);
        const limit = (key, value) => (key === from ? Math.min(value, this.getObject()[to] - part) : Math.max(value, this.getObject()[from] + part));
        return [from, to].map((key) => {
            const apply = (value, isFinal) => {
                const kept = Math.min(1, Math.max(0, limit(key, value)));
                if (isFinal || kept !== value) row.show(kept);
                this.set(key, Number(kept.toFixed(4)), isFinal);
            };
            const label = key === from ? "start" : "end";
            const row = slider({
                name: this.text(label),
                tip: this.text(`${label}Tip`),
                key: label,
                min: 0,
                max: 1,
                step: 0.01,
                value: this.getObject()[key],
                input: (value) => apply(value, false),
                change: (value) => apply(value, true),
            });
            return row;
        });
    }
}

/** @returns {Node[]} the controls for a region or box */
export function itemControls(parts, item) {
    const controls = isBox(item) ? boxControls(parts, item) : regionControls(parts, item);
    if (item.locked) for (const control of controls) for (const input of control.querySelectorAll("input, select, button")) input.disabled = true;
    return controls;
}

function heading(text, ...more) {
    return h("div", { class: "smb-heading" }, h("span", { text }), ...more);
}

function regionControls(parts, region) {
    const { text, session, find } = parts;
    const self = () => find(region.id);
    const own = new Fields(parts, region.id, self);
    if (region.pinned) return [own.tick("pinned"), h("p", { class: "smb-note", text: text("pinnedNote") }), strengthOf(own)];
    const motion = new Fields(parts, `${region.id}.motion`, () => self()?.motion);
    return [
        heading(text("wayHeading")),
        wayChoice(parts, region, self),
        ...wayControls(parts, region, motion, self),
        heading(text("shapeHeading")),
        motion.slider("scale", { min: 0.1, max: 4, step: 0.01 }),
        motion.slider("rotation", { min: -360, max: 360, step: 1 }),
        motion.slider("proximity", { min: -2, max: 2, step: 0.05 }),
        motion.slider("ambient", { min: 0, max: 1, step: 0.01 }),
        region.motion.ambient > 0 ? motion.slider("ambient_cycles", { min: 1, max: 20, step: 1 }) : null,
        heading(text("timeHeading")),
        ...motion.times("start", "end", parts.lastFrame()),
        motion.easing(),
        heading(text("moreHeading")),
        strengthOf(own),
        own.tick("pinned"),
        region.motion.center ? button({ name: text("centerReset"), text: text("centerReset"), class: "smb-filled", press: () => session.edit(() => (self().motion.center = null)) }) : null,
    ].filter(Boolean);
}

function strengthOf(fields) {
    return fields.slider("strength", { min: 0, max: 1, step: 0.01 });
}

function kindOf({ path, direction }) {
    return path ? "path" : direction !== null ? "direction" : "none";
}

function wayChoice({ text, session }, region, self) {
    const change = (kind) =>
        session.edit(() => {
            const { motion } = self();
            Object.assign(motion, { path: null, direction: null, speed: null });
            if (kind === "direction") Object.assign(motion, { direction: 0, speed: DEFAULT_SPEED });
            if (kind === "path") motion.path = { points: startingPath(self()), curve: "smooth", times: null };
        });
    const options = [
        ["none", text("wayNone")],
        ["direction", text("wayDirection")],
        ["path", text("wayPath")],
    ];
    return choice({ name: text("way"), tip: text("wayTip"), key: "way", options, value: kindOf(region.motion), change });
}

/** A short path to the right of where the region is, to be dragged. */
function startingPath(region) {
    const points = region.shapes.flatMap((shape) => shape.points ?? (shape.box ? [[shape.box[0] + shape.box[2] / 2, shape.box[1] + shape.box[3] / 2]] : []));
    const middle = (axis) => (points.length ? points.reduce((sum, point) => sum + point[axis], 0) / points.length : 0.5);
    const [x, y] = [Number(middle(0).toFixed(4)), Number(middle(1).toFixed(4))];
    return [[x, y], [Number((x + 0.2).toFixed(4)), y]];
}

function wayControls({ text, session }, region, motion, self) {
    const kind = kindOf(region.motion);
    if (kind === "direction") return [directionRow(text, motion, region.motion.direction), motion.slider("speed", { min: 0, max: 2, step: 0.01 })];
    if (kind === "none") return [h("p", { class: "smb-note", text: text("wayNote") })];
    const curve = choice({
        name: text("curveKind"),
        tip: text("curveKindTip"),
        key: "curve",
        options: [
            ["smooth", text("smooth")],
            ["line", text("straight")],
        ],
        value: region.motion.path.curve,
        change: (value) => session.edit(() => (self().motion.path.curve = value)),
    });
    const change = (name, how) => button({ name: text(name), text: text(name), class: "smb-filled", press: () => session.edit(() => how(self().motion)) });
    return [
        curve,
        h(
            "div",
            { class: "smb-buttons" },
            change("reversePath", ({ path }) => Object.assign(path, { points: path.points.reverse(), times: path.times?.map((time) => 1 - time).reverse() ?? null })),
            change("removePath", (now) => (now.path = null)),
        ),
    ];
}

/** Degrees as a slider and a dial to turn. */
function directionRow(text, motion, direction) {
    const row = motion.slider("direction", { min: -180, max: 180, step: 1 });
    const dial = hasOwnHistory(h("button", { type: "button", class: "smb-dial", title: text("dialTip"), "aria-label": text("dialTip") }));
    const show = (degrees) => dial.style.setProperty("--smb-angle", `${degrees}deg`);
    show(direction);
    const turn = (event, isFinal) => {
        const shown = dial.getBoundingClientRect();
        const angle = Math.atan2(event.clientY - shown.top - shown.height / 2, event.clientX - shown.left - shown.width / 2);
        const degrees = Math.round((angle * 180) / Math.PI / (event.shiftKey ? 15 : 1)) * (event.shiftKey ? 15 : 1);
        show(degrees);
        row.show(degrees);
        motion.set("direction", degrees, isFinal);
    };
    dial.addEventListener("pointerdown", (event) => dial.setPointerCapture(event.pointerId));
    dial.addEventListener("pointermove", (event) => dial.hasPointerCapture(event.pointerId) && turn(event, false));
    dial.addEventListener("pointerup", (event) => turn(event, true));
    dial.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -5, ArrowUp: -5, ArrowRight: 5, ArrowDown: 5 }[event.key];
        if (!by) return;
        event.preventDefault();
        event.stopPropagation();
        const degrees = ((((motion.getObject().direction + by + 180) % 360) + 360) % 360) - 180;
        show(degrees);
        row.show(degrees);
        motion.set("direction", degrees, true);
    });
    row.addEventListener("input", () => show(motion.getObject().direction));
    return h("div", { class: "smb-direction" }, row, dial);
}

function boxControls(parts, box) {
    const { text, session, find, timeline } = parts;
    const self = () => find(box.id);
    const own = new Fields(parts, box.id, self);
    const mode = choice({
        name: text("mode"),
        tip: text("modeTip"),
        key: "mode",
        options: [
            ["hard", text("modeHard")],
            ["soft", text("modeSoft")],
        ],
        value: box.mode,
        change: (value) => own.set("mode", value, true),
    });
    const keyframes = box.keyframes.map((key, index) =>
        h(
            "div",
            { class: "smb-item" },
            button({ class: "smb-small", name: text("goToKeyframe"), text: text("keyframeAt", { percent: Math.round(key.time * 100) }), press: () => timeline.seek(key.time) }),
            h("span", { class: "smb-gap" }),
            button({ icon: "remove", class: "smb-small smb-danger", name: text("removeKeyframe"), press: () => session.edit(() => self().keyframes.splice(index, 1)) }),
        ),
    );
    return [
        mode,
        heading(text("keyframes")),
        ...(keyframes.length ? keyframes : [h("p", { class: "smb-note", text: text("keyframesNote") })]),
        heading(text("shapeHeading")),
        own.slider("ambient", { min: 0, max: 1, step: 0.01 }),
        heading(text("timeHeading")),
        ...own.times("start_time", "end_time", parts.lastFrame()),
        own.easing(),
        heading(text("moreHeading")),
        strengthOf(own),
    ];
}
