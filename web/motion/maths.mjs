/**
 * Where everything is at a time: the twin of the Python in `motion/`, by the formulas in docs/MOTION_PLAN.md.
 * Positions are pixels of a picture of `width` by `height`; a map is [a, b, c, d, e, f] with x' = a x + c y + e, y' = b x + d y + f,
 * the order of the canvas's `setTransform`. Plans must be complete (plan_model.mjs fills in the defaults).
 */

const NAMED = { ease: [0.25, 0.1, 0.25, 1], "ease-in": [0.42, 0, 1, 1], "ease-out": [0, 0, 0.58, 1], "ease-in-out": [0.42, 0, 0.58, 1] };
const HALVINGS = 40;
const PIECES = 32;
const CLOSE = 1e-12; // squared pixels
const RADIANS = Math.PI / 180;

export const IDENTITY = Object.freeze([1, 0, 0, 1, 0, 0]);

export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** @returns {number[]|null} the four numbers of an easing; null: linear */
export function bezierOf(easing) {
    return Array.isArray(easing) ? easing : (NAMED[easing] ?? null);
}

/** Eased part of 0..1. */
export function ease(easing, part) {
    const bezier = bezierOf(easing);
    if (!bezier || part === 0 || part === 1) return part;
    const [x1, y1, x2, y2] = bezier;
    let low = 0;
    let high = 1;
    for (let step = 0; step < HALVINGS; step += 1) {
        const middle = (low + high) / 2;
        if (cubic(middle, x1, x2) < part) low = middle;
        else high = middle;
    }
    return cubic((low + high) / 2, y1, y2);
}

function cubic(s, first, second) {
    const rest = 1 - s;
    return 3 * s * rest * rest * first + 3 * s * s * rest * second + s * s * s;
}

/** Eased time of something that goes on from `start` to `end`. */
export function easedTime(time, start, end, easing) {
    return ease(easing, clamp((time - start) / (end - start), 0, 1));
}

/** @returns {number[]} first `before`, then `after` */
export function chain(before, after) {
    const [a, b, c, d, e, f] = before;
    const [A, B, C, D, E, F] = after;
    return [A * a + C * b, B * a + D * b, A * c + C * d, B * c + D * d, A * e + C * f + E, B * e + D * f + F];
}

export function apply([a, b, c, d, e, f], [x, y]) {
    return [a * x + c * y + e, b * x + d * y + f];
}

export function invert([a, b, c, d, e, f]) {
    const size = a * d - b * c;
    return [d / size, -b / size, -c / size, a / size, (c * f - d * e) / size, (b * e - a * f) / size];
}

/** Turn by `degrees` clockwise and grow by `scale` about a centre, then shift. */
function similarity(scale, degrees, [x, y], shift = [0, 0]) {
    const cos = scale * Math.cos(degrees * RADIANS);
    const sin = scale * Math.sin(degrees * RADIANS);
    return [cos, sin, -sin, cos, x + shift[0] - (cos * x - sin * y), y + shift[1] - (sin * x + cos * y)];
}

