/**
 * Points that follow the plan, as Python's `motion/tracks.py` makes them: for the preview's dots, and to prove that both sides agree.
 */

import { apply, boundsOf, cameraMover, invert, isInFront, isInside, middleOf, moversOf } from "./maths.mjs";

const CELLS = 48;
const ROW = 0.8660254037844386;
const DIAGONAL = 0.7071067811865476;
const AROUND = [[1, 0], [-1, 0], [0, 1], [0, -1], [DIAGONAL, DIAGONAL], [DIAGONAL, -DIAGONAL], [-DIAGONAL, DIAGONAL], [-DIAGONAL, -DIAGONAL]];

/**
 * @param {object} plan complete
 * @returns {{points: number[][][], visible: boolean[][], owner: number[], ids: string[]}} points[frame][n] = [x, y] in pixels; owner -1: the scene
 */
export function planTracks(plan, width, height, frames, count = 200, masks = []) {
    const scene = new Scene(plan, width, height, masks);
    const origins = scene.origins(count);
    const points = [];
    const visible = [];
    for (let frame = 0; frame < frames; frame += 1) {
        const time = frames > 1 ? frame / (frames - 1) : 0;
        const shown = scene.at(time, origins);
        points.push(shown.points);
        visible.push(shown.visible);
    }
    return { points, visible, owner: origins.map((origin) => origin.owner), ids: scene.movers.map((mover) => mover.id) };
}

class Scene {
    constructor(plan, width, height, masks) {
        Object.assign(this, { plan, width, height });
        this.movers = moversOf(plan, width, height, masks).map((mover) => ({ ...mover, grid: coverGrid(mover, width, height, masks), masks }));
        this.camera = cameraMover(plan.camera, width, height);
    }

    inPicture([x, y]) {
        return x >= 0 && x < this.width && y >= 0 && y < this.height;
    }

    /** Whether a place before the camera is covered at a time by one of the movers. */
    isCovered(place, inverses, movers) {
        return movers.some((mover) => covers(mover, apply(inverses.get(mover), place)));
    }

    inversesAt(time) {
        return new Map(this.movers.map((mover) => [mover, invert(mover.mapAt(time))]));
    }

    inFrontOf(mover) {
        return this.movers.filter((other) => other !== mover && isInFront(other, mover));
    }

    /** Where the points are in the first frame, before the camera. */
    origins(count) {
        const { plan, movers } = this;
        this.rest = this.inversesAt(0);
        const moving = movers.filter((mover) => mover.moves);
        const wantsScene = plan.camera.length > 0 || (plan.anchors && moving.length > 0);
        const exposed = movers.map((mover) => this.exposure(mover));
        const seen = exposed.filter(({ area }) => area > 0).length;
        const forScene = !wantsScene ? 0 : movers.length ? Math.max(0, Math.min(Math.floor(0.25 * count), count - seen)) : count;
        const spare = Math.max(0, count - forScene - seen);
        const weight = exposed.reduce((sum, { area }) => sum + Math.sqrt(area), 0);
        const found = exposed.flatMap((exposure, owner) => {
            if (exposure.area === 0) return [];
            const share = 1 + Math.floor((spare * Math.sqrt(exposure.area)) / weight);
            return this.pointsOf(exposure, share).map((place) => ({ place, owner }));
        });
        const still = forScene > 0 ? this.scenePoints(forScene, moving).map((place) => ({ place, owner: -1 })) : [];
        return [...found, ...still];
    }

    exposure(mover) {
        const { bounds, grid } = mover;
        if (!bounds) return { area: 0 };
        const inFront = this.inFrontOf(mover);
        const isOpen = (place) => this.inPicture(place) && !this.isCovered(place, this.rest, inFront);
        const cell = [(bounds.right - bounds.left) / CELLS, (bounds.bottom - bounds.top) / CELLS];
        const centers = [];
        grid.forEach((covered, index) => {
            const center = cellCenter(bounds, index);
            if (covered && isOpen(center)) centers.push(center);
        });
        const { width, height, masks } = Object.assign({ masks: mover.masks }, { width: this.width, height: this.height });
        const test = (place) => this.inPicture(place) && isInside(mover.shapes, place[0], place[1], width, height, masks) && isOpen(place);
        const within = {
            left: Math.max(0, bounds.left),
            top: Math.max(0, bounds.top),
            right: Math.min(width, bounds.right),
            bottom: Math.min(height, bounds.bottom),
        };
        return { area: centers.length * cell[0] * cell[1], centers, test, within };
    }

