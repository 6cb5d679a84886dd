"""Random checkpoints in exactly the layout of the weights in the box, small enough to run in a moment."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from torch import nn

from models.dit import DiTConfig, WanDiT
from models.text_encoder import TextEncoder, TextEncoderConfig, save_text_encoder
from models.tokenizer import Lexicon, SpacetimeTokenizer
from models.vae import CausalVideoVAE, VAEConfig

TEXT_DIM = 64
CHINESE = "\u4e00\u4e2a\u7ea2\u8272\u7684\u7403"  # "a red ball"
SENTENCES = ["a red ball rolls across green grass", "a blue boat sails on the sea", "the bird flies over a house", CHINESE]

ALPHABET = ["a b c d e f g h i j k l m n o p q r s t u v w x y z , . ! ? ' - ( )"]


def randomize(network: nn.Module, seed: int, gain: float = 1.0) -> nn.Module:
    """Every parameter random and none of them zero, so that nothing is equal by being zero; values stay near one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1 or name.endswith(("gamma", "modulation")):
                one = 1.0 if name.endswith(("gamma", "norm_q.weight", "norm_k.weight", "norm3.weight")) else 0.0
                parameter.copy_(one + 0.1 * noise)
            else:
                parameter.copy_(gain * noise * parameter[0].numel() ** -0.5)
    return network.eval()


def random_dit(config: DiTConfig, seed: int = 0) -> WanDiT:
    return randomize(WanDiT(config), seed)


def random_vae(base_width: int = 8, seed: int = 0) -> CausalVideoVAE:
    return randomize(CausalVideoVAE(VAEConfig(base_width=base_width)), seed)


def small_dit_config(in_dim: int = 36) -> DiTConfig:
    return DiTConfig(in_dim=in_dim, dim=64, ffn_dim=128, num_layers=2, num_heads=2, text_dim=TEXT_DIM)


def hunyuan_config(in_channels: int, meanflow: bool = False) -> dict[str, Any]:
    """What ComfyUI reads from a HunyuanVideo file: 1.5 from 65 input channels on, else 1.0; as narrow as its heads of 128 allow."""
    newer = in_channels >= 65
    return {
        "in_channels": in_channels,
        "out_channels": 32 if newer else 16,
        "vec_in_dim": None if newer else 768,
        "context_in_dim": TEXT_DIM,
        "hidden_size": 128,
        "mlp_ratio": 4.0,
        "num_heads": 1,
        "depth": 1,
        "depth_single_blocks": 1,
        "axes_dim": [16, 56, 56],
        "theta": 256,
        "patch_size": [1, 1, 1] if newer else [1, 2, 2],
        "qkv_bias": True,
        "guidance_embed": not newer,
        "byt5": False,
        "meanflow": meanflow,
        "use_cond_type_embedding": newer,
        "vision_in_dim": 1152 if newer else None,
        "meanflow_sum": newer,
    }


def small_tokenizer() -> SpacetimeTokenizer:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*SENTENCES * 20, *ALPHABET]),
        model_writer=model,
        vocab_size=120,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    english = [word for sentence in SENTENCES[:-1] for word in sentence.split()]
    return SpacetimeTokenizer(model.getvalue(), Lexicon.from_words(english, [CHINESE]))


def write_dit(path: Path, in_dim: int = 36, seed: int = 0) -> Path:
    dit = random_dit(small_dit_config(in_dim), seed)
    save_file(dit.state_dict(), path, metadata={"config": json.dumps(dit.config.metadata())})
    return path


def write_vae(path: Path, base_width: int = 8, seed: int = 0) -> Path:
    save_file(random_vae(base_width, seed).state_dict(), path)
    return path


def write_box(folder: Path, files: dict[str, str]) -> Path:
    """The files of the box below a folder, where an evaluation's `FILES` have them."""
    for name, write in {"dit": write_dit, "vae": write_vae, "text encoder": write_text_encoder}.items():
        (folder / files[name]).parent.mkdir()
        write(folder / files[name])
    return folder


def write_text_encoder(path: Path, seed: int = 0) -> Path:
    random.seed(seed)
    torch.manual_seed(seed)
    tokenizer = small_tokenizer()
    config = TextEncoderConfig(tokenizer.vocab_size, d_model=TEXT_DIM, num_layers=1, num_heads=2, d_kv=16, d_ff=64)
    save_text_encoder(TextEncoder(config, tokenizer), path)
    return path
