/**
 * The plan as a document (docs/MOTION_PLAN.md): reading with all defaults filled in, writing without them, and the few edits that lists need.
 * The full check is Python's; here a text is refused only where the editor could not go on.
 */

export const PALETTE = ["#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45"];
export const EASINGS = ["linear", "ease", "ease-in", "ease-out", "ease-in-out"];
export const VERSION = 1;
export const DEFAULT_SPEED = 0.25;
export const MOST_MOVERS = 64;

const SHAPES = { stroke: { op: "add", radius: 0.03 }, polygon: { op: "add" }, rectangle: { op: "add" }, ellipse: { op: "add" }, mask: { op: "add", index: 0 } };
const PATH = { curve: "smooth", times: null };
const MOTION = {
    path: null, direction: null, speed: null, start: 0, end: 1, easing: "linear", scale: 1, proximity: 0, rotation: 0, center: null, ambient: 0, ambient_cycles: 4,
};
const COMMON = { id: "", name: "", color: "", hidden: false, locked: false, z: 0, strength: 1 };
const REGION = { ...COMMON, pinned: false };
const BOX = { ...COMMON, start_time: 0, end_time: 1, easing: "linear", mode: "hard", ambient: 0, ambient_cycles: 4 };
const MOVES = {
    pan: { start: 0, end: 1, easing: "linear", x: 0, y: 0 },
    zoom: { start: 0, end: 1, easing: "linear", factor: 1, center: [0.5, 0.5] },
    roll: { start: 0, end: 1, easing: "linear", degrees: 0, center: [0.5, 0.5] },
};
const PLAN = { version: VERSION, seed: 0, anchors: true };

/** A text that is no plan. `place` names where. */
export class PlanError extends Error {
    constructor(place, problem) {
        super(place ? `${place}: ${problem}` : problem);
        this.place = place;
    }
}

export function emptyPlan() {
    return { ...PLAN, regions: [], boxes: [], camera: [] };
}

/**
 * @param {string} text JSON; nothing at all is an empty plan
 * @returns {object} the plan with every default filled in
 * @throws {PlanError}
 */
export function readPlan(text) {
    if (!text?.trim()) return emptyPlan();
    let data;
    try {
        data = JSON.parse(text);
    } catch (error) {
        throw new PlanError("", `expected JSON, got ${error.message}`);
    }
    return completePlan(data);
}

/** Fill in all defaults of a plan that came as an object. */
export function completePlan(data) {
    expectObject(data, "plan");
    if (data.version !== VERSION) throw new PlanError("version", `expected ${VERSION}, got ${JSON.stringify(data.version)}`);
    const regions = list(data.regions, "regions").map((region, index) => completeRegion(region, `regions[${index}]`));
    const boxes = list(data.boxes, "boxes").map((box, index) => completeBox(box, `boxes[${index}]`));
    const camera = list(data.camera, "camera").map((move, index) => completeMove(move, `camera[${index}]`));
    const plan = { ...filled(PLAN, data), regions, boxes, camera };
    nameMissing(regions, "region", plan);
    nameMissing(boxes, "box", plan);
    moversIn(plan).forEach((item, place) => (item.color ||= PALETTE[place % PALETTE.length]));
    return plan;
}

function completeRegion(data, place) {
    expectObject(data, place);
    const motion = completeMotion(data.motion ?? {}, `${place}.motion`);
    return { ...filled(REGION, data), shapes: completeShapes(data.shapes, `${place}.shapes`), motion };
}

function completeMotion(data, place) {
    expectObject(data, place);
    const motion = filled(MOTION, data);
    if (motion.path) {
        expectPoints(motion.path.points, 2, `${place}.path.points`);
        motion.path = { points: motion.path.points, ...filled(PATH, motion.path) };
    }
    if (motion.direction !== null) motion.speed ??= DEFAULT_SPEED;
    return motion;
}

function completeShapes(data, place) {
    return list(data, place).map((shape, index) => {
        const at = `${place}[${index}]`;
        expectObject(shape, at);
        const defaults = SHAPES[shape.type];
        if (!defaults) throw new PlanError(`${at}.type`, `expected one of ${Object.keys(SHAPES).join(", ")}, got ${JSON.stringify(shape.type)}`);
        if (shape.type === "stroke" || shape.type === "polygon") expectPoints(shape.points, shape.type === "stroke" ? 1 : 3, `${at}.points`);
        if (shape.type === "rectangle" || shape.type === "ellipse") expectBox(shape.box, `${at}.box`);
        return { ...shape, ...filled(defaults, shape) };
    });
}

