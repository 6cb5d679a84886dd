"""The captions the text encoder learns from, and the promises of its training command."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import pytest
import torch

from models.tokenizer import SpacetimeTokenizer, normalize
from training.text_corpus import IGNORED, SLOTS, build_lexicon, disturb, sample_corpus, sample_pair
from training.train_text_encoder import DEFAULT_CONFIG, AttributeHead, Trainer, TrainingConfig, questions_loss, schedule, train_tokenizer
from training.world import LABELS, LANGUAGES

WEIGHTS = Path(__file__).parents[2] / "weights" / "text_encoders" / "spacetime_tiny_text.safetensors"


@pytest.fixture(scope="module")
def small_config(tmp_path_factory) -> TrainingConfig:
    return dataclasses.replace(
        TrainingConfig.read(DEFAULT_CONFIG),
        vocabulary_scenes=300, vocab_size=600, d_model=32, num_layers=1, num_heads=2, d_kv=16, d_ff=48,
        steps=4, scenes_per_step=4, warmup_steps=2, save_every=2, run_folder=str(tmp_path_factory.mktemp("run")),
    )  # fmt: skip


def test_the_same_seed_tells_the_same_scenes():
    first, second = ([sample_pair(random.Random(seed)) for seed in range(20)] for _ in range(2))
    assert first == second


def test_single_things_are_labelled_with_the_words_of_the_caption():
    """The English names of kinds and colours are also their labels, so a caption that uses one must carry that label."""
    generator = random.Random(3)
    checked = 0
    for _ in range(300):
        pair = sample_pair(generator)
        answers = {slot.attribute: LABELS[slot.attribute][label] for slot, label in zip(SLOTS, pair.labels, strict=True)
                   if label != IGNORED and slot.place in (None, 0) and not slot.by_kind}  # fmt: skip
        if answers.get("count") != "one":
            continue
        said = set(normalize(pair.captions["en"]).replace(",", " ").split())
        if "red" in said:
            assert answers["colour"] == "red"
            checked += 1
        if "elephant" in said:
            assert answers["kind"] == "elephant"
            checked += 1
    assert checked > 10


def test_asking_by_name_and_by_order_has_the_same_answer():
    pair = sample_pair(random.Random(1))
    answers = dict(zip(SLOTS, pair.labels, strict=True))
    for slot, label in answers.items():
        if slot.by_kind:
            assert label == answers[dataclasses.replace(slot, by_kind=False)]


def test_held_out_scenes_use_no_word_or_character_that_training_lacks():
    corpus = sample_corpus(random.Random(0), 4000)
    lexicon = build_lexicon(corpus)
    characters = {character for pair in corpus for text in pair.captions.values() for character in normalize(text)}
    generator = random.Random(1)
    for _ in range(200):
        for text in sample_pair(generator, "held_out").captions.values():
            assert list(lexicon.unknown(text)) == []
            assert set(normalize(text)) <= characters


@pytest.mark.parametrize("language", LANGUAGES)
def test_disturbing_changes_some_captions_and_never_empties_one(language):
    generator = random.Random(4)
    captions = [sample_pair(generator).captions[language] for _ in range(100)]
    disturbed = [disturb(text, language, generator) for text in captions]
    assert all(text.strip() for text in disturbed)
    assert 10 < sum(before != after for before, after in zip(captions, disturbed, strict=True)) < 80


def test_the_vocabulary_is_the_same_every_time(small_config):
    first, second = train_tokenizer(small_config), train_tokenizer(small_config)
    assert first.spiece_model == second.spiece_model and first.lexicon == second.lexicon
    assert first.vocab_size == small_config.vocab_size


def test_an_interrupted_run_ends_like_an_uninterrupted_one(small_config, tmp_path):
    torch.set_num_threads(1)
    whole = Trainer(dataclasses.replace(small_config, run_folder=str(tmp_path / "whole")))
    whole.run()
    halves = dataclasses.replace(small_config, run_folder=str(tmp_path / "halves"))
    first = Trainer(halves)
    for _ in range(2):
        first.train_step()
        first.step += 1
    first.save()
    second = Trainer(halves)
    assert second.step == 2
    second.run()
    for key, value in whole.encoder.state_dict().items():
        assert torch.equal(value, second.encoder.state_dict()[key]), key


def test_training_lowers_the_loss_and_keeps_unit_scale(small_config, tmp_path):
    trainer = Trainer(dataclasses.replace(small_config, run_folder=str(tmp_path)))
    losses = [float(trainer.train_step().split()[1]) for _ in range(30)]  # the step stands still: always the same scenes
    assert losses[-1] < 0.7 * losses[0]
    embeddings, mask = trainer.encoder.encode(["a red ball"])
    assert torch.allclose(embeddings[mask].square().mean(-1), torch.ones(int(mask.sum())), atol=1e-3)


def test_loss_ignores_what_a_caption_does_not_state():
    head = AttributeHead(16, 2)
    labels = torch.full((2, len(SLOTS)), IGNORED)
    logits = head(torch.randn(2, 5, 16), torch.ones(2, 5, dtype=torch.bool), labels)[1]
    assert questions_loss(logits, labels) == 0
    labels[0, 0] = 1
    expected = -logits[0][0].log_softmax(-1)[1]
    assert torch.allclose(questions_loss(logits, labels), expected)


def test_schedule_warms_up_and_fades(small_config):
    config = dataclasses.replace(small_config, warmup_steps=10, steps=100)
    assert schedule(config, 0) == pytest.approx(0.1) and schedule(config, 10) == pytest.approx(1.0)
    assert schedule(config, 100) == pytest.approx(0.02)


def test_unknown_entries_of_a_config_are_refused(tmp_path):
    values = json.loads(DEFAULT_CONFIG.read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(values | {"stepz": 3}), encoding="utf-8")
    with pytest.raises(TypeError, match="stepz"):
        TrainingConfig.read(tmp_path / "config.json")


def test_the_box_reads_every_caption_of_the_world():
    from safetensors.torch import load_file

    tokenizer = SpacetimeTokenizer.from_tensors(load_file(WEIGHTS))
    generator = random.Random(9)
    for _ in range(200):
        for text in sample_pair(generator, "held_out").captions.values():
            assert tokenizer.unknown_words(text) == [] and tokenizer.unreadable_characters(text) == []
