"""The tokenizer of a checkpoint's folder, its files checked before they are read."""

from __future__ import annotations

from pathlib import Path

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.weights import inner_file
from modelcore.tokenizer import TOKENIZER_FILES, LimitedTokenizer, Tokenizer, TokenizerError


def read_tokenizer(folder: Path, *, limited: bool = False) -> Tokenizer | None:
    """None where the folder holds none. A `limited` one is a stranger's, and runs in a process of its own.

    Raises: CheckpointError if it cannot be read, or one of its files is a link that leads out of the folder.
    """
    for name in TOKENIZER_FILES:
        if (folder / name).exists():
            inner_file(folder, name)
    try:
        if limited and any((folder / name).exists() for name in TOKENIZER_FILES):
            return LimitedTokenizer(folder)
        return Tokenizer.load(folder)
    except FileNotFoundError:
        return None
    except TokenizerError as error:
        raise CheckpointError(str(error)) from error