function completeBox(data, place) {
    expectObject(data, place);
    expectBox(data.start, `${place}.start`);
    expectBox(data.end, `${place}.end`);
    const keyframes = list(data.keyframes, `${place}.keyframes`);
    keyframes.forEach((key, index) => expectBox(key?.box, `${place}.keyframes[${index}].box`));
    return { ...filled(BOX, data), start: data.start, end: data.end, keyframes, shapes: completeShapes(data.shapes, `${place}.shapes`) };
}

function completeMove(data, place) {
    expectObject(data, place);
    const defaults = MOVES[data.type];
    if (!defaults) throw new PlanError(`${place}.type`, `expected one of ${Object.keys(MOVES).join(", ")}, got ${JSON.stringify(data.type)}`);
    return { type: data.type, ...filled(defaults, data) };
}

/** The fields of `defaults`, with what `data` has instead. */
function filled(defaults, data) {
    return Object.fromEntries(Object.entries(defaults).map(([key, value]) => [key, structuredClone(data[key] ?? value)]));
}

function list(value, place) {
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw new PlanError(place, `expected a list, got ${JSON.stringify(value)?.slice(0, 40)}`);
    return structuredClone(value);
}

function expectObject(value, place) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) throw new PlanError(place, "expected an object");
}

function expectPoints(points, least, place) {
    const isGood = Array.isArray(points) && points.length >= least && points.every((point) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite));
    if (!isGood) throw new PlanError(place, `expected at least ${least} points [x, y]`);
}

function expectBox(box, place) {
    const isGood = Array.isArray(box) && box.length === 4 && box.every(Number.isFinite) && box[2] > 0 && box[3] > 0;
    if (!isGood) throw new PlanError(place, "expected [x, y, width, height]");
}

/** Regions and boxes without an id get the first free number, counted from their place. */
function nameMissing(items, stem, plan) {
    const taken = new Set(moversIn(plan).map((item) => item.id));
    items.forEach((item, index) => {
        if (item.id) return;
        item.id = freeId(stem, index + 1, taken);
        taken.add(item.id);
    });
}

function freeId(stem, number, taken) {
    while (taken.has(`${stem}${number}`)) number += 1;
    return `${stem}${number}`;
}

/** @returns {object[]} regions, then boxes */
export function moversIn(plan) {
    return [...plan.regions, ...plan.boxes];
}

/** @returns {string} the shortest text that means this plan */
export function writePlan(plan, indent = 0) {
    return JSON.stringify(briefPlan(plan), null, indent || undefined);
}

/** @returns {boolean} whether there is anything in it */
export function isEmpty(plan) {
    return !plan.regions.length && !plan.boxes.length && !plan.camera.length;
}

/** A plan without its defaults. Ids stay: they choose the ambient motion, whatever becomes of the list. */
export function briefPlan(plan) {
    const brief = { version: VERSION, ...unless(PLAN, plan) };
    const movers = moversIn(plan);
    const color = (item) => (item.color === PALETTE[movers.indexOf(item) % PALETTE.length] ? {} : { color: item.color });
    if (plan.regions.length) brief.regions = plan.regions.map((region) => briefRegion(region, color(region)));
    if (plan.boxes.length) brief.boxes = plan.boxes.map((box) => briefBox(box, color(box)));
    if (plan.camera.length) brief.camera = plan.camera.map(briefMove);
    return brief;
}

function briefRegion(region, color) {
    const motion = unless(MOTION, region.motion);
    if (motion.path) motion.path = { points: motion.path.points, ...unless(PATH, motion.path) };
    if (region.motion.direction === null || motion.speed === DEFAULT_SPEED) delete motion.speed;
    const brief = { id: region.id, ...unless(REGION, { ...region, color: "" }), ...color, shapes: region.shapes.map(briefShape) };
    return Object.keys(motion).length ? { ...brief, motion } : brief;
}

function briefShape(shape) {
    const { type, points, box } = shape;
    return { type, ...unless(SHAPES[type], shape), ...(points ? { points } : {}), ...(box ? { box } : {}) };
}

function briefBox(box, color) {
    const brief = { id: box.id, ...unless(BOX, { ...box, color: "" }), ...color, start: box.start, end: box.end };
    if (box.keyframes.length) brief.keyframes = box.keyframes;
    if (box.shapes.length) brief.shapes = box.shapes.map(briefShape);
    return brief;
}

