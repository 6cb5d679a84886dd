"""An API-format workflow: reading it, and putting a command's options into its inputs by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from .errors import CommandError, Exit

Prompt = dict[str, dict[str, Any]]
# Each option fills every input of one of these names that is a value, not a link.
INPUT_NAMES = {
    "prompt": ("prompt",),
    "negative": ("negative",),
    "fps": ("fps", "frame_rate"),
    "width": ("width",),
    "height": ("height",),
    "steps": ("steps",),
    "seed": ("seed", "noise_seed"),
}
# In a workflow of stock nodes the prompts are the `text` of what feeds the sampler's inputs of these names.
_TEXT_BEHIND = {"prompt": "positive", "negative": "negative"}


def load(file: Path) -> Prompt:
    """Read an API-format workflow; anything else is refused with what to do about it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _usage(f"--workflow: cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise _usage(f"--workflow: expected JSON in {file}, got something else ({error})") from error
    if isinstance(content, dict) and isinstance(content.get("nodes"), list):
        raise _usage(
            f"--workflow: expected the API format in {file}, got the page's own format; "
            "export it with Workflow > Export (API)"
        )
    nodes = content.values() if isinstance(content, dict) else []
    if not nodes or not all(isinstance(node, dict) and "class_type" in node for node in nodes):
        raise _usage(f"--workflow: expected nodes with a class_type in {file}, got none; export with Export (API)")
    for node in nodes:
        node.setdefault("inputs", {})
    return content


def title(prompt: Prompt, node_id: str) -> str:
    """What a person calls a node: its title in the workflow, else its class."""
    node = prompt[node_id]
    return str(node.get("_meta", {}).get("title") or node["class_type"])


def name_nodes(prompt: Prompt, names: dict[str, str]) -> None:
    """Give nodes without a title the name that the server shows for their class."""
    for node in prompt.values():
        meta = node.setdefault("_meta", {})
        if not meta.get("title"):
            meta["title"] = names.get(node["class_type"], node["class_type"])


def set_option(prompt: Prompt, name: str, value: Any) -> None:
    """Put one of INPUT_NAMES into every input that is for it; refuse when the workflow has none."""
    holders = list(_holders(prompt, INPUT_NAMES[name]))
    if not holders and name in _TEXT_BEHIND:
        holders = list(_texts_behind(prompt, _TEXT_BEHIND[name]))
    if not holders:
        expected = " or ".join(INPUT_NAMES[name])
        raise _usage(f"--{name}: expected a node with an input named {expected}, got none; leave it out")
    for node_id, key in holders:
        prompt[node_id]["inputs"][key] = value


def set_seconds(prompt: Prompt, seconds: float, frames_for_seconds: Callable[[float, float], int]) -> None:
    """Set the clip's length.

    A `length` with a `length_unit` beside it takes seconds as they are, `seconds` and `duration` too; a bare `length`
    counts frames, `frames_for_seconds(seconds, fps)` of them at the workflow's frame rate.
    """
    done = False
    for node_id, key in _holders(prompt, ("length", "seconds", "duration")):
        inputs = prompt[node_id]["inputs"]
        if key == "length" and "length_unit" not in inputs:
            inputs[key] = frames_for_seconds(seconds, _frame_rate(prompt))
        else:
            inputs[key] = seconds
            if key == "length":
                inputs["length_unit"] = "seconds"
        done = True
    if not done:
        raise _usage("--seconds: expected a node with an input named length or seconds, got none; leave it out")


@dataclass(frozen=True)
class Setting:
    """One `--set NODE.input=value`; `node` is an id, a class or a title."""

    node: str
    input: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Setting:
        target, equals, value = text.partition("=")
        node, dot, key = target.rpartition(".")
        if not (equals and dot and node and key):
            raise _usage(f"--set: expected NODE.input=value, got {text!r}")
        return cls(node.strip(), key.strip(), value)

    def apply(self, prompt: Prompt) -> None:
        """Put the value into the one node it means, as the type that the workflow has there."""
        inputs = prompt[self._find(prompt)]["inputs"]
        settable = [key for key, value in inputs.items() if not _is_link(value)]
        if self.input not in inputs:
            has = ", ".join(settable) or "no inputs to set"
            raise _usage(f"--set {self.node}.{self.input}: expected an input of that node, which has {has}")
        if self.input not in settable:
            source = title(prompt, str(inputs[self.input][0]))
            raise _usage(f"--set {self.node}.{self.input}: expected a value, but that input is fed by {source}")
        inputs[self.input] = self._cast(inputs[self.input])

    def _find(self, prompt: Prompt) -> str:
        if self.node in prompt:
            return self.node
        same = [key for key in prompt if self.node in (prompt[key]["class_type"], title(prompt, key))]
        if len(same) == 1:
            return same[0]
        if same:
            raise _usage(f"--set: expected one node {self.node}, got {len(same)}; use its id: {', '.join(same)}")
        known = ", ".join(f"{key} ({prompt[key]['class_type']})" for key in prompt)
        raise _usage(f"--set: expected a node of this workflow, got {self.node}; it has {known}")

    def _cast(self, old: Any) -> Any:
        if isinstance(old, bool):
            return self._as({"true": True, "1": True, "false": False, "0": False}.__getitem__, "true or false")
        if isinstance(old, (int, float)):
            return self._as(_number, "a number")
        if isinstance(old, (list, dict)):
            return self._as(json.loads, "JSON")
        return self.value

    def _as(self, convert: Callable[[str], Any], expected: str) -> Any:
        try:
            return convert(self.value.strip().lower() if expected == "true or false" else self.value)
        except (KeyError, ValueError):
            raise _usage(f"--set {self.node}.{self.input}: expected {expected}, got {self.value!r}") from None


@dataclass
class Options:
    """What a person asked for; None leaves the workflow's own value. `values` is keyed by INPUT_NAMES."""

    NAMES: ClassVar = tuple(INPUT_NAMES)
    values: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    settings: list[Setting] = field(default_factory=list)

    def apply(self, prompt: Prompt, frames_for_seconds: Callable[[float, float], int]) -> None:
        """Named options first, so that `--set` has the last word."""
        for name, value in self.values.items():
            if value is not None:
                set_option(prompt, name, value)
        if self.seconds is not None:
            set_seconds(prompt, self.seconds, frames_for_seconds)
        for setting in self.settings:
            setting.apply(prompt)


def value_of(prompt: Prompt, name: str) -> Any:
    """The value that one of INPUT_NAMES has in the workflow, or None."""
    return next((prompt[node_id]["inputs"][key] for node_id, key in _holders(prompt, INPUT_NAMES[name])), None)


def _holders(prompt: Prompt, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for node_id, node in prompt.items():
        for key, value in node["inputs"].items():
            if key in names and not _is_link(value):
                yield node_id, key


def _texts_behind(prompt: Prompt, name: str) -> Iterator[tuple[str, str]]:
    for node in prompt.values():
        link = node["inputs"].get(name)
        if _is_link(link) and isinstance(prompt.get(str(link[0]), {}).get("inputs", {}).get("text"), str):
            yield str(link[0]), "text"


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def _frame_rate(prompt: Prompt) -> float:
    rate = value_of(prompt, "fps")
    if rate is None:
        raise _usage("--seconds: expected an fps in the workflow to count frames by, got none; use --set NODE.length")
    return float(rate)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _usage(sentence: str) -> CommandError:
    return CommandError(sentence, Exit.USAGE)
