"""Prompts: what is refused, what is warned about, and text -> CONDITIONING."""

from __future__ import annotations

import unicodedata
from typing import Any

from ..model_loaders.clip import SpacetimeClipTokenizer, unfamiliar_text
from ..models.tokenizer import normalize

NODE = "Spacetime Text Encode"
MAX_TOKENS = 512
"""The longest prompt for the encoder in the box; Wan's own denoisers were trained with this many text tokens."""


def check_text(text: str, name: str = "prompt", may_be_empty: bool = False) -> None:
    """Refuse what no text encoder can use: nothing at all, or bytes that are no text.

    Raises:
        ValueError: one sentence that names the node and the input `name`.
    """
    for position, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r":
            raise ValueError(
                f"{NODE}: expected plain text in {name}, got the control character U+{ord(character):04X} at position {position}; remove it"
            )
    if not may_be_empty and not normalize(text):
        raise ValueError(f"{NODE}: expected a {name}, got an empty one; describe the video in a sentence")


def check_readable(clip: Any, text: str, name: str = "prompt") -> None:
    """Refuse what the encoder in the box in particular cannot use: too long a text, or characters outside its alphabet.

    Raises:
        ValueError: one sentence that names the node and the input `name`.
    """
    if clip is None:
        raise ValueError(f"{NODE}: expected a text encoder, got none; the checkpoint holds none, so load one with Load CLIP")
    if not isinstance(clip.tokenizer, SpacetimeClipTokenizer):
        return
    _, characters = unfamiliar_text(clip, text)
    if characters:
        raise ValueError(
            f"{NODE}: expected English or Chinese in {name}, got characters that the text encoder cannot read: "
            f"{' '.join(characters[:10])}; write them as words"
        )
    tokens = len(clip.tokenizer.spacetime_tokenizer.encode(text))
    if tokens > MAX_TOKENS:
        raise ValueError(
            f"{NODE}: expected a {name} of at most {MAX_TOKENS} tokens, got {tokens:,} tokens ({len(text):,} characters); shorten it"
        )


def encode(clip: Any, text: str) -> list:
    """CONDITIONING of `text`; words that the encoder in the box never met are named in the log."""
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))


def unknown_words_note(clip: Any, *texts: str) -> str:
    """One sentence naming the words of `texts` that the encoder was never trained on; empty where there are none."""
    words = dict.fromkeys(word for text in texts for word in unfamiliar_text(clip, text)[0])
    return f"The text encoder was never trained on: {', '.join(words)}. Describe them in other words." if words else ""
