"""The motion plan as a document: frozen dataclasses, strict reading, writing. docs/MOTION_PLAN.md is its description.

Positions are fractions of the picture, times fractions of the clip, angles degrees clockwise on the screen.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Annotated, Any, Literal, TypeAlias, Union

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from .refusals import PlanError, first_refusal, refuse_unless_ascending, refuse_unless_before

__all__ = ["Box", "Keyframe", "Motion", "Path", "Plan", "PlanError", "Region", "checked", "from_data", "from_json", "to_data", "to_json"]

VERSION: Literal[1] = 1
MAX_TEXT = 4_000_000
MAX_POINTS = 50_000
PALETTE = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45")
DEFAULT_SPEED = 0.25

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Coordinate = Annotated[float, Field(ge=-10, le=11, allow_inf_nan=False)]
Size = Annotated[float, Field(ge=0.0001, le=20, allow_inf_nan=False)]
Time = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Unit = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Growth = Annotated[float, Field(ge=0.02, le=50, allow_inf_nan=False)]
Turn = Annotated[float, Field(ge=-36000, le=36000, allow_inf_nan=False)]
Point: TypeAlias = tuple[Coordinate, Coordinate]
Rect: TypeAlias = tuple[Coordinate, Coordinate, Size, Size]
Op = Literal["add", "subtract"]
Name = Annotated[str, Field(max_length=100)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{0,64}$")]
Color = Annotated[str, Field(pattern=r"^(#[0-9A-Fa-f]{6})?$")]
Level = Annotated[int, Field(ge=-1000, le=1000)]
Cycles = Annotated[int, Field(ge=1, le=100)]
EasingField = Union[Literal["linear", "ease", "ease-in", "ease-out", "ease-in-out"], tuple[Unit, Unit, Unit, Unit]]  # noqa: UP007 (pydantic)


@dataclass(frozen=True, config=_STRICT)
class Stroke:
    """Everything within `radius` (of the shorter side) of the line through the points."""

    type: Literal["stroke"]
    points: Annotated[tuple[Point, ...], Field(min_length=1, max_length=4096)]
    radius: Annotated[float, Field(ge=0.0005, le=1, allow_inf_nan=False)] = 0.03
    op: Op = "add"


@dataclass(frozen=True, config=_STRICT)
class Polygon:
    """The inside of the closed line through the points, by the even-odd rule."""

    type: Literal["polygon"]
    points: Annotated[tuple[Point, ...], Field(min_length=3, max_length=4096)]
    op: Op = "add"


@dataclass(frozen=True, config=_STRICT)
class Rectangle:
    """A box: x, y, width, height."""

    type: Literal["rectangle"]
    box: Rect
    op: Op = "add"


@dataclass(frozen=True, config=_STRICT)
class Ellipse:
    """The ellipse that touches the four sides of a box."""

    type: Literal["ellipse"]
    box: Rect
    op: Op = "add"


@dataclass(frozen=True, config=_STRICT)
class Mask:
    """Where a picture of the node's MASK input is at least 0.5, stretched to the picture."""

    type: Literal["mask"]
    index: Annotated[int, Field(ge=0, le=255)] = 0
    op: Op = "add"


AnyShape: TypeAlias = Union[Stroke, Polygon, Rectangle, Ellipse, Mask]  # noqa: UP007 (pydantic)
Shape = Annotated[AnyShape, Field(discriminator="type")]
Shapes = Annotated[tuple[Shape, ...], Field(max_length=256)]


@dataclass(frozen=True, config=_STRICT)
class Path:
    """A way, of which only the differences to its first point count; `times` says when each point is reached."""

    points: Annotated[tuple[Point, ...], Field(min_length=2, max_length=512)]
    curve: Literal["smooth", "line"] = "smooth"
    times: Annotated[tuple[Time, ...], Field(max_length=512)] | None = None

    def __post_init__(self) -> None:
        if self.times is None:
            return
        if len(self.times) != len(self.points):
            raise PlanError("times", f"expected one time for each of the {len(self.points)} points, got {len(self.times)}")
        if self.times[0] != 0 or self.times[-1] != 1:
            raise PlanError("times", f"expected times from 0 to 1, got {self.times[0]:g} to {self.times[-1]:g}")
        refuse_unless_ascending(self.times, "times[{}]")


