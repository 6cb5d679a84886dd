"""The evaluation: its reader is right about rendered truth, and its figures fall when clips do not show what prompts say."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_weights import write_box, write_dit

from training.checker import LOOKS, MARK, Checker, follow, load_checker, prepare
from training.evaluation import FEW_STEPS_FILE, FILES, load_models
from training.measure_prompts import held_out_scenes, language_rows, rate_rows
from training.measures import Verdict, judge, rates, rendered_truth
from training.prompts import Prompt, held_out_prompts, in_languages, named_labels, read_prompts
from training.rows import Row, table
from training.train_checker import move, random_scene
from training.verdict_sheet import verdict_sheet
from training.world import LABELS, is_held_out
from training.world.vocabulary import KINDS


@pytest.fixture(scope="module")
def checker() -> Checker:
    return load_checker()


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return held_out_prompts(64, seed=12345)


@pytest.fixture(scope="module")
def clips(prompts: list[Prompt]) -> torch.Tensor:
    return rendered_truth(prompts, 64)


@pytest.fixture(scope="module")
def verdicts(checker: Checker, prompts: list[Prompt], clips: torch.Tensor) -> list[Verdict]:
    return judge(checker, prompts, clips)


def test_the_reader_is_right_about_rendered_clips_it_has_never_seen(verdicts: list[Verdict]) -> None:
    shares = {name: rate.share for name, rate in rates(verdicts).items()}
    assert shares["thing"] >= 0.90
    assert shares["colour"] >= 0.90
    assert shares["direction"] >= 0.95
    assert shares["background"] >= 0.90
    assert shares["all three"] >= 0.85


def test_prompts_of_other_clips_are_hardly_ever_shown(checker: Checker, prompts: list[Prompt], clips: torch.Tensor) -> None:
    others = [replace(prompt, wanted=other.wanted) for prompt, other in zip(prompts, prompts[7:] + prompts[:7])]
    shares = {name: rate.share for name, rate in rates(judge(checker, others, clips)).items()}
    assert shares["thing"] <= 0.25
    assert shares["colour"] <= 0.30
    assert shares["direction"] <= 0.60
    assert shares["all three"] <= 0.08


def test_a_clip_played_backwards_moves_the_other_way(checker: Checker, prompts: list[Prompt], clips: torch.Tensor) -> None:
    opposite = {"left": "right", "right": "left", "up": "down", "down": "up"}
    backwards = [replace(prompt, wanted={"direction": opposite[prompt.wanted["direction"]]}) for prompt in prompts]
    assert rates(judge(checker, backwards, clips.flip(2)))["direction"].share >= 0.95


def test_a_clip_that_stands_still_has_no_direction(checker: Checker, clips: torch.Tensor) -> None:
    frozen = clips[:16, :, :1].expand(-1, -1, 17, -1, -1)
    assert set(checker.read(frozen).direction()) == {"none"}


def test_noise_shows_nothing_that_was_asked_for(checker: Checker, prompts: list[Prompt]) -> None:
    noise = torch.randn(32, 3, 17, 64, 64, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    assert rates(judge(checker, prompts[:32], noise))["all three"].share == 0


def test_larger_clips_are_read_alike(checker: Checker, prompts: list[Prompt]) -> None:
    shares = {name: rate.share for name, rate in rates(judge(checker, prompts[:16], rendered_truth(prompts[:16], 128))).items()}
    assert shares["thing"] >= 0.85
    assert shares["colour"] >= 0.85


def test_travel_is_the_slope_of_a_blob_that_moves_evenly() -> None:
    cells = (torch.arange(MARK) + 0.5) / MARK
    x = torch.linspace(0.3, 0.7, LOOKS)
    distance = (cells[None, None, :] - x[:, None, None]).square() + (cells[None, :, None] - 0.5).square()
    path, mass, travel = follow((12 - 900 * distance)[None])
    assert torch.allclose(path[0, :, 0], x, atol=0.01)
    assert torch.allclose(travel[0], torch.tensor([0.4, 0.0]), atol=0.01)
    assert (mass > 0).all()


def test_looks_are_spread_from_the_first_frame_to_the_last() -> None:
    video = torch.arange(33.0)[None, None, :, None, None].expand(1, 3, -1, 64, 64) / 64
    seen = prepare(video)
    assert seen.shape == (1, LOOKS, 6, 64, 64)
    assert (seen[0, :, 0, 0, 0] * 64).tolist() == [0, 8, 16, 24, 32]
    assert (seen[0, :, 3, 0, 0] * 64).tolist() == [-16, -8, 0, 8, 16]


def test_prompts_are_held_out_and_name_thing_colour_and_direction(prompts: list[Prompt]) -> None:
    assert {prompt.language for prompt in prompts} == {"en", "zh"}
    for prompt in prompts:
        assert prompt.scene is not None
        (thing,) = prompt.scene.things
        assert is_held_out(thing.kind, thing.colour, thing.motion)
        assert (prompt.wanted["kind"], prompt.wanted["colour"], prompt.wanted["direction"]) == (thing.kind, thing.colour, thing.direction)


def test_labels_are_read_from_the_words_of_a_prompt(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        assert named_labels(prompt.text) == prompt.wanted, prompt.text
    assert named_labels("a red ball rolls across green grass") == {
        "kind": "ball", "colour": "red", "direction": "right", "background": "meadow",
    }  # fmt: skip
    assert named_labels("a blue balloon rises")["direction"] == "up"
    assert named_labels("a red car and a blue bus drive to the left") == {}
    assert named_labels("something entirely different") == {}


def test_a_file_of_prompts_is_text_or_json(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    line = {"prompt": "\u7ea2\u7403", "kind": "ball", "colour": "red"}
    file.write_text("# mine\n\na green cat walks to the left\n" + json.dumps(line) + "\n", encoding="utf-8")
    first, second = read_prompts(file)
    assert first.wanted == {"kind": "cat", "colour": "green", "direction": "left"}
    assert (second.language, second.wanted) == ("zh", {"kind": "ball", "colour": "red"})
    for wrong in ("", '{"prompt": "x", "kind": "dragon"}', '{"kind": "ball"}'):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(ValueError, match="expected a prompt"):
            read_prompts(file)


def test_the_readers_training_scenes_do_not_give_things_away_by_their_place() -> None:
    rng = random.Random(0)
    scenes = [random_scene(rng) for _ in range(4000)]
    fish = [scene.background for scene in scenes if scene.things[0].kind == "fish"]
    assert len(fish) == pytest.approx(4000 / len(KINDS), rel=0.4)
    assert fish.count("underwater") == pytest.approx(len(fish) / len(LABELS["background"]), abs=12)


def test_the_readers_marks_move_with_the_pictures_they_mark() -> None:
    generator = torch.Generator().manual_seed(3)
    marks = torch.rand(6, LOOKS, MARK, MARK, generator=generator)
    video = marks.repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, None].repeat(1, 1, 3, 1, 1)
    for _ in range(5):
        moved, moved_marks = move(video, marks, generator)
        assert torch.equal(moved[:, :, 1, ::4, ::4], moved_marks)
    assert any(not torch.equal(move(video, marks, generator)[1], marks) for _ in range(3))


def test_prompts_of_one_scene_state_the_same_in_both_languages() -> None:
    for number, scene in enumerate(held_out_scenes(40)):
        english, chinese = in_languages(scene, ("en", "zh"), f"caption {number}")
        assert english.text.isascii() and not chinese.text.isascii()
        assert english.wanted == chinese.wanted and {"kind", "colour", "direction"} <= set(english.wanted)


def test_languages_are_compared_on_the_same_scenes() -> None:
    verdicts = []
    for number, scene in enumerate(held_out_scenes(20)):
        for prompt in in_languages(scene, ("en", "zh"), f"caption {number}"):
            right = dict.fromkeys(prompt.wanted, True) | {"colour": prompt.language == "en" or number % 2 == 0}
            verdicts.append(Verdict(prompt, {}, right))
    rows = {row.name: row for row in language_rows(verdicts)}
    assert (rows["Chinese = English, thing"].value, rows["Chinese = English, thing"].met) == (0, True)
    colour = rows["Chinese = English, colour"]
    assert (colour.value, colour.met, colour.count) == (0.5, False, 20)
    assert "English 100.0%, Chinese 50.0%" in colour.note
    assert rows["Chinese = English, all three"].value == 0.5
    assert language_rows(verdicts[::2]) == [], "one language alone is compared with nothing"


def test_the_table_says_what_is_met(verdicts: list[Verdict]) -> None:
    good, bad = Row("a", 31.0, "dB", 4, 30.0, error=0.25), Row("b", 0.015, "%", 4, 0.01, at_most=True, reader=0.9, reader_vae=0.8)
    assert (good.met, bad.met, Row("c", 1.0).met) == (True, False, None)
    lines = table([good, bad, *rate_rows(verdicts)]).splitlines()
    assert lines[1].split() == ["a", "31.00", "dB", "4", ">=", "30.00", "dB", "yes", "+-0.25", "dB"]
    assert lines[2].split() == ["b", "1.5%", "4", "<=", "1.0%", "no", "90.0%", "80.0%"]
    assert any(line.startswith("all three") for line in lines)
    assert [Row.from_dict(row.as_dict()) for row in (good, bad)] == [good, bad]


def test_the_sheet_shows_every_clip_in_order_with_its_verdict(verdicts: list[Verdict], clips: torch.Tensor) -> None:
    wrong = [replace(verdict, right=dict.fromkeys(verdict.right, False)) for verdict in verdicts[:3]]
    right = [replace(verdict, right=dict.fromkeys(verdict.right, True)) for verdict in verdicts[:3]]
    for shown, is_right in ((wrong, False), (right, True)):
        sheet = verdict_sheet(shown, clips[:3])
        red, green, _ = np.array(sheet.crop((0, 128 + 20, sheet.width, 128 + 36))).astype(int).reshape(-1, 3).T
        assert ((green > red + 60).any(), (red > green + 60).any()) == (is_right, not is_right)
        first = torch.from_numpy(np.array(sheet))[4:132:2, 4:132:2]  # small pictures are shown at twice their size
        assert torch.equal(first, clips[0, :, 0].add(1).mul(127.5).byte().permute(1, 2, 0))


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected the dit at .*spacetime_tiny\.safetensors"):
        load_models(tmp_path)
    assert set(FILES) == {"dit", "vae", "text encoder"}


def test_a_denoiser_for_few_steps_is_used_for_them_where_the_folder_has_one(tmp_path: Path) -> None:
    alone = load_models(write_box(tmp_path, FILES))
    assert alone.few_steps is None and alone.for_few_steps() is alone
    write_dit(tmp_path / FEW_STEPS_FILE, seed=1)
    both = load_models(tmp_path)
    first, other = (next(models.dit.parameters()) for models in (both, both.for_few_steps()))
    assert torch.equal(first, next(alone.dit.parameters())) and not torch.equal(first, other)
    assert both.digest != alone.digest
    assert load_models(tmp_path, tmp_path / FILES["dit"]).few_steps is None
