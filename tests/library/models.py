"""A small good model, as the files that somebody would bring."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

Files = dict[str, bytes]

TEXT = "the old lamp in the dark house, the old lamp and the new one"


@cache
def _good(width: int) -> Files:
    """GPT-2 of two layers with two heads, and a byte-level tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=2,
        n_head=2,
        n_embd=width,
        n_positions=64,
        vocab_size=tokenizer.get_vocab_size(),
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.3,
    )
    with TemporaryDirectory() as folder:
        GPT2LMHeadModel(config).save_pretrained(folder)
        tokenizer.save(f"{folder}/tokenizer.json")
        return {
            path.name: path.read_bytes() for path in Path(folder).iterdir() if path.name != "generation_config.json"
        }


def good(width: int = 16) -> Files:
    return dict(_good(width))