@dataclass(frozen=True, config=_STRICT)
class Motion:
    """How a region moves; without path and direction it stays, but may turn, grow or sway."""

    path: Path | None = None
    direction: Annotated[float, Field(ge=-3600, le=3600, allow_inf_nan=False)] | None = None
    speed: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] | None = None
    start: Time = 0.0
    end: Time = 1.0
    easing: EasingField = "linear"
    scale: Growth = 1.0
    proximity: Annotated[float, Field(ge=-3, le=3, allow_inf_nan=False)] = 0.0
    rotation: Turn = 0.0
    center: Point | None = None
    ambient: Unit = 0.0
    ambient_cycles: Cycles = 4

    def __post_init__(self) -> None:
        if self.path is not None and self.direction is not None:
            raise PlanError("direction", "expected either a path or a direction, got both")
        if self.speed is not None and self.direction is None:
            raise PlanError("speed", "expected a direction beside the speed, got none")
        refuse_unless_before(self.start, self.end, "end", "start")

    @property
    def moves(self) -> bool:
        """Whether anything of it differs from staying still."""
        goes = self.path is not None or self.direction is not None
        return goes or self.scale != 1 or self.proximity != 0 or self.rotation != 0 or self.ambient != 0


@dataclass(frozen=True, config=_STRICT)
class Region:
    """A painted part of the picture and how it moves."""

    shapes: Shapes
    motion: Motion = Motion()
    id: Id = ""
    name: Name = ""
    color: Color = ""
    hidden: bool = False
    locked: bool = False
    pinned: bool = False
    z: Level = 0
    strength: Unit = 1.0

    @property
    def moves(self) -> bool:
        """Whether it does anything but stay still."""
        return self.motion.moves and not self.pinned


@dataclass(frozen=True, config=_STRICT)
class Keyframe:
    """Where a box is at a time."""

    time: Time
    box: Rect


@dataclass(frozen=True, config=_STRICT)
class Box:
    """A part of the picture that follows a box (hard) or stays inside it (soft)."""

    start: Rect
    end: Rect
    keyframes: Annotated[tuple[Keyframe, ...], Field(max_length=64)] = ()
    start_time: Time = 0.0
    end_time: Time = 1.0
    easing: EasingField = "linear"
    mode: Literal["hard", "soft"] = "hard"
    shapes: Shapes = ()
    ambient: Unit = 0.0
    ambient_cycles: Cycles = 4
    id: Id = ""
    name: Name = ""
    color: Color = ""
    hidden: bool = False
    locked: bool = False
    z: Level = 0
    strength: Unit = 1.0

    def __post_init__(self) -> None:
        refuse_unless_before(self.start_time, self.end_time, "end_time", "start_time")
        for index, keyframe in enumerate(self.keyframes):
            if not self.start_time < keyframe.time < self.end_time:
                wanted = f"expected a time between {self.start_time:g} and {self.end_time:g}"
                raise PlanError(f"keyframes[{index}].time", f"{wanted}, got {keyframe.time:g}")
        refuse_unless_ascending([keyframe.time for keyframe in self.keyframes], "keyframes[{}].time")

    @property
    def moves(self) -> bool:
        """Whether it does anything but stay still."""
        return self.ambient != 0 or any(box != self.start for box in (self.end, *(key.box for key in self.keyframes)))


@dataclass(frozen=True, config=_STRICT)
class _Timed:
    """When a camera move happens."""

    start: Time = 0.0
    end: Time = 1.0
    easing: EasingField = "linear"

    def __post_init__(self) -> None:
        refuse_unless_before(self.start, self.end, "end", "start")


@dataclass(frozen=True, config=_STRICT, kw_only=True)
class Pan(_Timed):
    """The camera goes right and down by these parts of the picture's width and height."""

    type: Literal["pan"]
    x: Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)] = 0.0
    y: Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)] = 0.0


