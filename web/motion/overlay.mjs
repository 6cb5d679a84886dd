/**
 * What lies over the picture on the stage: paths with their points, boxes with their handles, pivots and pins.
 * Everything here is drawn in stage coordinates.
 */

import { HANDLES } from "./geometry.mjs";
import { boxAt, boundsOf, middleOf, shiftOnPath, tracePath, easedTime } from "./maths.mjs";
import { isBox } from "./plan_model.mjs";

const DARK = "rgb(0 0 0 / 50%)";

/** Stroke what was drawn so far so that it shows on any picture. */
function outlined(context, color, width, dash = []) {
    context.lineJoin = context.lineCap = "round";
    context.setLineDash([]);
    context.strokeStyle = DARK;
    context.lineWidth = width + 2;
    context.stroke();
    context.setLineDash(dash);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
    context.setLineDash([]);
}

function line(context, points) {
    context.beginPath();
    points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
}

export function dot(context, [x, y], radius, color) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = color;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = DARK;
    context.stroke();
}

function arrowHead(context, from, to, size, color) {
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    const side = (turn) => [to[0] - size * Math.cos(angle + turn), to[1] - size * Math.sin(angle + turn)];
    line(context, [side(0.5), to, side(-0.5)]);
    context.closePath();
    context.fillStyle = color;
    context.fill();
    context.lineWidth = 1;
    context.strokeStyle = DARK;
    context.stroke();
}

/** The curve of a region's path, on the stage. */
export function pathOnStage(path, view) {
    const { width, height } = view.picture;
    const traced = tracePath(path, width, height);
    const vertices = traced ? traced.vertices : path.points.map(([x, y]) => [x * width, y * height]);
    return vertices.map(([x, y]) => view.toStage([x / width, y / height]));
}

/** The middle of what is painted, in plan coordinates. */
export function middleOfItem(item, view) {
    if (isBox(item)) return [item.start[0] + item.start[2] / 2, item.start[1] + item.start[3] / 2];
    const { width, height } = view.picture;
    const bounds = boundsOf(item.shapes, width, height);
    if (!bounds) return null;
    const [x, y] = middleOf(bounds);
    return [x / width, y / height];
}

/** The pivot of a region, in plan coordinates. */
export function pivotOf(region, view) {
    return region.motion.center ?? middleOfItem(region, view);
}

/** Whether a region turns or grows, so that its pivot matters. */
export function hasPivot({ motion, pinned }) {
    return !pinned && (motion.rotation !== 0 || motion.scale !== 1 || motion.proximity !== 0);
}

/** Draw a region's way. */
export function drawRegion(context, region, view, time, isSelected) {
    const { motion } = region;
    if (region.pinned) drawPin(context, region, view);
    else if (motion.path) drawPath(context, region, view, time, isSelected);
    else if (motion.direction !== null) drawDirection(context, region, view, isSelected);
    if (isSelected && hasPivot(region)) drawPivot(context, region, view);
}

function drawPath(context, region, view, time, isSelected) {
    const { path, start, end, easing } = region.motion;
    const curve = pathOnStage(path, view);
    line(context, curve);
    outlined(context, region.color, isSelected ? 3 : 2);
    const last = curve.length - 1;
    const tail = curve.findLast((point) => Math.hypot(point[0] - curve[last][0], point[1] - curve[last][1]) > 7) ?? curve[0];
    arrowHead(context, tail, curve[last], isSelected ? 13 : 10, region.color);
    if (isSelected && !region.locked) for (const point of path.points.slice(0, -1)) dot(context, view.toStage(point), 4.5, "#fff");
    if (isSelected && !region.locked) dot(context, view.toStage(path.points.at(-1)), 3.5, "#fff");
    if (time > 0) {
        const { width, height } = view.picture;
        const [x, y] = shiftOnPath(tracePath(path, width, height), easedTime(time, start, end, easing));
        dot(context, view.toStage([path.points[0][0] + x / width, path.points[0][1] + y / height]), 5, region.color);
    }
}

function drawDirection(context, region, view, isSelected) {
    const from = middleOfItem(region, view);
    if (!from) return;
    const { direction, speed, start, end } = region.motion;
    const reach = speed * (end - start) * Math.min(view.picture.width, view.picture.height) * view.scale;
    const [x, y] = view.toStage(from);
    const angle = (direction * Math.PI) / 180;
    const tip = [x + Math.max(14, reach) * Math.cos(angle), y + Math.max(14, reach) * Math.sin(angle)];
    line(context, [[x, y], tip]);
    outlined(context, region.color, isSelected ? 3 : 2);
    arrowHead(context, [x, y], tip, isSelected ? 13 : 10, region.color);
}