const squared = (p, q) => (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2;

/**
 * A path ready to be asked.
 * @returns {{vertices: number[][], reached: number[]}|null} null: it goes nowhere
 */
export function tracePath(path, width, height) {
    let points = path.points.map(([x, y]) => [x * width, y * height]);
    if (!path.times) points = points.filter(firstOfItsPlace());
    if (points.length < 2) return null;
    const isSmooth = path.curve !== "line";
    const vertices = isSmooth ? smooth(points) : points;
    const reached = path.times ? timed(path.times, isSmooth ? PIECES : 1) : evenly(vertices);
    return reached ? { vertices, reached } : null;
}

function firstOfItsPlace() {
    let kept = null;
    return (point) => {
        if (kept && squared(point, kept) < CLOSE) return false;
        kept = point;
        return true;
    };
}

/** The centripetal Catmull-Rom curve through the points, as vertices. */
function smooth(points) {
    const last = points.length - 1;
    const isClosed = points.length >= 4 && squared(points[0], points[last]) < CLOSE;
    const mirrored = (from, over) => [2 * over[0] - from[0], 2 * over[1] - from[1]];
    const before = isClosed ? points[last - 1] : mirrored(points[1], points[0]);
    const after = isClosed ? points[1] : mirrored(points[last - 1], points[last]);
    const vertices = [];
    for (let index = 0; index < last; index += 1) {
        const four = [points[index - 1] ?? before, points[index], points[index + 1], points[index + 2] ?? after];
        for (let step = 0; step < PIECES; step += 1) vertices.push(onPiece(four, step / PIECES));
    }
    vertices.push(points[last]);
    return vertices;
}

function onPiece([p0, p1, p2, p3], v) {
    const knot = (p, q) => Math.max(1e-6, Math.sqrt(Math.sqrt(squared(p, q))));
    const [d1, d2, d3] = [knot(p1, p0), knot(p2, p1), knot(p3, p2)];
    return [0, 1].map((axis) => {
        const [a, b, c, d] = [p0[axis], p1[axis], p2[axis], p3[axis]];
        const m1 = d2 * ((b - a) / d1 - (c - a) / (d1 + d2) + (c - b) / d2);
        const m2 = d2 * ((c - b) / d2 - (d - b) / (d2 + d3) + (d - c) / d3);
        const [v2, v3] = [v * v, v * v * v];
        return (2 * v3 - 3 * v2 + 1) * b + (v3 - 2 * v2 + v) * m1 + (3 * v2 - 2 * v3) * c + (v3 - v2) * m2;
    });
}

function evenly(vertices) {
    const lengths = [0];
    for (let index = 1; index < vertices.length; index += 1) {
        lengths.push(lengths[index - 1] + Math.sqrt(squared(vertices[index], vertices[index - 1])));
    }
    const whole = lengths[lengths.length - 1];
    return whole < 1e-9 ? null : lengths.map((length) => length / whole);
}

function timed(times, pieces) {
    const reached = [];
    for (let index = 0; index < times.length - 1; index += 1) {
        for (let step = 0; step < pieces; step += 1) reached.push(times[index] + ((times[index + 1] - times[index]) * step) / pieces);
    }
    reached.push(times[times.length - 1]);
    return reached;
}

/** How far along a traced path is from its beginning at eased time `u`. */
export function shiftOnPath(traced, u) {
    if (!traced) return [0, 0];
    const { vertices, reached } = traced;
    const [x0, y0] = vertices[0];
    const last = reached.length - 1;
    if (u <= reached[0]) return [0, 0];
    if (u >= reached[last]) return [vertices[last][0] - x0, vertices[last][1] - y0];
    let low = 0;
    let high = last;
    while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (reached[middle] <= u) low = middle;
        else high = middle;
    }
    const part = (u - reached[low]) / (reached[high] - reached[low]);
    const between = (axis) => vertices[low][axis] + part * (vertices[high][axis] - vertices[low][axis]);
    return [between(0) - x0, between(1) - y0];
}

/**
 * Bounds in pixels of all shapes that add.
 * @param {Array<{bounds: number[]}>} [masks] rasters of the MASK input, each with the outer edges of its set pixels as parts of the picture
 * @returns {{left: number, top: number, right: number, bottom: number}|null}
 */
export function boundsOf(shapes, width, height, masks = []) {
    const shorter = Math.min(width, height);
    let bounds = null;
    const grow = (left, top, right, bottom) => {
        bounds = bounds
            ? { left: Math.min(bounds.left, left), top: Math.min(bounds.top, top), right: Math.max(bounds.right, right), bottom: Math.max(bounds.bottom, bottom) }
            : { left, top, right, bottom };
    };
    for (const shape of shapes) {
        if (shape.op === "subtract") continue;
        if (shape.type === "mask") {
            const edges = masks[shape.index ?? 0]?.bounds;
            if (edges) grow(edges[0] * width, edges[1] * height, edges[2] * width, edges[3] * height);
        } else if (shape.box) {
            const [x, y, w, h] = shape.box;
            grow(x * width, y * height, x * width + w * width, y * height + h * height);
        } else {
            const around = shape.type === "stroke" ? shape.radius * shorter : 0;
            for (const [x, y] of shape.points) grow(x * width - around, y * height - around, x * width + around, y * height + around);
        }
    }
    return bounds;
}

/** Ambient swaying: a function from time to [x, y] pixels and degrees. */
export function ambientOf({ id, ambient, ambient_cycles: cycles }, seed, shorter) {
    if (!ambient) return () => [0, 0, 0];
    const channels = [0, 1, 2].map((channel) => wave(seed, id, channel, cycles));
    const rests = channels.map((channel) => channel(0));
    const amounts = [0.02 * ambient * shorter, 0.02 * ambient * shorter, 2 * ambient];
    return (time) => amounts.map((amount, channel) => amount * (channels[channel](time) - rests[channel]));
}

