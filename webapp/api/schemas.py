"""What the API takes and gives, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

TokenId = Annotated[int, Field(strict=True)]


class ExampleAnswer(Schema):
    """A text worth reading with a model, the head to look at, and what is to be seen there."""

    title: str
    text: str
    target: str = ""
    site: str
    head: int
    finding: str


class ModelAnswer(Schema):
    """A checkpoint that can be chosen. `layers` are the decoder's, `positions` is the longest text in tokens."""

    id: str
    name: str
    family: str
    architecture: str
    layers: int
    encoder_layers: int
    heads: int
    positions: int
    parameters: int
    state: Literal["ready", "missing"]
    sentence: str
    examples: list[ExampleAnswer]


class ModelsAnswer(Schema):
    models: list[ModelAnswer]


class RunRequest(Schema):
    """Exactly one of `text` and `ids`. Only an encoder–decoder takes a target; without one it writes its own."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["trace"] = "trace"
    model: str = Field(max_length=80)
    text: str | None = None
    ids: list[TokenId] | None = None
    target: str | None = None
    target_ids: list[TokenId] | None = None


class SubmittedAnswer(Schema):
    """Where the run can be watched: its socket, its page."""

    id: str
    socket: str
    page: str


class TokenAnswer(Schema):
    """`start` and `end` count Unicode code points of the sequence's text, end exclusive."""

    sequence: Literal["encoder", "decoder"]
    id: int
    text: str
    start: int
    end: int
    special: bool


class SiteAnswer(Schema):
    """Where attention happens. Every head has a map of `queries` rows and `keys` columns."""

    site: str
    stack: Literal["encoder", "decoder"]
    kind: Literal["self", "cross"]
    layer: int
    heads: int
    queries: int
    keys: int
    causal: bool


class RunErrorAnswer(Schema):
    code: str
    message: str


class RunAnswer(Schema):
    id: str
    kind: str
    model: str
    state: Literal["queued", "running", "finished", "failed", "cancelled"]
    text: str | None
    target: str | None
    tokens: list[TokenAnswer]
    sites: list[SiteAnswer]
    timings: dict[str, float] = Field(description="Seconds by phase: queued_s, load_s, trace_s.")
    implementation: str = Field(description="Which attention kernels ran: triton, cpu or reference.")
    error: RunErrorAnswer | None
    attempt: int
    created_at: datetime
    socket: str
    page: str


class MapAnswer(Schema):
    """A rectangle of one head's map, rows and columns half-open. `rule` is exact, or max where cells were pooled."""

    site: str
    head: int
    rows: tuple[int, int]
    cols: tuple[int, int]
    cell: int
    rule: Literal["exact", "max"]
    implementation: str
    weights: list[list[float]]


class NextToken(Schema):
    id: int
    text: str
    probability: float


class ProbabilitiesAnswer(Schema):
    """The most likely tokens after the token at `position`."""

    position: int
    sequence: str
    tokens: list[NextToken]
