"""How well videos keep to motion plans, and how fast plans are worked with: `python -m benchmarks.motion`.

obedience: the model in the box makes clips of held-out pictures and plans by Wan-Move, by Time-to-Move and without control; the plans'
points are followed through them, and through the crude moved video of each plan, which keeps to it exactly and so shows the follower's
own error. follower: the same follower on rendered clips whose points are known. time: from a plan to conditioning at 832x480, 81 frames.
editor: the motion editor in ComfyUI's page. Runs in the host's Python. Ctrl-C ends a run with what was measured so far.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .host_process import machine
from .interpolate import load_host
from .motion_cases import PHOTOGRAPH, TEMPLATE, Case, held_out_cases, own_cases
from .motion_figures import ARMS, TITLES, TRUTH, summary, table_rows, verdicts
from .stream import judge, positive, table

SECTIONS = ("obedience", "follower", "time", "editor")
NEED_HOST = {"obedience", "follower", "time"}
INTERRUPTED = 130


class Bench:
    """One run: options, and the numbers so far, which are written after each part."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.numbers: dict[str, Any] = _kept(options)
        self.numbers["machine"] = machine()

    def write(self) -> None:
        """The numbers so far into --json; the file is never half written."""
        if self.options.json:
            target = Path(self.options.json)
            part = target.with_name(target.name + ".part")
            part.write_text(json.dumps(self.numbers, indent=1) + "\n", encoding="utf-8")
            os.replace(part, target)

    def obedience(self) -> None:
        """Every arm on all cases, some at a time."""
        from .motion_arms import Settings, Studio

        options = self.options
        settings = Settings(
            options.size, options.frames, options.steps, options.cfg, options.shift, options.prompt, options.seed, tuple(options.arms)
        )
        studio = Studio(settings)
        asked = {**dataclasses.asdict(settings), "arms": list(settings.arms), "weights": studio.box.weights}
        asked |= {"plans": options.plans, "pictures": options.pictures}
        before = self._before(asked)
        self.numbers["obedience"] = {"settings": asked, "cases": before}
        sheet = self._sheet(settings.arms)
        done = {case["number"] for case in before}
        print("drawing pictures and plans", file=sys.stderr, flush=True)
        waiting = [case for case in itertools.islice(self._cases(), options.count) if case.number not in done]
        total, began = len(done) + len(waiting), time.monotonic()
        try:
            for first in range(0, len(waiting), options.batch):
                cases = waiting[first : first + options.batch]
                for outcome in self._measured(studio, cases):
                    figures = {arm: measured.figures for arm, measured in outcome.arms.items()}
                    case = outcome.case
                    before.append({"number": case.number, "kind": case.kind, "source": case.source, "plan": case.plan, "arms": figures})
                    if sheet is not None:
                        sheet.add(outcome)
                self.write()
                _tell(len(before), total, first + len(cases), began)
        finally:
            if before:
                self._show_obedience()

    def _show_obedience(self) -> None:
        """Tables, promises and the plot of the cases measured so far."""
        found = self.numbers["obedience"]
        cases, settings = found["cases"], found["settings"]
        arms = [*settings["arms"], TRUTH]
        summaries = {arm: summary(case["arms"][arm] for case in cases) for arm in arms}
        size = f"{settings['size']}x{settings['size']}, {settings['frames']} frames, {settings['steps']} steps"
        table(f"How far clips are off their plans, px; {len(cases)} plans, {size}", *table_rows(summaries))
        kinds = sorted({case["kind"] for case in cases})
        rows = []
        for kind in kinds:
            of_kind = [case for case in cases if case["kind"] == kind]
            medians = [f"{summary(case['arms'][arm] for case in of_kind)['epe']:.2f}" for arm in arms]
            seconds = [f"{sum(case['arms'][arm]['seconds'] for case in of_kind) / len(of_kind):.1f}" for arm in arms[:-1]]
            rows.append([kind, str(len(of_kind)), *medians, ", ".join(seconds)])
        table("Median EPE by kind of picture, px", ["", "plans", *(TITLES[arm] for arm in arms), "s a clip"], rows)
        print(f"- {NOTES}")
        _show_sources(cases)
        for verdict in verdicts(summaries):
            judge(verdict.what, verdict.held, verdict.target)
        sys.stdout.flush()
        found["summary"] = summaries
        if self.options.plot:
            from .motion_plots import curves

            curves({arm: [case["arms"][arm]["epe"] for case in cases] for arm in arms}).save(self.options.plot)

    def follower(self) -> None:
        """The follower alone, told wrong ways, on clips whose points are known."""
        from .motion_arms import follow_rendered

        clips = []
        for clip in follow_rendered(self.options.rendered, self.options.size, self.options.frames):
            clips.append(clip)
            print(f"followed {len(clips)} rendered clips", file=sys.stderr, flush=True)
        found = {kind: summary(clip for clip in clips if clip["kind"] == kind) for kind in sorted({clip["kind"] for clip in clips})}
        title = f"The follower's own error on {len(clips)} rendered clips with known points, told a wrong way, px"
        table(title, *table_rows(found))
        self.numbers["follower"] = {"clips": clips, "summary": found}

    def time(self) -> None:
        """Plan to conditioning, without the networks."""
        from .motion_time import FRAMES, HEIGHT, TARGET_MS, WIDTH, conditioning_times

        found = conditioning_times(self.options.rounds)
        rows = [
            [name, f"{times['median']:.1f}", f"{min(times['milliseconds']):.1f}", f"{max(times['milliseconds']):.1f}"]
            for name, times in found.items()
        ]
        title = f"From a plan to conditioning, {WIDTH}x{HEIGHT}x{FRAMES}, without the VAE, {self.options.rounds} rounds"
        table(title, ["", "median ms", "least", "most"], rows)
        for name in (name for name in found if name != "tracks alone"):
            judge(f"{name} takes {found[name]['median']:.0f} ms", found[name]["median"] <= TARGET_MS, f"at most {TARGET_MS:.0f} ms")
        self.numbers["time"] = found

    def editor(self) -> None:
        """The motion editor in the page."""
        from .motion_page import HEIGHT, LONG_MS, MOVES, REGIONS, WIDTH, NotHere, editor_figures

        try:
            found = editor_figures()
        except NotHere as error:
            print(f"\n## editor: not measured\n\n{error}", flush=True)
            self.numbers["editor"] = {"not_measured": str(error)}
            return
        rows = []
        for name, figures in found["front_ends"].items():
            painted, letting_go = figures["painting"]["while_painting"], figures["painting"]["letting_go"]
            rows.append([
                name, "x".join(map(str, figures["canvas"])), f"{figures['frames_per_second']:.1f}", f"{figures['slow_gap_ms']:.1f}",
                f"{figures['draw_ms']:.1f}", _tasks(figures["playing_long_tasks"]), _tasks(painted), _tasks(letting_go),
            ])  # fmt: skip
        head = ["front end", "canvas", "frames/s", "p95 gap ms", "draw ms", "playing", "painting", "letting go"]
        table(f"The editor with {REGIONS} regions on {WIDTH}x{HEIGHT}, Chromium {found['chromium']}; tasks over {LONG_MS} ms", head, rows)
        for name, figures in found["front_ends"].items():
            painted, letting_go = figures["painting"]["while_painting"], figures["painting"]["letting_go"]
            what = f"{name}: {len(painted)} tasks over {LONG_MS} ms in {MOVES} movements of a stroke, {len(letting_go)} at its end"
            judge(what, not painted + letting_go, "none")
            for spent in figures["painting"]["code"]:
                print(f"  - {spent['milliseconds']:.0f} ms of long frames in {spent['code']}")
        sys.stdout.flush()
        self.numbers["editor"] = found

    def _cases(self) -> Iterator[Case]:
        options = self.options
        if options.plans or options.pictures:
            return own_cases(options.plans, options.pictures, options.size)
        return held_out_cases(options.size)

    def _before(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """The cases that an earlier run measured under the same settings, if this one goes on from it.

        Raises:
            SystemExit: the earlier run was another one.
        """
        before = self.numbers.get("obedience")
        if not self.options.resume or before is None:
            return []
        other = [name for name in asked if before["settings"].get(name) != asked[name]]
        if other:
            raise SystemExit(
                f"benchmarks.motion: expected to go on with the same settings as {self.options.json}, got another {', '.join(other)}; "
                "leave --resume out or name another file"
            )
        cases: list[dict[str, Any]] = before["cases"]
        return [case for case in cases if case["number"] < self.options.count]

    def _measured(self, studio: Any, cases: list[Case]) -> list[Any]:
        """What became of cases; somebody's plan that cannot be used ends the run with a sentence."""
        try:
            return list(studio.measure(cases))
        except ValueError as error:
            if not self.options.plans:
                raise
            raise SystemExit(f"benchmarks.motion: {error} (one of {', '.join(case.source for case in cases)})") from error

    def _sheet(self, arms: tuple[str, ...]) -> Any:
        if not self.options.plot:
            return None
        from .motion_plots import Sheet

        plot = Path(self.options.plot)
        rows = min(self.options.count, self.options.sheet_rows)
        return Sheet(plot.with_name(f"{plot.stem}_cases{plot.suffix}"), rows, arms, self.options.resume) if rows else None


NOTES = (
    "EPE: mean distance of points from where they were asked to be, over a clip's moving points and its frames; medians and p90 are over "
    "clips. lost: places of moving points that the follower did not find; they count where they were last seen."
)


def _tell(done: int, total: int, now: int, began: float) -> None:
    each = (time.monotonic() - began) / now
    left = each * (total - done) / 60
    print(f"measured {done} of {total} plans, {each:.1f} s each, about {left:.0f} min left", file=sys.stderr, flush=True)


def _tasks(milliseconds: list[float]) -> str:
    return f"{len(milliseconds)}, longest {max(milliseconds):.0f} ms" if milliseconds else "0"


def _show_sources(cases: list[dict[str, Any]]) -> None:
    """Where the pictures come from that are not rendered."""
    for kind in (PHOTOGRAPH, TEMPLATE):
        sources = sorted({case["source"] for case in cases if case["kind"] == kind})
        if sources:
            print(f"- {kind}s: {'; '.join(sources)}")


def _kept(options: argparse.Namespace) -> dict[str, Any]:
    """The numbers that --json FILE holds already: those of parts that are not measured now stay there."""
    if options.resume and not options.json:
        raise SystemExit("benchmarks.motion: expected the file of an earlier run for --resume, got none; name it with --json FILE")
    file = Path(options.json) if options.json else None
    if file is None or not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return dict(found)
    except (ValueError, TypeError):
        raise SystemExit(f"benchmarks.motion: expected an earlier run's numbers in {file}, got something else; name another file") from None


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `python -m benchmarks.motion`; 130 where Ctrl-C ended it."""
    options = _parser().parse_args(arguments)
    bench = Bench(options)
    sections = options.only or SECTIONS
    if NEED_HOST & set(sections):
        load_host()
    for name in sections:
        try:
            getattr(bench, name)()
        except KeyboardInterrupt:
            bench.write()
            print(f"\nbenchmarks.motion: ended by Ctrl-C during {name}; go on with --resume", file=sys.stderr, flush=True)
            return INTERRUPTED
        bench.write()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.motion", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="which parts to measure (default: all)")
    parser.add_argument("--count", type=positive, default=200, help="how many plans (200)")
    parser.add_argument("--plans", metavar="DIR", help="your own plans as JSON, instead of random ones")
    parser.add_argument("--pictures", metavar="DIR", help="your own pictures, instead of held-out scenes and photographs")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="which ways of control (default: all)")
    parser.add_argument("--size", type=_side, default=128, help="width and height in pixels, a multiple of 16 (128)")
    parser.add_argument("--frames", type=_length, default=17, help="frames of a clip, 4n+1 (17)")
    parser.add_argument("--steps", type=positive, default=16, help="steps of the Euler sampler (16)")
    parser.add_argument("--cfg", type=float, default=1.0, help="guidance (1: none)")
    parser.add_argument("--shift", type=float, default=3.0, help="shift of the noise levels (3)")
    parser.add_argument("--prompt", default="", help="one prompt for all pictures (none)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (0)")
    parser.add_argument("--batch", type=positive, default=8, help="plans that are sampled together (8)")
    parser.add_argument("--rendered", type=positive, default=24, help="rendered clips for the follower alone (24)")
    parser.add_argument("--rounds", type=positive, default=9, help="rounds for times (9)")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there, after each batch; those of other parts stay")
    parser.add_argument("--resume", action="store_true", help="go on with the plans that --json FILE does not have yet")
    parser.add_argument("--plot", metavar="FILE.png", help="errors of all clips as curves; the first cases go to FILE_cases.png")
    parser.add_argument("--sheet-rows", type=int, default=8, help="how many cases FILE_cases.png shows (8)")
    return parser


def _side(text: str) -> int:
    side = int(text)
    if side < 32 or side % 16:
        raise argparse.ArgumentTypeError(f"expected a multiple of 16, at least 32, got {side}")
    return side


def _length(text: str) -> int:
    frames = int(text)
    if frames < 5 or (frames - 1) % 4:
        raise argparse.ArgumentTypeError(f"expected 4n+1 frames, at least 5, got {frames}")
    return frames


if __name__ == "__main__":
    sys.exit(main())
