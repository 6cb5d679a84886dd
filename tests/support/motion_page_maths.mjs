/** What the editor's maths say about the golden plans: read from standard input, written to standard output, both as JSON. */

import { cameraMover, inDepthOrder, moversOf } from "../../web/motion/maths.mjs";
import { completePlan, readPlan, writePlan } from "../../web/motion/plan_model.mjs";
import { planTracks } from "../../web/motion/tracks.mjs";

function answer({ plan: document, width, height, frames, count }) {
    const plan = completePlan(document);
    const times = Array.from({ length: frames }, (_, frame) => (frames > 1 ? frame / (frames - 1) : 0));
    const movers = moversOf(plan, width, height);
    const ordered = inDepthOrder(movers);
    const cameraAt = cameraMover(plan.camera, width, height);
    const tracks = planTracks(plan, width, height, frames, count);
    return {
        movers: movers.map((mover) => ({
            id: mover.id,
            bounds: mover.bounds && [mover.bounds.left, mover.bounds.top, mover.bounds.right, mover.bounds.bottom],
            rank: ordered.indexOf(mover),
            maps: times.map((time) => mover.mapAt(time)),
        })),
        camera: times.map((time) => cameraAt(time)),
        tracks,
        written: writePlan(plan),
        again: writePlan(readPlan(writePlan(plan))),
    };
}

let text = "";
for await (const chunk of process.stdin) text += chunk;
process.stdout.write(JSON.stringify(JSON.parse(text).map(answer)));
