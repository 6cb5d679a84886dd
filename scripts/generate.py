"""Make a video from a prompt with the real ComfyUI, and a contact sheet of it.

Standard output is the two paths; progress, errors and what nodes show in the page go to standard error.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

from spacetime_cli.command import continue_in, ensure_host, parser, run
from spacetime_cli.console import Console
from spacetime_cli.locate import Host
from spacetime_cli.workflow import Options, Setting

NEEDED_MODULES = ("aiohttp", "av", "PIL")
LARGEST_SEED = 2**64 - 1


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return int(value) if value.is_integer() else value  # inputs of whole numbers take no 8.0


def count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text}")
    return value


def seed(text: str) -> int:
    value = int(text)
    if not 0 <= value <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {LARGEST_SEED}, got {text}")
    return value


def make_parser() -> argparse.ArgumentParser:
    made = parser(__doc__)
    add = made.add_argument
    add("prompt", nargs="?", help="what the video shows")
    add("--negative", metavar="TEXT", help="what it must not show")
    add("--seconds", type=positive, help="length")
    add("--fps", type=positive, help="frames per second")
    add("--width", type=count, help="pixels")
    add("--height", type=count, help="pixels")
    add("--seed", type=seed, help="the same seed and options make the same video")
    add("--steps", type=count, help="denoising steps")
    add("--out", type=Path, metavar="FILE", help="the video (default: output/ and the words of the prompt)")
    add("--sheet", type=Path, metavar="FILE", help="the contact sheet, a PNG (default: beside the video)")
    add("--server", metavar="URL", help="use a running ComfyUI instead of starting one")
    add("--workflow", type=Path, metavar="FILE", help="API-format workflow (default: workflows/api/text_to_video.json)")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NODE.INPUT=VALUE",
        dest="settings",
        help="set any input; NODE is an id, a class or a title; may be given again",
    )
    return made


def main() -> int:
    made = make_parser()
    arguments = made.parse_args()
    if arguments.prompt is None and arguments.workflow is None:
        made.error("expected a prompt or a --workflow")
    options = Options(
        values={name: getattr(arguments, name) for name in Options.NAMES},
        seconds=arguments.seconds,
        settings=[Setting.parse(text) for text in arguments.settings],
    )
    console = Console()
    host = choose_host(arguments, console)

    from spacetime_cli.generation import TEXT_TO_VIDEO, Request, generate, prepare

    request = Request(
        arguments.workflow or TEXT_TO_VIDEO, options, arguments.out, arguments.sheet, arguments.server
    )
    video, sheet = generate(request, prepare(request), host, console)
    print(video)
    print(sheet)
    return 0


def choose_host(arguments: argparse.Namespace, console: Console) -> Host | None:
    """The ComfyUI to start, after going over to its Python; None where a server is named and this Python will do."""
    if arguments.server is not None and all(importlib.util.find_spec(name) for name in NEEDED_MODULES):
        return None
    host = ensure_host(arguments.comfyui, console)
    continue_in(host.python)
    return host


if __name__ == "__main__":
    sys.exit(run(main))
