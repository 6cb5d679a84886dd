/**
 * The panel beside the picture: the list of regions and boxes with the controls of the selected one, the camera, and the plan as a whole.
 */

import { button, freshId, h, hasOwnHistory, slider, tick } from "./elements.mjs";
import { Fields, itemControls } from "./item_panel.mjs";
import { addMove, addRegion, findMover, isBox, MOST_MOVERS, moversIn, nearestFirst, removeMover, reorder } from "./plan_model.mjs";

const PAGES = ["regions", "camera", "plan"];
const MOST_MOVES = 32;

export class Panel {
    /**
     * @param {{session: object, timeline: object, text: Function, actions: Record<string, () => void>}} parts `actions` for the plan's page
     */
    constructor(parts) {
        Object.assign(this, parts);
        this.page = "regions";
        this.shown = "";
        this.element = this.#build();
    }

    #build() {
        const { text } = this;
        this.body = h("div", { class: "smb-page", role: "tabpanel", id: freshId("page"), tabindex: -1 });
        this.tabs = PAGES.map((page) =>
            hasOwnHistory(
                h("button", {
                    type: "button",
                    class: "smb-tab",
                    role: "tab",
                    text: text(`${page}Page`),
                    "aria-controls": this.body.id,
                    dataset: { page },
                    on: { click: () => this.open(page), keydown: (event) => this.#tabKey(event) },
                }),
            ),
        );
        return h("aside", { class: "smb-panel", "aria-label": text("panel") }, h("div", { class: "smb-tabs", role: "tablist" }, ...this.tabs), this.body);
    }

