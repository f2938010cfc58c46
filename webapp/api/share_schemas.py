"""What the API takes and gives of shares."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from webapp.api.schemas import ModelAnswer, RunAnswer

Audience = Literal["unlisted", "signed_in", "class"]


class SharedLens(Schema):
    """The lens as it is open: its window, half-open, and of which kind."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # JSON has neither tuples nor dates: strictly they would have to be ones already.
    positions: tuple[int, int] = Field(strict=False)
    tuned: bool = False


class KeptLens(SharedLens):
    """With it the positions that a share keeps, the window among them."""

    kept: tuple[int, int] = Field(strict=False)


class KeptPair(Schema):
    """The weight whose making a share keeps: of the head in view that of the kept token (`token`) and key (`key`)."""

    site: str
    head: int
    row: int
    col: int


class ShareRequest(Schema):
    """A view of an ended run, for others to open. `view` is the query of the page's address, which is all of its state,
    but for whether the lens is open. With `with` in it, it is a comparison of two runs of one's own.

    `position` and `token` name the output of a gradient in view; leave them out for any other.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    run: str = Field(max_length=26)
    view: str = Field("", max_length=2000)
    title: str = Field("", max_length=120)
    note: str = Field("", max_length=2000)
    audience: Audience = "unlisted"
    class_id: str | None = Field(None, max_length=26, description="Whose people may open it; of audience class.")
    expires_at: datetime | None = Field(None, strict=False, description="With a zone; null: it does not expire.")
    password: str = Field("", max_length=200)
    position: int | None = Field(None, ge=0)
    token: int | None = Field(None, ge=0)
    lens: SharedLens | None = Field(None, description="Where the lens is open.")


class ShareAnswer(Schema):
    """A share of one's own; `run` is null where the run was deleted, which the share survives."""

    slug: str
    page: str
    embed: str
    run: str | None
    title: str
    note: str
    audience: Audience
    class_id: str | None = Field(description="null also where the class was deleted: then nobody else may open it.")
    has_password: bool
    expires_at: datetime | None
    revoked_at: datetime | None
    openings: int
    opened_at: datetime | None
    size_bytes: int
    created_at: datetime


class SharesAnswer(Schema):
    shares: list[ShareAnswer]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class SecondRun(Schema):
    """What is known of the run that a shared one is compared with."""

    kind: str
    model: str | None
    text: str | None
    target: str | None
    text_pair: str | None
    picture: str | None


class SharedAnswer(RunAnswer):
    """What a visitor sees of a share: the run as it was, under the share's name, and how its maker looked at it."""

    title: str
    note: str
    view: str
    shown_model: ModelAnswer | None
    lens: KeptLens | None
    pairs: list[KeptPair]
    second: SecondRun | None


class CopyAnswer(Schema):
    """A run of one's own that began as a share."""

    id: str
    socket: str
    page: str
    second: str | None = Field(description="Of a shared comparison the copy of its second run.")
