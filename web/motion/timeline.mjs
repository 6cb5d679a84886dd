/**
 * The bar under the picture: play, loop, scrub, and the number of the frame under the cursor.
 */

import { button, h, hasOwnHistory, setIcon, setPressed, toggle } from "./elements.mjs";

export class Timeline {
    /**
     * @param {{text: (key: string, values?: object) => string, frames: () => number, rate: () => number,
     *     moved: (time: number) => void, played: () => void}} options `moved` hears every new time, 0 to 1; `played` when playing begins
     */
    constructor({ text, frames, rate, moved, played }) {
        Object.assign(this, { text, frames, rate, moved, played });
        this.time = 0;
        this.isPlaying = false;
        this.loops = true;
        this.request = 0;
        this.pace = new Pace();
        this.element = this.#build();
    }

    #build() {
        const { text } = this;
        this.play = button({ icon: "play", name: text("play"), shortcut: "Space", class: "smb-play", press: () => this.toggle() });
        const start = button({ icon: "start", name: text("toStart"), shortcut: "Home", press: () => this.seek(0) });
        this.loop = toggle({ icon: "loop", name: text("loop"), pressed: true, press: () => this.#setLoop(!this.loops) });
        this.range = hasOwnHistory(
            h("input", {
                type: "range",
                class: "smb-scrub",
                min: 0,
                step: 1,
                "aria-label": text("timeline"),
                on: { input: () => this.seekFrame(this.range.valueAsNumber), pointerdown: () => this.pause() },
            }),
        );
        this.marks = h("div", { class: "smb-marks", "aria-hidden": "true" });
        this.bubble = h("div", { class: "smb-bubble", "aria-hidden": "true", hidden: true });
        this.track = h("div", { class: "smb-track" }, this.marks, this.range, this.bubble);
        this.track.addEventListener("pointermove", (event) => this.#showBubble(event));
        this.track.addEventListener("pointerleave", () => (this.bubble.hidden = true));
        this.count = h("output", { class: "smb-count", for: this.range.id || undefined });
        const element = h("div", { class: "smb-timeline", role: "group", "aria-label": text("timeline") }, start, this.play, this.loop, this.track, this.count);
        queueMicrotask(() => this.show());
        return element;
    }

    get lastFrame() {
        return Math.max(1, this.frames() - 1);
    }

    get frame() {
        return Math.round(this.time * this.lastFrame);
    }

    /** Go to a time from 0 to 1. */
    seek(time) {
        this.time = Math.min(1, Math.max(0, time));
        this.show();
        this.moved(this.time);
    }

    seekFrame(frame) {
        this.seek(frame / this.lastFrame);
    }

    /** One frame, or more, forward or back. */
    step(frames) {
        this.pause();
        this.seekFrame(Math.min(this.lastFrame, Math.max(0, this.frame + frames)));
    }

    toggle() {
        if (this.isPlaying) this.pause();
        else this.start();
    }

    start() {
        if (this.isPlaying) return;
        this.isPlaying = true;
        if (this.time >= 1) this.time = 0;
        this.pace.begin();
        this.#showPlaying();
        this.played();
        this.last = null;
        this.request = requestAnimationFrame((now) => this.#tick(now));
    }

    pause() {
        if (!this.isPlaying) return;
        this.isPlaying = false;
        cancelAnimationFrame(this.request);
        this.#showPlaying();
        this.seekFrame(this.frame); // what is shown is the frame whose number is shown
    }

    #tick(now) {
        if (!this.isPlaying) return;
        this.request = requestAnimationFrame((next) => this.#tick(next));
        this.pace.count(now);
        const seconds = this.last === null ? 0 : (now - this.last) / 1000;
        this.last = now;
        const time = this.time + seconds / this.seconds;
        if (time > 1 && !this.loops) this.pause();
        this.seek(time <= 1 ? time : this.loops ? time % 1 : 1);
    }

    /** How long the clip is. */
    get seconds() {
        return Math.max(0.1, this.lastFrame / Math.max(1, this.rate()));
    }

    #setLoop(loops) {
        this.loops = loops;
        setPressed(this.loop, loops);
    }

    #showPlaying() {
        setIcon(this.play, this.isPlaying ? "pause" : "play");
        const name = this.text(this.isPlaying ? "pause" : "play");
        this.play.title = `${name} (Space)`;
        this.play.setAttribute("aria-label", name);
    }

    /** Bring the numbers up to date. */
    show() {
        const { frame, lastFrame } = this;
        this.range.max = String(lastFrame);
        this.range.value = String(frame);
        this.range.style.setProperty("--smb-filled", `${this.time * 100}%`);
        const seconds = (frame / Math.max(1, this.rate())).toFixed(2);
        this.range.setAttribute("aria-valuetext", this.text("frameOf", { frame, last: lastFrame, seconds }));
        const shown = `${frame} / ${lastFrame}`;
        if (this.count.textContent !== shown) this.count.textContent = shown;
    }

    /** Show when something moves: bars of `{from, to, color}`. */
    showBars(bars) {
        this.marks.replaceChildren(
            ...bars.map(({ from, to, color }) =>
                h("i", { style: { left: `${from * 100}%`, width: `${Math.max(0.5, (to - from) * 100)}%`, background: color } }),
            ),
        );
    }

    #showBubble(event) {
        const shown = this.track.getBoundingClientRect();
        const along = Math.min(1, Math.max(0, (event.clientX - shown.left) / Math.max(1, shown.width)));
        this.bubble.hidden = false;
        this.bubble.style.left = `${along * 100}%`;
        this.bubble.textContent = this.text("frame", { frame: Math.round(along * this.lastFrame) });
    }
}

/** How many pictures a second were shown since playing began. */
export class Pace {
    begin() {
        this.stamps = [];
    }

    count(now) {
        this.stamps ??= [];
        this.stamps.push(now);
        if (this.stamps.length > 600) this.stamps.shift();
    }

    /** @returns {number} pictures a second, from the median of the gaps between them */
    get perSecond() {
        const gaps = (this.stamps ?? []).slice(1).map((stamp, index) => stamp - this.stamps[index]);
        if (!gaps.length) return 0;
        gaps.sort((a, b) => a - b);
        return 1000 / gaps[Math.floor(gaps.length / 2)];
    }
}
