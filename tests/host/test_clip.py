"""The small text encoder is a native CLIP: stock nodes encode with it, and it computes what transformers computes."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

WEIGHTS = Path(__file__).parents[2] / "weights" / "text_encoders" / "spacetime_tiny_text.safetensors"

RED_BALL = "\u7ea2\u8272\u7684\u7403"  # "red ball"
TIGER = "\u8001\u864e"  # "tiger", which the world does not have
PROMPTS = ["a red ball rolls across green grass", RED_BALL, ""]


@pytest.fixture(scope="module")
def loader(pack):
    return importlib.import_module(f"{pack.__name__}.model_loaders.clip")


@pytest.fixture(scope="module")
def encoder(pack):
    """Our own reading of the same file, which runs transformers' network."""
    return importlib.import_module(f"{pack.__name__}.models.text_encoder").load_text_encoder(WEIGHTS)


@pytest.fixture(scope="module")
def clip(loader):
    return loader.load_clip(WEIGHTS)


def stock_encode(clip, text):
    """What the stock node CLIP Text Encode (Prompt) outputs: the tensor and its dictionary."""
    import nodes

    ((conditioning,),) = nodes.CLIPTextEncode().encode(clip, text)
    return conditioning


def relative_error(got, expected):
    return ((got - expected).norm() / expected.norm()).item()


def hide_from_host(tmp_path, tensors):
    path = tmp_path / "text.safetensors"
    save_file(tensors, path)
    return path


def test_is_a_native_clip(clip):
    import comfy.sd

    assert type(clip) is comfy.sd.CLIP


@pytest.mark.parametrize("prompt", PROMPTS)
def test_stock_node_gives_transformers_numbers_without_padding(prompt, clip, encoder):
    conditioning, extra = stock_encode(clip, prompt)
    expected, _ = encoder.encode([prompt])
    assert conditioning.shape == expected.shape == (1, len(encoder.tokenizer.encode(prompt)), 256)
    assert relative_error(conditioning, expected) <= 1e-4
    assert extra["pooled_output"] is None


@pytest.mark.parametrize("sizes", [(64, 1, 2, 16, 96), (128, 5, 8, 32, 160)])
def test_random_float32_weights_of_other_sizes_equal_transformers(sizes, pack, loader, encoder, tmp_path):
    text_encoder = importlib.import_module(f"{pack.__name__}.models.text_encoder")
    torch.manual_seed(2)
    random = text_encoder.TextEncoder(text_encoder.TextEncoderConfig(encoder.tokenizer.vocab_size, *sizes), encoder.tokenizer)
    for parameter in random.parameters():
        torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    text_encoder.save_text_encoder(random.eval(), tmp_path / "text.safetensors", torch.float32)
    conditioning, _ = stock_encode(loader.load_clip(tmp_path / "text.safetensors"), PROMPTS[0])
    assert relative_error(conditioning, random.encode([PROMPTS[0]])[0]) <= 1e-4


def test_weights_in_the_prompt_scale_their_words_only(clip):
    plain, _ = stock_encode(clip, "a red ball rolls")
    weighted, _ = stock_encode(clip, "a red (ball:1.5) rolls")
    ball = clip.tokenizer.spacetime_tokenizer.encode("a red").index(1)
    factor = (weighted / plain).mean(-1)[0]
    expected = torch.ones_like(factor)
    expected[ball] = 1.5
    assert torch.allclose(factor, expected, atol=1e-3)


def test_chinese_weights_keep_the_tokens_of_the_plain_prompt(clip):
    plain = clip.tokenize(RED_BALL)["spacetime"][0]
    weighted = clip.tokenize(f"{RED_BALL[:3]}({RED_BALL[3]}:1.5)")["spacetime"][0]
    assert [token for token, _ in weighted] == [token for token, _ in plain]
    assert [weight for _, weight in weighted] == [1.0, 1.0, 1.0, 1.5, 1.0]


def test_a_long_prompt_stays_one_section(clip):
    tokens = clip.tokenize("a red ball rolls, " * 600)["spacetime"]
    assert len(tokens) == 1 and len(tokens[0]) > 2000


def test_stock_conditioning_nodes_take_it(clip):
    import nodes

    first, second = ([stock_encode(clip, text)] for text in ("a red ball", "a blue cat"))
    ((joined, _),) = nodes.ConditioningConcat().concat(first, second)[0]
    assert joined.shape[1] == first[0][0].shape[1] + second[0][0].shape[1]


def test_a_clone_patches_itself_alone(clip):
    before, _ = stock_encode(clip, PROMPTS[0])
    patched = clip.clone()
    key = "spacetime.transformer.encoder.block.0.layer.1.DenseReluDense.wo.weight"
    delta = torch.full((256, 640), 0.1)
    assert patched.add_patches({key: ("diff", (delta,))}) == [key]
    assert relative_error(stock_encode(patched, PROMPTS[0])[0], before) > 0.01
    assert torch.equal(stock_encode(clip, PROMPTS[0])[0], before)


