"""The generate command against a running server: what it leaves behind, how it fails, how it is cancelled.

Workflows of stock nodes, so that what is tested here is the command alone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from spacetime_cli.errors import Exit
from spacetime_cli.locate import Host
from spacetime_cli.server import HostServer, free_port

ROOT = Path(__file__).parents[2]
GENERATE = ROOT / "scripts" / "generate.py"
Workflow = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def saved(images: str) -> Workflow:
    """The end of a workflow: the images of a node as a saved video."""
    return {
        "98": node("CreateVideo", images=[images, 0], fps=8),
        "99": node("SaveVideo", video=["98", 0], filename_prefix="t/clip", format="auto", codec="auto"),
    }


def quick() -> Workflow:
    return {"1": node("EmptyImage", width=64, height=48, batch_size=9, color=0xCC3322), **saved("1")}


def slow(steps: int = 300) -> Workflow:
    """Many nodes in a row, each of which takes a noticeable time; the server looks for a cancel between them."""
    workflow = {"1": node("EmptyImage", width=512, height=512, batch_size=13, color=0)}
    last = "1"
    for step in range(steps):
        key = str(1000 + step)
        workflow[key] = node(
            "ImageScale", image=[last, 0], upscale_method="lanczos", width=512 + step % 2 * 8, height=512, crop="disabled"
        )
        last = key
    return {**workflow, **saved(last)}


def failing() -> Workflow:
    """Two latents of different heights side by side: valid to ask for, impossible to do."""
    return {
        "1": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "2": node("EmptyLatentImage", width=64, height=128, batch_size=1),
        "3": node("LatentConcat", samples1=["1", 0], samples2=["2", 0], dim="x"),
        "4": node("SaveLatent", samples=["3", 0], filename_prefix="t/latent"),
    }


class Command:
    """Runs the generate command in a folder of its own, on a workflow written there."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.out = folder / "made" / "clip.mp4"
        self.started: list[subprocess.Popen[str]] = []

    def arguments(self, workflow: Workflow, *more: str) -> list[str]:
        file = self.folder / "workflow.json"
        file.write_text(json.dumps(workflow), encoding="utf-8")
        return [sys.executable, str(GENERATE), "--workflow", str(file), "--out", str(self.out), *more]

    def run(self, workflow: Workflow, *more: str) -> subprocess.CompletedProcess[str]:
        command = self.arguments(workflow, "--server", self.url, *more)
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)

    def start(self, workflow: Workflow, *more: str) -> subprocess.Popen[str]:
        command = self.arguments(workflow, *more)
        pipe = subprocess.PIPE
        self.started.append(subprocess.Popen(command, cwd=self.folder, stdout=pipe, stderr=pipe, text=True))
        return self.started[-1]

    def end(self) -> None:
        """End what a failed test left running."""
        for child in self.started:
            child.kill()
            child.wait()

    def made(self) -> list[str]:
        """Every file in the folder of the results, hidden and partial ones too."""
        return sorted(path.name for path in self.out.parent.iterdir()) if self.out.parent.exists() else []


@pytest.fixture
def command_for(tmp_path: Path) -> Iterator[Callable[[str], Command]]:
    """Makes commands for a server's URL, each in a folder of its own."""
    made: list[Command] = []

    def make(url: str) -> Command:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Command(folder, url))
        return made[-1]

    yield make
    for command in made:
        command.end()


@pytest.fixture
def command(command_for: Callable[[str], Command], live_server: HostServer) -> Command:
    return command_for(live_server.url)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as reply:
        return json.load(reply)


def wait_for(truth: Any, what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)


def wait_for_line(running: subprocess.Popen[str], text: str) -> None:
    """Read standard error until a line has `text`."""
    assert running.stderr is not None
    for line in running.stderr:
        if text in line:
            return
    pytest.fail(f"the command ended without saying {text!r}")


def interrupt(url: str) -> None:
    """Ask the server to stop what it runs. It forgets this when a job is just starting, so ask again until it has stopped."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/interrupt", data=b"{}", method="POST"), timeout=30).close()


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence at the end of standard error."""
    return done.stderr.splitlines()[-1]


