"""A judge of random weights, small enough to build in a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
)

from inspector.evidence import EVIDENCE_VERSION
from inspector.models.fusion import FusedEncoder, quantised
from inspector.models.judge import FILES_BESIDE
from inspector.models.shelf import file_sha256

WORDS = "no spur open short pin hole in the left margin are is accepted one two more than named"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tiny_tokenizer() -> Any:
    """Return a word-piece tokenizer of a few words and all printable characters."""
    letters = [chr(c) for c in range(33, 127)]
    pieces = [*SPECIAL, *letters, *(f"##{c}" for c in letters), *WORDS.split()]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    core = Tokenizer(WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    core.normalizer = BertNormalizer()
    core.pre_tokenizer = BertPreTokenizer()
    core.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def tiny_network(seed: int = 0) -> FusedEncoder:
    """Return a fused encoder of random weights."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=400,
        hidden_size=32,
        num_hidden_layers=5,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=256,
    )
    return FusedEncoder(BertModel(config, add_pooling_layer=False))


def tiny_decoder(seed: int = 0) -> FusedEncoder:
    """Return a fused decoder of random weights: each place sees only those before it."""
    torch.manual_seed(seed)
    return FusedEncoder(tiny_llama())


def tiny_llama() -> LlamaModel:
    config = LlamaConfig(
        vocab_size=400,
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=48,
        max_position_embeddings=256,
        initializer_range=0.1,  # with 0.02 so narrow a network hardly tells one text from another
    )
    return LlamaModel(config)


def write_tiny_backbone(folder: Path) -> Path:
    """Write a decoder as a folder that a training starts from."""
    torch.manual_seed(0)
    tiny_llama().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def write_tiny_judge(
    folder: Path, *, network: FusedEncoder | None = None, **changed: object
) -> Path:
    """Write a judge's folder; `changed` replaces entries of its model.json."""
    from safetensors.torch import save_file

    network = network or tiny_network()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(quantised(network.state_dict()), folder / "judge.safetensors")
    network.backbone.config.save_pretrained(folder)  # type: ignore[union-attr, operator]
    tiny_tokenizer().save_pretrained(folder)
    description: dict[str, object] = {
        "schema": "model/1",
        "kind": "judge",
        "name": "tiny",
        "file": "judge.safetensors",
        "sha256": file_sha256(folder / "judge.safetensors"),
        "files": {name: file_sha256(folder / name) for name in FILES_BESIDE},
        "evidence_version": EVIDENCE_VERSION,
        "temperature": 1.5,
        "pass_at": 0.2,
        "fail_at": 0.8,
    }
    (folder / "model.json").write_text(json.dumps({**description, **changed}))
    return folder
