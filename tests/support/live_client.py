"""A plain HTTP client of a running ComfyUI: submit, wait, read how it ended."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import Any

Workflow = dict[str, dict[str, Any]]
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Ending:
    """How a job ended: `kind` is "success", "refused" (by POST /prompt), "error" (in a node) or "interrupted"."""

    kind: str
    node_id: str = ""
    node_type: str = ""
    messages: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)


def get(url: str, path: str) -> Any:
    with _DIRECT.open(url + path, timeout=60) as reply:
        return json.load(reply)


def post(url: str, path: str, content: Any) -> tuple[int, Any]:
    request = urllib.request.Request(url + path, json.dumps(content).encode(), {"Content-Type": "application/json"})
    try:
        with _DIRECT.open(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def submit(url: str, workflow: Workflow) -> str | Ending:
    """The id of the queued job, or how the server refused it."""
    prompt_id = str(uuid.uuid4())
    status, reply = post(url, "/prompt", {"prompt": workflow, "prompt_id": prompt_id})
    if status == 200:
        return prompt_id
    for node_id, node in reply.get("node_errors", {}).items():
        told = [f"{error['message']}: {error['details']}" for error in node["errors"]]
        return Ending("refused", node_id, node["class_type"], told)
    return Ending("refused", messages=[str(reply.get("error"))])


def wait(url: str, prompt_id: str, seconds: float = 300) -> Ending:
    """How a queued job ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        entry = get(url, f"/history/{prompt_id}").get(prompt_id)
        if entry:
            return _ending(entry)
        time.sleep(0.05)
    raise AssertionError(f"the job did not end within {seconds} s")


def run(url: str, workflow: Workflow) -> Ending:
    """Submit and wait."""
    submitted = submit(url, workflow)
    return submitted if isinstance(submitted, Ending) else wait(url, submitted)


def _ending(entry: dict[str, Any]) -> Ending:
    for kind, data in entry["status"]["messages"]:
        if kind == "execution_error":
            return Ending("error", str(data["node_id"]), data["node_type"], [data["exception_message"].strip()])
        if kind == "execution_interrupted":
            return Ending("interrupted", str(data.get("node_id")), str(data.get("node_type")))
    assert entry["status"]["status_str"] == "success", entry["status"]
    return Ending("success", outputs=entry["outputs"])
