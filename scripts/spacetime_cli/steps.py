"""Work in named steps that survives interruption: a finished step is stamped and not done again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .console import Console, clock
from .errors import CommandError, Exit

SPARE_GB = 0.5


@dataclass(frozen=True)
class Step:
    """One step. `fingerprint` says what it is done with, `holds` whether its result is still there.

    gigabytes: what it needs on the disk at its worst moment.
    """

    name: str
    title: str
    fingerprint: str
    gigabytes: float
    run: Callable[[], None]
    holds: Callable[[], bool]


class Stamps:
    """The stamps of finished steps: one small file each, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pending(self, steps: Sequence[Step]) -> list[Step]:
        """The steps that are not stamped with their fingerprint, or whose result is gone."""
        return [step for step in steps if self._read(step) != step.fingerprint or not step.holds()]

    def run(self, steps: Sequence[Step], console: Console, announce: Callable[[str], None] = lambda label: None) -> None:
        """Do `steps` in order, stamping each; `announce` gets `[2/5] title` as each begins."""
        for number, step in enumerate(steps, 1):
            began = time.monotonic()
            label = f"[{number}/{len(steps)}] {step.title}"
            announce(label)
            console.status(f"{label} ...")
            self.forget(step.name)  # from here on its result is half one thing, half another
            step.run()
            if not step.holds():
                raise CommandError(f"Set-up: {step.title} was done but left nothing usable; run the command again", Exit.SETUP)
            self._file(step).parent.mkdir(parents=True, exist_ok=True)
            self._file(step).write_text(step.fingerprint, encoding="utf-8")
            console.say(f"{label}: {clock(time.monotonic() - began)}")

    def forget(self, *names: str) -> None:
        """Have the steps of these names done again."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def _file(self, step: Step) -> Path:
        return self.folder / step.name

    def _read(self, step: Step) -> str | None:
        try:
            return self._file(step).read_text(encoding="utf-8")
        except OSError:
            return None


def check_disk(folder: Path, steps: Sequence[Step], free_bytes: int | None = None) -> None:
    """Refuse to begin `steps` that do not fit on the disk of `folder` (`free_bytes`: measured, unless given)."""
    needed = sum(step.gigabytes for step in steps) + SPARE_GB
    free = (shutil.disk_usage(folder).free if free_bytes is None else free_bytes) / 1e9
    if free < needed:
        named = ", ".join(step.title for step in steps)
        raise CommandError(
            f"Set-up: expected {needed:.1f} GB free in {folder} for {named}, got {free:.1f} GB; "
            f"free {needed - free:.1f} GB more, or make {folder.name} a link to a folder on a larger disk",
            Exit.SETUP,
        )
