"""Train the small text encoder: ``python -m training.train_text_encoder [--config FILE]``.

First a SentencePiece vocabulary on captions of the world in both languages.  Then the encoder, by answering questions
about the scene from the caption: a throw-away head has learned queries (kind, colour, ... of the first, second, third
thing mentioned; colour, motion, ... of the cat; background, time, ...) that look at the embeddings once and name the
label.  One look is all a query has, so what a denoiser wants to know lies open in the embeddings; and the answers to the
English and the Chinese caption of a scene are pulled together.  A run continues from its last checkpoint.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import random
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import sentencepiece
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from models.text_encoder import (
    RELATIVE_ATTENTION_MAX_DISTANCE,
    TextEncoder,
    TextEncoderConfig,
    load_text_encoder,
    save_text_encoder,
)
from models.tokenizer import END_ID, PAD_ID, UNKNOWN_ID, SpacetimeTokenizer, normalize
from training.muon import Muon
from training.run import mixed_precision
from training.text_corpus import (
    IGNORED,
    KIND_SLOTS,
    REQUIRED_CHARACTERS,
    SLOTS,
    Pair,
    Slot,
    build_lexicon,
    disturb,
    sample_corpus,
    sample_pair,
)
from training.world import LABELS, LANGUAGES

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CONFIG = ROOT / "training" / "configs" / "text_encoder.json"


@dataclass(frozen=True)
class TrainingConfig:
    """One run, as the JSON file says it; folders are relative to the project's root."""

    seed: int
    vocabulary_scenes: int
    vocab_size: int
    d_model: int
    num_layers: int
    num_heads: int
    d_kv: int
    d_ff: int
    dropout: float
    steps: int
    scenes_per_step: int
    learning_rate: float
    muon_learning_rate: float
    quick_learning_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_clip: float
    agreement_weight: float
    bfloat16: bool
    save_every: int
    held_out_scenes: int
    run_folder: str
    output: str

    @classmethod
    def read(cls, path: Path) -> TrainingConfig:
        """Read a config file.  Raises TypeError on unknown or missing entries."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    @property
    def checkpoint(self) -> Path:
        """Where the run keeps its state."""
        return ROOT / self.run_folder / "checkpoint.pt"


class AttributeHead(nn.Module):
    """Learned queries that attend once to the embeddings and answer with a label per slot.

    A slot asked by order has a query of its own; the slots asked by name share the query of that kind of thing.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.ordered = [slot for slot in SLOTS if not slot.by_kind]
        self.queries = nn.Parameter(torch.randn(len(self.ordered), width))
        self.kind_queries = nn.Parameter(torch.randn(len(LABELS["kind"]), width))
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.answers = nn.ModuleDict({_answer_name(slot): nn.Linear(width, slot.classes) for slot in SLOTS})

    def forward(
        self, embeddings: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Read-outs [B, S, D], and per slot the logits [B, classes], of embeddings [B, L, D] with mask [B, L].

        Of ``labels`` [B, S] only the kinds are looked at: they are the names to ask by.
        """
        kinds = labels[:, KIND_SLOTS].clamp(min=0)  # [B, places]
        queries = torch.cat([self.queries.expand(len(labels), -1, -1), self.kind_queries[kinds]], dim=1)
        query, key, value = (
            rearrange(x, "b n (h d) -> b h n d", h=self.heads) for x in (queries, self.key(embeddings), self.value(embeddings))
        )
        attended = F.scaled_dot_product_attention(query.to(key.dtype), key, value, mask[:, None, None, :])
        answered = self.out(rearrange(attended, "b h n d -> b n (h d)"))
        readouts = torch.stack([answered[:, self._query_of(i, slot)] for i, slot in enumerate(SLOTS)], dim=1)
        return readouts, [self.answers[_answer_name(slot)](readouts[:, i]) for i, slot in enumerate(SLOTS)]

    def _query_of(self, index: int, slot: Slot) -> int:
        return len(self.ordered) + slot.place if slot.by_kind and slot.place is not None else index


def _answer_name(slot: Slot) -> str:
    return f"{slot.attribute} of the kind" if slot.by_kind else f"{slot.attribute} at {slot.place}"


def train_tokenizer(config: TrainingConfig) -> SpacetimeTokenizer:
    """A unigram SentencePiece model and the lexicon from captions of ``vocabulary_scenes`` scenes."""
    corpus = sample_corpus(random.Random(f"{config.seed} vocabulary"), config.vocabulary_scenes)
    texts = sorted({normalize(text) for pair in corpus for text in pair.captions.values()} - {""})
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=config.vocab_size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        byte_fallback=False,
        required_chars=REQUIRED_CHARACTERS,
        normalization_rule_name="identity",
        shuffle_input_sentence=False,
        num_threads=1,
        pad_id=PAD_ID,
        eos_id=END_ID,
        unk_id=UNKNOWN_ID,
        bos_id=-1,
        minloglevel=2,
    )
    return SpacetimeTokenizer(model.getvalue(), build_lexicon(corpus))


def build_encoder(config: TrainingConfig, tokenizer: SpacetimeTokenizer) -> TextEncoder:
    """A fresh encoder whose last norm stays at 1, so that every embedding has a root mean square of 1."""
    sizes = TextEncoderConfig(
        tokenizer.vocab_size, config.d_model, config.num_layers, config.num_heads, config.d_kv, config.d_ff
    )
    encoder = TextEncoder(sizes, tokenizer, config.dropout)
    encoder.network.encoder.final_layer_norm.weight.requires_grad_(False)
    for block in encoder.network.encoder.block:
        start_near(block.layer[0].SelfAttention.relative_attention_bias.weight)
    return encoder


@torch.no_grad()
def start_near(bias: torch.Tensor) -> None:
    """Set a position bias [buckets, heads] so that heads in turn look back, ahead, around and everywhere.

    Left to chance, the encoder knows the words of a caption long before it finds out which colour belongs to which thing.
    """
    half = len(bias) // 2
    exact = half // 2
    steps = torch.arange(half, dtype=torch.float32)
    farthest = RELATIVE_ATTENTION_MAX_DISTANCE / exact
    distance = torch.where(steps < exact, steps, exact * farthest ** ((steps - exact) / (half - exact)))
    near, wide, never = (-0.7 * distance).clamp(min=-8), (-0.4 * distance).clamp(min=-8), torch.full((half,), -6.0)
    looks = (torch.cat([near, never]), torch.cat([never, near]), torch.cat([wide, wide]), torch.zeros(2 * half))
    for sided in looks[:2]:
        sided[0] = -2.0  # a token's view of itself
    for head in range(bias.shape[1]):
        bias[:, head] = looks[head % len(looks)]


def answer(
    encoder: TextEncoder, head: AttributeHead, ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """What the head says to a batch, computed in a short and a long half, because much of one batch would be padding."""
    halves = mask.sum(1).argsort().chunk(2)
    parts = []
    for rows in halves:
        length = int(mask[rows].sum(1).max())
        parts.append(head(encoder(ids[rows, :length], mask[rows, :length]), mask[rows, :length], labels[rows]))
    back = torch.cat(halves).argsort()
    logits = [torch.cat(both)[back] for both in zip(*(logits for _, logits in parts), strict=True)]
    return torch.cat([readouts for readouts, _ in parts])[back], logits


def questions_loss(logits: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy per stated label; ``labels`` [B, S], -1 is not stated."""
    losses = [F.cross_entropy(said.float(), labels[:, i], ignore_index=IGNORED, reduction="sum") for i, said in enumerate(logits)]
    return torch.stack(losses).sum() / (labels != IGNORED).sum().clamp(min=1)


def right(logits: torch.Tensor, labels: torch.Tensor) -> tuple[int, int]:
    """How many stated labels [B] are the likeliest of ``logits`` [B, classes], and how many are stated."""
    stated = labels != IGNORED
    return int((logits.argmax(-1) == labels)[stated].sum()), int(stated.sum())


def agreement_loss(readouts: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """1 - cosine between the read-outs of a scene's first and second language, over stated slots; batch is (language, scene)."""
    first, second = readouts.float().chunk(2)
    stated = (labels != IGNORED).chunk(2)[0]
    return (1 - F.cosine_similarity(first, second, dim=-1))[stated].mean()


def schedule(config: TrainingConfig, step: int) -> float:
    """Share of the peak learning rate: linear warm-up, then a cosine down to a fiftieth."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))


def build_optimizers(config: TrainingConfig, encoder: TextEncoder, head: AttributeHead) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the encoder's blocks, AdamW for the rest, quicker on what starts large: position biases and queries."""
    blocks = dict(encoder.network.encoder.block.named_parameters())
    positions = [weight for name, weight in blocks.items() if "relative_attention_bias" in name]
    matrices = [weight for name, weight in blocks.items() if weight.ndim == 2 and "relative_attention_bias" not in name]
    quick = [*positions, head.queries, head.kind_queries]
    grouped = {id(weight) for weight in quick + matrices}
    others = [p for p in [*encoder.parameters(), *head.parameters()] if p.requires_grad and id(p) not in grouped]
    return [
        Muon([{"params": matrices, "peak_lr": config.muon_learning_rate}], momentum=0.95, weight_decay=config.weight_decay),
        torch.optim.AdamW(
            [
                {"params": others, "peak_lr": config.learning_rate},
                {"params": quick, "peak_lr": config.quick_learning_rate, "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
            weight_decay=config.weight_decay,
        ),
    ]


class Trainer:
    """The state of a run: encoder, head, optimizers and the step they have reached."""

    def __init__(self, config: TrainingConfig):
        self.config = config
        self.step = 0
        torch.manual_seed(config.seed)
        saved = torch.load(config.checkpoint, weights_only=True) if config.checkpoint.is_file() else None
        tokenizer = SpacetimeTokenizer.from_tensors(saved["tokenizer"]) if saved else train_tokenizer(config)
        self.encoder = build_encoder(config, tokenizer)
        self.head = AttributeHead(config.d_model, config.num_heads)
        self.optimizers = build_optimizers(config, self.encoder, self.head)
        if saved:
            self.encoder.load_state_dict(saved["encoder"])
            self.head.load_state_dict(saved["head"])
            for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
                optimizer.load_state_dict(state)
            self.step = saved["step"]

    def save(self) -> None:
        """Write the checkpoint; an interruption leaves the one before intact."""
        self.config.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = self.config.checkpoint.with_suffix(".partial")
        state = {
            "step": self.step,
            "tokenizer": self.encoder.tokenizer.to_tensors(),
            "encoder": self.encoder.state_dict(),
            "head": self.head.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        torch.save(state, partial)
        partial.replace(self.config.checkpoint)

    def run(self) -> None:
        """Train from the current step to the last one, printing progress."""
        self.encoder.train()
        started = time.monotonic()
        first = self.step
        while self.step < self.config.steps:
            report = self.train_step()
            self.step += 1
            if self.step % 20 == 0 or self.step == self.config.steps:
                pace = (time.monotonic() - started) / (self.step - first)
                remaining = pace * (self.config.steps - self.step) / 60
                print(f"step {self.step}/{self.config.steps}  {report}  {pace:.2f} s/step  {remaining:.1f} min left", flush=True)
            if self.step % self.config.save_every == 0 or self.step == self.config.steps:
                self.save()

    def train_step(self) -> str:
        """One optimizer step on fresh scenes that depend on seed and step alone; returns what to print."""
        generator = random.Random(f"{self.config.seed} step {self.step}")
        pairs = [busier_pair(generator) for _ in range(self.config.scenes_per_step)]
        texts = [disturb(pair.captions[language], language, generator) for language in LANGUAGES for pair in pairs]
        labels = _labels(pairs).repeat(len(LANGUAGES), 1)
        ids, mask = self.encoder.tokenizer.batch(texts)
        with mixed_precision(ids.device) if self.config.bfloat16 else nullcontext():
            readouts, logits = answer(self.encoder, self.head, ids, mask, labels)
        questions, agreement = questions_loss(logits, labels), agreement_loss(readouts, labels)
        (questions + self.config.agreement_weight * agreement).backward()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                nn.utils.clip_grad_norm_(group["params"], self.config.gradient_clip)
                group["lr"] = group["peak_lr"] * schedule(self.config, self.step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        named = [right(logits[i], labels[:, i]) for i, slot in enumerate(SLOTS) if slot.by_kind and slot.attribute == "colour"]
        hits, asked = (sum(counts) for counts in zip(*named, strict=True))
        return f"questions {questions.item():.4f}  agreement {agreement.item():.4f}  colour by name {hits / asked:.2f}"


@torch.no_grad()
def evaluate(encoder: TextEncoder, head: AttributeHead, scenes: int, seed: int) -> dict[str, dict[str, float]]:
    """Share of right answers on held-out combinations: language -> question (all places together) -> accuracy in [0, 1]."""
    generator = random.Random(f"{seed} held out")
    scenes_told = [sample_pair(generator, "held_out") for _ in range(scenes)]
    table = {}
    for language in LANGUAGES:
        counts: dict[str, list[tuple[int, int]]] = {}
        for start in range(0, scenes, 100):
            batch = scenes_told[start : start + 100]
            embeddings, mask = encoder.encode([pair.captions[language] for pair in batch])
            labels = _labels(batch)
            logits = head(embeddings, mask, labels)[1]
            for i, slot in enumerate(SLOTS):
                question = f"{slot.attribute} of the named thing" if slot.by_kind else slot.attribute
                counts.setdefault(question, []).append(right(logits[i], labels[:, i]))
        table[language] = {
            question: sum(hits for hits, _ in pairs) / max(1, sum(stated for _, stated in pairs)) for question, pairs in counts.items()
        }
    return table


def print_table(table: dict[str, dict[str, float]]) -> None:
    """Accuracy per question and language, in percent."""
    print(f"{'held-out accuracy':<32}" + "".join(f"{language:>8}" for language in table))
    for question in table[LANGUAGES[0]]:
        print(f"{question:<32}" + "".join(f"{100 * table[language][question]:8.1f}" for language in table))


def busier_pair(generator: random.Random) -> Pair:
    """Of two scenes the one with more things: whose colour is whose is the hard part."""
    return max((sample_pair(generator) for _ in range(2)), key=lambda pair: sum(pair.labels[i] != IGNORED for i in KIND_SLOTS))


def _labels(pairs: list[Pair]) -> torch.Tensor:
    return torch.tensor([pair.labels for pair in pairs])  # [B, S]


def main() -> None:
    """Train or continue, write the weight file, read it back and print what it knows."""
    parser = argparse.ArgumentParser(description="Train the small text encoder.")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads for torch; more than the idle cores slow it down")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = TrainingConfig.read(arguments.config)
    trainer = Trainer(config)
    tokenizer = trainer.encoder.tokenizer
    print(f"vocabulary of {tokenizer.vocab_size} pieces; {len(tokenizer.lexicon.english)} English and "
          f"{len(tokenizer.lexicon.chinese)} Chinese words", flush=True)  # fmt: skip
    trainer.run()

    output = ROOT / config.output
    output.parent.mkdir(parents=True, exist_ok=True)
    save_text_encoder(trainer.encoder, output, torch.float16, {"training": json.dumps(asdict(config))})
    print(f"wrote {output} ({output.stat().st_size:,} bytes)")
    print_table(evaluate(load_text_encoder(output), trainer.head.eval(), config.held_out_scenes, config.seed))


if __name__ == "__main__":
    main()
