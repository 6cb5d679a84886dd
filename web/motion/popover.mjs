/**
 * What opens over the editor: a menu, the list of shortcuts, and short messages.
 */

import { button, h } from "./elements.mjs";
import { TOOL_KEYS } from "./tools.mjs";

const MESSAGE_MILLISECONDS = 3500;
const KEYS = {
    helpTools: Object.entries(TOOL_KEYS).map(([tool, key]) => [[key], `tool_${tool}`]),
    helpPaint: [
        [["[", "]"], "helpRadius"],
        [["Alt"], "helpAlt"],
        [["Shift"], "helpShift"],
        [["Enter"], "helpEnter"],
        [["Esc"], "helpEscape"],
    ],
    helpCross: [
        [["\u2190\u2191\u2192\u2193"], "helpArrows"],
        [["Enter"], "helpPress"],
    ],
    helpTime: [
        [["Space"], "play"],
        [[",", "."], "helpFrame"],
        [["Home", "End"], "helpEnds"],
    ],
    helpEdit: [
        [["Ctrl+Z"], "undo"],
        [["Ctrl+Y"], "redo"],
        [["Ctrl+C", "Ctrl+V"], "helpCopy"],
        [["Ctrl+D"], "duplicate"],
        [["Del"], "remove"],
        [["1\u20269"], "helpNumber"],
    ],
    helpView: [
        [["+", "-", "0"], "helpZoom"],
        [["F"], "fullWindow"],
        [["M"], "panel"],
        [["?"], "help"],
    ],
};

/** Shows one thing at a time over the editor. */
export class Popover {
    constructor(root, text) {
        Object.assign(this, { root, text, open: null });
        this.message = h("div", { class: "smb-message", role: "alert", hidden: true });
        root.append(this.message);
        root.addEventListener("pointerdown", (event) => {
            if (this.open && !this.open.contains(event.target) && !this.opener.contains(event.target)) this.close();
        });
    }

    /** Open, or close if it is open, what belongs to a button. */
    toggle(opener, make) {
        const wasOpen = this.open !== null && this.opener === opener;
        this.close();
        if (wasOpen) return;
        this.opener = opener;
        this.open = make();
        this.open.classList.add("smb-popover");
        this.root.append(this.open);
        this.#place();
        opener.setAttribute("aria-expanded", "true");
        (this.open.querySelector("button, a") ?? this.open).focus({ preventScroll: true });
        this.open.addEventListener("keydown", (event) => this.#step(event));
        this.open.addEventListener("focusout", (event) => {
            if (event.relatedTarget && !this.open?.contains(event.relatedTarget)) this.close(false);
        });
    }

    #place() {
        const scale = this.root.getBoundingClientRect().width / this.root.clientWidth || 1;
        const [root, at] = [this.root.getBoundingClientRect(), this.opener.getBoundingClientRect()];
        const right = Math.max(8, (root.right - at.right) / scale);
        this.open.style.right = `${Math.min(right, Math.max(8, this.root.clientWidth - this.open.offsetWidth - 8))}px`;
        this.open.style.top = `${(at.bottom - root.top) / scale + 4}px`;
    }

    #step(event) {
        const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (!step) return;
        const items = [...this.open.querySelectorAll("button:not(:disabled)")];
        const at = items.indexOf(event.target);
        if (at < 0) return;
        event.preventDefault();
        event.stopPropagation();
        items[(at + step + items.length) % items.length].focus();
    }

    /** @returns {boolean} whether something was open */
    close(givesFocusBack = true) {
        if (!this.open) return false;
        const { open, opener } = this;
        this.open = null;
        const hadFocus = open.contains(open.getRootNode().activeElement);
        open.remove();
        opener.setAttribute("aria-expanded", "false");
        if (givesFocusBack && hadFocus) opener.focus({ preventScroll: true });
        return true;
    }

    /** Say something for a few seconds. */
    say(message) {
        clearTimeout(this.fading);
        this.message.hidden = !message;
        this.message.textContent = message;
        this.fading = setTimeout(() => (this.message.hidden = true), MESSAGE_MILLISECONDS);
    }
}

/** @returns {HTMLElement} entries of `[icon, key, press, isOff]`; null is a line */
export function menu(text, entries, close) {
    const items = entries.map((entry) => {
        if (!entry) return h("hr");
        const [icon, key, press, isOff] = entry;
        const act = () => {
            close();
            press();
        };
        return button({ icon, text: text(key), name: text(key), role: "menuitem", press: act, disabled: isOff });
    });
    return h("div", { class: "smb-menu", role: "menu", tabindex: -1 }, ...items);
}

/** @returns {HTMLElement} every shortcut */
export function shortcuts(text) {
    const parts = Object.entries(KEYS).flatMap(([title, rows]) => [
        h("h3", { text: text(title) }),
        h("dl", {}, ...rows.flatMap(([keys, what]) => [h("dt", {}, ...keys.flatMap((key) => [h("kbd", { text: key }), " "])), h("dd", { text: text(what) })])),
    ]);
    return h("div", { class: "smb-help", role: "dialog", "aria-label": text("help"), tabindex: -1 }, ...parts);
}

