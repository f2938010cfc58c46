"""What a site refuses."""

from __future__ import annotations


class HeadlightError(Exception):
    """A refusal, in the site's own words. `status` is 0 where the site was not reached."""

    def __init__(self, message: str, code: str, status: int, field: str | None = None) -> None:
        super().__init__(message)
        self.code, self.status, self.field = code, status, field