def test_a_video_and_a_contact_sheet_are_saved_and_their_paths_printed(command: Command) -> None:
    done = command.run(quick(), "--width", "96", "--fps", "4", "--set", "EmptyImage.batch_size=5")
    assert done.returncode == Exit.OK, done.stderr
    assert done.stdout.splitlines() == [str(command.out), str(command.out.with_suffix(".png"))]
    assert command.made() == ["clip.mp4", "clip.png"]
    with av.open(str(command.out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, float(stream.average_rate)) == (96, 48, 4.0)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 5
    assert abs(frames[2].mean(axis=(0, 1)) - [0xCC, 0x33, 0x22]).max() < 8
    with Image.open(command.out.with_suffix(".png")) as sheet:
        assert sheet.format == "PNG"
    assert "where the time went" in done.stderr
    assert "in all" in done.stderr


def test_what_a_node_shows_in_the_page_is_told(command: Command) -> None:
    shown = {"5": node("PrimitiveString", value="a word of advice"), "6": node("PreviewAny", source=["5", 0])}
    for _ in range(2):  # the second time from the server's cache
        done = command.run({**quick(), **shown})
        assert done.returncode == Exit.OK, done.stderr
        assert "Preview as Text: a word of advice" in done.stderr.splitlines()


def test_the_sheet_goes_where_it_is_asked_to(command: Command) -> None:
    done = command.run(quick(), "--sheet", str(command.out.parent / "overview.png"))
    assert done.returncode == Exit.OK, done.stderr
    assert command.made() == ["clip.mp4", "overview.png"]


def test_without_a_name_the_files_are_named_and_numbered(command: Command) -> None:
    file = command.folder / "my flow.json"
    file.write_text(json.dumps(quick()), encoding="utf-8")
    arguments = [sys.executable, str(GENERATE), "--workflow", str(file), "--server", command.url]
    for expected in ("my-flow", "my-flow-2"):
        done = subprocess.run(arguments, cwd=command.folder, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == [str(Path("output") / f"{expected}.mp4"), str(Path("output") / f"{expected}.png")]


def test_any_python_will_do_because_the_command_goes_over_to_comfyuis(command: Command) -> None:
    plain = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run([plain, *command.arguments(quick(), "--server", command.url)[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == Exit.OK, done.stderr
    assert command.made() == ["clip.mp4", "clip.png"]


def test_a_refused_input_is_one_sentence_that_names_the_node(command: Command) -> None:
    done = command.run(quick(), "--set", "1.width=-5")
    assert done.returncode == Exit.REFUSED
    assert error_of(done).startswith("error: Prompt refused: Empty Image (node 1): Value -5 smaller than min of 1")
    assert command.made() == []


def test_an_unknown_node_is_one_sentence_that_names_it(command: Command) -> None:
    done = command.run({**quick(), "1": node("NoSuchNodeAnywhere")})
    assert done.returncode == Exit.REFUSED
    assert "NoSuchNodeAnywhere" in error_of(done)


def test_a_node_that_fails_is_one_sentence_with_its_reason(command: Command) -> None:
    done = command.run(failing())
    assert done.returncode == Exit.NODE
    assert error_of(done).startswith("error: LatentConcat (node 3) failed: Sizes of tensors must match")
    assert command.made() == []


def test_a_workflow_without_a_video_is_one_sentence(command: Command) -> None:
    done = command.run({"1": quick()["1"], "2": node("SaveImage", images=["1", 0], filename_prefix="t/x")})
    assert done.returncode == Exit.OUTPUT
    assert "expected a video, got x_" in error_of(done)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (("--set", "nope.width=3"), "expected a node of this workflow, got nope"),
        (("--set", "1.nope=3"), "expected an input of that node, which has width"),
        (("--seconds", "2"), "--seconds: expected a node with an input named length"),
        (("--steps", "4"), "--steps: expected a node with an input named steps"),
    ],
)
def test_an_option_that_fits_no_input_fails_before_anything_is_started(command: Command, option: tuple[str, str], sentence: str) -> None:
    arguments = command.arguments(quick(), *option)  # no --server: it would have to start one
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == Exit.USAGE
    assert sentence in error_of(done)
    assert len(done.stderr.splitlines()) == 1  # nothing about starting ComfyUI


def test_a_server_that_is_not_there_is_one_sentence(command_for: Callable[[str], Command]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = command_for(url).run(quick())
    assert done.returncode == Exit.SERVER
    assert error_of(done).startswith(f"error: Server: expected a ComfyUI at {url}, got ")


def test_a_server_of_another_kind_is_one_sentence(command_for: Callable[[str], Command]) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *unused: object) -> None:
            """Keep the test's output clean."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = command_for(f"http://127.0.0.1:{server.server_port}").run(quick())
        server.shutdown()
    assert done.returncode == Exit.SERVER
    assert "404" in error_of(done)


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_the_job_on_the_server_and_leaves_no_file(command: Command, live_server: HostServer, number: int) -> None:
    running = command.start(slow(), "--server", live_server.url)
    wait_for(lambda: get(f"{live_server.url}/queue")["queue_running"], "the job running")
    (job,) = get(f"{live_server.url}/queue")["queue_running"]
    running.send_signal(number)
    _, told = running.communicate(timeout=60)
    assert running.returncode == Exit.CANCELLED, told
    assert "the job is off the server" in told
    assert told.splitlines()[-1] == "cancelled"
    wait_for(lambda: get(f"{live_server.url}/api/jobs/{job[1]}")["status"] == "cancelled", "the cancel on the server")
    assert command.made() == []
    assert command.run(quick()).returncode == Exit.OK  # the server goes on working


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_ctrl_c_takes_a_waiting_job_out_of_the_queue(
    command: Command, command_for: Callable[[str], Command], live_server: HostServer
) -> None:
    first = command.start(slow(), "--server", live_server.url)
    wait_for(lambda: get(f"{live_server.url}/queue")["queue_running"], "the first job running")
    second = command_for(live_server.url).start(quick(), "--server", live_server.url)
    wait_for(lambda: get(f"{live_server.url}/queue")["queue_pending"], "the second job waiting")
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == Exit.CANCELLED
    queue = get(f"{live_server.url}/queue")
    assert queue["queue_pending"] == []
    assert len(queue["queue_running"]) == 1  # somebody else's job was left alone
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == Exit.CANCELLED


def test_a_job_cancelled_from_elsewhere_is_told_as_that(command: Command, live_server: HostServer) -> None:
    running = command.start(slow(), "--server", live_server.url)
    wait_for(lambda: get(f"{live_server.url}/queue")["queue_running"], "the job running")
    wait_for(lambda: interrupt(live_server.url) or running.poll() is not None, "the end of the command")
    _, told = running.communicate(timeout=60)
    assert running.returncode == Exit.CANCELLED
    assert told.splitlines()[-1] == "error: Cancelled: the job was cancelled on the server"


def test_a_server_that_dies_during_the_job_is_one_sentence(comfyui: Host, command_for: Callable[[str], Command]) -> None:
    with HostServer(comfyui, private_folders=True) as server:
        url = server.url
        command = command_for(url)
        running = command.start(slow(), "--server", url)
        wait_for(lambda: get(f"{url}/queue")["queue_running"], "the job running")
        assert server.child is not None
        server.child.kill()
        _, told = running.communicate(timeout=60)
    assert running.returncode == Exit.SERVER
    assert f"error: Server: expected a ComfyUI at {url}, got" in told.splitlines()[-1]
    assert command.made() == []


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_a_server_started_by_the_command_ends_with_it_even_when_it_is_killed(command_for: Callable[[str], Command]) -> None:
    running = command_for("").start(slow())
    wait_for_line(running, "Upscale Image")
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    if not children.exists():
        pytest.skip("this system does not list a process's children")
    (server,) = [int(pid) for pid in children.read_text().split()]
    running.kill()
    running.wait()
    wait_for(lambda: not _alive(server), "the end of the server", 20)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_serve_prints_the_address_of_the_page_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    arguments = [sys.executable, str(ROOT / "scripts" / "serve.py"), "--port", str(port)]
    pipe = subprocess.PIPE
    running = subprocess.Popen(arguments, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    assert running.stdout is not None
    url = running.stdout.readline().strip()
    assert url == f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(url, timeout=30) as page:
        assert "ComfyUI" in page.read().decode()
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == Exit.OK
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_server_that_cannot_start_is_told_with_its_last_words(comfyui: Host) -> None:
    from spacetime_cli.errors import CommandError

    with pytest.raises(CommandError, match="no-such-option") as caught, HostServer(comfyui, options=("--no-such-option",)):
        pass
    assert caught.value.code is Exit.SERVER
