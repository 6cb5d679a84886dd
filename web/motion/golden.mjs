/**
 * What these maths make of a plan, in the words of the golden files: for the tests that hold Python and JavaScript together.
 */

import { cameraMover, inDepthOrder, moversOf } from "./maths.mjs";
import { completePlan, readPlan, writePlan } from "./plan_model.mjs";
import { planTracks } from "./tracks.mjs";

/** @param {{plan: object, width: number, height: number, frames: number, count: number}} golden */
export function answer({ plan: document, width, height, frames, count }) {
    const plan = completePlan(document);
    const times = Array.from({ length: frames }, (_, frame) => (frames > 1 ? frame / (frames - 1) : 0));
    const movers = moversOf(plan, width, height);
    const ordered = inDepthOrder(movers);
    const cameraAt = cameraMover(plan.camera, width, height);
    return {
        movers: movers.map((mover) => ({
            id: mover.id,
            bounds: mover.bounds && [mover.bounds.left, mover.bounds.top, mover.bounds.right, mover.bounds.bottom],
            rank: ordered.indexOf(mover),
            maps: times.map((time) => mover.mapAt(time)),
        })),
        camera: times.map((time) => cameraAt(time)),
        tracks: planTracks(plan, width, height, frames, count),
        written: writePlan(plan),
        again: writePlan(readPlan(writePlan(plan))),
    };
}
