/**
 * Which picture lies behind the plan: what is connected, else what the node showed when it last ran, else what was dropped on it.
 */

import { app, viewUrl } from "./host.mjs";

const DROPPED = "spacetime_picture";
const FURTHEST = 12; // nodes to walk up
const IS_PICTURE = /\.(png|jpe?g|webp|gif|bmp|avif)$/i;

/** @typedef {{key: string, url: string, from: "connected"|"executed"|"dropped"}} Source */

/**
 * @param {object} node the editor's node
 * @param {string} inputName of its picture
 * @returns {Source|null} where the picture is to be had from
 */
export function pictureSource(node, inputName = "image") {
    const connected = connectedPicture(node, inputName);
    if (connected) return { key: connected, url: connected, from: "connected" };
    const executed = shownFile(node.spacetimeShown) ?? executedPicture(node);
    if (executed) return { key: executed, url: executed, from: "executed" };
    const dropped = node.properties?.[DROPPED];
    if (dropped?.filename) return { key: viewUrl(dropped), url: viewUrl(dropped), from: "dropped" };
    return null;
}

/** Keep a dropped picture by its name with the node. */
export function keepDropped(node, file) {
    node.properties ??= {};
    node.properties[DROPPED] = file;
}

/**
 * Where the connected picture is chosen from a list, as in Load Image: a picture from outside belongs there.
 * @returns {{node: object, widget: object}|null} the node and its list; null: nothing is connected, or the picture is made, not chosen
 */
export function pictureChooser(node, inputName = "image") {
    for (const upstream of upstreamOf(node, inputName)) {
        const widget = pathWidget(upstream);
        if (widget?.type === "combo") return { node: upstream, widget };
        if (pictureOf(upstream)) return null;
    }
    return null;
}

/** Choose a file of the input folder, as the node does after an upload of its own. */
export function choosePicture({ node, widget }, { filename }) {
    const { value: before, options } = widget;
    if (Array.isArray(options?.values) && !options.values.includes(filename)) options.values.push(filename);
    widget.value = filename;
    widget.callback?.(filename);
    node.onWidgetChanged?.(widget.name, filename, before, widget);
}

function connectedPicture(node, inputName) {
    for (const upstream of upstreamOf(node, inputName)) {
        const found = pictureOf(upstream);
        if (found) return found;
    }
    return null;
}

/** The nodes that a picture comes through, the nearest first. */
function* upstreamOf(node, inputName) {
    const slot = node.inputs?.findIndex((input) => input.name === inputName) ?? -1;
    let upstream = origin(node, slot);
    for (let step = 0; upstream && step < FURTHEST; step += 1) {
        yield upstream;
        upstream = origin(upstream, pictureSlot(upstream));
    }
}

function origin(node, slot) {
    if (slot < 0) return null;
    try {
        return node.getInputNode?.(slot) ?? null;
    } catch {
        return null; // a link that leads out of a subgraph
    }
}

function pictureSlot(node) {
    return node.inputs?.findIndex((input) => input.link != null && (input.type === "IMAGE" || input.type === "*")) ?? -1;
}

function pictureOf(node) {
    return chosenFile(node) ?? executedPicture(node) ?? node.imgs?.[0]?.src ?? null;
}

/** What of a node names its picture. */
function pathWidget(node) {
    return node.widgets?.find((widget) => widget.name === "image" || widget.name === "picture");
}

/** The file that a node names, as Load Image does: "folder/name.png [output]". */
function chosenFile(node) {
    const value = pathWidget(node)?.value;
    if (typeof value !== "string") return null;
    const [, path, type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(value) ?? [];
    if (!path || !IS_PICTURE.test(path)) return null;
    const cut = path.lastIndexOf("/");
    return viewUrl({ filename: path.slice(cut + 1), subfolder: cut < 0 ? "" : path.slice(0, cut), type });
}

function executedPicture(node) {
    return shownFile(app.nodeOutputs?.[node.id]);
}

function shownFile(output) {
    const file = [...(output?.[DROPPED] ?? []), ...(output?.images ?? [])].find((entry) => IS_PICTURE.test(entry?.filename ?? ""));
    return file ? viewUrl(file) : null;
}

/**
 * Load a picture and decode it outside the page's busy thread.
 * @param {string} url
 * @param {number} width of the clip, 0: the picture's; a clip of another shape shows the middle of the picture, as the node does
 * @param {number} height
 * @returns {Promise<ImageBitmap>}
 */
export async function loadPicture(url, width = 0, height = 0) {
    const reply = await fetch(url);
    if (!reply.ok) throw new Error(`${reply.status} ${reply.statusText}`);
    const picture = await createImageBitmap(await reply.blob());
    const clip = [width || picture.width, height || picture.height];
    if (clip[0] * picture.height === clip[1] * picture.width) return picture;
    const scale = Math.min(picture.width / clip[0], picture.height / clip[1]);
    const [w, h] = clip.map((side) => Math.max(1, Math.round(side * scale)));
    return createImageBitmap(picture, Math.round((picture.width - w) / 2), Math.round((picture.height - h) / 2), w, h);
}
