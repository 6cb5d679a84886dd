"""Measure the model in the box: `python -m training.evaluate` prints a table and writes a contact sheet.

Nobody judges by eye: every number is read from pixels of held-out clips. A small network (`training/checker.py`) reads things, colours and
directions, a follower finds points again, and each such reader is tried on rendered clips whose truth is known; the table says how far it
is to be trusted. Groups of rows (`--only`) can be measured one by one: with `--json FILE` those that the file holds stay, and the table
shows them all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from training.checker import load_checker
from training.evaluation import COUNTS, Evaluation, Sampler, Settings, load_models
from training.measure_cost import size_rows, speed_rows
from training.measure_count import count_rows
from training.measure_frames import frame_rows
from training.measure_identity import identity_rows
from training.measure_motion import motion_rows
from training.measure_moves import move_rows
from training.measure_prompts import prompt_rows
from training.measure_richness import richness_rows
from training.measure_steps import step_rows
from training.measure_vae import vae_rows
from training.prompts import read_prompts
from training.rows import Row, table
from training.world import LANGUAGES

ROOT = Path(__file__).resolve().parent.parent
GROUPS: dict[str, Callable[[Evaluation], list[Row]]] = {
    "prompts": prompt_rows,
    "count": count_rows,
    "vae": vae_rows,
    "frames": frame_rows,
    "motion": motion_rows,
    "time": identity_rows,
    "richness": richness_rows,
    "moves": move_rows,
    "steps": step_rows,
    "speed": speed_rows,
    "size": size_rows,
}
"""What is measured, in the order of the table."""


class Report:
    """Rows by group, and the file that keeps them."""

    def __init__(self, file: Path | None, digest: str, tell: Callable[[str], None]) -> None:
        """Groups that the file holds of the same weights are gone on with.

        Raises:
            ValueError: the file holds something else.
        """
        self.file, self.digest = file, digest
        self.groups: dict[str, dict[str, Any]] = {}
        if file is None or not file.is_file():
            return
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            digest_there, groups = kept["weights"], {name: dict(group) for name, group in kept["groups"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"evaluate: expected an earlier evaluation in {file}, got something else; name another file") from None
        if digest_there == digest:
            self.groups = groups
        else:
            tell(f"{file} is of other weights and begins anew")

    def add(self, name: str, rows: list[Row], details: Any, settings: dict[str, Any], seconds: float) -> None:
        """Keep a group, and write the file whole."""
        figures = [row.as_dict() for row in rows]
        self.groups[name] = {"settings": settings, "seconds": seconds, "rows": figures, "details": details}
        if self.file:
            machine = {"system": platform.platform(), "processor": platform.processor() or platform.machine()}
            written = {"weights": self.digest, "machine": machine, "groups": self.groups}
            part = self.file.with_name(self.file.name + ".part")
            part.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(part, self.file)

    def rows(self) -> list[Row]:
        """All rows, in the order of `GROUPS`."""
        return [Row.from_dict(entry) for name in GROUPS if name in self.groups for entry in self.groups[name]["rows"]]


def evaluate(arguments: argparse.Namespace) -> None:
    """Measure, print, write."""
    settings = settings_of(arguments)
    evaluation = Evaluation(load_models(arguments.weights, arguments.dit), load_checker(), settings)
    report = Report(arguments.json, evaluation.models.digest, evaluation.tell)
    given: dict[str, Any] = {
        name: value for name, value in vars(arguments).items() if isinstance(value, (int, float, str, bool, type(None)))
    }
    given |= {"counts": settings.counts, "threads": torch.get_num_threads()}
    for name in (name for name in GROUPS if name in arguments.only):
        began = time.monotonic()
        rows = GROUPS[name](evaluation)
        seconds = time.monotonic() - began
        evaluation.tell(f"{name}: done in {seconds:.0f} s")
        report.add(name, rows, evaluation.details.get(name), given, seconds)
    print(table(report.rows()))


def settings_of(arguments: argparse.Namespace) -> Settings:
    """What the command line asks for."""
    counts = {name: quick if arguments.quick else full for name, (full, quick) in COUNTS.items()}
    counts |= dict(arguments.counts or ())
    if arguments.count:
        counts["prompts"] = arguments.count
    return Settings(
        size=arguments.size,
        text=Sampler(arguments.steps, arguments.guidance, arguments.shift),
        picture=Sampler(arguments.steps, arguments.picture_guidance, arguments.shift),
        counts=counts,
        languages=tuple(arguments.language or LANGUAGES),
        seed=arguments.seed,
        prompts=read_prompts(arguments.prompts) if arguments.prompts else None,
        pictures=arguments.pictures,
        weights=arguments.weights,
        sheet=arguments.sheet,
    )


def main(given: list[str] | None = None) -> None:
    """Entry point of `python -m training.evaluate`."""
    parser = _parser()
    arguments = parser.parse_args(given)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        evaluate(arguments)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        parser.exit(2, f"{error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), default=list(GROUPS), help="groups of rows to measure (all)")
    parser.add_argument("--weights", type=Path, default=ROOT / "weights", help="folder with diffusion_models, vae and text_encoders")
    parser.add_argument("--dit", type=Path, help="another denoiser, for example one that train_dit --export wrote")
    parser.add_argument("--prompts", type=Path, help="file with a prompt on each line, to use instead of held-out ones")
    parser.add_argument("--pictures", type=Path, help="folder of your own photographs, for the groups vae and motion")
    full, quick = COUNTS["prompts"]
    parser.add_argument("--count", type=_positive, help=f"held-out prompts ({full}, or {quick} with --quick)")
    names = ", ".join(f"{name} {full} or {quick}" for name, (full, quick) in COUNTS.items())
    parser.add_argument("--counts", nargs="+", type=_counted, metavar="NAME=N", help=f"how many of what, usually and with --quick: {names}")
    parser.add_argument("--language", action="append", choices=LANGUAGES, help="only prompts in this language")
    parser.add_argument("--size", type=int, default=128, help="width and height of the clips in pixels")
    parser.add_argument("--steps", type=_positive, default=20)
    parser.add_argument("--guidance", type=float, default=5.0, help="of text to video (5)")
    parser.add_argument("--picture-guidance", type=float, default=1.0, help="of image to video and of motion plans (1: none)")
    parser.add_argument("--shift", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0, help="draws other prompts and noises")
    parser.add_argument("--quick", action="store_true", help="smaller samples")
    parser.add_argument("--json", type=Path, help="write the numbers here too, after each group; other groups in it stay")
    parser.add_argument("--sheet", type=Path, default=ROOT / "output" / "evaluation.png", help="contact sheet to write")
    parser.add_argument("--threads", type=_positive, help="CPU threads")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


def _counted(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in COUNTS:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(COUNTS)}, got {name!r}")
    return name, _positive(number)


if __name__ == "__main__":
    main()
