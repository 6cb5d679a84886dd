"""The small text encoder as a native CLIP of the host.

The network is the host's own T5 with our sizes, so offloading, LoRA, hooks and device placement come with it; only the
tokenizer is ours.  A prompt is never padded: cross attention sees the tokens of the text and its ``</s>``, which is
what the denoiser in the box was trained with.
"""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import comfy.sd
import comfy.text_encoders.t5
import folder_paths
import torch
from comfy import sd1_clip

from ..models.text_encoder import TextEncoderConfig
from ..models.tokenizer import END_ID, LEXICON_KEY, PAD_ID, SPIECE_KEY, SpacetimeTokenizer
from .files import WeightFileError, read_safetensors, wrong_model

CLIP_NAME = "spacetime"
EXPECTED = "a Spacetime text encoder"
UNLIMITED = 1 << 30  # tokens: the host cuts longer prompts into sections, ours is one


class _SentencePieceForHost:
    """Our tokenizer behind the four calls that the host's SDTokenizer makes."""

    def __init__(self, tokenizer: SpacetimeTokenizer):
        self.tokenizer = tokenizer

    @classmethod
    def from_pretrained(cls, tokenizer: SpacetimeTokenizer) -> _SentencePieceForHost:
        return cls(tokenizer)

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": self.tokenizer.encode(text)}

    def get_vocab(self) -> dict[str, int]:
        return {piece: i for i, piece in enumerate(self.tokenizer.pieces())}

    def decode(self, ids: list[int], skip_special_tokens: bool = True) -> str:
        return self.tokenizer.decode(ids)


class _WeightedTokenizer(sd1_clip.SDTokenizer):
    """The host's weight syntax and embeddings over our tokenizer, without padding."""

    def __init__(self, embedding_directory: Any, tokenizer_data: dict[str, Any]) -> None:
        super().__init__(
            tokenizer_data["tokenizer"],
            embedding_directory=embedding_directory,
            embedding_size=tokenizer_data["embedding_size"],
            embedding_key=CLIP_NAME,
            tokenizer_class=_SentencePieceForHost,
            has_start_token=False,
            pad_with_end=False,
            pad_token=PAD_ID,
            pad_to_max_length=False,
            max_length=UNLIMITED,
        )

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self.tokenizer.tokenizer.to_tensors()


class SpacetimeClipTokenizer(sd1_clip.SD1Tokenizer):
    """What ``clip.tokenizer`` is: prompts in the host's weight syntax -> (id, weight) pairs."""

    def __init__(self, embedding_directory: Any, tokenizer_data: dict[str, Any]) -> None:
        super().__init__(embedding_directory, tokenizer_data, name=CLIP_NAME, tokenizer=_WeightedTokenizer)

    @property
    def spacetime_tokenizer(self) -> SpacetimeTokenizer:
        """The tokenizer without the host around it."""
        return getattr(self, CLIP_NAME).tokenizer.tokenizer

    def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **kwargs: Any) -> Any:
        """Tokenize, and log a warning that names what the encoder has never met."""
        warning = _warning(self.spacetime_tokenizer, text)
        if warning:
            logging.warning(warning)
        return super().tokenize_with_weights(text, return_word_ids, **kwargs)


class _SpacetimeUMT5(sd1_clip.SDClipModel):
    def __init__(self, device: Any, dtype: Any, model_options: dict[str, Any]) -> None:
        super().__init__(
            device=device,
            dtype=dtype,
            textmodel_json_config=dict(model_options["umt5_config"]),
            model_class=comfy.text_encoders.t5.T5,
            special_tokens={"end": END_ID, "pad": PAD_ID},
            enable_attention_masks=True,
            zero_out_masked=True,
            model_options=model_options,
        )


