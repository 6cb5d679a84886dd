"""What a command says while it works: lines that stay, and on a terminal one line that changes."""

from __future__ import annotations

import shutil
import sys
import time
import unicodedata
from typing import TextIO

_LOG_COLUMNS = 160


class Console:
    """Progress for a person on a terminal, sparse lines for a log file.

    Everything goes to `stream` (standard error unless named), so that standard output carries results only.
    """

    def __init__(self, stream: TextIO | None = None, quiet_seconds: float = 15.0) -> None:
        self.stream = stream if stream is not None else sys.stderr
        self.live = self.stream.isatty()
        self.quiet_seconds = quiet_seconds
        self._shown = ""
        self._last_written = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._clear()
        self._write(text + "\n")

    def status(self, text: str) -> None:
        """Show what is going on: redrawn in place on a terminal, now and then in a log file."""
        if self.live:
            shown = fit(text, shutil.get_terminal_size().columns - 1)
            if shown != self._shown:
                self._clear()
                self._write(shown)
                self._shown = shown
        elif time.monotonic() - self._last_written >= self.quiet_seconds:
            self._write(text[:_LOG_COLUMNS] + "\n")

    def _clear(self) -> None:
        if self._shown:
            self.stream.write("\r" + " " * columns(self._shown) + "\r")
            self._shown = ""

    def _write(self, text: str) -> None:
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        self.stream.write(text.encode(encoding, "replace").decode(encoding))
        self.stream.flush()
        self._last_written = time.monotonic()


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes: Chinese characters take two each."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def fit(text: str, width: int) -> str:
    """`text`, cut so that it takes at most `width` columns; a cut is shown by three dots."""
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 3:
        text = text[:-1]
    return text + "..."


def clock(seconds: float) -> str:
    """Seconds as a person reads them: `8.4 s`, `2 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
