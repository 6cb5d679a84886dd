"""Names of the published Wan parameters -> those that diffusers gives the same tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

Rules = tuple[tuple[str, str], ...]

DIT: Rules = (
    (r"^text_embedding\.0", "condition_embedder.text_embedder.linear_1"),
    (r"^text_embedding\.2", "condition_embedder.text_embedder.linear_2"),
    (r"^time_embedding\.0", "condition_embedder.time_embedder.linear_1"),
    (r"^time_embedding\.2", "condition_embedder.time_embedder.linear_2"),
    (r"^time_projection\.1", "condition_embedder.time_proj"),
    (r"^head\.head", "proj_out"),
    (r"^head\.modulation", "scale_shift_table"),
    (r"\.modulation$", ".scale_shift_table"),
    (r"\.self_attn\.", ".attn1."),
    (r"\.cross_attn\.", ".attn2."),
    (r"\.([qkv])\.", r".to_\1."),
    (r"\.o\.", ".to_out.0."),
    (r"\.norm3\.", ".norm2."),
    (r"\.ffn\.0\.", ".ffn.net.0.proj."),
    (r"\.ffn\.2\.", ".ffn.net.2."),
)

VAE: Rules = (
    (r"^conv1", "quant_conv"),
    (r"^conv2", "post_quant_conv"),
    (r"coder\.conv1", "coder.conv_in"),
    (r"\.head\.0", ".norm_out"),
    (r"\.head\.2", ".conv_out"),
    (r"\.middle\.0", ".mid_block.resnets.0"),
    (r"\.middle\.1", ".mid_block.attentions.0"),
    (r"\.middle\.2", ".mid_block.resnets.1"),
    (r"\.downsamples\.", ".down_blocks."),
    (r"\.residual\.0", ".norm1"),
    (r"\.residual\.2", ".conv1"),
    (r"\.residual\.3", ".norm2"),
    (r"\.residual\.6", ".conv2"),
    (r"\.shortcut", ".conv_shortcut"),
)


def renamed(state_dict: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """The same tensors under diffusers' names."""
    return {_rename(name, rules): tensor for name, tensor in state_dict.items()}


def _rename(name: str, rules: Rules) -> str:
    name = re.sub(r"\.upsamples\.(\d+)", lambda match: _up_block(int(match[1])), name)
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _up_block(position: int) -> str:
    """The published decoder counts three residual blocks and an upsampling layer per level in one row."""
    level, place = divmod(position, 4)
    return f".up_blocks.{level}.resnets.{place}" if place < 3 else f".up_blocks.{level}.upsamplers.0"
