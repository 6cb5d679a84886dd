"""Prompt text -> token ids for the small text encoder, in English and Chinese.

The SentencePiece model and the lexicon of the words it was trained with both travel inside the weight file, so a
prompt can be checked for words that the encoder has never met.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import sentencepiece
import torch

PAD_ID = 0
END_ID = 1
UNKNOWN_ID = 2

SPIECE_KEY = "spiece_model"
LEXICON_KEY = "lexicon"

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_HAN_RUN = re.compile(f"[{_HAN}]+")
_SPACE_BETWEEN_HAN = re.compile(f"(?<=[{_HAN}]) (?=[{_HAN}])")
_SPELLED_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_SPACES = re.compile(r"\s+")
# CJK and typographic punctuation that NFKC leaves alone -> its ASCII sibling.
_PUNCTUATION = str.maketrans(
    {
        "\u3002": ".",
        "\u3001": ",",
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u300c": '"',
        "\u300d": '"',
    }
)
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f]")


def normalize(text: str) -> str:
    """The form in which text is tokenized and compared with the lexicon.

    Width and case are folded (NFKC, lower case), control and format characters go, and every Chinese character stands
    alone between spaces, so that a phrase gets the same tokens wherever a prompt is cut into weighted pieces.
    """
    text = unicodedata.normalize("NFKC", text).translate(_PUNCTUATION).lower()
    text = _VARIATION_SELECTORS.sub("", text)
    text = "".join(_plain_character(character) for character in text)
    text = _HAN_CHARACTER.sub(lambda match: f" {match.group()} ", text)
    return _SPACES.sub(" ", text).strip()


def _plain_character(character: str) -> str:
    """Control characters become spaces, format characters vanish, a lone surrogate becomes the replacement character."""
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    if category == "Cf":
        return ""
    return "\ufffd" if category == "Cs" else character


@dataclass(frozen=True)
class Lexicon:
    """The words that occur in the training captions, normalized: spelled words of English, and words of Chinese."""

    english: frozenset[str]
    chinese: frozenset[str]

    @classmethod
    def from_words(cls, english: Iterable[str], chinese: Iterable[str]) -> Lexicon:
        """Normalize and collect the words of both languages."""
        return cls(
            frozenset(word for text in english for word in _SPELLED_WORD.findall(normalize(text))),
            frozenset(normalize(word).replace(" ", "") for word in chinese) - {""},
        )

    def to_json(self) -> str:
        """The lexicon as a JSON object of two sorted lists."""
        return json.dumps({"english": sorted(self.english), "chinese": sorted(self.chinese)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Lexicon:
        """Read what :meth:`to_json` wrote.  Raises ValueError, KeyError or TypeError where it is something else."""
        words = json.loads(text)
        return cls(frozenset(words["english"]), frozenset(words["chinese"]))

    def unknown(self, text: str) -> Iterator[str]:
        """The words of ``text`` that are not in the lexicon, in order, repeats included."""
        text = _SPACE_BETWEEN_HAN.sub("", normalize(text))
        position = 0
        for run in _HAN_RUN.finditer(text):
            yield from self._unknown_english(text[position : run.start()])
            yield from self._unknown_chinese(run.group())
            position = run.end()
        yield from self._unknown_english(text[position:])

    def _unknown_english(self, text: str) -> Iterator[str]:
        return (word for word in _SPELLED_WORD.findall(text) if word not in self.english)

    def _unknown_chinese(self, run: str) -> Iterator[str]:
        """What forward longest match leaves over; neighbouring left-over characters count as one word."""
        longest = max(map(len, self.chinese), default=0)
        unmatched = ""
        position = 0
        while position < len(run):
            length = next(
                (n for n in range(min(longest, len(run) - position), 0, -1) if run[position : position + n] in self.chinese),
                0,
            )
            if length:
                if unmatched:
                    yield unmatched
                unmatched = ""
            else:
                unmatched += run[position]
            position += max(length, 1)
        if unmatched:
            yield unmatched


class SpacetimeTokenizer:
    """SentencePiece over normalized text; ids follow UMT5: 0 is padding, 1 ends the text, 2 is unknown."""

    def __init__(self, spiece_model: bytes, lexicon: Lexicon):
        """``spiece_model`` is a serialized SentencePiece model.  Raises ValueError where it is none, or has other ids."""
        self.spiece_model = spiece_model
        self.lexicon = lexicon
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=spiece_model)
        except RuntimeError as error:
            raise ValueError("expected a serialized SentencePiece model, got other bytes; use an undamaged weight file") from error
        ids = (self._processor.pad_id(), self._processor.eos_id(), self._processor.unk_id())
        if ids != (PAD_ID, END_ID, UNKNOWN_ID):
            raise ValueError(
                f"expected a SentencePiece model with padding, end and unknown at (0, 1, 2), got {ids}; train it with UMT5's ids"
            )

    @property
    def vocab_size(self) -> int:
        """Number of pieces, special ones included."""
        return self._processor.get_piece_size()

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text`` without padding, ending with ``</s>``; empty text is ``</s>`` alone."""
        return [*self._processor.encode(normalize(text)), END_ID]

    def decode(self, ids: Iterable[int]) -> str:
        """The normalized text of ``ids``; special ids vanish, Chinese characters stay apart."""
        return self._processor.decode([int(i) for i in ids])

    def batch(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids [B, L] int64 padded to the longest text, and mask [B, L] bool that is true on real tokens."""
        sequences = [self.encode(text) for text in texts]
        length = max(map(len, sequences), default=0)
        ids = torch.full((len(sequences), length), PAD_ID, dtype=torch.long)
        mask = torch.zeros(len(sequences), length, dtype=torch.bool)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(sequence)
            mask[row, : len(sequence)] = True
        return ids, mask

    def pieces(self) -> list[str]:
        """Every piece of the vocabulary, in the order of its id."""
        return [self._processor.id_to_piece(i) for i in range(self.vocab_size)]

    def unknown_words(self, text: str) -> list[str]:
        """Words of ``text`` that never occurred in training, in order of appearance, each once.

        English and other spelled words are compared whole; Chinese is cut by longest match against the lexicon.
        """
        return list(dict.fromkeys(self.lexicon.unknown(text)))

    def unreadable_characters(self, text: str) -> list[str]:
        """Characters of ``text`` (emoji, other scripts) that no piece covers, in order of appearance, each once."""
        characters = dict.fromkeys(normalize(text).replace(" ", ""))
        return [character for character in characters if UNKNOWN_ID in self._processor.encode(character)]

    def to_tensors(self) -> dict[str, torch.Tensor]:
        """The SentencePiece model and the lexicon (UTF-8 JSON) as uint8 tensors for a weight file."""
        return {
            SPIECE_KEY: _bytes_to_tensor(self.spiece_model),
            LEXICON_KEY: _bytes_to_tensor(self.lexicon.to_json().encode("utf-8")),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> SpacetimeTokenizer:
        """Read what :meth:`to_tensors` wrote.  Raises ValueError where an entry is missing or damaged."""
        for key in (SPIECE_KEY, LEXICON_KEY):
            if key not in tensors or tensors[key].dtype != torch.uint8:
                raise ValueError(f"expected a uint8 tensor '{key}', got none; use a weight file written with its tokenizer")
        try:
            lexicon = Lexicon.from_json(_tensor_to_bytes(tensors[LEXICON_KEY]).decode("utf-8"))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError("expected a lexicon of two word lists, got other data; use an undamaged weight file") from error
        return cls(_tensor_to_bytes(tensors[SPIECE_KEY]), lexicon)


def _bytes_to_tensor(data: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _tensor_to_bytes(tensor: torch.Tensor) -> bytes:
    return tensor.cpu().contiguous().numpy().tobytes()