function wave(seed, id, channel, cycles) {
    const weights = [0.5, 0.35, 0.15];
    const swings = [0.5, 1, 1.7].map((ratio) => Math.max(1, Math.floor(cycles * ratio + 0.5)));
    const phases = weights.map((_, k) => mix((mix((mix(seed >>> 0) ^ fnv(id)) >>> 0) ^ (3 * channel + k)) >>> 0) / 4294967296);
    return (time) => weights.reduce((sum, weight, k) => sum + weight * Math.sin(2 * Math.PI * (swings[k] * time + phases[k])), 0);
}

function fnv(text) {
    let hash = 2166136261;
    for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 16777619) >>> 0;
    return hash >>> 0;
}

function mix(value) {
    let hash = value >>> 0;
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b) >>> 0;
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35) >>> 0;
    return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * How a region moves: a function from time to a map of the first frame's pixels.
 * @returns {(time: number) => number[]}
 */
export function regionMover(region, width, height, seed = 0, masks = []) {
    const { motion } = region;
    const bounds = boundsOf(region.shapes, width, height, masks);
    if (region.pinned || !bounds) return () => IDENTITY;
    const center = motion.center ? [motion.center[0] * width, motion.center[1] * height] : middleOf(bounds);
    const shorter = Math.min(width, height);
    const sway = ambientOf({ id: region.id, ambient: motion.ambient, ambient_cycles: motion.ambient_cycles }, seed, shorter);
    const travel = traveller(motion, width, height);
    return (time) => {
        const u = easedTime(time, motion.start, motion.end, motion.easing);
        const [swayX, swayY, turn] = sway(time);
        const [x, y] = travel(u);
        const scale = motion.scale ** u * 2 ** (motion.proximity * u);
        return similarity(scale, motion.rotation * u + turn, center, [x + swayX, y + swayY]);
    };
}

/** A function from eased time to the shift along the path or direction. */
function traveller(motion, width, height) {
    if (motion.path) {
        const traced = tracePath(motion.path, width, height);
        return (u) => shiftOnPath(traced, u);
    }
    if (motion.direction == null) return () => [0, 0];
    const reach = motion.speed * Math.min(width, height) * (motion.end - motion.start);
    const [x, y] = [Math.cos(motion.direction * RADIANS), Math.sin(motion.direction * RADIANS)];
    return (u) => [reach * u * x, reach * u * y];
}

export function middleOf({ left, top, right, bottom }) {
    return [(left + right) / 2, (top + bottom) / 2];
}

/** @returns {{time: number, box: number[]}[]} start, keyframes and end in order */
export function boxStops(box) {
    return [{ time: box.start_time, box: box.start }, ...box.keyframes, { time: box.end_time, box: box.end }];
}

/** Where a box is at a time, in its own units. */
export function boxAt(box, time) {
    const stops = boxStops(box);
    if (time <= stops[0].time) return [...stops[0].box];
    const next = stops.findIndex((stop) => time <= stop.time);
    if (next < 0) return [...stops[stops.length - 1].box];
    const [from, to] = [stops[next - 1], stops[next]];
    const part = ease(box.easing, (time - from.time) / (to.time - from.time));
    return from.box.map((value, index) => (1 - part) * value + part * to.box[index]);
}

/** How what is in a box moves. */
export function boxMover(box, width, height, seed = 0) {
    const pixels = ([x, y, w, h]) => [x * width, y * height, w * width, h * height];
    const [x0, y0, w0, h0] = pixels(box.start);
    const sway = ambientOf(box, seed, Math.min(width, height));
    const hard = ([x, y, w, h], [jx, jy]) => [w / w0, 0, 0, h / h0, x - (x0 * w) / w0 + jx, y - (y0 * h) / h0 + jy];
    const soft = ([x, y, w, h], [jx, jy]) => {
        const s = Math.min(1, w / w0, h / h0);
        const [cx0, cy0] = [x0 + w0 / 2, y0 + h0 / 2];
        const cx = clamp(cx0, x + (s * w0) / 2, x + w - (s * w0) / 2);
        const cy = clamp(cy0, y + (s * h0) / 2, y + h - (s * h0) / 2);
        return [s, 0, 0, s, cx - s * cx0 + jx, cy - s * cy0 + jy];
    };
    const place = box.mode === "soft" ? soft : hard;
    return (time) => place(pixels(boxAt(box, time)), sway(time));
}

/** What is in a box: its shapes, else the whole start box. */
export function shapesOfBox(box) {
    return box.shapes.length ? box.shapes : [{ type: "rectangle", op: "add", box: box.start }];
}