class SpacetimeClipModel(sd1_clip.SD1ClipModel):
    """What ``clip.cond_stage_model`` is: (id, weight) pairs -> embeddings [1, L, D], no pooled output."""

    def __init__(self, device: Any, dtype: Any, model_options: dict[str, Any]) -> None:
        super().__init__(device=device, dtype=dtype, model_options=model_options, name=CLIP_NAME, clip_model=_SpacetimeUMT5)


class _Target:
    """The classes that the host's CLIP puts together."""

    params: dict = {}
    clip = SpacetimeClipModel
    tokenizer = SpacetimeClipTokenizer


def load_clip(path: str | os.PathLike[str], node_name: str = "Load Spacetime Tiny", disable_dynamic: bool = False) -> comfy.sd.CLIP:
    """Open the small text encoder as a CLIP that every stock node accepts.

    Weights keep the file's precision; the host computes in float32.  ``disable_dynamic`` asks for the host's plain
    patcher, as it does itself when it makes a second copy.

    Raises:
        WeightFileError: one sentence that begins with ``node_name``, for a missing or damaged file or another model.
    """
    state_dict, _ = read_safetensors(path, node_name)
    if SPIECE_KEY not in state_dict or LEXICON_KEY not in state_dict:
        raise wrong_model(path, node_name, EXPECTED, state_dict)
    try:
        tokenizer = SpacetimeTokenizer.from_tensors(state_dict)
        weights = {key: value for key, value in state_dict.items() if key not in (SPIECE_KEY, LEXICON_KEY)}
        config = TextEncoderConfig.from_state_dict(weights)
    except ValueError as error:
        raise WeightFileError(f"{node_name}: '{Path(path).name}' holds no usable text encoder: {error}") from error

    clip = comfy.sd.CLIP(
        _Target,
        embedding_directory=folder_paths.get_folder_paths("embeddings"),
        tokenizer_data={"tokenizer": tokenizer, "embedding_size": config.d_model},
        parameters=sum(weight.numel() for weight in weights.values()),
        state_dict=[weights],
        model_options={"umt5_config": _host_config(config), "dtype": weights["shared.weight"].dtype},
        disable_dynamic=disable_dynamic,
    )
    clip.patcher.cached_patcher_init = (_load_patcher, (os.fspath(path), node_name))
    return clip


def unfamiliar_text(clip: comfy.sd.CLIP, text: str) -> tuple[list[str], list[str]]:
    """Words never seen in training and characters no token covers, of a prompt in the host's weight syntax.

    Both lists are empty for a CLIP of another kind, about which nothing is known.
    """
    if not isinstance(clip.tokenizer, SpacetimeClipTokenizer):
        return [], []
    return _unfamiliar(clip.tokenizer.spacetime_tokenizer, text)


def _unfamiliar(tokenizer: SpacetimeTokenizer, text: str) -> tuple[list[str], list[str]]:
    segments = sd1_clip.token_weights(sd1_clip.escape_important(text), 1.0)
    plain = " ".join(sd1_clip.unescape_important(segment) for segment, _ in segments)
    return tokenizer.unknown_words(plain), tokenizer.unreadable_characters(plain)


def _warning(tokenizer: SpacetimeTokenizer, text: str) -> str:
    """One sentence about what the encoder does not know in ``text``; empty where it knows everything."""
    words, characters = _unfamiliar(tokenizer, text)
    parts = [f"words it was never trained on: {', '.join(words)}"] if words else []
    parts += [f"characters it cannot read: {' '.join(characters)}"] if characters else []
    return f"Spacetime text encoder: the prompt has {' and '.join(parts)}; describe them in other words" if parts else ""


def _host_config(config: TextEncoderConfig) -> dict:
    """The JSON config that the host's T5 expects."""
    return {**asdict(config), "model_type": "umt5", "is_gated_act": True, "dense_act_fn": "gelu_pytorch_tanh"}


def _load_patcher(path: str, node_name: str, disable_dynamic: bool = False) -> Any:
    """The host calls this when it needs fresh weights, for another GPU or without dynamic loading."""
    return load_clip(path, node_name, disable_dynamic).patcher
