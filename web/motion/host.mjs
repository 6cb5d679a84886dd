/**
 * Everything that the editor asks of ComfyUI's page, in one place. The rest of the editor knows no host.
 */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

export { api, app };

/** @returns {string} the language of the page, as its settings say: "en", "zh", "zh-TW" ... */
export function language() {
    return app.extensionManager?.setting?.get("Comfy.Locale") ?? app.ui?.settings?.getSettingValue?.("Comfy.Locale") ?? navigator.language ?? "en";
}

/** Whether the element lies in a node drawn by the page (Nodes 2.0), not over one drawn on the canvas. */
export function isInPageNode(element) {
    return element.closest(".lg-node, [data-node-id]") !== null;
}

/** Give the canvas a wheel turn or a middle drag that happened over the editor. */
export function forwardToCanvas(event) {
    const canvas = app.canvas;
    if (!canvas?.canvas) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.type === "wheel") {
        const { clientX, clientY, deltaX, deltaY, deltaMode, ctrlKey, metaKey, shiftKey, altKey } = event;
        canvas.canvas.dispatchEvent(
            new WheelEvent("wheel", { clientX, clientY, deltaX, deltaY, deltaMode, ctrlKey, metaKey, shiftKey, altKey, bubbles: true, cancelable: true }),
        );
        return;
    }
    canvas.canvas.dispatchEvent(new PointerEvent(event.type, event));
}

/** Change something of the graph so that the page's undo knows of it. */
export function asOneChange(change) {
    const canvas = app.canvas;
    canvas?.emitBeforeChange?.();
    try {
        change();
    } finally {
        canvas?.emitAfterChange?.();
    }
}

/** Let the canvas draw its nodes again. */
export function redrawGraph() {
    app.canvas?.setDirty?.(true, true);
}

/** Tell the person something in the page's corner. */
export function toast(severity, summary, detail) {
    app.extensionManager?.toast?.add?.({ severity, summary, detail, life: 5000 });
}

/**
 * Upload a picture to the host's input folder.
 * @param {File} file
 * @param {string} subfolder of it; empty: the folder itself, where Load Image lists it
 * @returns {Promise<{filename: string, subfolder: string, type: string}>}
 * @throws {Error} with the host's answer, if it refuses
 */
export async function uploadPicture(file, subfolder) {
    const form = new FormData();
    form.append("image", file, file.name || "picture.png");
    form.append("subfolder", subfolder);
    const reply = await api.fetchApi("/upload/image", { method: "POST", body: form });
    if (!reply.ok) throw new Error(`${reply.status} ${reply.statusText}`);
    const kept = await reply.json();
    return { filename: kept.name, subfolder: kept.subfolder ?? "", type: "input" };
}

/** @returns {string} where the host shows a file that it keeps */
export function viewUrl({ filename, subfolder = "", type = "input" }) {
    return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}
