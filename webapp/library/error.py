"""What the library refuses, with the status that says so over HTTP."""

from __future__ import annotations


class LibraryError(Exception):
    """One sentence for the person who asked; `limit` is the number that was passed."""

    def __init__(
        self, status: int, code: str, message: str, *, field: str | None = None, limit: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field, self.limit = status, code, message, field, limit
