"""The small text encoder and its tokenizer: equal to transformers' UMT5, deterministic, and honest about strange words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import UMT5Config, UMT5EncoderModel

from models.text_encoder import Lexicon, SpacetimeTokenizer, TextEncoder, TextEncoderConfig, load_text_encoder, save_text_encoder
from models.tokenizer import END_ID, UNKNOWN_ID

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "weights" / "text_encoders" / "spacetime_tiny_text.safetensors"

RED_BALL = "\u7ea2\u8272\u7684\u7403"  # "red ball"
MOVES_LEFT = "\u5411\u5de6"  # "to the left"
TIGER = "\u8001\u864e"  # "tiger", which the world does not have
TEXTS = ["a red ball rolls across green grass", RED_BALL, "", "two blue cats, at night."]
SIZES = [(256, 3, 4, 64, 640), (64, 1, 2, 16, 96), (128, 5, 8, 32, 160)]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return load_text_encoder(WEIGHTS)


@pytest.fixture(scope="module")
def tokenizer(encoder: TextEncoder) -> SpacetimeTokenizer:
    return encoder.tokenizer


def random_encoder(tokenizer: SpacetimeTokenizer, sizes: tuple[int, ...]) -> TextEncoder:
    torch.manual_seed(1)
    encoder = TextEncoder(TextEncoderConfig(tokenizer.vocab_size, *sizes), tokenizer).eval()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return encoder


def reference(path: Path, sizes: tuple[int, ...], texts: list[str], tokenizer: SpacetimeTokenizer) -> list[torch.Tensor]:
    """transformers' own model on the tensors of the file, one text at a time: no padding, no mask."""
    weights = {key: value for key, value in load_file(path).items() if value.dtype != torch.uint8}
    width, layers, heads, per_head, hidden = sizes
    config = UMT5Config(
        vocab_size=len(weights["shared.weight"]), d_model=width, num_layers=layers, num_heads=heads, d_kv=per_head, d_ff=hidden
    )  # fmt: skip
    model = UMT5EncoderModel(config).eval()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert set(missing) <= {"encoder.embed_tokens.weight"} and not unexpected
    with torch.no_grad():
        return [model(torch.tensor([tokenizer.encode(text)])).last_hidden_state[0] for text in texts]


@pytest.mark.parametrize("sizes", SIZES)
def test_equals_transformers_umt5_in_a_padded_batch(sizes, tokenizer, tmp_path):
    encoder = random_encoder(tokenizer, sizes)
    save_text_encoder(encoder, tmp_path / "text.safetensors", torch.float32)
    embeddings, mask = encoder.encode(TEXTS)
    for row, expected in enumerate(reference(tmp_path / "text.safetensors", sizes, TEXTS, tokenizer)):
        got = embeddings[row][mask[row]]
        assert got.shape == expected.shape
        assert (got - expected).norm() / expected.norm() <= 1e-4
        assert embeddings[row][~mask[row]].count_nonzero() == 0


@pytest.mark.parametrize("sizes", SIZES)
def test_round_trip_reads_every_size_from_shapes(sizes, tokenizer, tmp_path):
    encoder = random_encoder(tokenizer, sizes)
    save_text_encoder(encoder, tmp_path / "text.safetensors", torch.float32)
    loaded = load_text_encoder(tmp_path / "text.safetensors")
    assert loaded.config == encoder.config
    assert loaded.tokenizer.spiece_model == tokenizer.spiece_model
    assert loaded.tokenizer.lexicon == tokenizer.lexicon
    assert torch.equal(loaded.encode(TEXTS)[0], encoder.encode(TEXTS)[0])


def test_tensor_shapes_name_exactly_what_a_file_holds(encoder, tmp_path):
    save_text_encoder(encoder, tmp_path / "text.safetensors")
    with safe_open(tmp_path / "text.safetensors", framework="pt") as file:
        held = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys() if key not in ("spiece_model", "lexicon")}
    assert held == encoder.config.tensor_shapes()


def test_a_missing_tensor_is_named(encoder, tmp_path):
    tensors = encoder.to_tensors()
    del tensors["encoder.block.1.layer.0.SelfAttention.o.weight"]
    save_file(tensors, tmp_path / "text.safetensors")
    with pytest.raises(ValueError, match=r"encoder\.block\.1\.layer\.0\.SelfAttention\.o\.weight"):
        load_text_encoder(tmp_path / "text.safetensors")


def test_a_file_without_tokenizer_is_refused(encoder, tmp_path):
    tensors = {key: value for key, value in encoder.to_tensors().items() if key != "spiece_model"}
    save_file(tensors, tmp_path / "text.safetensors")
    with pytest.raises(ValueError, match="spiece_model"):
        load_text_encoder(tmp_path / "text.safetensors")


def test_a_tokenizer_of_another_size_is_refused(tokenizer):
    with pytest.raises(ValueError, match=str(tokenizer.vocab_size)):
        TextEncoder(TextEncoderConfig(vocab_size=tokenizer.vocab_size + 1), tokenizer)


def test_embeddings_of_the_box_have_unit_scale(encoder):
    embeddings, mask = encoder.encode(TEXTS)
    scale = embeddings[mask].square().mean(-1).sqrt()
    assert torch.allclose(scale, torch.ones_like(scale), atol=1e-3)


