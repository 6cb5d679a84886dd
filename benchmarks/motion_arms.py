"""The clips of `benchmarks.motion`, made and measured as the nodes do it: Apply Motion, Denoise, Decode, Motion Adherence.

All arms of a case get the same picture, words and noise. Cases are sampled together where their conditioning allows it; Time-to-Move
changes the MODEL for each clip, so that its clips are made one by one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.follow_truth import follow_truth

from .host_process import room
from .motion_cases import Case
from .motion_figures import NONE, TIME_TO_MOVE, TRUTH, WAN_MOVE, Points, clip_figures

FPS = 16.0
NODE = "benchmarks.motion"


@dataclass(frozen=True)
class Settings:
    """How clips are made: pixels of a side, frames, steps of Euler, guidance, shift, words, first noise."""

    size: int = 128
    frames: int = 17
    steps: int = 16
    cfg: float = 3.0
    shift: float = 3.0
    prompt: str = ""
    seed: int = 0
    arms: tuple[str, ...] = (WAN_MOVE, TIME_TO_MOVE, NONE)


@dataclass(frozen=True)
class Measured:
    """One case in one arm: what is counted, the frames uint8 [T, H, W, 3], and where its points were found, [T, N, 2]."""

    figures: dict[str, Any]
    frames: np.ndarray
    points: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """One case in all arms. `wanted` is `motion.adherence.Asked`."""

    case: Case
    wanted: Any
    arms: dict[str, Measured]


class TinyBox:
    """The model in the box, as its node loads it; `weights` changes with its files."""

    def __init__(self, prompt: str = "") -> None:
        import comfy.utils

        comfy.utils.set_progress_bar_enabled(False)  # a bar for each clip would hide the lines of the benchmark
        folders = room("model_loaders.folders")
        folders.register_weight_folders()
        node = room("nodes.load_tiny").SpacetimeLoadTiny
        names = {widget.id: widget.default for widget in node.define_schema().inputs}
        self.model, clip, self.vae = node.execute(**names).args
        self.positive, self.negative = room("nodes.text_encode").SpacetimeTextEncode.execute(clip, prompt).args
        files = {"diffusion_models": "model_name", "text_encoders": "text_encoder_name", "vae": "vae_name"}
        digest = hashlib.sha256()
        for folder, widget in files.items():
            digest.update(folders.weight_path(folder, names[widget]).read_bytes())
        self.weights = digest.hexdigest()[:16]


class Studio:
    """Makes and measures the clips of cases."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.box = TinyBox(settings.prompt)
        self._plans, self._motion = room("sampling.motion_nodes"), room("sampling.motion")

    @torch.inference_mode()
    def measure(self, cases: list[Case]) -> list[Outcome]:
        """Every arm on every case; the crude moved video of each plan, which keeps to it exactly, is measured too.

        Raises:
            ValueError: a plan that cannot be used, in one sentence.
        """
        values = [self._plans.MotionPlan(room("motion.plan").from_data(case.plan), case.masks) for case in cases]
        wanted = [self._asked(case, value) for case, value in zip(cases, values)]
        found: list[dict[str, Measured]] = [{} for _ in cases]
        for arm, make in self._arms(cases, values).items():
            began = time.perf_counter()
            clips = make()
            seconds = (time.perf_counter() - began) / len(cases)
            for index, frames in enumerate(clips):
                found[index][arm] = self._measured(values[index], wanted[index], frames, seconds)
        return [Outcome(*entry) for entry in zip(cases, wanted, found)]

    def _arms(self, cases: list[Case], values: list[Any]) -> dict[str, Callable[[], list[Tensor]]]:
        """Arm -> what makes its clips, each uint8 [T, H, W, 3]."""

        def together(is_steered: bool) -> list[Tensor]:
            applied = [self._applied("wan_move", case, value) for case, value in zip(cases, values)]
            return self._decoded(self._sampled(self._batch(applied, is_steered), cases))

        def one_by_one() -> list[Tensor]:
            applied = (self._applied("time_to_move", case, value) for case, value in zip(cases, values))
            return [clip for one, case in zip(applied, cases) for clip in self._decoded(self._sampled(one, [case]))]

        makers = {WAN_MOVE: lambda: together(True), TIME_TO_MOVE: one_by_one, NONE: lambda: together(False)}
        chosen = {arm: makers[arm] for arm in self.settings.arms}
        return {**chosen, TRUTH: lambda: [self._crude(case, value) for case, value in zip(cases, values)]}

    def _asked(self, case: Case, value: Any) -> Any:
        size = (self.settings.size, self.settings.size)
        adherence = room("motion.adherence")
        wanted = adherence.asked(value.plan, size, self.settings.frames, value.masks, source=(case.image.shape[2], case.image.shape[1]))
        if not wanted.counts[:, _of_parts(wanted, lambda part: part.moves)].any():
            raise ValueError("expected a plan in which something moves and is seen, got none; paint a region and draw its way")
        return wanted

    def _applied(self, backend: str, case: Case, value: Any) -> Any:
        size = self.settings.size
        request = self._motion.Request(backend, size, size, self.settings.frames, 1.0)
        box = self.box
        return self._motion.apply_motion(box.model, box.positive, box.negative, box.vae, case.image, value, request)

    def _batch(self, applied: list[Any], is_steered: bool) -> Any:
        """Several clips' conditioning as one. Without control, the positive has the plain picture too, as WanImageToVideo gives it."""
        import node_helpers

        def joined(conditionings: list[Any]) -> list:
            pictures = torch.cat([conditioning[0][1]["concat_latent_image"] for conditioning in conditionings])
            return node_helpers.conditioning_set_values(conditionings[0], {"concat_latent_image": pictures})

        plain = joined([one.negative for one in applied])
        positive = joined([one.positive for one in applied])
        if not is_steered:
            positive = node_helpers.conditioning_set_values(positive, {"concat_latent_image": plain[0][1]["concat_latent_image"]})
        samples = torch.cat([one.latent["samples"] for one in applied])
        return replace(applied[0], positive=positive, negative=plain, latent={"samples": samples})

    def _sampled(self, applied: Any, cases: list[Case]) -> dict[str, Any]:
        """LATENT; a case's noise is that of its number, whatever it is sampled together with."""
        given, request = self.settings, room("sampling.request")
        settings = request.SamplerSettings(given.steps, given.cfg, given.shift, "euler", "simple", given.seed, 1.0)
        size = request.ClipSize(given.size, given.size, float(given.frames), "frames", FPS)
        latent = {**applied.latent, "batch_index": [case.number for case in cases]}
        return room("sampling.denoise").denoise(applied.model, applied.positive, size, settings, applied.negative, latent)

    def _decoded(self, latent: dict[str, Any]) -> list[Tensor]:
        as_uint8 = room("video.stream").as_uint8
        videos = room("video.host_decode").decode_to_videos(self.box.vae, latent, FPS)
        return [torch.cat([as_uint8(chunk) for chunk in video.stream.chunks()]) for video in videos]

    def _crude(self, case: Case, value: Any) -> Tensor:
        size = self.settings.size
        clip = self._plans.Clip.of(value, case.image, size, size, self.settings.frames, NODE)
        as_uint8 = room("video.stream").as_uint8
        return torch.stack([as_uint8(frame.picture) for frame in self._plans.crude_video(clip, NODE)])

    def _measured(self, value: Any, wanted: Any, frames: Tensor, seconds: float) -> Measured:
        result = room("motion.adherence").measure(wanted, iter(frames))
        pinned = {region.id for region in value.plan.regions if region.pinned}

        def errors(choose: Callable[[Any], bool]) -> np.ndarray:
            return result.errors[:, _of_parts(wanted, choose)]

        figures = clip_figures(
            Points(errors(lambda part: part.moves), result.moving.found),
            Points(errors(lambda part: part.id in pinned)),
            Points(errors(lambda part: not part.moves and part.id not in pinned)),
        )
        return Measured({**figures, "seconds": seconds}, frames.numpy(), result.points)


def _of_parts(wanted: Any, choose: Callable[[Any], bool]) -> np.ndarray:
    """[N] bool: the points of the parts that are chosen."""
    return np.array([choose(part) for part in wanted.parts])[wanted.owner]


def follow_rendered(count: int, size: int, frames: int) -> Iterator[dict[str, Any]]:
    """The follower alone on held-out clips of the world, whose points are known: what is counted of each clip.

    It is told a wrong way for each thing, as from a plan that the video does not keep to. Points count until they are first hidden.
    """
    follower = room("motion.follow").Follower
    for number in range(count):
        clip = follow_truth(follower, number, size, frames)
        errors = clip.errors[:, clip.on_things]
        if not errors.isfinite().any():
            continue
        sure_of = clip.found[:, clip.on_things][errors.isfinite()].float().mean()
        nothing = np.full((frames, 0), np.nan)
        moving, around = Points(errors.numpy(), float(sure_of)), Points(clip.errors[:, ~clip.on_things].numpy())
        yield {"kind": clip.style.replace("_", " "), **clip_figures(moving, Points(nothing), around)}