    #tabKey(event) {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!step) return;
        event.preventDefault();
        event.stopPropagation();
        const next = PAGES[(PAGES.indexOf(this.page) + step + PAGES.length) % PAGES.length];
        this.open(next);
        this.tabs[PAGES.indexOf(next)].focus();
    }

    open(page) {
        this.page = page;
        this.show(true);
    }

    /**
     * Bring the panel up to date. Controls are made anew only if there are others to show, so that one in use keeps the focus.
     */
    show(isForced = false) {
        const layout = this.#layout();
        for (const tab of this.tabs) {
            const isOpen = tab.dataset.page === this.page;
            tab.setAttribute("aria-selected", String(isOpen));
            tab.tabIndex = isOpen ? 0 : -1;
        }
        if (!isForced && layout === this.shown) return;
        this.shown = layout;
        const focus = this.#focused();
        const scrolled = this.body.scrollTop;
        this.body.replaceChildren(...this.#pages[this.page]());
        this.body.scrollTop = scrolled;
        this.#refocus(focus);
    }

    /** A text that changes with everything that the page shows. */
    #layout() {
        const { plan, selected } = this.session;
        if (this.page === "camera") return `camera${JSON.stringify(plan.camera)}`;
        if (this.page === "plan") return `plan${plan.seed}${plan.anchors}${this.timeline.lastFrame}`;
        const { shapes: _shapes, ...item } = this.session.item ?? {};
        const listed = nearestFirst(plan).map(({ id, name, color, hidden, locked, pinned, z }) => [id, name, color, hidden, locked, pinned, z]);
        return `regions${selected}${JSON.stringify([listed, item.motion, item])}`;
    }

    #focused() {
        const active = this.body.getRootNode().activeElement;
        if (!active || !this.body.contains(active)) return null;
        const row = active.closest("[data-control]")?.dataset.control;
        const inputs = row ? [...this.body.querySelectorAll(`[data-control="${row}"] :is(input, select, button)`)] : [];
        return { label: active.getAttribute("aria-label"), row, index: inputs.indexOf(active) };
    }

    #refocus(focus) {
        if (!focus) return;
        const inRow = focus.row ? [...this.body.querySelectorAll(`[data-control="${focus.row}"] :is(input, select, button)`)][Math.max(0, focus.index)] : null;
        const named = focus.label ? [...this.body.querySelectorAll("[aria-label]")].find((element) => element.getAttribute("aria-label") === focus.label) : null;
        (inRow ?? named ?? this.body).focus({ preventScroll: true });
    }

    #pages = {
        regions: () => [this.#list(), this.#listButtons(), ...this.#itemControls()],
        camera: () => this.#camera(),
        plan: () => this.#plan(),
    };

    #itemControls() {
        const { session, timeline, text } = this;
        if (!session.item) return [h("p", { class: "smb-note", text: text(moversIn(session.plan).length ? "selectNote" : "emptyNote") })];
        const find = (id) => findMover(session.plan, id);
        return itemControls({ session, timeline, text, find, lastFrame: () => timeline.lastFrame }, session.item);
    }

    #list() {
        const { session, text } = this;
        const list = h("ul", { class: "smb-list", role: "listbox", "aria-label": text("list") });
        list.append(...nearestFirst(session.plan).map((item) => this.#row(item)));
        return list;
    }

    /** The name of a region or box, given or by its place. */
    nameOf(item) {
        if (item.name) return item.name;
        const { plan } = this.session;
        const index = (isBox(item) ? plan.boxes : plan.regions).indexOf(item) + 1;
        return this.text(isBox(item) ? "boxNumber" : item.pinned ? "pinNumber" : "regionNumber", { number: index });
    }

    #row(item) {
        const { session, text } = this;
        const { id } = item;
        const name = this.nameOf(item);
        const change = (how) => session.edit((plan) => how(findMover(plan, id)));
        const color = hasOwnHistory(h("input", { type: "color", "aria-label": text("colorOf", { name }), title: text("color"), value: item.color }));
        color.value = item.color;
        color.addEventListener("change", () => change((now) => (now.color = color.value)));
        const field = h("input", { class: "smb-name", "aria-label": text("nameOf", { name }), placeholder: name, maxlength: 100, spellcheck: "false" });
        field.value = item.name;
        field.addEventListener("focus", () => session.select(id));
        field.addEventListener("change", () => change((now) => (now.name = field.value.trim().slice(0, 100))));
        field.addEventListener("keydown", (event) => event.key === "Enter" && field.blur());
        const row = h(
            "li",
            {
                class: `smb-item${item.hidden ? " smb-is-hidden" : ""}`,
                role: "option",
                tabindex: 0,
                "aria-selected": String(session.selected === id),
                "aria-label": name,
                dataset: { id, control: `item-${id}` },
                on: { click: () => session.select(id), keydown: (event) => this.#rowKey(event, id) },
            },
            h("span", { class: "smb-swatch", style: { background: item.color } }, color),
            field,
            this.#small("eye", item.hidden ? "show" : "hide", () => change((now) => (now.hidden = !now.hidden)), item.hidden ? "hidden" : "eye", item.hidden),
            this.#small("lock", item.locked ? "unlock" : "lock", () => change((now) => (now.locked = !now.locked)), item.locked ? "lock" : "unlock", item.locked),
            this.#small("up", "nearer", () => session.edit((plan) => reorder(plan, id, -1))),
            this.#small("down", "farther", () => session.edit((plan) => reorder(plan, id, 1))),
        );
        return hasOwnHistory(row);
    }

    #small(shape, key, press, shown = shape, isOn = false) {
        const act = (event) => {
            event.stopPropagation();
            press();
        };
        return button({ icon: shown, name: this.text(key), class: `smb-small${isOn ? " smb-is-on" : ""}`, press: act });
    }

    #rowKey(event, id) {
        if (event.target.matches("input, button")) return;
        const { session } = this;
        const order = nearestFirst(session.plan).map((item) => item.id);
        const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (step && event.altKey) session.edit((plan) => reorder(plan, id, step));
        else if (step) this.#selectRow(order[order.indexOf(id) + step]);
        else if (event.key === "Enter" || event.key === " ") this.#selectRow(id);
        else if (event.key === "F2") event.currentTarget.querySelector(".smb-name").focus();
        else return;
        event.preventDefault();
        event.stopPropagation();
    }

    #selectRow(id) {
        if (!id) return;
        this.session.select(id);
        this.body.querySelector(`.smb-item[data-id="${CSS.escape(id)}"]`)?.focus();
    }

    #listButtons() {
        const { session, text, actions } = this;
        const isFull = moversIn(session.plan).length >= MOST_MOVERS;
        const add = () => session.select(session.edit((plan) => addRegion(plan)).id);
        const remove = () => session.edit((plan) => removeMover(plan, session.selected));
        return h(
            "div",
            { class: "smb-buttons" },
            button({ icon: "add", text: text("newRegion"), name: text("newRegion"), class: "smb-filled", press: add, disabled: isFull }),
            button({ name: text("duplicate"), text: text("duplicate"), class: "smb-filled", press: actions.duplicate, disabled: !session.item || isFull }),
            button({ icon: "remove", name: text("remove"), class: "smb-filled smb-danger", press: remove, disabled: !session.item }),
        );
    }

    #camera() {
        const { session, text } = this;
        const isFull = session.plan.camera.length >= MOST_MOVES;
        const add = (type) => button({ icon: "add", name: text(`camera_${type}`), text: text(`camera_${type}`), class: "smb-filled", disabled: isFull, press: () => session.edit((plan) => addMove(plan, type)) });
        return [
            h("div", { class: "smb-buttons" }, ...["pan", "zoom", "roll"].map(add)),
            ...session.plan.camera.map((move, index) => this.#move(move, index)),
            session.plan.camera.length ? null : h("p", { class: "smb-note", text: text("cameraNote") }),
        ].filter(Boolean);
    }

    #move(move, index) {
        const { session, text, timeline } = this;
        const fields = new Fields(this, `camera${index}`, () => session.plan.camera[index]);
        const swap = (by) =>
            session.edit(({ camera }) => {
                const to = Math.min(camera.length - 1, Math.max(0, index + by));
                camera.splice(to, 0, ...camera.splice(index, 1));
            });
        const own = {
            pan: () => [fields.slider("x", { min: -1, max: 1, step: 0.01, label: "panX" }), fields.slider("y", { min: -1, max: 1, step: 0.01, label: "panY" })],
            zoom: () => [fields.slider("factor", { min: 0.25, max: 4, step: 0.01 }), ...this.#center(move, index)],
            roll: () => [fields.slider("degrees", { min: -180, max: 180, step: 1 }), ...this.#center(move, index)],
        }[move.type]();
        const rows = [...own, ...fields.times("start", "end", timeline.lastFrame), fields.easing()];
        const title = text("moveNumber", { number: index + 1, kind: text(`camera_${move.type}`) });
        for (const row of rows) for (const tagged of [row, ...row.querySelectorAll("[data-control]")]) if (tagged.dataset.control) tagged.dataset.control = `${index}.${tagged.dataset.control}`;
        return h(
            "section",
            { class: "smb-move", "aria-label": title },
            h(
                "div",
                { class: "smb-heading" },
                h("span", { text: title }),
                h("span", { class: "smb-gap" }),
                this.#small("up", "earlier", () => swap(-1)),
                this.#small("down", "later", () => swap(1)),
                this.#small("remove", "removeMove", () => session.edit(({ camera }) => camera.splice(index, 1))),
            ),
            ...rows,
        );
    }

    /** The two numbers of a centre. */
    #center(move, index) {
        const { session, text } = this;
        return ["centerX", "centerY"].map((key, axis) => {
            const set = (value, isFinal) => {
                session.plan.camera[index].center[axis] = value;
                if (isFinal) session.commit(`camera${index}.${key}`);
                else session.touch();
            };
            return slider({ name: text(key), tip: text(`${key}Tip`), key, min: 0, max: 1, step: 0.01, value: move.center[axis], input: (value) => set(value, false), change: (value) => set(value, true) });
        });
    }

    #plan() {
        const { session, text, actions } = this;
        const act = (key) => button({ name: text(key), text: text(key), class: "smb-filled", press: actions[key] });
        const seed = new Fields(this, "plan", () => session.plan);
        const number = h("input", { type: "number", class: "smb-number", min: 0, max: 4294967295, step: 1, "aria-label": text("seed") });
        number.value = session.plan.seed;
        number.addEventListener("change", () => seed.set("seed", Math.min(4294967295, Math.max(0, Math.round(number.valueAsNumber) || 0)), true));
        return [
            tick({ name: text("anchors"), tip: text("anchorsTip"), key: "anchors", value: session.plan.anchors, change: (value) => seed.set("anchors", value, true) }),
            h("div", { class: "smb-row", dataset: { control: "seed" } }, h("span", { class: "smb-label", text: text("seed"), title: text("seedTip") }), number),
            h("div", { class: "smb-heading", text: text("planHeading") }),
            h("div", { class: "smb-buttons" }, ...["copyPlan", "pastePlan", "exportPlan", "importPlan", "resetPlan"].map(act)),
            h("div", { class: "smb-heading", text: text("pictureHeading") }),
            h("div", { class: "smb-buttons" }, act("choosePicture")),
            h("p", { class: "smb-note", text: text("pictureNote") }),
        ];
    }
}
