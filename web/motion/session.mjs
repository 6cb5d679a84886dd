/**
 * What is being edited: the plan, its history, what is selected and which tool is in hand. Knows no element.
 */

import { History } from "./history.mjs";
import { findMover, isBox, PlanError, readPlan, writePlan } from "./plan_model.mjs";

export class Session extends EventTarget {
    /** @param {string} text the plan, or nothing */
    constructor(text = "") {
        super();
        this.selected = null;
        this.tool = "brush";
        this.radius = 0.05;
        this.fault = null;
        this.isChanged = false; // by the person
        this.isPlayed = false;
        this.plan = readPlan("");
        this.history = new History(text);
        this.#take(text);
    }

    get text() {
        return this.history.text;
    }

    get item() {
        return this.selected ? findMover(this.plan, this.selected) : null;
    }

    /** The selected region, if it is one and may be changed. */
    get region() {
        const { item } = this;
        return item && !isBox(item) ? item : null;
    }

    #tell(kind) {
        this.dispatchEvent(new Event(kind));
    }

    /** @returns {boolean} whether the text was a plan */
    #take(text) {
        try {
            this.plan = readPlan(text);
            this.fault = null;
        } catch (error) {
            if (!(error instanceof PlanError)) throw error;
            this.fault = error.message;
            this.plan = readPlan("");
        }
        if (!this.item) this.selected = this.plan.regions.at(-1)?.id ?? this.plan.boxes.at(-1)?.id ?? null;
        return this.fault === null;
    }

    /** The plan was given from outside: the graph was loaded, undone, or somebody typed it. */
    load(text) {
        if (text === this.text) return;
        this.history.push(text);
        this.#take(text);
        this.#tell("plan");
        this.#tell("select");
    }

    /** Replace the plan, as import and paste do. @throws {PlanError} and changes nothing */
    replace(text) {
        this.plan = readPlan(text);
        this.fault = null;
        this.selected = this.plan.regions[0]?.id ?? this.plan.boxes[0]?.id ?? null;
        this.commit();
        this.#tell("select");
    }

    /** Change the plan without a step yet, as during a drag. */
    touch(change) {
        change?.(this.plan);
        this.#tell("plan");
    }

    /** Make what was changed a step. */
    commit(mergeKey = null) {
        this.fault = null;
        const changed = this.history.push(writePlan(this.plan), mergeKey);
        this.isChanged ||= changed;
        this.#tell("plan");
        if (changed) this.#tell("commit");
    }

    /** One change, one step. */
    edit(change, mergeKey = null) {
        const result = change(this.plan);
        this.commit(mergeKey);
        return result;
    }

    /** Drop what was touched and not committed. */
    revert() {
        this.#take(this.text);
        this.#tell("plan");
    }

    undo() {
        return this.#go(this.history.undo());
    }

    redo() {
        return this.#go(this.history.redo());
    }

    #go(text) {
        if (text === null) return false;
        this.#take(text);
        this.#tell("plan");
        this.#tell("select");
        this.#tell("commit");
        return true;
    }

    select(id) {
        if (this.selected === id) return;
        this.selected = id;
        this.#tell("select");
    }

    setTool(tool) {
        if (this.tool === tool) return;
        this.tool = tool;
        this.#tell("tool");
    }

    setRadius(radius) {
        this.radius = Math.min(0.5, Math.max(0.002, radius));
        this.#tell("tool");
    }
}
