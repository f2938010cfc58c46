"""Tries a tokenizer on texts that are hard on bad ones. Whoever calls this is a process that may end over it."""

from __future__ import annotations

import signal
from pathlib import Path

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.tokenizer_files import read_tokenizer
from modelcore.tokenizer import Tokenizer, TokenizerError

# Long runs of one kind of character are what a pattern goes back and forth over.
TEXTS = (
    "In the beginning was the word, and the word was 42.\n",
    "a" * 20_000 + "!",
    "ab " * 5_000,
    " " * 20_000 + "x",
    "1" * 20_000 + "a",
    "\n\r\t" * 3_000,
    "…—“”é漢字🙂\u200d\u0301" * 1_000,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 100,
    "",
)


def try_tokenizer(folder: Path, within_s: float) -> Tokenizer | None:
    """The folder's tokenizer, None where it has none. Ends the process by SIGALRM where it takes longer.

    The library's code does not listen to exceptions, so nothing gentler would stop it.
    Raises: CheckpointError.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, within_s)
    try:
        tokenizer = read_tokenizer(folder)
        if tokenizer is not None:
            for text in TEXTS:
                for cutting in {tokenizer, tokenizer.target}:
                    ids = cutting.encode(text).ids
                    cutting.decode(ids[:2_000])
    except TokenizerError as error:
        raise CheckpointError(f"The tokenizer fails on a plain text: {error}"[:300], code="bad_tokenizer") from error
    except CheckpointError as error:
        error.code = error.code or "bad_tokenizer"
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return tokenizer


def require_within(tokenizer: Tokenizer, vocabulary: int) -> None:
    """Raises: CheckpointError where the tokenizer gives ids that the model has no vector for."""
    for cutting in {tokenizer, tokenizer.target}:
        if cutting.vocabulary > vocabulary:
            raise CheckpointError(
                f"The tokenizer gives ids up to {cutting.vocabulary - 1:,}; the model has vectors for {vocabulary:,}.",
                code="bad_tokenizer",
                field="vocab_size",
                limit=vocabulary,
            )
