"""Checkpoints of random weights, because speed does not depend on them, that read the prose model's words."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from tests.running import HOUSE

TOKENIZER = HOUSE / "modelcore" / "zoo" / "prose" / "tokenizer.json"


def save_gpt2(folder: Path, **config: int) -> Path:
    """A folder as transformers saves one; without further sizes it has the shape of GPT-2 small."""
    logging.disable_progress_bar()
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config(bos_token_id=None, eos_token_id=None, **config)).save_pretrained(folder)
    shutil.copy(TOKENIZER, folder)
    return folder


def ids_of(text: str) -> list[int]:
    return list(Tokenizer.from_file(str(TOKENIZER)).encode(text).ids)


def text_of(tokens: int) -> str:
    """Words of which each is one token to the prose model, so many of them."""
    vocabulary = Tokenizer.from_file(str(TOKENIZER)).get_vocab()
    words = [name[1:] for name in sorted(vocabulary, key=vocabulary.__getitem__) if _is_word(name)]
    text = " ".join(["And", *(words[i % len(words)] for i in range(tokens - 1))])
    assert len(ids_of(text)) == tokens
    return text


def _is_word(name: str) -> bool:
    """A token that starts with a space (written Ġ) and is a lower-case word."""
    return len(name) > 3 and name[0] == "Ġ" and name[1:].isalpha() and name[1:].islower()
