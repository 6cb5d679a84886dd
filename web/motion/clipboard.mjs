/**
 * Plans that come and go: clipboard, files, and the pictures and plans that are dropped or pasted.
 */

import { h } from "./elements.mjs";

/** Copy a text, also where the page may not use the clipboard directly. */
export async function copyText(text, root) {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        const field = h("textarea", { class: "smb-unseen", readonly: true });
        field.value = text;
        root.append(field);
        field.select();
        document.execCommand("copy");
        field.remove();
    }
}

/** @returns {Promise<string|null>} what the clipboard holds; null if the page may not look */
export async function pastedText() {
    try {
        return await navigator.clipboard.readText();
    } catch {
        return null;
    }
}

/** Let the person keep a text as a file. */
export function download(text, name, root) {
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = h("a", { href: url, download: name, class: "smb-unseen" });
    root.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Ask for one file. */
export function chooseFile(accept, root, take) {
    const input = h("input", { type: "file", accept, class: "smb-unseen", tabindex: -1 });
    input.addEventListener("change", () => {
        const [file] = input.files;
        input.remove();
        if (file) take(file);
    });
    root.append(input);
    input.click();
}

/** @returns {{picture: File|null, plan: File|null}} what of a drop or paste the editor can use */
export function usableFiles(transfer) {
    const files = [...(transfer?.files ?? [])];
    return {
        picture: files.find((file) => file.type.startsWith("image/")) ?? null,
        plan: files.find((file) => file.type === "application/json" || file.name.endsWith(".json")) ?? null,
    };
}
