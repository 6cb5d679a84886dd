/**
 * How fast the editor is in this page, for benchmarks and for curious people.
 */

const frames = (count) => new Promise((done) => nextFrame(count, done));

function nextFrame(left, done) {
    requestAnimationFrame(() => (left > 1 ? nextFrame(left - 1, done) : done()));
}

/** The page's tasks over 50 ms while something goes on. */
async function longTasks(during) {
    const found = [];
    const observer = new PerformanceObserver((list) => found.push(...list.getEntries().map((entry) => entry.duration)));
    observer.observe({ type: "longtask" });
    await during();
    found.push(...observer.takeRecords().map((entry) => entry.duration));
    observer.disconnect();
    return found;
}

/**
 * Play the preview for some seconds.
 * @returns {Promise<{perSecond: number, drawMilliseconds: number, longTasks: number[]}>} pictures a second (median of the gaps), the time that drawing
 *     one takes in this page's thread (median), and its tasks over 50 ms
 */
export async function measurePlay(editor, seconds) {
    const { stage, timeline } = editor;
    editor.preview.work.finish();
    const was = { time: timeline.time, loops: timeline.loops, draw: stage.draw };
    const drawn = [];
    stage.draw = function draw() {
        const began = performance.now();
        was.draw.call(stage);
        drawn.push(performance.now() - began);
    };
    timeline.loops = true;
    const tasks = await longTasks(async () => {
        timeline.start();
        await new Promise((done) => setTimeout(done, seconds * 1000));
        timeline.pause();
    });
    delete stage.draw;
    timeline.loops = was.loops;
    timeline.seek(was.time);
    drawn.sort((a, b) => a - b);
    return { perSecond: timeline.pace.perSecond, drawMilliseconds: drawn[drawn.length >> 1] ?? 0, longTasks: tasks };
}

/**
 * Paint with a made-up hand for some seconds, several strokes, and take it all back.
 * @returns {Promise<{strokes: number, longTasks: number[]}>}
 */
export async function measurePaint(editor, seconds) {
    const { stage, session } = editor;
    const before = session.text;
    session.setTool("brush");
    let strokes = 0;
    const tasks = await longTasks(async () => {
        const until = performance.now() + seconds * 1000;
        while (performance.now() < until) {
            await paintOne(stage, strokes);
            strokes += 1;
        }
        await frames(12);
    });
    session.replace(before);
    return { strokes, longTasks: tasks };
}

async function paintOne(stage, number) {
    const shown = stage.canvas.getBoundingClientRect();
    const send = (type, x, y) =>
        stage.canvas.dispatchEvent(
            new PointerEvent(type, { pointerId: 1, pointerType: "pen", button: 0, buttons: 1, bubbles: true, clientX: shown.left + x * shown.width, clientY: shown.top + y * shown.height }),
        );
    const { setPointerCapture } = stage.canvas;
    stage.canvas.setPointerCapture = () => {}; // there is no real pointer to capture
    const place = (step) => [0.2 + 0.6 * (step / 40), 0.3 + 0.4 * Math.abs(Math.sin(step / 7 + number))];
    send("pointerdown", ...place(0));
    for (let step = 1; step <= 40; step += 1) {
        send("pointermove", ...place(step));
        await frames(1);
    }
    send("pointerup", ...place(40));
    if (setPointerCapture) delete stage.canvas.setPointerCapture;
}
