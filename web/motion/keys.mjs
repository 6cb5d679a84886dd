/**
 * The editor's keyboard. Keys that it does not use and that are held with Ctrl or Cmd go on to the page; plain ones do not,
 * since somebody who works in the editor means the editor.
 */

import { TOOL_KEYS } from "./tools.mjs";

const TOOLS = Object.fromEntries(Object.entries(TOOL_KEYS).map(([tool, key]) => [key.toLowerCase(), tool]));
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const IS_WRITTEN_IN = "input:not([type=range]):not([type=checkbox]):not([type=color]), select";

/** @returns {(event: KeyboardEvent) => void} what the editor's element does with a key */
export function keyHandler(editor) {
    return (event) => {
        if (event.isComposing) return;
        const isWrittenIn = event.target.matches(IS_WRITTEN_IN);
        const isCommand = event.ctrlKey || event.metaKey;
        const isUsed = isCommand ? !isWrittenIn && command(editor, event) : escape(editor, event) || (!isWrittenIn && plain(editor, event));
        if (isUsed) event.preventDefault();
        if (isUsed || !isCommand) event.stopPropagation();
    };
}

function command(editor, event) {
    const key = event.key.toLowerCase();
    if (event.altKey) return false;
    if (key === "z" && event.shiftKey) editor.session.redo();
    else if (key === "z") editor.session.undo();
    else if (key === "y") editor.session.redo();
    else if (key === "d") editor.duplicate();
    else return false;
    return true;
}

function escape(editor, event) {
    if (event.key !== "Escape") return false;
    if (editor.popover.close()) return true;
    if (event.target.matches(IS_WRITTEN_IN)) editor.stage.keys.focus({ preventScroll: true });
    else if (editor.stage.cancel()) return true;
    else if (editor.isFull) editor.closeFull();
    else event.target.blur();
    return true;
}

function plain(editor, event) {
    const isOnStage = event.target === editor.stage.keys;
    if (isOnStage && onStage(editor, event)) return true;
    const tool = event.altKey ? null : TOOLS[event.key.toLowerCase()];
    if (tool) return (editor.session.setTool(tool), true);
    if (/^[1-9]$/.test(event.key)) return (editor.selectNumber(Number(event.key)), true);
    const act = ACTS[event.key] ?? ACTS[event.key.toLowerCase()];
    return act ? (act(editor), true) : false;
}

const ACTS = {
    "[": ({ session }) => session.setRadius(session.radius / 1.2),
    "]": ({ session }) => session.setRadius(session.radius * 1.2),
    ",": ({ timeline }) => timeline.step(-1),
    ".": ({ timeline }) => timeline.step(1),
    "<": ({ timeline }) => timeline.step(-10),
    ">": ({ timeline }) => timeline.step(10),
    "+": ({ stage }) => stage.zoom(1.25),
    "=": ({ stage }) => stage.zoom(1.25),
    "-": ({ stage }) => stage.zoom(0.8),
    0: ({ stage }) => stage.fit(),
    f: (editor) => editor.toggleFull(),
    m: (editor) => editor.fold(!editor.isFolded),
    "?": (editor) => editor.openHelp(),
    Delete: (editor) => editor.remove(),
};

/** Keys that mean something else where buttons and sliders have the focus. */
function onStage({ stage, timeline }, event) {
    const arrow = ARROWS[event.key];
    if (arrow) return (stage.moveCross(...arrow, event.shiftKey), true);
    if (event.key === " ") return (timeline.toggle(), true);
    if (event.key === "Home") return (timeline.seek(0), true);
    if (event.key === "End") return (timeline.seek(1), true);
    if (event.key === "Enter") return stage.pressCross(event);
    if (event.key === "Backspace" && stage.tool.isBusy) return (stage.tool.back?.(), stage.schedule(), true);
    return false;
}
