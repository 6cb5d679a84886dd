"""Every file that is no healthy safetensors file is refused with one sentence that says what it is and what to do."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from model_loaders.files import WeightFileError, describe_contents, read_safetensors, wrong_model


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    path = tmp_path / "healthy.safetensors"
    save_file({"a": torch.arange(600.0).reshape(20, 30), "b": torch.ones(3)}, path, metadata={"made by": "a test"})
    return path


def refusal(path: Path) -> str:
    with pytest.raises(WeightFileError) as caught:
        read_safetensors(path, "Load Something")
    message = str(caught.value)
    assert message.startswith("Load Something: expected ") and ", got " in message and "; " in message
    assert "\n" not in message and path.name in message
    return message


def damaged(healthy: Path, data: bytes) -> Path:
    path = healthy.with_name("model.safetensors")
    path.write_bytes(data)
    return path


def test_a_healthy_file_gives_tensors_and_metadata(healthy):
    tensors, metadata = read_safetensors(healthy, "Load Something")
    assert torch.equal(tensors["a"], torch.arange(600.0).reshape(20, 30)) and torch.equal(tensors["b"], torch.ones(3))
    assert metadata == {"made by": "a test"}


def test_a_name_given_as_text_is_fine_too(healthy):
    assert set(read_safetensors(str(healthy), "Load Something")[0]) == {"a", "b"}


def test_missing(tmp_path):
    assert "got nothing" in refusal(tmp_path / "not there.safetensors")


def test_folder(tmp_path):
    assert "folder" in refusal(tmp_path)


def test_empty(healthy):
    assert "empty" in refusal(damaged(healthy, b""))


@pytest.mark.parametrize("keep", [9, 40, -1, -1000])
def test_cut_short_says_both_sizes(healthy, keep):
    data = healthy.read_bytes()
    message = refusal(damaged(healthy, data[:keep]))
    assert "cut short" in message and f"{len(data[:keep]):,}" in message


def test_a_few_bytes(healthy):
    assert "damaged" in refusal(damaged(healthy, b"abc"))


@pytest.mark.parametrize("header", [b"{not json", b"[]", b'{"a": 5}', b'{"a": {"dtype": "F32"}}', b"\xff\xfe\xfd"])
def test_corrupt_header(healthy, header):
    assert "damaged" in refusal(damaged(healthy, struct.pack("<Q", len(header)) + header))


def test_offsets_that_contradict_the_shape(healthy):
    header = json.dumps({"a": {"dtype": "F32", "shape": [5], "data_offsets": [0, 8]}}).encode()
    assert "damaged" in refusal(damaged(healthy, struct.pack("<Q", len(header)) + header + bytes(8)))


@pytest.mark.parametrize("zipped", [True, False])
def test_pickle_under_a_safetensors_name_is_never_opened(healthy, zipped):
    path = healthy.with_name("renamed.safetensors")
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=zipped)
    assert "pickle" in refusal(path)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"GGUF\x03\x00\x00\x00", "GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"some other bytes in here", "unknown data"),
    ],
)
def test_other_formats_are_named(healthy, start, name):
    assert name in refusal(damaged(healthy, start + bytes(100)))


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (["encoder.block.23.layer.0.SelfAttention.q.weight"], "T5-XXL"),
        (["decoder.middle.0.residual.0.gamma"], "Wan VAE"),
        (["blocks.0.cross_attn.q.weight"], "Wan video diffusion"),
        (["blocks.0.cross_attn.q.lora_down.weight"], "LoRA"),
        (["something"], "something"),
        ([], "no tensors"),
    ],
)
def test_healthy_files_of_other_models_are_named(keys, name):
    assert name in describe_contents(keys)
    message = str(wrong_model("folder/file.safetensors", "Load Something", "a text encoder", keys))
    assert message.startswith("Load Something: expected a text encoder, got") and "'file.safetensors'" in message