@pytest.mark.parametrize("schedule_clip", [False, True])
def test_stock_lora_hooks_change_the_embeddings_and_travel_with_them(schedule_clip, clip):
    import comfy.hooks
    from comfy_extras.nodes_hooks import SetClipHooks

    layer = "text_encoders.spacetime.transformer.encoder.block.0.layer.1.DenseReluDense.wo"
    lora = {f"{layer}.lora_up.weight": torch.ones(256, 1), f"{layer}.lora_down.weight": torch.full((1, 640), 0.1)}
    hooks = comfy.hooks.create_hook_lora(lora, strength_model=0.0, strength_clip=1.0)
    before, _ = stock_encode(clip, PROMPTS[0])
    (hooked,) = SetClipHooks().apply_hooks(clip, schedule_clip=schedule_clip, apply_to_conds=True, hooks=hooks)
    embeddings, extra = stock_encode(hooked, PROMPTS[0])
    assert extra["hooks"] is hooks
    assert relative_error(embeddings, before) > 0.01
    assert torch.equal(stock_encode(clip, PROMPTS[0])[0], before)


def test_stop_at_an_earlier_layer_changes_the_embeddings(clip):
    import nodes

    (stopped,) = nodes.CLIPSetLastLayer().set_last_layer(clip, -2)
    assert relative_error(stock_encode(stopped, PROMPTS[0])[0], stock_encode(clip, PROMPTS[0])[0]) > 0.01


def test_the_host_can_make_a_second_copy(clip):
    function, arguments = clip.patcher.cached_patcher_init
    copy = function(*arguments, disable_dynamic=True)
    assert not copy.is_dynamic() and copy.model is not clip.patcher.model
    ours, theirs = clip.patcher.model.state_dict(), copy.model.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_what_the_host_saves_carries_the_tokenizer(clip):
    saved = clip.get_sd()
    original = load_file(WEIGHTS)
    for key in ("spiece_model", "lexicon"):
        assert torch.equal(saved[key], original[key])


def test_strange_words_and_characters_are_logged_by_name(clip, caplog):
    with caplog.at_level(logging.WARNING):
        stock_encode(clip, f"a (dragon:1.3) and a {TIGER} \U0001f388")
    assert "dragon" in caplog.text and TIGER in caplog.text and "\U0001f388" in caplog.text


def test_a_known_prompt_is_silent(clip, caplog):
    with caplog.at_level(logging.WARNING):
        stock_encode(clip, "a (red:1.2) ball rolls \\(slowly\\)")
    assert "trained" not in caplog.text


def test_unfamiliar_text_is_unknown_for_other_clips(loader, clip):
    assert loader.unfamiliar_text(clip, "a dragon \U0001f388") == (["dragon"], ["\U0001f388"])

    class OtherClip:
        tokenizer = object()

    assert loader.unfamiliar_text(OtherClip(), "a dragon") == ([], [])


def refusal(loader, path):
    with pytest.raises(ValueError) as caught:
        loader.load_clip(path, "Load Something")
    message = str(caught.value)
    assert message.startswith("Load Something: ") and "\n" not in message and path.name in message
    return message


def test_umt5_xxl_is_refused_by_name(loader, tmp_path):
    path = hide_from_host(tmp_path, {"encoder.block.23.layer.0.SelfAttention.q.weight": torch.zeros(1), "spiece_model": torch.zeros(1)})
    assert "T5-XXL" in refusal(loader, path)


def test_a_vae_is_refused_by_name(loader, tmp_path):
    assert "Wan VAE" in refusal(loader, hide_from_host(tmp_path, {"decoder.middle.0.residual.0.gamma": torch.zeros(1)}))


def test_a_file_with_a_tensor_missing_is_refused(loader, tmp_path):
    tensors = load_file(WEIGHTS)
    del tensors["encoder.final_layer_norm.weight"]
    assert "encoder.final_layer_norm.weight" in refusal(loader, hide_from_host(tmp_path, tensors))


def test_a_damaged_tokenizer_is_refused(loader, tmp_path):
    tensors = load_file(WEIGHTS)
    tensors["spiece_model"] = tensors["spiece_model"][:100].clone()
    assert "SentencePiece" in refusal(loader, hide_from_host(tmp_path, tensors))


def test_a_truncated_file_is_refused(loader, tmp_path):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(WEIGHTS.read_bytes()[:-1000])
    assert "cut short" in refusal(loader, path)


def test_a_pickle_is_refused(loader, tmp_path):
    path = tmp_path / "renamed.safetensors"
    torch.save(load_file(WEIGHTS), path)
    assert "pickle" in refusal(loader, path)