    pointsOf({ area, centers, test, within }, share) {
        const points = lattice(share, area, within, test);
        if (points.length) return points;
        const [x, y] = middleOf(within);
        const far = (center) => (center[0] - x) ** 2 + (center[1] - y) ** 2;
        return [centers.reduce((best, center) => (far(center) < far(best) ? center : best))];
    }

    scenePoints(count, moving) {
        const { width, height, plan, movers } = this;
        const shorter = Math.min(width, height);
        const reach = 0.15 * shorter;
        const isNear = ([x, y]) =>
            moving.some(({ bounds }) => bounds && x >= bounds.left - reach && x <= bounds.right + reach && y >= bounds.top - reach && y <= bounds.bottom + reach);
        const around = [[0, 0], ...AROUND.map(([dx, dy]) => [0.02 * shorter * dx, 0.02 * shorter * dy])];
        const test = (place) =>
            this.inPicture(place) &&
            (plan.camera.length > 0 || isNear(place)) &&
            around.every(([dx, dy]) => !this.isCovered([place[0] + dx, place[1] + dy], this.rest, movers));
        const whole = { left: 0, top: 0, right: width, bottom: height };
        const centers = Array.from({ length: CELLS * CELLS }, (_, index) => cellCenter(whole, index)).filter(test);
        const area = (centers.length * width * height) / (CELLS * CELLS);
        return centers.length ? this.pointsOf({ area, centers, test, within: whole }, count) : [];
    }

    at(time, origins) {
        const maps = this.movers.map((mover) => mover.mapAt(time));
        const inverses = this.inversesAt(time);
        const camera = this.camera(time);
        const ahead = this.movers.map((mover) => this.inFrontOf(mover));
        const points = [];
        const visible = [];
        for (const { place, owner } of origins) {
            const moved = owner < 0 ? place : apply(maps[owner], place);
            const shown = apply(camera, moved);
            points.push(shown);
            visible.push(this.inPicture(shown) && !this.isCovered(moved, inverses, owner < 0 ? this.movers : ahead[owner]));
        }
        return { points, visible };
    }
}

function cellCenter({ left, top, right, bottom }, index) {
    return [
        left + (((index % CELLS) + 0.5) * (right - left)) / CELLS,
        top + ((Math.floor(index / CELLS) + 0.5) * (bottom - top)) / CELLS,
    ];
}

/** Which of the 48 x 48 cells of a mover's bounds are covered. */
function coverGrid(mover, width, height, masks) {
    const bounds = boundsOf(mover.shapes, width, height, masks);
    if (!bounds) return [];
    return Array.from({ length: CELLS * CELLS }, (_, index) => isInside(mover.shapes, ...cellCenter(bounds, index), width, height, masks));
}

function covers({ bounds, grid }, [x, y]) {
    if (!bounds) return false;
    const column = Math.floor(((x - bounds.left) / (bounds.right - bounds.left)) * CELLS);
    const row = Math.floor(((y - bounds.top) / (bounds.bottom - bounds.top)) * CELLS);
    return column >= 0 && column < CELLS && row >= 0 && row < CELLS && grid[row * CELLS + column];
}

/** The hexagonal lattice with the most points that pass, but at most `count`. */
function lattice(count, area, within, test) {
    let best = [];
    let spacing = 1.4 * Math.sqrt(area / count);
    for (let attempt = 0; attempt < 12; attempt += 1, spacing *= 0.96) {
        const points = latticePoints(spacing, within).filter(test);
        if (points.length <= count && points.length > best.length) best = points;
    }
    return best;
}

function latticePoints(spacing, { left, top, right, bottom }) {
    const [ox, oy] = [(left + right) / 2, (top + bottom) / 2];
    const rows = Math.ceil((bottom - top) / 2 / (spacing * ROW));
    const columns = Math.ceil((right - left) / 2 / spacing) + 1;
    const points = [];
    for (let j = -rows; j <= rows; j += 1) {
        for (let i = -columns; i <= columns; i += 1) {
            points.push([ox + (i + (Math.abs(j) % 2 ? 0.5 : 0)) * spacing, oy + j * (spacing * ROW)]);
        }
    }
    return points;
}
