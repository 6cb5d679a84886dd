"""Talking to a running ComfyUI: submit a prompt, follow it, cancel it, fetch what it made."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from .errors import CommandError, Exit
from .workflow import Prompt, title

Event = tuple[str, dict[str, Any]]
_ENDINGS = ("execution_success", "execution_error", "execution_interrupted")
_SILENCE_SECONDS = 20.0
_REPLY_SECONDS = 60.0
_POLL_SECONDS = 0.2
_LOST_AFTER = 10  # a finished job is in neither queue nor history for a moment
_VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".gif", ".webp")


class Client:
    """`async with Client(url) as client:` speaks with one server. `url` may have a path, as behind a proxy."""

    def __init__(self, url: str) -> None:
        self.url = checked_url(url)
        self.client_id = uuid.uuid4().hex
        self._session: aiohttp.ClientSession | None = None
        self._submission: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Client:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_REPLY_SECONDS))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def follow(self, prompt: Prompt, prompt_id: str, on_event: Callable[[Event], None]) -> None:
        """Submit `prompt` and return when it has finished; every websocket event about it goes to `on_event`.

        Raises CommandError: REFUSED when the server does not take it, NODE when a node fails, CANCELLED when somebody
        else cancels it, SERVER when the server cannot be reached or goes away.
        """
        with self._reaching():
            async with self._connect() as socket:
                self._submission = asyncio.ensure_future(self._submit(prompt, prompt_id))
                await asyncio.shield(self._submission)  # a cancel must not race the job to the server
                async for event in self._events(socket, prompt_id):
                    on_event(event)
                    if event[0] in _ENDINGS:
                        _settle(event, prompt)
                        return
        await self._finish_without_socket(prompt, prompt_id)

    async def cancel(self, prompt_id: str, patience: float = 15.0) -> bool:
        """Cancel this one job, queued or running; True once the server no longer has it.

        The server forgets a cancel that comes while it takes the job out of its queue, and a node at work may not look
        for one for a while, so it is asked again and again for `patience` seconds.
        """
        if self._submission is not None:
            await asyncio.wait([self._submission], timeout=patience)
        deadline = time.monotonic() + patience
        with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError, ValueError):
            while time.monotonic() < deadline:
                await self._ask_to_cancel(prompt_id)
                await asyncio.sleep(_POLL_SECONDS)
                if not await self._is_queued(prompt_id):
                    return True
        return False

    async def outputs(self, prompt_id: str) -> list[dict[str, str]]:
        """The files a finished prompt made: `filename`, `subfolder`, `type` each."""
        with self._reaching():
            entry = await self._history_entry(prompt_id)
        nodes = entry.get("outputs", {}).values()
        groups = [group for node in nodes for group in node.values() if isinstance(group, list)]
        return [item for group in groups for item in group if isinstance(item, dict) and "filename" in item]

    async def display_names(self) -> dict[str, str]:
        """What the server calls each node class."""
        with self._reaching():
            info = await self._get_json("/object_info")
        return {name: node.get("display_name") or name for name, node in info.items()}

    async def download(self, item: dict[str, str], target: Path) -> None:
        """Fetch one output file; `target` appears only when all of it is there."""
        partial = None
        try:
            async with self._http().get(f"{self.url}/view", params=item, timeout=_no_limit()) as reply:
                reply.raise_for_status()
                handle, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=target.parent)
                partial = Path(name)
                with os.fdopen(handle, "wb") as sink:
                    async for chunk in reply.content.iter_chunked(1 << 20):
                        sink.write(chunk)
            make_readable(partial)
            os.replace(partial, target)
        except (aiohttp.ClientError, OSError) as error:
            sentence = f"Result: could not fetch {item['filename']} to {target}: {error}"
            raise CommandError(sentence, Exit.OUTPUT) from error
        finally:
            if partial is not None:
                partial.unlink(missing_ok=True)

    def _http(self) -> aiohttp.ClientSession:
        assert self._session is not None, "use `async with Client(...)`"
        return self._session

    def _connect(self) -> Any:
        address = f"ws{self.url[len('http'):]}/ws"
        return self._http().ws_connect(address, params={"clientId": self.client_id}, max_msg_size=0)

    async def _submit(self, prompt: Prompt, prompt_id: str) -> None:
        body = {"prompt": prompt, "prompt_id": prompt_id, "client_id": self.client_id}
        async with self._http().post(f"{self.url}/prompt", json=body) as reply:
            text = await reply.text()
            if reply.status != 200:
                raise CommandError(refusal(text, reply.status, prompt), Exit.REFUSED)

    async def _events(self, socket: aiohttp.ClientWebSocketResponse, prompt_id: str) -> AsyncIterator[Event]:
        """Events of this prompt until the socket closes; a silent server is asked whether it is still there."""
        while True:
            try:
                message = await socket.receive(timeout=_SILENCE_SECONDS)
            except asyncio.TimeoutError:
                await self._get_json("/prompt")
                continue
            if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR):
                return
            if message.type == aiohttp.WSMsgType.TEXT:
                content = json.loads(message.data)
                if content.get("data", {}).get("prompt_id") == prompt_id:
                    yield content["type"], content["data"]

    async def _finish_without_socket(self, prompt: Prompt, prompt_id: str) -> None:
        """The socket closed before the end was told; a server that still answers can be asked instead."""
        with self._reaching():
            entry = await self._history_entry(prompt_id)
        messages = [(message[0], message[1]) for message in entry.get("status", {}).get("messages", [])]
        _settle(next((message for message in messages if message[0] in _ENDINGS), ("execution_success", {})), prompt)

    async def _history_entry(self, prompt_id: str) -> dict[str, Any]:
        """What the server keeps about a finished job, which comes shortly after it tells of the end."""
        asked_in_vain = 0
        while asked_in_vain < _LOST_AFTER:
            entry = (await self._get_json(f"/history/{prompt_id}")).get(prompt_id)
            if entry is not None:
                return dict(entry)
            asked_in_vain = 0 if await self._is_queued(prompt_id) else asked_in_vain + 1
            await asyncio.sleep(_POLL_SECONDS)
        raise CommandError(
            f"Server: expected {self.url} to finish the job, but it no longer knows it (was it restarted?); "
            "run the command again",
            Exit.SERVER,
        )

    async def _is_queued(self, prompt_id: str) -> bool:
        """Whether the job is running or waiting."""
        queue = await self._get_json("/queue")
        return any(prompt_id in job for jobs in queue.values() for job in jobs)

    async def _ask_to_cancel(self, prompt_id: str) -> None:
        async with self._http().post(f"{self.url}/api/jobs/{prompt_id}/cancel") as reply:
            if reply.status == 200:
                return
        for path, body in (("/queue", {"delete": [prompt_id]}), ("/interrupt", {"prompt_id": prompt_id})):
            async with self._http().post(self.url + path, json=body):  # a server from before /api/jobs
                pass

    async def _get_json(self, path: str) -> dict[str, Any]:
        async with self._http().get(self.url + path) as reply:
            reply.raise_for_status()
            content: dict[str, Any] = await reply.json()
            return content

    @contextlib.contextmanager
    def _reaching(self) -> Any:
        """Turn what can go wrong on the way into one sentence."""
        try:
            yield
        except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError) as error:
            reason = str(error) or "no answer"
            raise CommandError(
                f"Server: expected a ComfyUI at {self.url}, got {reason}; "
                "check that it is running and that the address is right",
                Exit.SERVER,
            ) from error


def new_prompt_id() -> str:
    """A job id as the server wants it: a lowercase UUID."""
    return str(uuid.uuid4())


def checked_url(url: str) -> str:
    """`host:8188`, `http://host:8188/` and the like as a base URL without a slash at its end."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandError(f"--server: expected a URL like http://127.0.0.1:8188, got {url!r}", Exit.USAGE)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def pick_video(items: list[dict[str, str]]) -> dict[str, str]:
    """The video among a prompt's outputs; saved files before previews."""
    videos = [item for item in items if item["filename"].lower().endswith(_VIDEO_SUFFIXES)]
    if not videos:
        names = ", ".join(item["filename"] for item in items) or "no file at all"
        raise CommandError(f"Result: expected a video, got {names}; end the workflow with Save Video", Exit.OUTPUT)
    return next((item for item in videos if item.get("type") == "output"), videos[0])


