"""Reading weight files, and saying in one sentence why one cannot be read.

Every loader of the pack opens its file with :func:`read_safetensors` and, when the tensors inside belong to
something else, refuses it with :func:`wrong_model`.  Nothing here needs ComfyUI.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

HEADER_LENGTH_BYTES = 8
HEADER_LIMIT_BYTES = 100_000_000  # the safetensors format refuses longer headers

# How a file that is no safetensors file begins -> what it is.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive, as PyTorch writes .pt and .ckpt pickle files"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"GGUF", "a GGUF file"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the weights"),
    (b"<!DOCTYPE", "a web page"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
)

# A tensor that only this kind of model has -> its name in a message.  The first row that matches wins.
CONTENTS: tuple[tuple[str, str], ...] = (
    ("encoder.block.23.layer.0.SelfAttention.q.weight", "a T5-XXL text encoder"),
    ("encoder.block.0.layer.0.SelfAttention.q.weight", "a small T5 text encoder"),
    ("text_model.encoder.layers.0.self_attn.q_proj.weight", "a CLIP text encoder"),
    ("model.layers.0.self_attn.q_proj.weight", "a language model"),
    ("decoder.middle.0.residual.0.gamma", "a Wan VAE"),
    ("decoder.conv_in.weight", "an image VAE"),
    ("blocks.0.cross_attn.q.weight", "a Wan video diffusion model"),
    ("model.diffusion_model.blocks.0.cross_attn.q.weight", "a Wan video diffusion model"),
    ("double_blocks.0.img_attn.qkv.weight", "a Flux or HunyuanVideo diffusion model"),
    ("model.diffusion_model.input_blocks.0.0.weight", "a Stable Diffusion checkpoint"),
)
LORA_MARKERS = ("lora_down", "lora_up", "lora_A", "lora_B")


class WeightFileError(ValueError):
    """A weight file is missing, damaged, of another format, or holds another model."""


def read_safetensors(path: str | os.PathLike[str], node_name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read every tensor and the metadata of a safetensors file onto the CPU.

    ``node_name`` begins the message of a refusal, so that it names where the person stands.

    Raises:
        WeightFileError: one sentence, for a file that is missing, a folder, empty, cut short, damaged, or in another
            format (pickle, zip, GGUF, ...).
    """
    path = Path(path)
    _check_exists(path, node_name)
    _check_format(path, node_name)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _damaged(path, node_name, str(error)) from error


def inspect_safetensors(path: str | os.PathLike[str], node_name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors of a safetensors file as shapes only (on the `meta` device), and the metadata; reads the header alone.

    Raises:
        WeightFileError: as :func:`read_safetensors`.
    """
    path = Path(path)
    _check_exists(path, node_name)
    _check_format(path, node_name)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}
            return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _damaged(path, node_name, str(error)) from error


def check_complete(
    path: str | os.PathLike[str], node_name: str, expected: str, network: torch.nn.Module, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Refuse a file in which a tensor of `network` is missing or has another shape; further tensors are allowed.

    Raises:
        WeightFileError: one sentence that names the first such tensor.
    """
    for name, parameter in network.state_dict().items():
        got = tuple(tensors[name].shape) if name in tensors else None
        if got != tuple(parameter.shape):
            raise WeightFileError(
                f"{node_name}: expected {expected} with the tensor '{name}' of shape {tuple(parameter.shape)}, "
                f"got {got or 'none'} in '{Path(path).name}'; use an undamaged file"
            )


def wrong_model(path: str | os.PathLike[str], node_name: str, expected: str, keys: Iterable[str]) -> WeightFileError:
    """The refusal of a healthy file that holds another model; ``keys`` are its tensors' names."""
    return WeightFileError(
        f"{node_name}: expected {expected}, got {describe_contents(keys)} in '{Path(path).name}'; "
        f"choose a file that holds {expected}"
    )


def describe_contents(keys: Iterable[str]) -> str:
    """What a file with these tensor names most likely holds, in a few words."""
    names = set(keys)
    if any(marker in name for name in names for marker in LORA_MARKERS):
        return "a LoRA"
    for marker, description in CONTENTS:
        if marker in names:
            return description
    if not names:
        return "no tensors at all"
    example = min(names)
    return f"an unknown model of {len(names)} tensors such as '{example}'"


def _check_exists(path: Path, node_name: str) -> None:
    if not path.exists():
        raise WeightFileError(f"{node_name}: expected a weight file at '{path}', got nothing; check the name or put the file there")
    if not path.is_file():
        raise WeightFileError(f"{node_name}: expected a weight file, got a folder '{path}'; choose a .safetensors file in it")


def _check_format(path: Path, node_name: str) -> None:
    """Refuse what the first bytes, the header and the size of the file already give away."""
    size = path.stat().st_size
    if size == 0:
        raise WeightFileError(f"{node_name}: expected a safetensors file, got the empty file '{path.name}'; download or copy it again")
    with path.open("rb") as file:
        start = file.read(64)
        for signature, description in SIGNATURES:
            if start.startswith(signature):
                raise WeightFileError(
                    f"{node_name}: expected a safetensors file, got {description} in '{path.name}'; "
                    "choose the .safetensors version of the model"
                )
        if size < HEADER_LENGTH_BYTES:
            raise _damaged(path, node_name, f"only {size} bytes")
        (header_length,) = struct.unpack("<Q", start[:HEADER_LENGTH_BYTES])
        if header_length > HEADER_LIMIT_BYTES:
            raise WeightFileError(
                f"{node_name}: expected a safetensors file, got unknown data in '{path.name}'; "
                "choose the .safetensors version of the model"
            )
        file.seek(HEADER_LENGTH_BYTES)
        header = file.read(header_length)
    if len(header) < header_length:
        raise _cut_short(path, node_name, HEADER_LENGTH_BYTES + header_length, size)
    expected_size = HEADER_LENGTH_BYTES + header_length + _data_length(path, node_name, header)
    if size < expected_size:
        raise _cut_short(path, node_name, expected_size, size)


def _data_length(path: Path, node_name: str, header: bytes) -> int:
    """Bytes of tensor data that a safetensors header promises."""
    try:
        entries = json.loads(header)
        return max((entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"), default=0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _damaged(path, node_name, "its header cannot be read") from error


def _cut_short(path: Path, node_name: str, expected: int, got: int) -> WeightFileError:
    return WeightFileError(
        f"{node_name}: expected {expected:,} bytes, got {got:,} in '{path.name}', so the file is cut short; "
        "download or copy it again"
    )


def _damaged(path: Path, node_name: str, reason: str) -> WeightFileError:
    return WeightFileError(
        f"{node_name}: expected a safetensors file, got a damaged one in '{path.name}' ({reason}); download or copy it again"
    )