function briefMove(move) {
    const brief = { type: move.type, ...unless(MOVES[move.type], move) };
    if (move.type === "zoom") brief.factor = move.factor;
    if (move.type === "roll") brief.degrees = move.degrees;
    return brief;
}

/** What of an object's fields differs from the defaults. */
function unless(defaults, data) {
    const same = (key) => JSON.stringify(data[key]) === JSON.stringify(defaults[key]);
    return Object.fromEntries(Object.keys(defaults).filter((key) => key !== "id" && !same(key)).map((key) => [key, data[key]]));
}

/** A new, empty region of this plan, put at its end. */
export function addRegion(plan, more = {}) {
    const region = completeRegion({ shapes: [], ...more }, "region");
    plan.regions.push(label(plan, region, "region", plan.regions.length));
    return region;
}

/** A new box of this plan that stays where it begins. */
export function addBox(plan, start) {
    const box = completeBox({ start, end: [...start] }, "box");
    plan.boxes.push(label(plan, box, "box", plan.boxes.length + 1));
    return box;
}

function label(plan, item, stem, number) {
    const taken = new Set(moversIn(plan).map((other) => other.id));
    item.id = freeId(stem, Math.max(1, number), taken);
    item.color = freeColor(plan);
    return item;
}

function freeColor(plan) {
    const uses = PALETTE.map((color) => moversIn(plan).filter((item) => item.color === color).length);
    return PALETTE[uses.indexOf(Math.min(...uses))];
}

/** A new camera move. */
export function addMove(plan, type) {
    const first = { pan: { x: 0.2 }, zoom: { factor: 1.3 }, roll: { degrees: 10 } }[type];
    const move = completeMove({ type, ...first }, "camera");
    plan.camera.push(move);
    return move;
}

export function findMover(plan, id) {
    return moversIn(plan).find((item) => item.id === id) ?? null;
}

export function isBox(item) {
    return item?.start !== undefined && item.keyframes !== undefined;
}

export function removeMover(plan, id) {
    plan.regions = plan.regions.filter((item) => item.id !== id);
    plan.boxes = plan.boxes.filter((item) => item.id !== id);
}

/** A copy beside the original, a little aside. */
export function duplicateMover(plan, id) {
    const original = findMover(plan, id);
    if (!original) return null;
    const copy = structuredClone(original);
    copy.id = "";
    copy.color = freeColor(plan);
    const items = isBox(original) ? plan.boxes : plan.regions;
    const stem = isBox(original) ? "box" : "region";
    copy.id = freeId(stem, items.length + 1, new Set(moversIn(plan).map((item) => item.id)));
    items.push(copy);
    shiftMover(copy, 0.03, 0.03);
    return copy;
}

/** Move all that is painted, and its path, by a part of the picture. */
export function shiftMover(item, dx, dy) {
    const point = ([x, y]) => [tidy(x + dx), tidy(y + dy)];
    const box = ([x, y, w, h]) => [tidy(x + dx), tidy(y + dy), w, h];
    item.shapes = item.shapes.map((shape) => ({ ...shape, ...(shape.points ? { points: shape.points.map(point) } : {}), ...(shape.box ? { box: box(shape.box) } : {}) }));
    if (isBox(item)) {
        item.start = box(item.start);
        item.end = box(item.end);
        item.keyframes = item.keyframes.map((key) => ({ ...key, box: box(key.box) }));
        return;
    }
    if (item.motion.path) item.motion.path.points = item.motion.path.points.map(point);
    if (item.motion.center) item.motion.center = point(item.motion.center);
}

/** @returns {object[]} regions and boxes, the nearest to the viewer first */
export function nearestFirst(plan) {
    const place = new Map(moversIn(plan).map((item, index) => [item, index]));
    return moversIn(plan).sort((a, b) => b.z - a.z || place.get(b) - place.get(a));
}

/** Bring a region or box one step nearer (-1) or farther (1), with as few numbers in the plan as possible. */
export function reorder(plan, id, steps) {
    const order = nearestFirst(plan);
    const from = order.findIndex((item) => item.id === id);
    const to = Math.min(order.length - 1, Math.max(0, from + steps));
    order.splice(to, 0, ...order.splice(from, 1));
    order.reverse();
    plan.regions = order.filter((item) => !isBox(item));
    plan.boxes = order.filter(isBox);
    const needsLevels = moversIn(plan).some((item, index) => item !== order[index]);
    order.forEach((item, index) => (item.z = needsLevels ? index : 0));
}

/** Positions in plans need no more digits than a screen has pixels. */
export function tidy(value) {
    return Number(Math.min(11, Math.max(-10, value)).toFixed(4));
}
