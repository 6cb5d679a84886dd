"""From a prompt to a saved video and its contact sheet, on a server that is ours or somebody's."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .client import Client, new_prompt_id, pick_video
from .console import Console
from .errors import CommandError, Exit
from .locate import Host
from .paths import ROOT
from .process import tail
from .progress import Bars, where_the_time_went
from .server import HostServer, end_on_signals
from .sheet import make_sheet
from .workflow import Options, Prompt, load, name_nodes, value_of

TEXT_TO_VIDEO = ROOT / "workflows" / "api" / "text_to_video.json"
_TICK_SECONDS = 0.5


@dataclass(frozen=True)
class Request:
    """What to make and where to put it. `out` and `sheet` None: named after the prompt, in `output/`."""

    workflow: Path = TEXT_TO_VIDEO
    options: Options = field(default_factory=Options)
    out: Path | None = None
    sheet: Path | None = None
    server: str | None = None


class Stopwatch:
    """Parts of the work and their seconds, in order."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, float]] = []

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.parts.append((name, time.monotonic() - began))


def prepare(request: Request) -> Prompt:
    """The workflow with the request's options in it. Needs no server, so that a wrong option fails at once."""
    prompt = load(request.workflow)
    request.options.apply(prompt, _frames_for_seconds)
    for path in (request.out, request.sheet):
        if path is not None:
            _check_target(path)
    return prompt


def generate(request: Request, prompt: Prompt, host: Host | None, console: Console) -> tuple[Path, Path]:
    """Make the video and its sheet; return their paths. `host` is started unless the request names a server."""
    watch = Stopwatch()
    if request.server is not None:
        video = _follow(request.server, request, prompt, console, watch)
    else:
        assert host is not None
        with contextlib.ExitStack() as stack:
            with watch.part("start ComfyUI"):
                server = stack.enter_context(HostServer(host, private_folders=True, console=console))
            try:
                video = _follow(server.url, request, prompt, console, watch)
            except CommandError as error:
                raise _explained(error, server) from error
    with watch.part("contact sheet"):
        console.status("drawing the contact sheet")
        sheet = request.sheet or video.with_suffix(".png")
        make_sheet(video, sheet)
    seed = value_of(prompt, "seed")
    console.say("where the time went" + (f" (seed {seed})" if seed is not None else ""))
    for line in where_the_time_went(watch.parts):
        console.say(line)
    return video, sheet


def _follow(url: str, request: Request, prompt: Prompt, console: Console, watch: Stopwatch) -> Path:
    return _interruptible(_run_on_server(url, request, prompt, console, watch))


async def _run_on_server(url: str, request: Request, prompt: Prompt, console: Console, watch: Stopwatch) -> Path:
    async with Client(url) as client:
        name_nodes(prompt, await client.display_names())
        prompt_id = new_prompt_id()
        bars = Bars(prompt, console)
        ticking = asyncio.create_task(_tick(bars))
        try:
            await client.follow(prompt, prompt_id, bars.on_event)
        except asyncio.CancelledError:
            console.say("cancelling the job on the server")
            gone = await client.cancel(prompt_id)
            console.say("the job is off the server" if gone else "the server will stop when its current node lets it")
            raise
        finally:
            ticking.cancel()
        watch.parts.append(("waiting in the queue", bars.stages.queue_seconds()))
        watch.parts += bars.stages.times()
        with watch.part("fetching the video"):
            item = pick_video(await client.outputs(prompt_id))
            video = _video_path(request, prompt, Path(item["filename"]).suffix)
            await client.download(item, video)
        return video


async def _tick(bars: Bars) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        bars.tick()


def _interruptible(work: Coroutine[Any, Any, Path]) -> Path:
    """Run `work`; Ctrl-C and requests to end cancel it, and it may still tell the server, then KeyboardInterrupt."""

    async def main() -> Path:
        task = asyncio.current_task()
        assert task is not None
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            with contextlib.suppress(NotImplementedError, AttributeError):  # Windows: asyncio.run() does it for SIGINT
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), task.cancel)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        end_on_signals()  # closing the loop put the system's own handlers back


def _explained(error: CommandError, server: HostServer) -> CommandError:
    """A lost connection to a server that has ended is told as what it is."""
    if error.code is not Exit.SERVER or server.is_running():
        return error
    return CommandError(
        f"ComfyUI ended while the prompt was running; its last words were:\n{tail(server.log)}\n"
        f"the whole log is {server.log}",
        Exit.SERVER,
    )


def _video_path(request: Request, prompt: Prompt, suffix: str) -> Path:
    """Where the video goes: as asked, with the suffix of what was made; else a new name after the prompt."""
    if request.out is not None:
        return request.out.with_suffix(suffix)
    folder = Path("output")
    folder.mkdir(exist_ok=True)
    words = re.sub(r"\W+", "-", str(value_of(prompt, "prompt") or request.workflow.stem)).strip("-").lower()[:60]
    name = words or "video"
    path, number = folder / f"{name}{suffix}", 2
    while path.exists() or path.with_suffix(".png").exists():
        path, number = folder / f"{name}-{number}{suffix}", number + 1
    return path


def _check_target(path: Path) -> None:
    """Refuse a place that cannot be written before any work is done for it."""
    if path.is_dir():
        raise CommandError(f"--out: expected a file name, got the folder {path}; name a file in it", Exit.USAGE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--out: cannot make the folder {path.parent}: {error.strerror}", Exit.USAGE) from error


def _frames_for_seconds(seconds: float, fps: float) -> int:
    """The project's one arithmetic, imported only by workflows that count frames."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    from models.shapes import frames_for_seconds

    return frames_for_seconds(seconds, fps)
