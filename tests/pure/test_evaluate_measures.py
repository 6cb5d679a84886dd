"""The measures of the evaluation: each is right where the truth is known, and worse where clips are."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny_weights import random_dit, random_vae, small_dit_config, write_text_encoder

from models.shapes import VideoShape
from models.text_encoder import load_text_encoder
from models.vae import denormalize_latent
from training import measure_motion, photographs
from training.checker import Checker, load_checker
from training.count_reader import count_things, load_count_reader
from training.evaluation import Models, Sampler
from training.follow_truth import follow_truth
from training.known_frames import first_known
from training.measure_cost import megabytes, timed
from training.measure_count import number_of, right_of, several_prompts, share_right
from training.measure_frames import kept, known_channels, known_flags
from training.measure_identity import drift, drifting, staying_prompts
from training.measure_motion import Outcome, _asked, _errors, measure, outcome_rows, steered_clips
from training.measure_moves import MOVES, calm_prompts, movement
from training.measure_prompts import held_out_scenes
from training.measure_richness import again, apart, distances, features
from training.measures import rendered_truth
from training.motion_cases import COLLAGE, Case
from training.rooms import room
from training.round_trip import rendered
from training.run import mixed_precision
from training.sampling import sigma_schedule
from training.world import attributes, is_held_out

SIDE = 64


@pytest.fixture(scope="module")
def checker() -> Checker:
    return load_checker()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    encoder = load_text_encoder(write_text_encoder(tmp_path_factory.mktemp("text") / "text.safetensors"))
    return Models(random_dit(small_dit_config()), random_vae(), encoder)


class TestFrames:
    def test_only_known_frames_count(self) -> None:
        clips = rendered(held_out_scenes(2), 9, 32)
        known = known_flags(1, 1, 9)
        assert known == [True, *[False] * 7, True]
        rebuilt = clips + 0.1
        wrong_elsewhere = clips.clone()
        wrong_elsewhere[:, :, 1:-1] = 0
        assert kept(wrong_elsewhere + 0.1, clips, rebuilt, known).lost == pytest.approx(0, abs=0.01)
        worse = clips.clone()
        worse[:, :, -1] += 0.2
        worse[:, :, 0] += 0.2
        assert kept(worse, clips, rebuilt, known).lost == pytest.approx(20 * np.log10(2), abs=0.01)
        assert kept(worse, clips, rebuilt, known_flags(0, 1, 9)).to_rebuilt == pytest.approx(20 * np.log10(2 / 0.1), abs=0.01)

    def test_the_first_frame_fills_the_mask_of_its_latent_frame(self) -> None:
        clips = rendered(held_out_scenes(1), 9, 32)
        told = known_channels(random_vae(), clips, first_known(9))
        assert told.shape == (1, 20, 3, 4, 4)
        assert told[:, :4, 0].eq(1).all() and told[:, :4, 1:].eq(0).all()
        other = clips.clone()
        other[:, :, 1:] = 1
        assert torch.equal(told, known_channels(random_vae(), other, first_known(9))), "unknown frames are not told"


def moving_case(size: int = SIDE) -> Case:
    """A plan that carries an ellipse of a finely speckled picture 20 pixels to the right, and pins another."""
    noise = torch.rand(1, 3, size // 4, size // 4, generator=torch.Generator().manual_seed(1))
    picture = torch.nn.functional.interpolate(noise, scale_factor=4.0, mode="bicubic").clamp(0, 1).movedim(1, -1)
    moves = {"shapes": [{"type": "ellipse", "box": [0.1, 0.1, 0.35, 0.35]}], "motion": {"direction": 0, "speed": 20 / size}}
    pinned = {"shapes": [{"type": "rectangle", "box": [0.2, 0.65, 0.3, 0.3]}], "pinned": True}
    return Case(0, COLLAGE, "speckles", picture, {"version": 1, "regions": [moves, pinned]})


class TestMotion:
    @pytest.fixture(autouse=True)
    def short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Clips of nine frames, since following takes a while."""
        monkeypatch.setattr(measure_motion, "FRAMES", 9)

    def test_a_video_that_keeps_to_its_plan_is_near_it_and_a_still_one_is_not(self) -> None:
        case = moving_case()
        plan = room("motion.plan").from_data(case.plan)
        wanted = _asked(case, plan)
        crude = torch.stack([frame.picture for frame in room("motion.warp").warp(plan, case.image[0], 9)])
        still = case.image.expand(9, -1, -1, -1)
        (epe, pinned), (off, stays) = (_errors(plan, wanted, clip.permute(3, 0, 1, 2).mul(2).sub(1)) for clip in (crude, still))
        assert epe < 0.5 and pinned is not None and pinned < 0.2
        assert off > 5 and stays is not None and stays < 0.2

    def test_clips_are_made_and_measured(self, models: Models) -> None:
        (outcome,) = measure(models, [moving_case()], Sampler(1, 3.0))
        assert outcome.kind == COLLAGE and outcome.pinned is not None
        assert np.isfinite([outcome.epe, outcome.epe_without, outcome.pinned]).all()

    def test_only_the_guided_prediction_sees_the_tracks(self, models: Models) -> None:
        generator = torch.Generator().manual_seed(2)
        plain, moved = (torch.randn(1, 20, 2, 4, 4, generator=generator) for _ in range(2))
        made = steered_clips(models, moved, plain, [7], Sampler(1, 3.0))
        noise = torch.randn(1, 16, 2, 4, 4, generator=torch.Generator().manual_seed(7))
        text, mask = models.encoder.encode([""])
        level = sigma_schedule(1, 3.0)[:1]
        with torch.inference_mode():
            with mixed_precision(noise.device):
                free, guided = (models.dit(torch.cat([noise, known], 1), 1000 * level, text, mask) for known in (plain, moved))
                latent = noise - level * (free + 3 * (guided - free)).float()
            wanted = models.vae.decode_chunk(denormalize_latent(latent)).clamp(-1, 1)
        assert torch.allclose(made, wanted, atol=0.01)

    def test_rows_are_medians_over_plans(self) -> None:
        outcomes = [
            Outcome("collage", "", 1.0, 20.0, 0.2),
            Outcome("photograph", "", 2.0, 30.0, None),
            Outcome("collage", "", 9.0, 10.0, 0.6),
        ]
        epe, nearer, drifts = outcome_rows(outcomes, 0.2, 0.1)
        assert (epe.value, epe.met, epe.error, nearer.value, nearer.met) == (2.0, False, 0.2, 10.0, True)
        assert (drifts.value, drifts.count, drifts.met) == (pytest.approx(0.4), 2, True)

    def test_the_follower_is_near_the_truth_of_rendered_clips(self) -> None:
        found = follow_truth(room("motion.follow").Follower, 0, SIDE, 9)
        assert found.errors[0].isnan().all() and found.errors.shape == found.found.shape
        assert float(found.errors[:, ~found.on_things].nanmedian()) < 1.0