@dataclass(frozen=True, config=_STRICT, kw_only=True)
class Zoom(_Timed):
    """The camera goes closer (factor above 1) or back."""

    type: Literal["zoom"]
    factor: Growth
    center: Point = (0.5, 0.5)


@dataclass(frozen=True, config=_STRICT, kw_only=True)
class Roll(_Timed):
    """The camera turns clockwise; what it sees turns the other way."""

    type: Literal["roll"]
    degrees: Turn
    center: Point = (0.5, 0.5)


CameraMove: TypeAlias = Union[Pan, Zoom, Roll]  # noqa: UP007 (pydantic)


@dataclass(frozen=True, config=_STRICT)
class Plan:
    """A whole plan. Missing ids and colours are given when it is made; limits over the whole are checked then, too."""

    version: Literal[1] = VERSION
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    anchors: bool = True
    regions: Annotated[tuple[Region, ...], Field(max_length=64)] = ()
    boxes: Annotated[tuple[Box, ...], Field(max_length=64)] = ()
    camera: Annotated[tuple[Annotated[CameraMove, Field(discriminator="type")], ...], Field(max_length=32)] = ()

    def __post_init__(self) -> None:
        _refuse_same_ids(self)
        points = _count_points(self)
        if points > MAX_POINTS:
            raise PlanError("", f"expected at most {MAX_POINTS} points in the whole plan, got {points}; simplify the strokes")
        _name_all(self)

    @property
    def shown(self) -> tuple[Region | Box, ...]:
        """The regions and then the boxes that are not hidden."""
        parts: list[Region | Box] = [*self.regions, *self.boxes]
        return tuple(part for part in parts if not part.hidden)


_ADAPTER = TypeAdapter(Plan)


def from_json(text: str) -> Plan:
    """The plan in a JSON text.

    Raises:
        PlanError: in one sentence with the place in the document, for anything that is not a plan of this version.
    """
    if len(text) > MAX_TEXT:
        raise PlanError("", f"expected at most {MAX_TEXT} characters of JSON, got {len(text)}")
    try:
        data = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except PlanError:
        raise
    except RecursionError:
        raise PlanError("", "expected a plan, got JSON nested too deeply") from None
    except ValueError as error:
        raise PlanError("", f"expected JSON, got {_excerpt(text)} ({error})") from None
    return from_data(data)


def from_data(data: Any) -> Plan:
    """The plan in plain values (dictionaries, lists, numbers, texts), as `json.loads` gives them; refusals as `from_json`."""
    _refuse_version(data)
    _refuse_odd_values(data)
    try:
        return _ADAPTER.validate_json(json.dumps(data))
    except ValidationError as error:
        raise first_refusal(error, data) from None


def checked(plan: Plan) -> Plan:
    """The same plan after all checks of reading; for plans put together in Python."""
    return from_data(to_data(plan))


def to_data(plan: Plan) -> dict[str, Any]:
    """The plan in plain values; what equals its default is left out, except the version, ids and colours."""
    return {"version": VERSION, **_sparse(plan)}


def to_json(plan: Plan, indent: int | None = None) -> str:
    """The plan as JSON text; `from_json` gives an equal plan back."""
    return json.dumps(to_data(plan), indent=indent, ensure_ascii=False)


