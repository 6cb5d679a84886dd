/**
 * Lines under the hand: fewer points, nearest points, boxes by their handles. Coordinates are the caller's.
 */

export const distance = ([ax, ay], [bx, by]) => Math.hypot(bx - ax, by - ay);

/** Distance of a point to the line from `a` to `b`, and where along it (0 to 1). */
export function toSegment([x, y], [ax, ay], [bx, by]) {
    const [dx, dy] = [bx - ax, by - ay];
    const length = dx * dx + dy * dy;
    const along = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
    return { distance: Math.hypot(x - ax - along * dx, y - ay - along * dy), along };
}

/** Douglas and Peucker: leave out points that lie within `tolerance` of the line through the others. */
export function simplify(points, tolerance) {
    if (points.length < 3) return points;
    const keep = new Uint8Array(points.length);
    keep[0] = keep[points.length - 1] = 1;
    const open = [[0, points.length - 1]];
    while (open.length) {
        const [first, last] = open.pop();
        let worst = tolerance;
        let at = -1;
        for (let index = first + 1; index < last; index += 1) {
            const off = toSegment(points[index], points[first], points[last]).distance;
            if (off > worst) [worst, at] = [off, index];
        }
        if (at < 0) continue;
        keep[at] = 1;
        open.push([first, at], [at, last]);
    }
    return points.filter((_, index) => keep[index]);
}

/** The index of the point within `reach` that is nearest, or -1. */
export function nearestPoint(points, place, reach) {
    let best = -1;
    let near = reach;
    points.forEach((point, index) => {
        const far = distance(point, place);
        if (far <= near) [near, best] = [far, index];
    });
    return best;
}

/** The index of the line's piece within `reach` that is nearest, or -1. */
export function nearestPiece(points, place, reach) {
    let best = -1;
    let near = reach;
    for (let index = 0; index + 1 < points.length; index += 1) {
        const far = toSegment(place, points[index], points[index + 1]).distance;
        if (far <= near) [near, best] = [far, index];
    }
    return best;
}

/** The box [x, y, width, height] with two opposite corners. */
export function boxBetween([ax, ay], [bx, by], { square = false, aspect = 1 } = {}) {
    if (square) {
        const side = Math.max(Math.abs(bx - ax), Math.abs(by - ay) / aspect);
        bx = ax + Math.sign(bx - ax || 1) * side;
        by = ay + Math.sign(by - ay || 1) * side * aspect;
    }
    return [Math.min(ax, bx), Math.min(ay, by), Math.abs(bx - ax), Math.abs(by - ay)];
}

/** Where a box's handles are: corners and middles of its sides, named by compass. */
export const HANDLES = { nw: [0, 0], n: [0.5, 0], ne: [1, 0], e: [1, 0.5], se: [1, 1], s: [0.5, 1], sw: [0, 1], w: [0, 0.5] };

/** A box after one of its handles, or its whole ("move"), was dragged by a distance. */
export function dragBox([x, y, w, h], handle, dx, dy, least = 0.01) {
    if (handle === "move") return [x + dx, y + dy, w, h];
    let [left, top, right, bottom] = [x, y, x + w, y + h];
    if (handle.includes("w")) left = Math.min(left + dx, right - least);
    if (handle.includes("e")) right = Math.max(right + dx, left + least);
    if (handle.includes("n")) top = Math.min(top + dy, bottom - least);
    if (handle.includes("s")) bottom = Math.max(bottom + dy, top + least);
    return [left, top, right - left, bottom - top];
}