/** How the camera's moves show the picture's plane: a function from time to a map. */
export function cameraMover(camera, width, height) {
    const maps = camera.map((move) => (time) => cameraMap(move, easedTime(time, move.start, move.end, move.easing), width, height));
    return (time) => maps.reduce((map, next) => chain(map, next(time)), IDENTITY);
}

function cameraMap(move, u, width, height) {
    if (move.type === "pan") return [1, 0, 0, 1, -move.x * u * width, -move.y * u * height];
    const center = [move.center[0] * width, move.center[1] * height];
    return move.type === "zoom" ? similarity(move.factor ** u, 0, center) : similarity(1, -move.degrees * u, center);
}

/**
 * The visible regions and boxes, in the order of the lists.
 * @returns {Array<{id: string, kind: "region"|"box", item: object, shapes: object[], z: number, place: number, moves: boolean,
 *     bounds: object|null, mapAt: (time: number) => number[]}>}
 */
export function moversOf(plan, width, height, masks = []) {
    const regions = plan.regions
        .filter((region) => !region.hidden)
        .map((region) => ({
            kind: "region",
            item: region,
            shapes: region.shapes,
            moves: regionMoves(region),
            mapAt: regionMover(region, width, height, plan.seed, masks),
        }));
    const boxes = plan.boxes
        .filter((box) => !box.hidden)
        .map((box) => ({ kind: "box", item: box, shapes: shapesOfBox(box), moves: boxMoves(box), mapAt: boxMover(box, width, height, plan.seed) }));
    return [...regions, ...boxes].map((mover, place) => ({
        ...mover,
        id: mover.item.id,
        z: mover.item.z,
        place,
        bounds: boundsOf(mover.shapes, width, height, masks),
    }));
}

/** Whether `mover` is nearer to the viewer than `other`. */
export function isInFront(mover, other) {
    return mover.z > other.z || (mover.z === other.z && mover.place > other.place);
}

/** @returns {object[]} the farthest first */
export function inDepthOrder(movers) {
    return [...movers].sort((a, b) => a.z - b.z || a.place - b.place);
}

export function regionMoves({ pinned, motion }) {
    const rests = !motion.path && motion.direction == null && !motion.ambient && motion.rotation === 0 && motion.scale === 1 && motion.proximity === 0;
    return !pinned && !rests;
}

export function boxMoves(box) {
    return box.ambient !== 0 || boxStops(box).some((stop) => stop.box.some((value, index) => value !== box.start[index]));
}

/** Whether a pixel is inside the shapes, by the table in the plan's page. */
export function isInside(shapes, x, y, width, height, masks = []) {
    let inside = false;
    for (const shape of shapes) {
        if ((shape.op === "subtract") === inside && isInShape(shape, x, y, width, height, masks)) inside = shape.op !== "subtract";
    }
    return inside;
}

function isInShape(shape, x, y, width, height, masks) {
    if (shape.type === "stroke") return isInStroke(shape, x, y, width, height);
    if (shape.type === "polygon") return isInPolygon(shape.points, x, y, width, height);
    if (shape.type === "mask") return masks[shape.index ?? 0]?.has(x / width, y / height) ?? false;
    const [left, top, w, h] = [shape.box[0] * width, shape.box[1] * height, shape.box[2] * width, shape.box[3] * height];
    if (shape.type === "rectangle") return left <= x && x < left + w && top <= y && y < top + h;
    return ((x - left - w / 2) / (w / 2)) ** 2 + ((y - top - h / 2) / (h / 2)) ** 2 <= 1;
}

function isInStroke({ points, radius }, x, y, width, height) {
    const reach = (radius * Math.min(width, height)) ** 2;
    let [ax, ay] = [points[0][0] * width, points[0][1] * height];
    if ((x - ax) ** 2 + (y - ay) ** 2 <= reach) return true;
    for (let index = 1; index < points.length; index += 1) {
        const [bx, by] = [points[index][0] * width, points[index][1] * height];
        const [dx, dy] = [bx - ax, by - ay];
        const length = dx * dx + dy * dy;
        const part = length > 0 ? clamp(((x - ax) * dx + (y - ay) * dy) / length, 0, 1) : 0;
        if ((x - ax - part * dx) ** 2 + (y - ay - part * dy) ** 2 <= reach) return true;
        [ax, ay] = [bx, by];
    }
    return false;
}

function isInPolygon(points, x, y, width, height) {
    let inside = false;
    for (let index = 0, before = points.length - 1; index < points.length; before = index, index += 1) {
        const [ax, ay] = [points[index][0] * width, points[index][1] * height];
        const [bx, by] = [points[before][0] * width, points[before][1] * height];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
    return inside;
}
