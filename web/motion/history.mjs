/**
 * The editor's own undo and redo. A step is the plan's text; texts are small, so whole ones are kept.
 */

const MOST_STEPS = 200;
const MERGE_MILLISECONDS = 1500;

export class History {
    /** @param {string} text the plan as it is now */
    constructor(text) {
        this.steps = [text];
        this.at = 0;
        this.mergeKey = null;
        this.pushed = 0;
    }

    get text() {
        return this.steps[this.at];
    }

    get canUndo() {
        return this.at > 0;
    }

    get canRedo() {
        return this.at < this.steps.length - 1;
    }

    /**
     * A new step, unless nothing changed.
     * @param {string} text
     * @param {string|null} mergeKey steps with the same key that follow each other at once count as one, as arrow keys on a slider do
     * @returns {boolean} whether something changed
     */
    push(text, mergeKey = null) {
        if (text === this.text) return false;
        const isQuick = performance.now() - this.pushed < MERGE_MILLISECONDS;
        const merges = mergeKey !== null && mergeKey === this.mergeKey && isQuick && this.at > 0 && !this.canRedo;
        this.steps.length = merges ? this.at : this.at + 1;
        this.steps.push(text);
        if (this.steps.length > MOST_STEPS) this.steps.shift();
        this.at = this.steps.length - 1;
        this.mergeKey = mergeKey;
        this.pushed = performance.now();
        return true;
    }

    /** @returns {string|null} the text to go back to */
    undo() {
        if (!this.canUndo) return null;
        this.mergeKey = null;
        this.at -= 1;
        return this.text;
    }

    /** @returns {string|null} the text to go forward to */
    redo() {
        if (!this.canRedo) return null;
        this.mergeKey = null;
        this.at += 1;
        return this.text;
    }
}
