"""READMEs and help pages: nothing they point to is missing, and both languages say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
HELP = sorted((ROOT / "web" / "docs").glob("*/*.md"))
LINK = re.compile(r"\]\(([^)#]+)\)")
SCRIPT = re.compile(r"scripts[/\\](\w+\.py)")
OPTION = re.compile(r"`(--\w+)")
HEADING = re.compile(r"^(#+) ", re.MULTILINE)


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def local_links(file: Path) -> list[str]:
    return [link for link in LINK.findall(file.read_text(encoding="utf-8")) if "://" not in link]


@pytest.mark.parametrize("file", READMES, ids=name)
def test_everything_a_readme_points_to_exists(file: Path) -> None:
    assert [link for link in local_links(file) if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("file", READMES, ids=name)
def test_the_commands_of_a_readme_exist(file: Path) -> None:
    named = set(SCRIPT.findall(file.read_text(encoding="utf-8")))
    assert {"generate.py", "serve.py", "test.py"} <= named
    assert [script for script in sorted(named) if not (ROOT / "scripts" / script).exists()] == []


@pytest.mark.parametrize("pattern", [HEADING, SCRIPT, OPTION, LINK], ids=["headings", "commands", "options", "links"])
def test_both_readmes_have_the_same_parts_in_the_same_order(pattern: re.Pattern[str]) -> None:
    english, chinese = (pattern.findall(file.read_text(encoding="utf-8")) for file in READMES)
    swapped = [file.name for file in READMES]
    assert [part for part in english if part not in swapped] == [part for part in chinese if part not in swapped]


@pytest.mark.parametrize("file", HELP, ids=name)
def test_a_help_page_has_a_picture_that_exists(file: Path) -> None:
    """The page looks for pictures from the folder that holds all help pages."""
    links = local_links(file)
    assert links
    assert [link for link in links if not (ROOT / "web" / "docs" / link).is_file()] == []


def test_every_help_page_is_there_in_both_languages_with_the_same_parts() -> None:
    folders = sorted({file.parent for file in HELP})
    assert len(folders) == len(json.loads((ROOT / "nodes" / "search_aliases.json").read_text(encoding="utf-8")))
    for folder in folders:
        assert sorted(file.stem for file in folder.glob("*.md")) == ["en", "zh"]
        english, chinese = ((folder / f"{language}.md").read_text(encoding="utf-8") for language in ("en", "zh"))
        assert HEADING.findall(english) == HEADING.findall(chinese), folder.name
        assert english.count("\n- ") == chinese.count("\n- "), folder.name
