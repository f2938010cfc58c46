"""What cannot be written, said in a sentence."""

from __future__ import annotations


class GenerationError(ValueError):
    """A request to write that cannot be followed: a code for programs, a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
