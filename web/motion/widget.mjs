/**
 * The editor as the widget of a node: its value is the plan's text. It is built when it is first shown, and what the person was doing
 * outlives the node, since the page makes all nodes anew when it undoes a change of the graph.
 */

import { Editor } from "./editor.mjs";
import { h } from "./elements.mjs";
import { asOneChange, forwardToCanvas, isInPageNode, language, redrawGraph, toast, uploadPicture } from "./host.mjs";
import { choosePicture, keepDropped, loadPicture, pictureChooser, pictureSource } from "./picture.mjs";
import { emptyPlan, isEmpty, readPlan, writePlan } from "./plan_model.mjs";
import { Session } from "./session.mjs";
import { loadText } from "./text.mjs";

export const WIDGET_TYPE = "SPACETIME_MOTION_EDITOR";
const SIZE = { width: 760, height: 740 };
const LEAST_HEIGHT = 360;
const LOOK_MILLISECONDS = 700; // between looks for another picture
const GIVE_WAY_MILLISECONDS = 50;
const FRAMES = ["frames", "length"];
const RATES = ["fps", "frame_rate"];
const STYLE = new URL("./editor.css", import.meta.url).href;

/** What people were doing, by node. */
const desks = new Map();

/** The editors' places of all nodes that are in a graph. */
const holders = new Set();

/** Make the widget; the page calls this for each new node. */
export function addEditor(node, name) {
    loadStyle();
    const holder = new EditorHolder(node);
    const widget = node.addDOMWidget(name, WIDGET_TYPE, holder.shell, {
        getValue: () => holder.value,
        setValue: (value) => holder.setValue(value),
        getMinHeight: () => LEAST_HEIGHT,
        hideOnZoom: false,
        margin: 6,
    });
    holder.widget = widget;
    const { onAdded, onRemoved, onExecuted } = node;
    node.onAdded = function added(...rest) {
        holders.add(holder);
        return onAdded?.apply(this, rest);
    };
    node.onRemoved = function removed(...rest) {
        holder.destroy();
        return onRemoved?.apply(this, rest);
    };
    node.onExecuted = function executed(output, ...rest) {
        const done = onExecuted?.call(this, output, ...rest);
        holder.executed(output);
        return done;
    };
    return { widget, minWidth: SIZE.width, minHeight: SIZE.height };
}

function loadStyle() {
    if (document.querySelector(`link[href="${STYLE}"]`)) return;
    document.head.append(h("link", { rel: "stylesheet", href: STYLE }));
}

/** A place in the node for the editor, which is not there before it is seen. */
class EditorHolder {
    constructor(node) {
        this.node = node;
        this.value = writePlan(emptyPlan()); // the default of the node's text field is an example for those who write by hand
        this.editor = null;
        this.shown = undefined;
        this.shell = h("div", { class: "smb-shell", dataset: { captureWheel: "true" } });
        this.sizes = new ResizeObserver(() => this.#appear());
        this.sizes.observe(this.shell);
    }

    /** By which the person's desk is found again. */
    #findKey() {
        const { graph, id } = this.node;
        return graph?.isRootGraph === false ? `${graph.id}/${id}` : `${id}`; // the page gives a graph without an id a new one when it undoes
    }

    /** The graph gives a value: loaded, copied, undone, or set by somebody. */
    setValue(value) {
        this.value = typeof value === "string" ? value : "";
        this.editor?.session.load(this.value);
    }

