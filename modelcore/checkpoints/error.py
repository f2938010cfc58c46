"""The refusal of a checkpoint."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A checkpoint that is refused; the message is one plain sentence for the person who brought it.

    `code` names the kind of fault where more is known than that there is one, `field` what was at fault: a tensor, a
    key, a file; `limit` the number that it passed.
    """

    def __init__(
        self, message: str, *, code: str | None = None, field: str | None = None, limit: int | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.field, self.limit = code, field, limit
