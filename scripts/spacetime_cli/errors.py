"""The one way a command fails: a sentence for the person and an exit code for the script that called it."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command; the texts are shown by `--help`."""

    OK = 0
    USAGE = 2
    SETUP = 3
    SERVER = 4
    REFUSED = 5
    NODE = 6
    OUTPUT = 7
    CANCELLED = 130


EXIT_MEANINGS = {
    Exit.OK: "everything worked",
    Exit.USAGE: "an option is wrong (unknown --set, value out of range, unreadable --workflow)",
    Exit.SETUP: "no ComfyUI could be found or set up (disk, network, damaged download)",
    Exit.SERVER: "the server did not start, cannot be reached or went away",
    Exit.REFUSED: "the server refused the prompt (unknown node, invalid input)",
    Exit.NODE: "a node failed while the prompt was running",
    Exit.OUTPUT: "the prompt finished but its result could not be fetched or saved",
    Exit.CANCELLED: "cancelled (Ctrl-C here, or from elsewhere on the server)",
}


class CommandError(Exception):
    """A failure that is told to the person in one sentence.

    `code` becomes the exit status of the command.
    """

    def __init__(self, sentence: str, code: Exit) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


def exit_code_help() -> str:
    """The exit code table that ends each command's `--help`."""
    rows = [f"  {int(code):>3}  {meaning}" for code, meaning in EXIT_MEANINGS.items()]
    return "exit codes:\n" + "\n".join(rows)
