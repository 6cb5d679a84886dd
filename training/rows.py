"""Lines of the table that an evaluation prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

HUNDREDS = ("%", "points")  # units whose values are kept as shares, 0 to 1
LEGEND = (
    "reader, via VAE: how often the reader is right about rendered clips, as rendered and after encoding and decoding; "
    "+- its mean error there, in the row's unit."
)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        value: in `unit`; a share (0 to 1) where that is % or points.
        count: of clips, pictures or rounds.
        target: the least value wanted, or the most where `at_most`.
        reader, reader_vae: how often the row's reader is right where the truth is known (0 to 1), as rendered and through the VAE.
        error: the reader's mean error where the truth is known, in `unit`.
    """

    name: str
    value: float
    unit: str = ""
    count: int | None = None
    target: float | None = None
    at_most: bool = False
    reader: float | None = None
    reader_vae: float | None = None
    error: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; whether the target is met among them."""
        return {**asdict(self), "met": self.met}

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> Row:
        """The row that `as_dict` told."""
        return cls(**{name: value for name, value in entry.items() if name != "met"})


def table(rows: Iterable[Row]) -> str:
    """The rows as text."""
    lines = [f"{'measure':<32}{'value':>13}{'of':>6}{'target':>15}{'met':>5}{'reader':>11}{'via VAE':>9}"]
    for row in rows:
        target = "" if row.target is None else ("<= " if row.at_most else ">= ") + figure(row.target, row.unit)
        met = {None: "", True: "yes", False: "no"}[row.met]
        reader = "" if row.reader is None else figure(row.reader, "%")
        if row.error is not None:
            reader = f"+-{figure(row.error, row.unit)}"
        through = "" if row.reader_vae is None else figure(row.reader_vae, "%")
        count = "" if row.count is None else str(row.count)
        value = figure(row.value, row.unit)
        line = f"{row.name:<32}{value:>13}{count:>6}{target:>15}{met:>5}{reader:>11}{through:>9}  {row.note}"
        lines.append(line.rstrip())
    return "\n".join([*lines, LEGEND])


def figure(value: float, unit: str) -> str:
    """A value with its unit, for a person."""
    shown = 100 * value if unit in HUNDREDS else value
    if unit == "%":
        return f"{shown:.1f}%"
    return f"{shown:.1f} {unit}" if unit == "points" else f"{shown:.2f} {unit}".rstrip()
