/**
 * The motion brush editor: bar, stage, panel and timeline around one session. It knows no host; widget.mjs puts it into a node.
 */

import { chooseFile, copyText, download, pastedText, usableFiles } from "./clipboard.mjs";
import { button, h, setIcon, setPressed, slider, toggle } from "./elements.mjs";
import { keyHandler } from "./keys.mjs";
import { boxMoves } from "./maths.mjs";
import { measurePaint, measurePlay } from "./measure.mjs";
import { Panel } from "./panel.mjs";
import { duplicateMover, isBox, isEmpty, moversIn, PlanError, removeMover, writePlan } from "./plan_model.mjs";
import { menu, Popover, shortcuts } from "./popover.mjs";
import { Preview } from "./preview.mjs";
import { Stage } from "./stage.mjs";
import { Timeline } from "./timeline.mjs";
import { TOOL_KEYS } from "./tools.mjs";

const NARROW = 620; // CSS pixels of width under which the panel folds
const PENS = new Set(["brush", "eraser", "pin"]);
const PAINTERS = new Set(["brush", "polygon", "rectangle", "ellipse"]);
const HINTS = { polygon: "hintPolygon", path: "hintPath", box: "hintBox", eraser: "hintEraser", pin: "hintPin" };

export class Editor {
    /**
     * @param {{session: object, text: (key: string, values?: object) => string, frames: () => number, rate: () => number,
     *     change: (plan: string) => void, takePicture: (file: File) => Promise<void>, forward: (event: Event) => void, name?: string}} options
     *     `change` hears every new plan; `takePicture` a dropped picture; `forward` a wheel or middle drag that is not the editor's
     */
    constructor(options) {
        Object.assign(this, options);
        this.isFull = false;
        this.isFolded = false;
        this.ends = new AbortController();
        this.preview = new Preview(() => this.stage?.schedule());
        const { session, text } = this;
        const say = (key, values) => this.say(key, values);
        this.timeline = new Timeline({ text, frames: this.frames, rate: this.rate, moved: () => this.stage?.schedule(), played: () => this.#played() });
        this.stage = new Stage({ session, preview: this.preview, timeline: this.timeline, text, say });
        this.panel = new Panel({ session, timeline: this.timeline, text, actions: this.#actions() });
        this.element = this.#build();
        this.popover = new Popover(this.element, text);
        this.keys = keyHandler(this);
        this.#listen();
        this.#showAll();
    }

    #build() {
        const { text } = this;
        const tool = (name) => toggle({ icon: name, name: text(`tool_${name}`), shortcut: TOOL_KEYS[name], press: () => this.session.setTool(name), "data-tool": name });
        this.toolButtons = Object.keys(TOOL_KEYS).map(tool);
        this.undoButton = button({ icon: "undo", name: text("undo"), shortcut: "Ctrl+Z", press: () => this.session.undo() });
        this.redoButton = button({ icon: "redo", name: text("redo"), shortcut: "Ctrl+Y", press: () => this.session.redo() });
        this.panelButton = toggle({ icon: "panel", name: text("panel"), shortcut: "M", press: () => this.fold(!this.isFolded), pressed: true });
        this.fullButton = button({ icon: "expand", name: text("fullWindow"), shortcut: "F", press: () => this.toggleFull() });
        this.moreButton = button({ icon: "more", name: text("more"), press: () => this.#openMenu(), "aria-haspopup": "menu" });
        const fit = button({ icon: "fit", name: text("fit"), shortcut: "0", class: "smb-wide-only", press: () => this.stage.fit() });
        this.helpButton = button({ icon: "help", name: text("help"), shortcut: "?", class: "smb-wide-only", press: () => this.openHelp() });
        this.barEnd = h("span", { class: "smb-gap" });
        this.bar = h(
            "div",
            { class: "smb-bar", role: "toolbar", "aria-label": text("tools") },
            h("div", { class: "smb-tools", role: "group", "aria-label": text("tools") }, ...this.toolButtons),
            h("span", { class: "smb-split" }),
            this.undoButton,
            this.redoButton,
            this.barEnd,
            fit,
            this.helpButton,
            this.panelButton,
            this.fullButton,
            this.moreButton,
        );
        this.emptyHint = h(
            "div",
            { class: "smb-empty", hidden: true },
            h("p", { text: text("noPicture") }),
            button({ name: text("choosePicture"), text: text("choosePicture"), press: () => this.choosePicture() }),
        );
        this.stage.element.append(this.emptyHint);
        return h(
            "div",
            { class: "smb-editor", role: "application", "aria-label": text("editor"), dataset: { captureWheel: "true", testid: "spacetime-motion-brush" } },
            this.bar,
            this.stage.element,
            this.panel.element,
            this.timeline.element,
        );
    }

    #actions() {
        const names = ["duplicate", "copyPlan", "pastePlan", "exportPlan", "importPlan", "resetPlan", "choosePicture"];
        return Object.fromEntries(names.map((name) => [name, () => this[name]()]));
    }

    #listen() {
        const { session, element } = this;
        const hear = (kind, act) => session.addEventListener(kind, act, { signal: this.ends.signal });
        hear("plan", () => this.#planChanged());
        hear("commit", () => {
            this.panel.show();
            this.change(session.text);
        });
        hear("select", () => {
            this.panel.show();
            this.#showBars();
            this.#showTool();
        });
        hear("tool", () => this.#showTool());
        element.addEventListener("keydown", (event) => this.keys(event));
        element.addEventListener("keyup", (event) => event.stopPropagation());
        element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
        for (const type of ["pointerdown", "pointermove", "pointerup"]) element.addEventListener(type, (event) => this.#middle(event));
        element.addEventListener("contextmenu", (event) => event.stopPropagation());
        element.addEventListener("dblclick", (event) => event.stopPropagation());
        for (const type of ["dragenter", "dragover", "dragleave", "drop"]) element.addEventListener(type, (event) => this.#dragged(event));
        for (const type of ["copy", "cut", "paste"]) element.addEventListener(type, (event) => this.#clipboard(event));
        this.resizes = new ResizeObserver(() => this.#fitWidth());
        this.resizes.observe(element);
    }

    /** Stop everything that goes on by itself. */
    destroy() {
        this.ends.abort();
        this.timeline.pause();
        this.preview.work.stop();
        this.closeFull();
        this.resizes.disconnect();
    }

    /* Showing. */

    #planChanged() {
        const { session } = this;
        this.preview.setPlan(session.plan);
        this.stage.schedule();
        this.undoButton.disabled = !session.history.canUndo;
        this.redoButton.disabled = !session.history.canRedo;
        this.#showBars();
        this.#showEmpty();
        this.#showTool();
    }

    #showAll() {
        this.#planChanged();
        this.panel.show(true);
        this.#fitWidth();
    }

    #played() {
        this.session.isPlayed = true;
        this.#showTool();
    }

    /** When what is selected moves. */
    #showBars() {
        const { item } = this.session;
        const { start, end } = item?.motion ?? {};
        const bars = !item || item.pinned ? [] : [{ from: start ?? item.start_time, to: end ?? item.end_time, color: item.color }];
        const layout = JSON.stringify(bars);
        if (layout === this.bars) return;
        this.bars = layout;
        this.timeline.showBars(bars);
    }

    #showTool() {
        const { session, text } = this;
        for (const made of this.toolButtons) setPressed(made, made.dataset.tool === session.tool);
        this.toolButtons.find((made) => made.dataset.tool === session.tool)?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
        const isPen = PENS.has(session.tool);
        this.stage.options.hidden = !isPen;
        if (isPen) this.#showRadius();
        this.#showHint();
        this.stage.schedule();
    }

    #showHint() {
        const [key, values] = this.#hint();
        this.stage.showHint(key ? this.text(key, values) : null);
        const next = { hintWay: this.toolButtons.find((made) => made.dataset.tool === "path"), hintPlay: this.timeline.play }[key];
        for (const made of [...this.toolButtons, this.timeline.play]) made.classList.toggle("smb-next", made === next);
    }

    /** The key of what to say, and its values: what is wrong with the plan, or what somebody new may not know; empty: nothing. */
    #hint() {
        const { session, preview } = this;
        const { plan, tool, item } = session;
        if (session.fault) return ["fault", { fault: session.fault }];
        const needsWay = Boolean(item?.motion && item.shapes.length && !item.pinned && !item.motion.path && item.motion.direction === null);
        const isNew = { path: needsWay || !item, box: !plan.boxes.length, pin: !plan.regions.some((region) => region.pinned), polygon: true, eraser: true };
        if (PAINTERS.has(tool) && needsWay) return ["hintWay"];
        if (tool === "box" && isBox(item) && !boxMoves(item)) return ["dragBoxEnd"];
        if (isNew[tool]) return [HINTS[tool]];
        if (PAINTERS.has(tool) && isEmpty(plan)) return ["hintStart"];
        if (PAINTERS.has(tool) && item && !session.isChanged) return ["hintJoin", { name: this.panel.nameOf(item) }];
        if (!session.isPlayed && (preview.hasCamera || preview.movers.some((mover) => mover.moves))) return ["hintPlay"];
        return [];
    }

    #showRadius() {
        const { session, text } = this;
        this.radius ??= slider({
            name: text("radius"),
            key: "radius",
            tip: text("radiusTip"),
            min: 0.5,
            max: 30,
            step: 0.5,
            value: session.radius * 100,
            input: (value) => session.setRadius(value / 100),
            change: () => {},
        });
        if (!this.radius.isConnected) this.stage.options.replaceChildren(this.radius);
        const range = this.radius.querySelector("input[type=range]");
        if (Math.abs(range.valueAsNumber - session.radius * 100) > 0.01) this.radius.show(session.radius * 100);
    }

    #showEmpty() {
        this.emptyHint.hidden = this.hasPicture || !isEmpty(this.session.plan);
    }

