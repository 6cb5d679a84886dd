/**
 * Small helpers that make the editor's elements: no framework, no strings of markup.
 */

const SVG = "http://www.w3.org/2000/svg";

/** The outlines of the icons, drawn on 24 x 24 with a round pen. */
const ICONS = {
    brush: "M20 4c-5 2-9 6-11 9l3 3c3-2 7-6 8-12ZM8.5 14.5c-2 0-3.5 1.5-3.5 3.5 0 1-.7 1.7-2 2 4 1 8 0 8.5-3",
    eraser: "M14 4l6 6-9 9H6l-3-3zM9 9l6 6M11 19h9",
    polygon: "M12 3l9 7-4 10H7L3 10z",
    rectangle: "M4 6h16v12H4z",
    ellipse: "M12 5c5 0 9 3 9 7s-4 7-9 7-9-3-9-7 4-7 9-7z",
    path: "M4 19c6 0 4-13 14-13M14 2l5 4-4 5",
    box: "M3 10h9v9H3zM12 14h3M14 5h7v7h-7zM15.5 14l-1.5 0",
    pin: "M9 3h6l-1 6 4 4H6l4-4zM12 13v8",
    pan: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
    select: "M5 3l14 8-6 2-3 6z",
    undo: "M8 5L4 9l4 4M4 9h10a5 5 0 0 1 0 10H9",
    redo: "M16 5l4 4-4 4M20 9H10a5 5 0 0 0 0 10h5",
    play: "M7 4l13 8-13 8z",
    pause: "M7 5h3v14H7zM14 5h3v14h-3z",
    eye: "M2 12c3-5 6-7 10-7s7 2 10 7c-3 5-6 7-10 7s-7-2-10-7zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
    hidden: "M2 12c3-5 6-7 10-7s7 2 10 7c-3 5-6 7-10 7s-7-2-10-7zM4 20L20 4",
    lock: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3",
    unlock: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 7-2",
    up: "M6 15l6-6 6 6",
    down: "M6 9l6 6 6-6",
    remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10 11v5M14 11v5",
    add: "M12 5v14M5 12h14",
    more: "M5 12h.01M12 12h.01M19 12h.01",
    expand: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
    shrink: "M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5",
    help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 18h.01M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20z",
    panel: "M3 5h18v14H3zM14 5v14M17 9h1M17 12h1",
    fit: "M4 8V4h4M20 8V4h-4M4 16v4h4M20 16v4h-4M9 9h6v6H9z",
    loop: "M17 3l3 3-3 3M20 6H8a4 4 0 0 0-4 4M7 21l-3-3 3-3M4 18h12a4 4 0 0 0 4-4",
    start: "M6 5v14M19 5l-9 7 9 7z",
    camera: "M3 7h4l2-3h6l2 3h4v12H3zM12 9.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z",
    check: "M5 12l5 5 9-10",
};

/**
 * Make an element.
 * @param {string} tag
 * @param {object} [options] `class`, `text`, `on` (listeners by event), `dataset`, `style`; anything else is an attribute
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElement}
 */
export function h(tag, options = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
        if (value === undefined || value === null || value === false) continue;
        if (name === "class") element.className = value;
        else if (name === "text") element.textContent = value;
        else if (name === "on") for (const [event, hear] of Object.entries(value)) element.addEventListener(event, hear);
        else if (name === "dataset") Object.assign(element.dataset, value);
        else if (name === "style") for (const [key, said] of Object.entries(value)) element.style.setProperty(key, said);
        else element.setAttribute(name, value === true ? "" : String(value));
    }
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return element;
}

/** @returns {SVGElement} one of the icons above; only to be looked at. */
export function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    svg.classList.add("smb-icon");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", ICONS[name] ?? "");
    svg.append(path);
    return svg;
}

/** Give a button another icon. */
export function setIcon(button, name) {
    button.querySelector("svg path")?.setAttribute("d", ICONS[name] ?? "");
}

/**
 * The page's undo takes Ctrl+Z before any element hears it, except from text fields, which have a history of their own.
 * So has this editor: its controls say the same of themselves. Only the property is shadowed; the attribute stays.
 */