def refusal(body: str, status: int, prompt: Prompt) -> str:
    """One sentence for a refused prompt, from the server's reply to `POST /prompt`."""
    try:
        reply = json.loads(body)
        error, nodes = reply.get("error") or {}, reply.get("node_errors") or {}
    except (ValueError, AttributeError):
        return f"Prompt refused: expected HTTP 200, got {status}: {_one_line(body) or 'no text'}"
    told = [
        f"{title(prompt, node_id) if node_id in prompt else 'node'} (node {node_id}): {_told(problem)}"
        for node_id, node in nodes.items()
        for problem in node.get("errors", [])
    ]
    if not told:
        told = [_told(error) if isinstance(error, dict) else str(error)]
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return f"Prompt refused: {told[0]}{more}"


def make_readable(file: Path) -> None:
    """Give a temporary file (private by default) the permissions of an ordinary new file."""
    if os.name != "nt":
        mask = os.umask(0)
        os.umask(mask)
        file.chmod(0o666 & ~mask)


def _settle(event: Event, prompt: Prompt) -> None:
    kind, data = event
    if kind == "execution_interrupted":
        raise CommandError("Cancelled: the job was cancelled on the server", Exit.CANCELLED)
    if kind == "execution_error":
        raise CommandError(_node_failure(data, prompt), Exit.NODE)


def _node_failure(data: dict[str, Any], prompt: Prompt) -> str:
    node_id = str(data.get("node_id"))
    name = title(prompt, node_id) if node_id in prompt else str(data.get("node_type"))
    message = _one_line(str(data.get("exception_message", "")))
    if message.startswith(f"{name}: "):
        return message  # it names its node itself
    kind = str(data.get("exception_type", "")).rpartition(".")[2]
    return f"{name} (node {node_id}) failed: {message or kind or 'no reason given'}"


def _told(problem: dict[str, Any]) -> str:
    parts = [_one_line(str(problem.get(key) or "")) for key in ("message", "details")]
    return ": ".join(dict.fromkeys(part for part in parts if part)) or "no reason given"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:600]


def _no_limit() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_read=_REPLY_SECONDS)