    async #appear() {
        if (this.building || !this.shell.clientWidth) return;
        this.building = true;
        const text = await loadText(language());
        if (this.isDestroyed) return;
        this.#build(text);
        this.look();
        this.looking = setInterval(() => this.shell.isConnected && this.look(), LOOK_MILLISECONDS);
    }

    #build(text) {
        this.key = this.#findKey();
        const kept = this.#desk();
        const session = kept?.session ?? new Session(this.value);
        session.load(this.value);
        this.editor = new Editor({
            session,
            text,
            frames: () => this.#number(FRAMES, 81),
            rate: () => this.#number(RATES, 16),
            change: (plan) => this.#changed(plan),
            takePicture: (file) => this.#takePicture(file),
            forward: (event) => isInPageNode(this.shell) && event.type === "wheel" ? undefined : forwardToCanvas(event),
        });
        this.shell.append(this.editor.element);
        this.#resume(kept);
    }

    /** What the person was doing here; not for another node that only has the same number. */
    #desk() {
        const kept = desks.get(this.key);
        return kept?.session.history.steps.includes(this.value) && !isEmpty(readPlan(this.value)) ? kept : null;
    }

    /** Go on where the person was before the page made this node anew. */
    #resume(kept) {
        const { editor } = this;
        this.shell.spacetimeEditor = editor; // for benchmarks and tests
        if (kept) {
            Object.assign(editor.stage.view, { zoom: kept.zoom, shift: kept.shift });
            editor.timeline.seek(kept.time);
            editor.panel.open(kept.page);
            if (kept.isFull) editor.openFull();
            else if (kept.hadFocus) editor.stage.keys.focus({ preventScroll: true });
        }
        editor.stage.resize();
    }

    #changed(plan) {
        asOneChange(() => {
            this.value = plan;
            this.widget.callback?.(plan);
        });
        redrawGraph();
    }

    /** The number in one of the node's own fields. */
    #number(names, otherwise) {
        const value = this.node.widgets?.find((widget) => names.includes(widget.name))?.value;
        return Number.isFinite(value) && value > 0 ? value : otherwise;
    }

    /* The picture. */

    executed(output) {
        this.node.spacetimeShown = output;
        this.look();
    }

    /** Show another picture if there is another one to show, and the clip's length if it changed. */
    async look() {
        const { editor, node } = this;
        if (!editor) return;
        if (this.frames !== this.#number(FRAMES, 81)) {
            this.frames = this.#number(FRAMES, 81);
            editor.timeline.show();
        }
        const source = pictureSource(node);
        const size = { width: this.#number(["width"], 0), height: this.#number(["height"], 0) };
        const key = `${source?.key ?? ""} ${size.width}x${size.height}`;
        if (key === this.shown) return;
        this.shown = key;
        await this.#show(source, size);
    }

    async #show(source, { width, height }) {
        const { shown } = this;
        let bitmap = null;
        try {
            bitmap = source ? await loadPicture(source.url, width, height) : null;
        } catch (error) {
            console.warn(`Spacetime Motion Brush: could not load ${source.url}: ${error.message}`);
        }
        if (shown !== this.shown || this.isDestroyed) return;
        this.editor.setPicture(bitmap, width || 832, height || 480);
    }

    async #takePicture(file) {
        const { editor, node } = this;
        try {
            const chooser = pictureChooser(node);
            const kept = await uploadPicture(file, chooser ? "" : "spacetime");
            asOneChange(() => (chooser ? choosePicture(chooser, kept) : keepDropped(node, kept)));
            if (!chooser && pictureSource(node)?.from !== "dropped") editor.say("pictureConnected");
            this.look();
        } catch (error) {
            toast("error", editor.text("uploadFailed"), error.message);
        }
    }

    /**
     * Nodes 2.0 keeps showing the element of a node that is gone when another with its number takes its place in the same moment,
     * as happens when the page undoes a change of the graph. So a place that is still shown gives way to its heir.
     */
    #giveWay() {
        if (!this.shell.isConnected) return;
        const heir = [...holders].find((holder) => holder.#findKey() === this.key && !holder.shell.isConnected);
        if (heir && isInPageNode(this.shell)) this.shell.replaceWith(heir.shell);
        else setTimeout(() => this.#giveWay(), GIVE_WAY_MILLISECONDS);
    }

    destroy() {
        this.isDestroyed = true;
        holders.delete(this);
        this.sizes.disconnect();
        clearInterval(this.looking);
        if (!this.editor) return;
        const { session, stage, timeline, panel, isFull, isInUse } = this.editor;
        desks.set(this.key, { session, zoom: stage.view.zoom, shift: stage.view.shift, time: timeline.time, page: panel.page, isFull, hadFocus: isInUse });
        this.editor.destroy();
        setTimeout(() => this.#giveWay());
    }
}
