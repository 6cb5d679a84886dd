"""A small UMT5 text encoder with its tokenizer, read from and written to one safetensors file.

The network is transformers' ``UMT5EncoderModel`` and keeps UMT5's parameter names, so the same file also opens in any
other implementation of that layout.  Every size is read from the shapes of the tensors.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from .tokenizer import END_ID, LEXICON_KEY, PAD_ID, SPIECE_KEY, Lexicon, SpacetimeTokenizer

__all__ = ["Lexicon", "SpacetimeTokenizer", "TextEncoder", "TextEncoderConfig", "load_text_encoder", "save_text_encoder"]

# UMT5's distance buckets and epsilon; they leave no trace in the shapes, and every UMT5 implementation fixes them.
RELATIVE_ATTENTION_BUCKETS = 32
RELATIVE_ATTENTION_MAX_DISTANCE = 128
LAYER_NORM_EPSILON = 1e-6

_FIRST = "encoder.block.0.layer"


@dataclass(frozen=True)
class TextEncoderConfig:
    """Sizes of a UMT5 encoder with gated GELU: widths in elements, ``d_kv`` per head."""

    vocab_size: int
    d_model: int = 256
    num_layers: int = 3
    num_heads: int = 4
    d_kv: int = 64
    d_ff: int = 640

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, torch.Tensor]) -> TextEncoderConfig:
        """Read every size from tensor shapes, and check that all tensors of that encoder are there.

        Raises:
            ValueError: the tensors are not those of a UMT5 encoder with gated GELU and one position bias per layer.
        """
        try:
            vocab_size, d_model = state_dict["shared.weight"].shape
            num_heads = state_dict[f"{_FIRST}.0.SelfAttention.relative_attention_bias.weight"].shape[1]
            d_kv = state_dict[f"{_FIRST}.0.SelfAttention.q.weight"].shape[0] // num_heads
            d_ff = state_dict[f"{_FIRST}.1.DenseReluDense.wi_0.weight"].shape[0]
        except KeyError as error:
            raise ValueError(f"expected the tensors of a UMT5 encoder, got none named {error}; use another file") from error
        except (ValueError, IndexError, ZeroDivisionError) as error:
            raise ValueError(f"expected the tensors of a UMT5 encoder, got odd shapes ({error}); use another file") from error
        layers = {match[1] for key in state_dict if (match := re.match(r"encoder\.block\.(\d+)\.", key))}
        config = cls(vocab_size, d_model, len(layers), num_heads, d_kv, d_ff)
        for name, shape in config.tensor_shapes().items():
            got = tuple(state_dict[name].shape) if name in state_dict else None
            if got != shape:
                raise ValueError(f"expected the tensor '{name}' of shape {shape}, got {got or 'none'}; use an undamaged file")
        return config

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight, under UMT5's names."""
        inner = self.num_heads * self.d_kv
        shapes: dict[str, tuple[int, ...]] = {"shared.weight": (self.vocab_size, self.d_model)}
        for i in range(self.num_layers):
            attention, feed_forward = f"encoder.block.{i}.layer.0", f"encoder.block.{i}.layer.1"
            shapes |= {f"{attention}.SelfAttention.{name}.weight": (inner, self.d_model) for name in "qkv"}
            shapes[f"{attention}.SelfAttention.o.weight"] = (self.d_model, inner)
            shapes[f"{attention}.SelfAttention.relative_attention_bias.weight"] = (RELATIVE_ATTENTION_BUCKETS, self.num_heads)
            shapes[f"{attention}.layer_norm.weight"] = (self.d_model,)
            shapes |= {f"{feed_forward}.DenseReluDense.{name}.weight": (self.d_ff, self.d_model) for name in ("wi_0", "wi_1")}
            shapes[f"{feed_forward}.DenseReluDense.wo.weight"] = (self.d_model, self.d_ff)
            shapes[f"{feed_forward}.layer_norm.weight"] = (self.d_model,)
        shapes["encoder.final_layer_norm.weight"] = (self.d_model,)
        return shapes


class TextEncoder(nn.Module):
    """UMT5 encoder plus tokenizer: prompts in, one embedding per token out."""

    def __init__(self, config: TextEncoderConfig, tokenizer: SpacetimeTokenizer, dropout: float = 0.0):
        """``dropout`` is the rate while training.  Raises ValueError where tokenizer and config disagree."""
        super().__init__()
        if config.vocab_size != tokenizer.vocab_size:
            raise ValueError(
                f"expected a tokenizer of {config.vocab_size} pieces, got {tokenizer.vocab_size}; use the one of the same file"
            )
        # Imported here because it takes seconds, and the host runs these weights in its own network.
        from transformers import UMT5Config, UMT5EncoderModel

        self.config = config
        self.tokenizer = tokenizer
        self.network = UMT5EncoderModel(
            UMT5Config(
                **asdict(config),
                feed_forward_proj="gated-gelu_pytorch_tanh",  # gelu_new, in one kernel
                relative_attention_num_buckets=RELATIVE_ATTENTION_BUCKETS,
                relative_attention_max_distance=RELATIVE_ATTENTION_MAX_DISTANCE,
                layer_norm_epsilon=LAYER_NORM_EPSILON,
                dropout_rate=dropout,
                pad_token_id=PAD_ID,
                eos_token_id=END_ID,
            )
        )

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Embeddings [B, L, D] of ``ids`` [B, L]; ``mask`` [B, L] is true on real tokens, the others come out as zeros."""
        hidden = self.network(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return hidden * mask.unsqueeze(-1).to(hidden.dtype)

    @torch.no_grad()
    def encode(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings [B, L, D] float32 and mask [B, L] bool; L is the longest text with its ``</s>``, padding is zero."""
        ids, mask = self.tokenizer.batch(texts)
        device = self.network.shared.weight.device
        ids, mask = ids.to(device), mask.to(device)
        return self(ids, mask).float(), mask

    def to_tensors(self, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
        """All weights under UMT5's names in ``dtype``, and the tokenizer's uint8 tensors."""
        weights = {
            key: value.detach().to("cpu", dtype).contiguous()
            for key, value in self.network.state_dict().items()
            if key != "encoder.embed_tokens.weight"  # the same tensor as shared.weight
        }
        return weights | self.tokenizer.to_tensors()


def save_text_encoder(
    encoder: TextEncoder,
    path: str | os.PathLike[str],
    dtype: torch.dtype = torch.float16,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write weights in ``dtype``, tokenizer, lexicon and ``metadata`` to a safetensors file."""
    config = {"config": json.dumps({"text_encoder": {"model_type": "umt5", **asdict(encoder.config)}})}
    save_file(encoder.to_tensors(dtype), os.fspath(path), metadata={"format": "pt", **config, **(metadata or {})})


def load_text_encoder(path: str | os.PathLike[str]) -> TextEncoder:
    """Open a file written by :func:`save_text_encoder`: float32, in evaluation mode, on the CPU.

    Raises:
        OSError, safetensors.SafetensorError: the file is missing or damaged.
        ValueError: it holds another model or no tokenizer.
    """
    with safe_open(os.fspath(path), framework="pt", device="cpu") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    tokenizer = SpacetimeTokenizer.from_tensors(tensors)
    weights = {key: value.float() for key, value in tensors.items() if key not in (SPIECE_KEY, LEXICON_KEY)}
    encoder = TextEncoder(TextEncoderConfig.from_state_dict(weights), tokenizer)
    weights["encoder.embed_tokens.weight"] = weights["shared.weight"]
    encoder.network.load_state_dict(weights)
    return encoder.eval().requires_grad_(False)
