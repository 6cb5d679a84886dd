"""What is wrong with a plan, in one sentence that begins with the place in the document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

LONGEST = 60


class PlanError(ValueError):
    """A plan cannot be used; the message is one sentence, the place first: `regions[2].z: expected ..., got ...`."""

    def __init__(self, place: str, sentence: str) -> None:
        self.place, self.sentence = place, sentence
        super().__init__(f"{place or 'motion plan'}: {sentence}")


def refuse_unless_before(start: float, end: float, end_name: str, start_name: str) -> None:
    """Refuse a move that ends when or before it starts."""
    if not start < end:
        raise PlanError(end_name, f"expected a time after {start_name} ({start:g}), got {end:g}")


def refuse_unless_ascending(times: Sequence[float], place: str) -> None:
    """Refuse times that do not ascend; `place` has a gap for the index."""
    for index, (first, second) in enumerate(zip(times, times[1:])):
        if not first < second:
            raise PlanError(place.format(index + 1), f"expected a time after {first:g}, got {second:g}")


def first_refusal(error: ValidationError, data: Any) -> PlanError:
    """The first of pydantic's complaints about `data` as a refusal; of a choice's complaints the one that fits what came."""
    walked = [(*_walk(detail["loc"], data), detail) for detail in error.errors(include_url=False)]
    first_place = walked[0][0]
    same = [entry for entry in walked if entry[0].startswith(first_place) or first_place.startswith(entry[0])]
    place, value, detail = max(same, key=lambda entry: _fit(entry, same))
    inner = detail.get("ctx", {}).get("error")
    if isinstance(inner, PlanError):
        joint = "." if place and not inner.place.startswith("[") and inner.place else ""
        return PlanError(f"{place}{joint}{inner.place}", inner.sentence)
    if place.endswith("easing") and not isinstance(value, (list, tuple)):
        names = "linear, ease, ease-in, ease-out, ease-in-out or four numbers"
        return PlanError(place, f"expected {names}, got {shown(value)}")
    return PlanError(place, _sentence(detail, value))


def shown(value: Any) -> str:
    """A short form of a value, for a message."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "an empty list" if not value else f"a list of {len(value)}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = ascii(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _fit(entry: tuple[str, Any, Any], entries: list[tuple[str, Any, Any]]) -> tuple[bool, int]:
    """Of several complaints about one choice: for a list the complaint about the list, and the deeper the better; else the first."""
    place, value, detail = entry
    deeper = len(place) > min(len(other[0]) for other in entries)
    about_list = any("tuple" in str(part) for part in detail["loc"])
    return deeper or about_list == isinstance(value, (list, tuple)), -entries.index(entry)


def _walk(location: tuple[int | str, ...], data: Any) -> tuple[str, Any]:
    """The place as written in the document and the value there; pydantic's names of choices are not in the document."""
    place, value, before = "", data, None
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
            value = value[part] if isinstance(value, (list, tuple)) and part < len(value) else None
        elif isinstance(value, dict) and not (isinstance(before, int) and value.get("type") == part):
            place += f".{_key(part)}" if place else _key(part)
            value = value.get(part)
        before = part
    return place, value


def _key(name: str) -> str:
    return name if name.isidentifier() and len(name) <= LONGEST else shown(name)


def _sentence(detail: Any, value: Any) -> str:
    """One complaint of pydantic's in our words."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "expected this field, got none"
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return "expected only fields of the format, got an unknown one"
    if kind.startswith("union_tag") and not isinstance(value, dict):
        return f"expected an object, got {shown(value)}"
    if kind == "union_tag_not_found":
        return f"expected a type, one of {_choices(detail)}, got none"
    if kind == "union_tag_invalid":
        return f"expected a type, one of {context['expected_tags']}, got {shown(value.get('type'))}"
    return f"expected {_wanted(kind, context)}, got {_got(kind, value)}"


def _choices(detail: Any) -> str:
    place = str(detail["loc"][0]) if detail["loc"] else ""
    return "'pan', 'zoom', 'roll'" if place == "camera" else "'stroke', 'polygon', 'rectangle', 'ellipse', 'mask'"


def _got(kind: str, value: Any) -> str:
    if kind in ("too_short", "too_long") and isinstance(value, (list, tuple)):
        return str(len(value))
    if kind == "string_too_long":
        return str(len(value))
    return shown(value)


PLAIN = {
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dataclass_type": "an object",
    "dataclass_exact_type": "an object",
    "dict_type": "an object",
    "model_attributes_type": "an object",
}


def _wanted(kind: str, context: dict[str, Any]) -> str:
    if kind in PLAIN:
        return PLAIN[kind]
    if kind == "literal_error":
        return str(context["expected"])
    if kind in ("greater_than_equal", "greater_than"):
        return f"at least {context.get('ge', context.get('gt')):g}"
    if kind in ("less_than_equal", "less_than"):
        return f"at most {context.get('le', context.get('lt')):.10g}"
    if kind == "too_short":
        return f"at least {context['min_length']} of them"
    if kind == "too_long":
        return f"at most {context['max_length']} of them"
    if kind == "string_too_long":
        return f"at most {context['max_length']} characters"
    if kind == "string_pattern_mismatch":
        return "#rrggbb" if "#" in context["pattern"] else "1 to 64 letters, digits, '_', '.', '-'"
    return "what the format says"
