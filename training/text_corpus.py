"""What the text encoder learns from: captions of the world in both languages, and the labels each one states."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from models.tokenizer import Lexicon
from training.world import LABELS, LANGUAGES, caption_and_attributes, sample_scene
from training.world.captions import words
from training.world.vocabulary import MAX_THINGS, SCENE_ATTRIBUTES, THING_ATTRIBUTES

IGNORED = -1
LETTERS = "abcdefghijklmnopqrstuvwxyz"
REQUIRED_CHARACTERS = LETTERS + "0123456789.,;:!?'\"-()"

COLLAGE_SHARE = 0.02
DROP_ARTICLES, DROP_PUNCTUATION, ADD_STRANGER = 0.15, 0.2, 0.2
ARTICLES = {"en": ("a ", "an ", "the "), "zh": ("\u7684", "\u4e00\u4e2a", "\u4e00\u53ea")}
PUNCTUATION = ",.;\uff0c\u3002"
UNREADABLE = "\u2603"  # outside the vocabulary, so it becomes the unknown token


@dataclass(frozen=True)
class Slot:
    """One question about a caption: an attribute of the scene, or of the thing mentioned at ``place``.

    A question about a thing asks either by order ("the colour of the second thing") or, where ``by_kind``, by name
    ("the colour of the cat").
    """

    attribute: str
    place: int | None = None
    by_kind: bool = False

    @property
    def classes(self) -> int:
        """Number of possible answers."""
        return len(LABELS[self.attribute])


PLACES = range(MAX_THINGS)
SLOTS = (
    *(Slot(attribute, place) for place in PLACES for attribute in THING_ATTRIBUTES),
    *(Slot(attribute) for attribute in SCENE_ATTRIBUTES),
    *(Slot(attribute, place, by_kind=True) for place in PLACES for attribute in THING_ATTRIBUTES if attribute != "kind"),
)
KIND_SLOTS = tuple(SLOTS.index(Slot("kind", place)) for place in PLACES)


@dataclass(frozen=True)
class Pair:
    """One scene told in each language with the same things said in the same order; ``labels`` has one entry per slot."""

    captions: dict[str, str]
    labels: tuple[int, ...]


def sample_pair(generator: random.Random, split: str = "train", style: str = "picture_book") -> Pair:
    """Draw a scene and tell it in every language; a label is -1 where the captions do not state it."""
    scene = sample_scene(generator, split, style)
    seed = generator.getrandbits(32)
    captions: dict[str, str] = {}
    stated: dict = {}
    for language in LANGUAGES:
        captions[language], stated = caption_and_attributes(scene, random.Random(seed), language)
    return Pair(captions, tuple(_answer(slot, stated) for slot in SLOTS))


def sample_corpus(generator: random.Random, scenes: int) -> list[Pair]:
    """Training pairs for the vocabulary, a few collages among them."""
    return [
        sample_pair(generator, style="collage" if generator.random() < COLLAGE_SHARE else "picture_book") for _ in range(scenes)
    ]


def build_lexicon(corpus: list[Pair]) -> Lexicon:
    """Every English word of the captions, and the Chinese words that the captions are put together from."""
    english = (word for pair in corpus for word in pair.captions["en"].split())
    return Lexicon.from_words(english, _chinese_words())


def disturb(text: str, language: str, generator: random.Random) -> str:
    """The caption as a hurried person would type it: no articles, no punctuation, or a word nobody knows in between."""
    if generator.random() < DROP_ARTICLES:
        text = _without(text, ARTICLES[language])
    if generator.random() < DROP_PUNCTUATION:
        text = _without(text, tuple(PUNCTUATION))
    if generator.random() < ADD_STRANGER:
        text = _insert(text, _stranger(generator), language, generator)
    return text


def _answer(slot: Slot, stated: dict) -> int:
    answer = stated[slot.attribute]
    return answer if slot.place is None else answer[slot.place]


def _chinese_words() -> set[str]:
    """Phrases of the word table and their parts of two characters or more; a single one where it is a phrase or productive."""
    table = words("zh")
    phrases = {phrase for group, ways in table.items() if group != "kind" for phrase in _leaves(ways)} - {""}
    nouns = {noun[1:] for noun in _leaves(table["kind"])}
    measures = {"\u4e00" + noun[0] for noun in _leaves(table["kind"])}
    parts = {part for phrase in phrases | nouns for part in _parts(phrase)}
    uses = Counter(character for phrase in phrases | nouns for character in set(phrase))
    productive = {character for character, count in uses.items() if count >= 3}
    return phrases | nouns | measures | parts | productive | {"\u4e00", "\u6b63"}


def _leaves(ways: dict | list | str) -> Iterator[str]:
    if isinstance(ways, str):
        yield ways
    else:
        for way in ways.values() if isinstance(ways, dict) else ways:
            yield from _leaves(way)


def _parts(phrase: str) -> Iterator[str]:
    return (phrase[start:end] for start in range(len(phrase)) for end in range(start + 2, len(phrase) + 1))


def _without(text: str, fragments: tuple[str, ...]) -> str:
    for fragment in fragments:
        text = text.removeprefix(fragment).replace(f" {fragment}", " ") if fragment.endswith(" ") else text.replace(fragment, "")
    return text


def _stranger(generator: random.Random) -> str:
    """A made-up word, or a character that cannot be read."""
    if generator.random() < 0.3:
        return UNREADABLE
    return "".join(generator.choices(LETTERS, k=generator.randint(3, 9)))


def _insert(text: str, stranger: str, language: str, generator: random.Random) -> str:
    """Put a stranger between two words; Chinese has a gap between any two characters, so only its ends are safe."""
    if language == "zh":
        return stranger + text if generator.random() < 0.5 else text + stranger
    parts = text.split(" ")
    parts.insert(generator.randint(0, len(parts)), stranger)
    return " ".join(parts)