def json_schema() -> dict[str, Any]:
    """The JSON schema of a plan document."""
    schema = _ADAPTER.json_schema()
    schema["required"] = ["version"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Motion plan, version 1", **schema}


def _sparse(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_sparse(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    fields = {field.name: (getattr(value, field.name), field.default) for field in dataclasses.fields(value)}
    written = {name: _sparse(held) for name, (held, default) in fields.items() if default is dataclasses.MISSING or held != default}
    return {"type": written.pop("type"), **written} if "type" in written else written


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PlanError(_excerpt(twice), "expected each field once, got it twice in one object")
    return data


def _refuse_constant(text: str) -> None:
    raise PlanError("", f"expected finite numbers, got {text}")


def _refuse_version(data: Any) -> None:
    if not isinstance(data, dict):
        raise PlanError("", f'expected a plan like {{"version": 1, "regions": []}}, got {_excerpt(data)}')
    version = data.get("version")
    if version is None:
        raise PlanError("version", f'expected "version": {VERSION}, got none')
    if isinstance(version, bool):
        raise PlanError("version", f"expected {VERSION}, got {str(version).lower()}")
    if isinstance(version, int) and version > VERSION:
        shown = _excerpt(version)
        raise PlanError("version", f"expected {VERSION}, got {shown}, which is newer than this pack can read; update ComfyUI-Spacetime")


def _refuse_odd_values(data: Any) -> None:
    """Refuse what JSON cannot hold or numbers that no double can, with the place; without recursion, so that depth does not matter."""
    waiting: list[tuple[str, Any, int]] = [("", data, 0)]
    while waiting:
        place, value, depth = waiting.pop()
        if depth > 32:
            raise PlanError(place[:60], "expected a plan, got a document nested too deeply")
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise PlanError(place, f"expected names of fields as text, got {_excerpt(key)}")
                _refuse_odd_text(place, key)
                waiting.append((f"{place}.{key}" if place else key, item, depth + 1))
        elif isinstance(value, (list, tuple)):
            waiting += [(f"{place}[{index}]", item, depth + 1) for index, item in enumerate(value)]
        elif isinstance(value, str):
            _refuse_odd_text(place, value)
        elif isinstance(value, (int, float)):
            _refuse_odd_number(place, value)
        elif value is not None:
            raise PlanError(place, f"expected JSON values, got {_excerpt(value)}")


def _refuse_odd_text(place: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PlanError(place, f"expected text, got {_excerpt(text)} with half a character") from None


def _refuse_odd_number(place: str, number: float) -> None:
    if abs(number) > 1e300 or not math.isfinite(number):
        raise PlanError(place, f"expected a finite number, got {_excerpt(number)}")


def _excerpt(value: Any) -> str:
    """A short, printable form of a value, for a message."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of very many digits"
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _parts(plan: Plan) -> list[tuple[str, Region | Box]]:
    """Each region and box with its place in the document."""
    regions = [(f"regions[{index}]", region) for index, region in enumerate(plan.regions)]
    return [*regions, *((f"boxes[{index}]", box) for index, box in enumerate(plan.boxes))]


def _refuse_same_ids(plan: Plan) -> None:
    seen: dict[str, str] = {}
    for place, part in _parts(plan):
        if part.id and part.id in seen:
            raise PlanError(f"{place}.id", f"expected an id of its own, got {part.id!r} again, which is the id of {seen[part.id]}")
        seen[part.id] = place


def _count_points(plan: Plan) -> int:
    shapes = [shape for _, part in _parts(plan) for shape in part.shapes]
    in_shapes = sum(len(shape.points) for shape in shapes if isinstance(shape, (Stroke, Polygon)))
    in_paths = sum(len(region.motion.path.points) for region in plan.regions if region.motion.path is not None)
    return in_shapes + in_paths + sum(len(box.keyframes) for box in plan.boxes)


def _name_all(plan: Plan) -> None:
    """Give missing ids (the first free number from the place on) and colours (by place, from the palette)."""
    taken = {part.id for _, part in _parts(plan)}
    object.__setattr__(plan, "regions", tuple(_named(region, "region", index, index, taken) for index, region in enumerate(plan.regions)))
    first = len(plan.regions)
    object.__setattr__(plan, "boxes", tuple(_named(box, "box", index, first + index, taken) for index, box in enumerate(plan.boxes)))


def _named(part: Any, word: str, index: int, place: int, taken: set[str]) -> Any:
    if part.id and part.color:
        return part
    number = index + 1
    while not part.id and f"{word}{number}" in taken:
        number += 1
    name = part.id or f"{word}{number}"
    taken.add(name)
    return dataclasses.replace(part, id=name, color=part.color or PALETTE[place % len(PALETTE)])
