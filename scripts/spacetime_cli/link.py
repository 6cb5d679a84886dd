"""Directory links that work on every platform: a symlink, or a junction on Windows (which needs no rights)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def links_to(link: Path, target: Path) -> bool:
    """Whether `link` exists and leads to the same folder as `target`."""
    try:
        return os.path.samefile(link, target)
    except OSError:
        return False


def remove_link(link: Path) -> None:
    """Remove a link or junction, never what it points to; a real folder is refused by the system call."""
    if link.is_symlink():
        link.unlink()
    elif os.path.lexists(link):
        os.rmdir(link)


def link_folder(link: Path, target: Path) -> None:
    """Make `link` lead to the folder `target`, replacing a link that leads elsewhere.

    Raises OSError when `link` is a folder with something in it or the file system refuses links.
    """
    if links_to(link, target):
        return
    remove_link(link)
    link.parent.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":
        command = ["cmd", "/c", "mklink", "/J", str(link), str(target.resolve())]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(f"cannot make the junction {link}: {done.stderr.strip()}")
    else:
        link.symlink_to(target.resolve(), target_is_directory=True)
