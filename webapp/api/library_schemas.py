"""What the library's addresses take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from webapp.api.schemas import ExampleAnswer

VisibilityName = Literal["private", "link", "site"]


class FileRequest(Schema):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(max_length=1000, description="With its folders, as in my-model/config.json.")
    size_bytes: int = Field(ge=0)
    sha256: str = Field("", description="64 hexadecimal digits; checked when the file is whole.")


class ArrivalRequest(Schema):
    """A model about to be sent: every file with its length, or one zip or tar."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(max_length=1000)
    files: list[FileRequest]
    visibility: VisibilityName | None = Field(None, description="private where left out and somebody is signed in.")
    licence: str = Field("", max_length=65_536)
    sentence: str = Field("", max_length=300)
    like: str | None = Field(
        None,
        max_length=80,
        description="Of weights without a config.json: the id of the model whose config and tokenizer they get.",
    )


class ImportRequest(Schema):
    """A model of the hub. The token is kept encrypted until the import is over."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: str = Field(max_length=300, description="owner/name or owner/name@revision.")
    token: str = Field("", max_length=500)
    visibility: VisibilityName | None = None


class ArrivingFileAnswer(Schema):
    id: str
    name: str
    size_bytes: int
    arrived_bytes: int
    address: str = Field(description="Where its bytes go, by tus 1.0.")


class ArrivalErrorAnswer(Schema):
    code: str
    message: str
    field: str | None = None
    limit: int | None = None


class ArrivalAnswer(Schema):
    """uploading or importing, then uploaded, inspecting, and at last ready, with its model, or refused, and why."""

    id: str
    name: str
    state: Literal["uploading", "importing", "uploaded", "inspecting", "ready", "refused"]
    source: str
    size_bytes: int
    arrived_bytes: int
    files: list[ArrivingFileAnswer]
    error: ArrivalErrorAnswer | None
    notes: list[str] = Field(description="What was left out or rewritten, in sentences.")
    model: str | None
    visibility: VisibilityName
    created_at: datetime
    expires_at: datetime


class QuotaAnswer(Schema):
    """Used bytes count what is on its way. `free_bytes` is the disk's, above what must stay free."""

    person_used_bytes: int
    person_limit_bytes: int
    site_used_bytes: int
    site_limit_bytes: int
    free_bytes: int
    model_limit_bytes: int


class LibraryAnswer(Schema):
    arrivals: list[ArrivalAnswer]
    quota: QuotaAnswer
    hub: str | None = Field(description="The hub that imports come from; null where imports are off.")
    may_upload: bool


class ModelChange(Schema):
    """Only what is given is changed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str | None = Field(None, max_length=1000)
    sentence: str | None = Field(None, max_length=300)
    licence: str | None = Field(None, max_length=65_536)
    visibility: VisibilityName | None = None
    examples: list[ExampleAnswer] | None = Field(None, max_length=12)


class RemovalAnswer(Schema):
    """What goes with a model. Runs stay readable; while there are any, its files are kept for them."""

    runs: int = Field(description="Of yours.")
    others_runs: int
    trainings: int = Field(description="Under way, that start from it.")
    has_lens: bool
    freed_bytes: int
    kept_bytes: int
