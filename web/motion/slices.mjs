/**
 * Long work in slices, so that the page can draw and hear the hand in between.
 */

const SLICE_MILLISECONDS = 6;

export class SlicedWork {
    #steps = null;
    #timer = null;

    /** @param {Iterator<void>} steps each a few milliseconds at most; what went on before is given up */
    begin(steps) {
        this.#steps = steps;
        this.#timer ??= setTimeout(() => this.#slice());
    }

    get isGoingOn() {
        return this.#steps !== null;
    }

    stop() {
        clearTimeout(this.#timer);
        this.#steps = this.#timer = null;
    }

    /** Do all that is left at once. */
    finish() {
        while (this.#steps) this.#run(Infinity);
        this.stop();
    }

    #slice() {
        this.#timer = null;
        this.#run(performance.now() + SLICE_MILLISECONDS);
        if (this.#steps) this.#timer ??= setTimeout(() => this.#slice());
    }

    #run(until) {
        const steps = this.#steps;
        this.#steps = null; // a step that throws ends the work
        let isDone = false;
        do isDone = steps.next().done;
        while (!isDone && performance.now() < until);
        if (!isDone) this.#steps = steps;
    }
}