class TestIdentity:
    @pytest.fixture(scope="class")
    def scenes(self) -> list:
        return [prompt.scene for prompt in staying_prompts(8, ("en",))]

    def read(self, checker: Checker, scenes: list, amount: float) -> tuple[np.ndarray, np.ndarray]:
        """Drifts of colour and area, [scenes, 2]: what is read, and what is true."""
        drifted = [drifting(scene, SIDE, amount, random.Random(number)) for number, scene in enumerate(scenes)]
        read = [drift(checker, clip) for clip, _ in drifted]
        assert all(one.is_there for one in read)
        return np.array([(one.colour, one.area) for one in read]), np.array([(one.colour, one.area) for _, one in drifted])

    def test_things_that_stay_themselves_hardly_drift(self, checker: Checker, scenes: list) -> None:
        read, true = self.read(checker, scenes, 0.0)
        assert (true < 0.02).all()
        assert (read.mean(0) < (0.02, 0.04)).all() and (np.median(read, axis=0) < (0.01, 0.03)).all()

    def test_drifts_are_read_as_they_are(self, checker: Checker, scenes: list) -> None:
        read, true = self.read(checker, scenes, 1.0)
        assert (true.mean(0) > (0.07, 0.07)).all()
        assert (abs(read - true).mean(0) < (0.03, 0.08)).all()

    def test_a_thing_that_vanishes_has_lost_its_area(self, checker: Checker, scenes: list) -> None:
        left = []
        for scene in scenes[:4]:
            clip, _ = drifting(scene, SIDE, 0.0, random.Random(0))
            place = rendered([replace(scene, things=())], 1, SIDE)[0].expand_as(clip)
            gone = torch.where(torch.arange(clip.shape[1])[None, :, None, None] < 40, clip, place)
            left.append(drift(checker, gone).area)
        assert min(left) > 0.5