export function hasOwnHistory(element) {
    Object.defineProperty(element, "type", { value: "textarea", configurable: true });
    return element;
}

/**
 * A button with an icon; its name is its label for screen readers and its tooltip.
 * @param {{icon?: string, name: string, text?: string, shortcut?: string, class?: string, press: (event: Event) => void}} options
 */
export function button({ icon: shape, name, text, shortcut, class: style = "", press, ...attributes }) {
    const tip = shortcut ? `${name} (${shortcut})` : name;
    const made = h(
        "button",
        { type: "button", class: `smb-button ${style}`, title: tip, "aria-label": name, on: { click: press }, ...attributes },
        shape ? icon(shape) : null,
        text ? h("span", { text }) : null,
    );
    return hasOwnHistory(made);
}

/** A button that is on or off. */
export function toggle({ pressed = false, ...options }) {
    return button({ ...options, "aria-pressed": String(pressed) });
}

export function setPressed(element, pressed) {
    element.setAttribute("aria-pressed", String(pressed));
}

let serial = 0;

/** @returns {string} an id that no other element of the page has. */
export function freshId(stem) {
    serial += 1;
    return `smb-${stem}-${serial}`;
}

/**
 * A slider beside a number field, both of one value.
 * @param {{name: string, min: number, max: number, step: number, value: number, unit?: string, tip?: string,
 *     input: (value: number) => void, change: (value: number) => void}} options
 *     `input` hears every step of a drag, `change` its end.
 */
export function slider({ name, min, max, step, value, unit = "", tip, input, change, key }) {
    const id = freshId("slider");
    const range = h("input", { type: "range", id, min, max, step, value, title: tip });
    const field = h("input", { type: "number", class: "smb-number", min, max, step, value: tidy(value), "aria-label": name });
    const clamp = (raw) => Math.min(max, Math.max(min, Number.isFinite(raw) ? raw : value));
    const show = (now) => {
        range.value = String(now);
        field.value = tidy(now);
        range.style.setProperty("--smb-filled", `${((now - min) / (max - min)) * 100}%`);
    };
    range.addEventListener("input", () => {
        field.value = tidy(range.valueAsNumber);
        range.style.setProperty("--smb-filled", `${((range.valueAsNumber - min) / (max - min)) * 100}%`);
        input(range.valueAsNumber);
    });
    range.addEventListener("change", () => change(range.valueAsNumber));
    range.addEventListener("dblclick", (event) => event.preventDefault());
    field.addEventListener("change", () => {
        const now = clamp(field.valueAsNumber);
        show(now);
        input(now);
        change(now);
    });
    show(value);
    const row = h(
        "div",
        { class: "smb-row", dataset: { control: key ?? name } },
        h("label", { for: id, class: "smb-label", text: name, title: tip }),
        range,
        field,
        unit ? h("span", { class: "smb-unit", text: unit }) : null,
    );
    hasOwnHistory(range);
    return Object.assign(row, { show });
}

/** A drop-down list: `options` are pairs of value and text. */
export function choice({ name, options, value, change, tip, key }) {
    const id = freshId("choice");
    const list = h(
        "select",
        { id, class: "smb-select", title: tip, on: { change: () => change(list.value) } },
        ...options.map(([said, text]) => h("option", { value: said, text })),
    );
    list.value = value;
    hasOwnHistory(list);
    const row = h("div", { class: "smb-row", dataset: { control: key ?? name } }, h("label", { for: id, class: "smb-label", text: name, title: tip }), list);
    return Object.assign(row, { show: (now) => (list.value = now) });
}

/** A box to tick. */
export function tick({ name, value, change, tip, key }) {
    const id = freshId("tick");
    const box = h("input", { type: "checkbox", id, title: tip, on: { change: () => change(box.checked) } });
    box.checked = value;
    hasOwnHistory(box);
    const row = h("div", { class: "smb-row smb-tick", dataset: { control: key ?? name } }, box, h("label", { for: id, text: name, title: tip }));
    return Object.assign(row, { show: (now) => (box.checked = now) });
}

/** A number as a person would write it. */
export function tidy(value, digits = 3) {
    return String(Number(value.toFixed(digits)));
}
