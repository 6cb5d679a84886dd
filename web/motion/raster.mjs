/**
 * Shapes, holes and pictures as pixels on canvases that nobody sees.
 */

const BAND_PIXELS = 100_000; // about 2 ms

/** A canvas in memory. */
export function surface(width, height) {
    const [w, h] = [Math.max(1, Math.round(width)), Math.max(1, Math.round(height))];
    if (typeof OffscreenCanvas !== "undefined") return new OffscreenCanvas(w, h);
    return Object.assign(document.createElement("canvas"), { width: w, height: h });
}

/** Paint shapes, in order, in one colour; the context's transform puts the picture's pixels. */
export function paintShapes(context, shapes, width, height, color = "#fff") {
    context.save();
    context.fillStyle = context.strokeStyle = color;
    context.lineCap = context.lineJoin = "round";
    for (const shape of shapes) {
        context.globalCompositeOperation = shape.op === "subtract" ? "destination-out" : "source-over";
        paintShape(context, shape, width, height);
    }
    context.restore();
}

function paintShape(context, { type, points, box, radius }, width, height) {
    context.beginPath();
    if (type === "stroke") {
        strokeLine(context, points, width, height, radius * Math.min(width, height));
    } else if (type === "polygon") {
        points.forEach(([x, y], index) => (index ? context.lineTo(x * width, y * height) : context.moveTo(x * width, y * height)));
        context.fill("evenodd");
    } else if (type === "rectangle") {
        context.fillRect(box[0] * width, box[1] * height, box[2] * width, box[3] * height);
    } else if (type === "ellipse") {
        const [rx, ry] = [(box[2] * width) / 2, (box[3] * height) / 2];
        context.ellipse(box[0] * width + rx, box[1] * height + ry, rx, ry, 0, 0, 2 * Math.PI);
        context.fill();
    }
}

/** One round pen line; a single point is a dot. */
export function strokeLine(context, points, width, height, radius) {
    const [[x, y]] = points;
    if (points.length === 1) {
        context.arc(x * width, y * height, radius, 0, 2 * Math.PI);
        context.fill();
        return;
    }
    context.lineWidth = 2 * radius;
    context.moveTo(x * width, y * height);
    for (let index = 1; index < points.length; index += 1) context.lineTo(points[index][0] * width, points[index][1] * height);
    context.stroke();
}

/** Bounds cut to the picture, in whole pixels; null if nothing of them is in it. */
export function wholePixels(bounds, width, height) {
    if (!bounds) return null;
    const x = Math.max(0, Math.floor(bounds.left));
    const y = Math.max(0, Math.floor(bounds.top));
    const right = Math.min(width, Math.ceil(bounds.right));
    const bottom = Math.min(height, Math.ceil(bounds.bottom));
    return right > x && bottom > y ? { x, y, width: right - x, height: bottom - y } : null;
}

let glass = null;

/** Have what was drawn on a canvas done now: a browser puts it off until the canvas is drawn somewhere, and then does it all at once. */
export function settle(canvas) {
    glass ??= surface(1, 1);
    glass.getContext("2d").drawImage(canvas, 0, 0, 1, 1, 0, 0, 1, 1);
    glass.width = 1; // lets go of the canvas
}

/**
 * Fill what is transparent with what lies around it: halve the picture until nothing is left to fill, then lay each size under the next larger.
 * Yields after every few milliseconds.
 */
export function* fillHoles(canvas) {
    const sizes = [canvas];
    while (sizes[sizes.length - 1].width > 1 || sizes[sizes.length - 1].height > 1) {
        const from = sizes[sizes.length - 1];
        const half = surface(Math.max(1, from.width >> 1), Math.max(1, from.height >> 1));
        half.getContext("2d").drawImage(from, 0, 0, half.width, half.height);
        settle(half);
        sizes.push(half);
        yield;
    }
    for (let index = sizes.length - 2; index >= 0; index -= 1) yield* layUnder(sizes[index], sizes[index + 1]);
}

/** Lay a smaller picture under one with holes, three times, in bands from top to bottom. */
function* layUnder(canvas, smaller) {
    const { width, height } = canvas;
    const context = canvas.getContext("2d");
    const rows = Math.ceil(BAND_PIXELS / width);
    for (let top = 0; top < height; top += rows) {
        context.save();
        context.globalCompositeOperation = "destination-over";
        context.beginPath();
        context.rect(0, top, width, rows);
        context.clip();
        for (let time = 0; time < 3; time += 1) context.drawImage(smaller, 0, 0, width, height);
        context.restore();
        settle(canvas);
        yield;
    }
}

/** A quiet pattern that stands for a picture while there is none. */
export function standIn(width, height) {
    const canvas = surface(width, height);
    const context = canvas.getContext("2d");
    const sky = context.createLinearGradient(0, 0, width, height);
    sky.addColorStop(0, "#39445c");
    sky.addColorStop(1, "#5d4a5c");
    context.fillStyle = sky;
    context.fillRect(0, 0, width, height);
    const cell = Math.max(8, Math.round(Math.min(width, height) / 12));
    context.fillStyle = "rgb(255 255 255 / 5%)";
    for (let y = 0; y < height; y += cell) {
        for (let x = (y / cell) % 2 ? cell : 0; x < width; x += 2 * cell) context.fillRect(x, y, cell, cell);
    }
    return canvas;
}
