"""Which ComfyUI the commands use, and that an install which is not ours stays as it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from spacetime_cli.errors import CommandError, Exit
from spacetime_cli.existing import missing_requirements
from spacetime_cli.locate import Host, find_existing, find_python
from spacetime_cli.visible import is_visible, visibility_options


def make_comfyui(folder: Path) -> Path:
    (folder / "comfy").mkdir(parents=True)
    (folder / "custom_nodes").mkdir()
    for name in ("main.py", "nodes.py", "comfyui_version.py"):
        (folder / name).touch()
    return folder


@pytest.fixture
def pack_in_install(tmp_path: Path) -> Path:
    root = make_comfyui(tmp_path / "around") / "custom_nodes" / "ComfyUI-Spacetime"
    root.mkdir()
    return root


def test_a_named_comfyui_comes_before_the_variable_and_the_enclosing_install(tmp_path: Path, pack_in_install: Path) -> None:
    named, variable = make_comfyui(tmp_path / "named"), make_comfyui(tmp_path / "variable")
    found = find_existing(str(named), {"COMFYUI_PATH": str(variable)}, pack_in_install)
    assert found is not None
    assert (found.comfyui, found.origin) == (named, "named")


def test_the_variable_comes_before_the_enclosing_install(tmp_path: Path, pack_in_install: Path) -> None:
    variable = make_comfyui(tmp_path / "variable")
    found = find_existing(None, {"COMFYUI_PATH": str(variable)}, pack_in_install)
    assert found is not None
    assert (found.comfyui, found.origin) == (variable, "named")


def test_the_enclosing_install_comes_before_a_private_one(pack_in_install: Path) -> None:
    found = find_existing(None, {}, pack_in_install)
    assert found is not None
    assert (found.comfyui, found.origin) == (pack_in_install.parents[1], "enclosing")


def test_an_install_is_found_through_a_link_in_its_custom_nodes(tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    root.mkdir()
    install = make_comfyui(tmp_path / "install")
    link = install / "custom_nodes" / "ComfyUI-Spacetime"
    link.symlink_to(root, target_is_directory=True)
    found = find_existing(None, {}, link)
    assert found is not None
    assert found.comfyui == install


def test_the_private_host_is_not_taken_for_an_enclosing_install(tmp_path: Path) -> None:
    root = tmp_path / "pack"
    private = make_comfyui(root / ".host" / "ComfyUI")
    link = private / "custom_nodes" / "ComfyUI-Spacetime"
    link.symlink_to(root, target_is_directory=True)
    assert find_existing(None, {}, link) is None


def test_nothing_is_found_where_there_is_nothing(tmp_path: Path) -> None:
    assert find_existing(None, {}, tmp_path / "custom_nodes" / "pack") is None


def test_some_other_main_py_is_not_a_comfyui(tmp_path: Path) -> None:
    (tmp_path / "main.py").touch()
    with pytest.raises(CommandError, match=r"--comfyui: expected the folder that holds ComfyUI's main\.py") as caught:
        find_existing(str(tmp_path), {})
    assert caught.value.code is Exit.SETUP


@pytest.mark.skipif(os.name == "nt", reason="the layout of a POSIX virtual environment")
@pytest.mark.parametrize("place", ["venv", ".venv", "../venv", "../.venv"])
def test_an_install_brings_its_own_python(tmp_path: Path, place: str) -> None:
    comfyui = make_comfyui(tmp_path / "ComfyUI")
    python = comfyui / place / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert find_python(comfyui).samefile(python)


def test_the_portable_build_brings_its_own_python(tmp_path: Path) -> None:
    comfyui = make_comfyui(tmp_path / "ComfyUI")
    python = tmp_path / "python_embeded" / "python.exe"
    python.parent.mkdir()
    python.touch()
    assert find_python(comfyui) == python


def test_an_install_without_its_own_python_uses_the_running_one(tmp_path: Path) -> None:
    assert find_python(make_comfyui(tmp_path / "ComfyUI")) == Path(sys.executable)


def test_missing_packages_are_named_by_the_other_python(tmp_path: Path) -> None:
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("# comment\npytest>=7\npytest>=9999\nno-such-package-of-anybody>=1\n", encoding="utf-8")
    host = Host(tmp_path, Path(sys.executable), "named")
    assert missing_requirements(host, [wanted]) == ["pytest>=9999", "no-such-package-of-anybody>=1"]


def test_a_pack_outside_custom_nodes_is_shown_without_writing_into_the_install(tmp_path: Path) -> None:
    install, root = make_comfyui(tmp_path / "install"), tmp_path / "pack"
    root.mkdir()
    before = sorted(install.rglob("*"))
    option, config = visibility_options(Host(install, Path(sys.executable), "named"), root)
    assert option == "--extra-model-paths-config"
    assert (root / ".host" / "visible" / "custom_nodes" / "ComfyUI-Spacetime").samefile(root)
    assert str(root / ".host" / "visible" / "custom_nodes") in Path(config).read_text(encoding="utf-8").replace("\\\\", "\\")
    assert sorted(install.rglob("*")) == before


def test_a_pack_linked_under_another_name_is_visible_already(tmp_path: Path) -> None:
    install, root = make_comfyui(tmp_path / "install"), tmp_path / "pack"
    root.mkdir()
    (install / "custom_nodes" / "my-clone").symlink_to(root, target_is_directory=True)
    host = Host(install, Path(sys.executable), "named")
    assert is_visible(host, root)
    assert visibility_options(host, root) == []