function drawPivot(context, region, view) {
    const place = pivotOf(region, view);
    if (!place) return;
    const [x, y] = view.toStage(place);
    context.beginPath();
    context.moveTo(x - 9, y);
    context.lineTo(x + 9, y);
    context.moveTo(x, y - 9);
    context.lineTo(x, y + 9);
    outlined(context, "#fff", 1.5);
    dot(context, [x, y], 3.5, region.color);
}

function drawPin(context, region, view) {
    const place = middleOfItem(region, view);
    if (!place) return;
    const [x, y] = view.toStage(place);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x, y - 11);
    outlined(context, "#fff", 2);
    dot(context, [x, y - 14], 5, region.color);
}

/** A plan's box as a rectangle of the stage: [x, y, width, height]. */
export function boxOnStage([x, y, w, h], view) {
    const [left, top] = view.toStage([x, y]);
    const [right, bottom] = view.toStage([x + w, y + h]);
    return [left, top, right - left, bottom - top];
}

/** Where the handles of a rectangle of the stage are, by name. */
export function handlesOf([x, y, w, h]) {
    return Object.fromEntries(Object.entries(HANDLES).map(([name, [ax, ay]]) => [name, [x + ax * w, y + ay * h]]));
}

/** Draw a box: solid where it begins, dashed where it ends, its way between, and where it is now. */
export function drawBox(context, box, view, time, isSelected) {
    const stops = [box.start, ...box.keyframes.map((key) => key.box), box.end].map((stop) => boxOnStage(stop, view));
    line(context, stops.map(([x, y, w, h]) => [x + w / 2, y + h / 2]));
    outlined(context, box.color, 1.5, [2, 5]);
    stops.forEach((stop, index) => {
        context.beginPath();
        context.rect(...stop);
        outlined(context, box.color, isSelected ? 2.5 : 1.5, index === 0 ? [] : index === stops.length - 1 ? [7, 5] : [2, 4]);
    });
    const [first, last] = [stops[0], stops.at(-1)];
    const centers = [first, last].map(([x, y, w, h]) => [x + w / 2, y + h / 2]);
    if (Math.hypot(centers[1][0] - centers[0][0], centers[1][1] - centers[0][1]) > 6) arrowHead(context, centers[0], centers[1], 9, box.color);
    if (!isSelected || box.locked) return;
    for (const stop of [first, last]) for (const place of Object.values(handlesOf(stop))) square(context, place, 3.5, "#fff");
    if (!isBetween(box, time)) return;
    const now = boxOnStage(boxAt(box, time), view);
    context.beginPath();
    context.rect(...now);
    outlined(context, "#fff", 2);
    for (const place of Object.values(handlesOf(now))) square(context, place, 4, box.color);
}

/** Whether a time is one at which a box could have a keyframe. */
export function isBetween(box, time) {
    return time > box.start_time + 1e-4 && time < box.end_time - 1e-4;
}

function square(context, [x, y], half, color) {
    context.fillStyle = color;
    context.fillRect(x - half, y - half, 2 * half, 2 * half);
    context.lineWidth = 1;
    context.strokeStyle = DARK;
    context.strokeRect(x - half, y - half, 2 * half, 2 * half);
}

/** Lines that are still being drawn, in the colour they will have. */
export function drawDraft(context, points, color, { closed = false, marks = false } = {}) {
    if (!points.length) return;
    line(context, points);
    if (closed) context.closePath();
    outlined(context, color, 2, [5, 4]);
    if (marks) for (const point of points) dot(context, point, 3.5, "#fff");
}

/** The brush's outline under the pointer. */
export function drawBrush(context, place, radius, color) {
    context.beginPath();
    context.arc(...place, Math.max(1, radius), 0, 2 * Math.PI);
    outlined(context, color, 1.5);
}

/** The cross that the arrow keys move. */
export function drawCross(context, [x, y], isDown) {
    context.beginPath();
    context.moveTo(x - 12, y);
    context.lineTo(x + 12, y);
    context.moveTo(x, y - 12);
    context.lineTo(x, y + 12);
    outlined(context, isDown ? "#ffd54a" : "#fff", 2);
}