class TestMoves:
    @pytest.mark.parametrize("moves", [True, False])
    def test_rendered_clips_move_or_stay_as_their_prompts_say(self, moves: bool) -> None:
        prompts = calm_prompts(24, moves, seed="test")
        assert {prompt.scene.things[0].motion == "stay" for prompt in prompts if prompt.scene} == {not moves}
        share = ((movement(rendered_truth(prompts, SIDE)) >= MOVES) == moves).float().mean()
        assert share >= 0.9

    def test_faint_flicker_is_no_movement(self) -> None:
        clip = rendered_truth(calm_prompts(1, False, seed="test"), SIDE)
        noisy = clip + 0.05 * torch.randn(clip.shape, generator=torch.Generator().manual_seed(0))
        assert float(movement(noisy)) < MOVES


class TestRichness:
    def test_distances_are_nought_for_the_same_clip_and_symmetric(self, checker: Checker) -> None:
        clips = rendered(held_out_scenes(3), 17, SIDE)
        table = distances(features(checker, torch.cat([clips, clips[:1]])))
        assert table.shape == (4, 4) and torch.allclose(table, table.T, atol=1e-4)
        assert float(table[0, 3]) == pytest.approx(0, abs=1e-4) and float(table[0, 1]) > 0.05

    def test_pairs_are_told_apart(self) -> None:
        table = torch.tensor([[0.0, 1, 4, 9], [1, 0, 9, 4], [4, 9, 0, 3], [9, 4, 3, 0]])
        assert apart(table, prompts=2, seeds=2) == (4.0, 2.0)

    def test_the_worlds_prompts_lie_farther_apart_than_its_seeds(self, checker: Checker) -> None:
        scenes = [again(scene, random.Random(f"{number} {seed}")) for number, scene in enumerate(held_out_scenes(4)) for seed in range(3)]
        table = distances(features(checker, rendered(scenes, 5, SIDE)))
        across, within = apart(table, prompts=4, seeds=3)
        assert across > 1.2 * within

    def test_a_scene_of_the_same_words_is_another_one(self) -> None:
        scene = held_out_scenes(1)[0]
        other = again(scene, random.Random(0))
        assert other != scene and attributes(other) == attributes(scene)


class TestPhotographs:
    @pytest.fixture(autouse=True)
    def drawn(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Pictures in place of the packages'; scikit-learn cannot be had."""
        ramp = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3))
        Image.fromarray(ramp).save(tmp_path / "ramp.png")

        def content(photograph: photographs.Photograph) -> bytes:
            if photograph.package == photographs.SCIKIT_LEARN:
                raise RuntimeError("not here")
            return (tmp_path / "ramp.png").read_bytes()

        monkeypatch.setattr(photographs, "content", content)

    def test_quarters_follow_the_whole_pictures(self) -> None:
        told: list[str] = []
        found, of = photographs.squares(20, 32, told.append)
        assert (found.shape, of) == ((20, 32, 32, 3), 13)
        assert told == ["no photographs of scikit-learn: not here"]
        assert float(found[0].amax()) > 0.9 and float(found[13].amax()) < 0.6, "the first quarters are of the left half"

    def test_fewer_where_few_are_wanted(self) -> None:
        found, of = photographs.squares(3, 32, print)
        assert (len(found), of) == (3, 3)


class TestCost:
    def test_a_clip_is_timed_in_parts(self, models: Models) -> None:
        found = timed(replace(models, dit=random_dit(small_dit_config())), "a red ball", VideoShape(5, 32, 32), Sampler(1, 5.0))
        assert list(found) == ["text", "denoise", "decode"] and all(seconds > 0 for seconds in found.values())

    def test_sizes_are_added(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(bytes(1_500_000))
        (tmp_path / "b").write_bytes(bytes(500_000))
        assert megabytes([tmp_path / "a", tmp_path / "b"]) == 2.0


class TestCount:
    @pytest.fixture(scope="class")
    def prompts(self) -> list:
        return several_prompts(30, seed="test")

    def test_prompts_name_one_two_and_three_things_by_turns(self, prompts: list) -> None:
        assert [number_of(prompt) for prompt in prompts] == [1, 2, 3] * 10
        assert {prompt.language for prompt in prompts} == {"en", "zh"}
        assert all(is_held_out(thing.kind, thing.colour, thing.motion) for prompt in prompts for thing in prompt.scene.things)

    def test_things_are_counted_in_rendered_clips(self, checker: Checker, prompts: list) -> None:
        clips = rendered([prompt.scene for prompt in prompts], 17, SIDE)
        counts = count_things(checker, load_count_reader(), clips)
        wanted = [number_of(prompt) for prompt in prompts]
        assert share_right(wanted, counts) >= 0.8
        assert share_right([1 + number % 3 for number in wanted], counts) < 0.2

    def test_each_number_has_its_share(self) -> None:
        assert right_of([1, 1, 2, 3], [1, 2, 2, 1]) == {1: 0.5, 2: 1.0, 3: 0.0}