def test_box_weights_fit_their_share_of_the_repository():
    assert WEIGHTS.stat().st_size < 8_000_000


def test_a_shared_token_depends_on_its_context(encoder):
    (red, blue), mask = encoder.encode(["a red ball", "a blue ball"])
    assert mask.all()
    ball = encoder.tokenizer.encode("a red ball").index(encoder.tokenizer.encode("ball")[0])
    assert not torch.allclose(red[ball], blue[ball], atol=1e-2)


def test_empty_text_is_the_end_token_alone(encoder, tokenizer):
    assert tokenizer.encode("") == tokenizer.encode(" \n\t ") == [END_ID]
    embeddings, mask = encoder.encode([""])
    assert embeddings.shape == (1, 1, encoder.config.d_model) and mask.tolist() == [[True]]


def test_no_texts_make_an_empty_batch(tokenizer):
    ids, mask = tokenizer.batch([])
    assert ids.shape == mask.shape == (0, 0)


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_ends_once(text, tokenizer):
    ids = tokenizer.encode(text)
    assert ids[-1] == END_ID and ids.count(END_ID) == 1


def test_tokens_are_the_same_every_time_and_after_a_copy(tokenizer):
    copy = SpacetimeTokenizer.from_tensors(tokenizer.to_tensors())
    for text in TEXTS:
        assert tokenizer.encode(text) == tokenizer.encode(text) == copy.encode(text)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("A RED Ball", "a red ball"),
        ("\uff41 \uff32ed\u3000ball", "a red ball"),  # full-width letters and space
        ("a  red\n\tball ", "a red ball"),
        ("a red\x00ball", "a red ball"),
        ("a red\u200b ball", "a red ball"),  # zero-width space
        (f"{RED_BALL}\u3002", f"{RED_BALL}."),  # ideographic full stop
        (" ".join(RED_BALL), RED_BALL),
    ],
)
def test_width_case_and_spacing_do_not_matter(written, plain, tokenizer):
    assert tokenizer.encode(written) == tokenizer.encode(plain)


@pytest.mark.parametrize("text", ["a red ball rolls", RED_BALL + MOVES_LEFT])
def test_a_text_cut_between_words_has_the_same_tokens(text, tokenizer):
    cut = text.index(" ball") if " ball" in text else 3
    pieces = [tokenizer.encode(part)[:-1] for part in (text[:cut], text[cut:])]
    assert pieces[0] + pieces[1] + [END_ID] == tokenizer.encode(text)


def test_decoding_gives_the_words_back(tokenizer):
    assert tokenizer.decode(tokenizer.encode("A red ball rolls.")) == "a red ball rolls."


def test_known_words_raise_no_warning(tokenizer):
    for text in ["A red ball rolls across green grass.", RED_BALL + MOVES_LEFT, "", "!?"]:
        assert tokenizer.unknown_words(text) == []


def test_unknown_english_words_are_named_once_in_order(tokenizer):
    assert tokenizer.unknown_words("A red tiger chases a blue dragon, a TIGER!") == ["tiger", "chases", "dragon"]


def test_unknown_chinese_words_are_named(tokenizer):
    assert tokenizer.unknown_words(f"\u4e00\u53ea\u7ea2\u8272\u7684{TIGER}{MOVES_LEFT}\u98de") == [TIGER]


def test_unknown_words_of_a_mixed_text_are_named_in_order(tokenizer):
    assert tokenizer.unknown_words(f"a dragon {TIGER} and a Wizard") == ["dragon", TIGER, "wizard"]


def test_unreadable_characters_are_named_and_become_unknown_tokens(tokenizer):
    text = "a red ball \U0001f388\ufe0f and \u0436\U0001f388"
    assert tokenizer.unreadable_characters(text) == ["\U0001f388", "\u0436"]
    assert UNKNOWN_ID in tokenizer.encode(text)


def test_lone_surrogates_are_unreadable_not_fatal(tokenizer):
    assert tokenizer.unreadable_characters("a \ud83d ball") == ["\ufffd"]


def test_readable_text_has_no_unreadable_characters(tokenizer):
    assert tokenizer.unreadable_characters("the quick brown fox (jumps) over 1234567890 lazy dogs - twice; it's: \"ok\"!?") == []


def test_longest_match_prefers_the_longer_word():
    lexicon = Lexicon.from_words([], [RED_BALL[:2], RED_BALL[2:], RED_BALL[3]])
    assert list(lexicon.unknown(RED_BALL)) == []
    assert list(replace(lexicon, chinese=frozenset([RED_BALL[:2]])).unknown(RED_BALL + TIGER)) == [RED_BALL[2:] + TIGER]


def test_lexicon_survives_json():
    lexicon = Lexicon.from_words(["Red-hot ball, it's"], [RED_BALL])
    assert lexicon.english == {"red", "hot", "ball", "it's"}
    assert Lexicon.from_json(lexicon.to_json()) == lexicon


@pytest.mark.parametrize("model", [b"", b"no model at all"])
def test_bytes_that_are_no_sentencepiece_model_are_refused(model):
    with pytest.raises(ValueError, match="SentencePiece"):
        SpacetimeTokenizer(model, Lexicon(frozenset(), frozenset()))