    #fitWidth() {
        const { width } = this.element.getBoundingClientRect();
        const scale = this.element.clientWidth ? width / this.element.clientWidth : 1;
        const isNarrow = this.element.clientWidth > 0 && this.element.clientWidth < NARROW;
        const layout = isNarrow ? "narrow" : "wide";
        if (this.element.dataset.width !== layout) {
            this.element.dataset.width = layout;
            if (isNarrow) this.stage.element.append(this.stage.options);
            else this.barEnd.before(this.stage.options);
            this.fold(isNarrow);
        }
        if (scale > 0) this.stage.resize();
    }

    /** Hide or show the panel. */
    fold(isFolded) {
        this.isFolded = isFolded;
        this.panel.element.hidden = isFolded;
        setPressed(this.panelButton, !isFolded);
    }

    /** Say something to the person. */
    say(key, values) {
        this.popover.say(this.text(key, values));
    }

    /** Another picture; null: none. */
    setPicture(bitmap, width, height) {
        this.hasPicture = Boolean(bitmap);
        const { view } = this.stage;
        view.picture = { width: bitmap?.width ?? width ?? 832, height: bitmap?.height ?? height ?? 480 };
        this.preview.setPicture(bitmap, view.picture.width, view.picture.height);
        this.stage.forgetColors();
        this.#showEmpty();
        this.stage.schedule();
    }

    /* The full window. */

    toggleFull() {
        if (this.isFull) this.closeFull();
        else this.openFull();
    }

    openFull() {
        const { element, text } = this;
        this.home = element.parentElement;
        this.away = h("div", { class: "smb-away", text: text("isAway") });
        this.dialog = h("dialog", { class: "smb-dialog", "aria-label": text("editor") }, element);
        this.home?.append(this.away);
        this.dialog.addEventListener("cancel", (event) => {
            event.preventDefault();
            if (!this.popover.close() && !this.stage.cancel()) this.closeFull();
        });
        this.dialog.addEventListener("close", () => this.closeFull());
        for (const type of ["wheel", "pointerdown", "keydown"]) this.dialog.addEventListener(type, (event) => event.stopPropagation());
        document.body.append(this.dialog);
        this.isFull = true;
        this.dialog.showModal();
        this.#showFull();
    }

    closeFull() {
        if (!this.isFull) return;
        this.isFull = false;
        this.popover.close(false);
        this.home?.append(this.element);
        this.away.remove();
        this.dialog.remove();
        this.#showFull();
    }

    #showFull() {
        setIcon(this.fullButton, this.isFull ? "shrink" : "expand");
        const name = this.text(this.isFull ? "leaveFullWindow" : "fullWindow");
        this.fullButton.title = `${name} (F)`;
        this.fullButton.setAttribute("aria-label", name);
        this.#fitWidth();
        this.stage.keys.focus({ preventScroll: true });
    }

    /* Wheel and middle button: the canvas's, unless the editor is in use. */

    get isInUse() {
        return this.isFull || this.element.contains(this.element.getRootNode().activeElement);
    }

    #wheel(event) {
        if (!this.isInUse) return this.forward(event);
        event.stopPropagation();
        const isOnStage = event.target === this.stage.canvas;
        if (isOnStage || event.ctrlKey || event.metaKey) event.preventDefault();
        if (isOnStage) this.stage.wheel(event);
    }

    #middle(event) {
        const isMiddle = event.type === "pointermove" ? (event.buttons & 4) === 4 : event.button === 1;
        if (!isMiddle) return;
        const isOurs = this.isInUse && event.target === this.stage.canvas;
        if (!isOurs && !this.middleAt) return this.forward(event);
        this.#middlePan(event);
    }

    #middlePan(event) {
        event.preventDefault();
        const scale = this.stage.canvas.getBoundingClientRect().width / this.stage.view.stage.width || 1;
        if (event.type === "pointerdown") this.stage.canvas.setPointerCapture(event.pointerId);
        else if (this.middleAt) this.stage.view.moveBy((event.clientX - this.middleAt[0]) / scale, (event.clientY - this.middleAt[1]) / scale);
        this.middleAt = event.type === "pointerup" ? null : [event.clientX, event.clientY];
        this.stage.schedule();
    }

    /* Plans and pictures that come and go. */

    #dragged(event) {
        if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
        event.preventDefault();
        event.stopPropagation();
        this.stage.element.classList.toggle("smb-dropping", event.type === "dragenter" || event.type === "dragover");
        if (event.type === "drop") this.#take(usableFiles(event.dataTransfer));
    }

    #clipboard(event) {
        event.stopPropagation();
        if (event.target.matches?.("input") || event.target !== this.stage.keys) return;
        event.preventDefault();
        if (event.type === "copy") {
            event.clipboardData.setData("text/plain", writePlan(this.session.plan, 1));
            this.say("copied");
        } else if (event.type === "paste") {
            const files = usableFiles(event.clipboardData);
            if (files.picture || files.plan) this.#take(files);
            else this.replace(event.clipboardData.getData("text/plain"));
        }
    }

    async #take({ picture, plan }) {
        if (picture) await this.takePicture(picture);
        else if (plan) this.replace(await plan.text());
        else this.say("notUsable");
    }

    /** Take a plan from outside, or say why not. */
    replace(plan) {
        try {
            this.session.replace(plan);
        } catch (error) {
            if (!(error instanceof PlanError)) throw error;
            this.say("refused", { fault: error.message });
        }
    }

    async copyPlan() {
        await copyText(writePlan(this.session.plan, 1), this.element);
        this.say("copied");
    }

    async pastePlan() {
        const plan = await pastedText();
        if (plan === null) this.say("pasteByKey");
        else this.replace(plan);
        this.stage.keys.focus({ preventScroll: true });
    }

    exportPlan() {
        download(`${writePlan(this.session.plan, 1)}\n`, "motion_plan.json", this.element);
    }

    importPlan() {
        chooseFile(".json,application/json", this.element, async (file) => this.replace(await file.text()));
    }

    resetPlan() {
        this.session.replace("");
        this.say("wasReset");
    }

    choosePicture() {
        chooseFile("image/*", this.element, (file) => this.takePicture(file));
    }

    duplicate() {
        const copy = this.session.edit((plan) => duplicateMover(plan, this.session.selected));
        if (copy) this.session.select(copy.id);
    }

    remove() {
        const { session } = this;
        if (session.item?.locked) this.say("isLocked");
        else if (session.item) session.edit((plan) => removeMover(plan, session.selected));
    }

    selectNumber(number) {
        const item = moversIn(this.session.plan)[number - 1];
        if (item) this.session.select(item.id);
    }

    #openMenu() {
        const { text, session } = this;
        const close = () => this.popover.close();
        const entries = [
            ["fit", "fit", () => this.stage.fit()],
            ["help", "help", () => this.openHelp()],
            null,
            [null, "copyPlan", () => this.copyPlan()],
            [null, "pastePlan", () => this.pastePlan()],
            [null, "exportPlan", () => this.exportPlan()],
            [null, "importPlan", () => this.importPlan()],
            null,
            [null, "choosePicture", () => this.choosePicture()],
            ["remove", "resetPlan", () => this.resetPlan(), isEmpty(session.plan)],
        ];
        this.popover.toggle(this.moreButton, () => menu(text, entries, close));
    }

    openHelp() {
        const opener = this.element.dataset.width === "narrow" ? this.moreButton : this.helpButton;
        this.popover.toggle(opener, () => shortcuts(this.text));
    }

    /** For benchmarks: pictures a second of the preview as it plays in the page. */
    measurePlay(seconds = 2) {
        return measurePlay(this, seconds);
    }

    /** For benchmarks: the page's tasks over 50 ms while the brush paints for some seconds. */
    measurePaint(seconds = 2) {
        return measurePaint(this, seconds);
    }
}
