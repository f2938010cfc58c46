"""The refusal of a tokenizer or of a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class TokenizerError(ValueError):
    """A tokenizer that cannot be read, or a text that it cannot take; the message says why."""


class TokenizerLimitError(TokenizerError):
    """A text that takes this tokenizer longer, or more memory, than it may have."""


def guarded(call: Callable[[], Result], message: str) -> Result:
    """What `call` gives. Raises: TokenizerError with `message` for whatever the library raises."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, MemoryError, TokenizerError):
        raise
    # The library's panics derive from BaseException alone.
    except BaseException as error:
        raise TokenizerError(message) from error
