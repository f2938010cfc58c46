"""What the API takes and gives, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from webapp.api.choices import ChoicesRequest

TokenId = Annotated[int, Field(strict=True)]


PictureId = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="As POST /api/v1/pictures gave it.")]


class ExampleAnswer(Schema):
    """A text or a picture worth reading with a model, the head to look at, and what is to be seen there."""

    title: str
    text: str = ""
    target: str = ""
    picture: PictureId | None = None
    site: str
    head: int
    finding: str


class ModelAnswer(Schema):
    """A checkpoint that can be chosen. `layers` are the decoder's, `positions` is the longest text in tokens.

    `state`: ready where a worker has it in memory, loading where one is about to, cold where the first run loads it,
    missing where its files are gone. `size_bytes` counts its weights on disk.
    """

    id: str
    name: str
    family: str
    architecture: str
    output: str = Field(description="vocabulary, classes, token_classes or hidden.")
    layers: int
    encoder_layers: int
    heads: int
    width: int
    vocabulary: int
    positions: int
    parameters: int
    size_bytes: int
    has_tokenizer: bool
    pairs: bool = Field(description="Whether it reads two texts as a pair.")
    state: Literal["ready", "loading", "cold", "missing"]
    sentence: str
    folder: str = Field(description="Where its files lie within Headlight's own folder; else the last name alone.")
    examples: list[ExampleAnswer]
    dtype: str = Field("F32", description="In which most of its weights are stored.")
    memory_bytes: int = Field(0, description="What its weights take in a worker, about.")
    owner: str | None = Field(None, description="Who brought it; null where it is everybody's.")
    can_change: bool = False
    visibility: Literal["private", "link", "site"] = "site"
    licence: str = ""
    created_at: datetime | None = None
    last_used_at: datetime | None = None


class ModelsAnswer(Schema):
    """`workers` is how many live now; without any, runs wait."""

    workers: int
    models: list[ModelAnswer]


class RunRequest(Schema):
    """Exactly one of `text`, `ids` and `picture`, the last for a vision model. Only an encoder–decoder takes a target;
    without one it writes its own.

    `text_pair` is a second text, for a model whose `pairs` is true. A run of kind `generate` writes on from the text,
    or an encoder–decoder from its target; `generate` says how it chooses.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["trace", "generate"] = "trace"
    model: str = Field(max_length=80)
    text: str | None = None
    ids: list[TokenId] | None = None
    target: str | None = None
    target_ids: list[TokenId] | None = None
    text_pair: str | None = None
    picture: PictureId | None = None
    generate: ChoicesRequest | None = None
    parent: str | None = Field(None, max_length=26, description="The run that this one branches off, of kind generate.")
    branched_at: int | None = Field(None, ge=0, description="The place of its first token that is not its parent's.")


class PictureAnswer(Schema):
    """A picture that runs can name now. Whether it can be read, the run says."""

    id: PictureId
    size_bytes: int


class ArchiveAnswer(Schema):
    """A zip of labelled pictures that plans can name now. Whether it can be read, the training says."""

    id: str
    size_bytes: int


class SubmittedAnswer(Schema):
    """Where the run can be watched: its socket, its page."""

    id: str
    socket: str
    page: str


class TokenAnswer(Schema):
    """`start` and `end` count Unicode code points of the sequence's text, end exclusive; a second text follows the
    first without a gap.
    """

    sequence: Literal["encoder", "decoder"]
    id: int
    text: str
    start: int
    end: int
    special: bool


class SiteAnswer(Schema):
    """Where attention happens. Every head has a map of `queries` rows and `keys` columns.

    Measures, labels, margin and confidence have one value a head; a run stored before heads were labelled has
    none of the last three.
    """

    site: str
    stack: Literal["encoder", "decoder"]
    kind: Literal["self", "cross"]
    layer: int
    heads: int
    queries: int
    keys: int
    causal: bool
    measures: dict[str, list[float]] = Field(description="By name, such as entropy or induction.")
    labels: list[str] = Field(description="What each head does, such as previous_token; unclear is a label.")
    margin: list[float] = Field(description="By how much the label leads the next, 0 to 1.")
    confidence: list[float] = Field(description="How sure the label is, 0 to 1: grows with margin and text.")


class RunErrorAnswer(Schema):
    code: str
    message: str


class RunAnswer(Schema):
    id: str
    kind: str
    model: str | None = Field(description="Of a training the model that it made; null before it is done.")
    state: Literal["queued", "running", "finished", "failed", "cancelled"]
    text: str | None
    target: str | None
    text_pair: str | None
    picture: str | None
    generate: ChoicesRequest | None = Field(description="Of a run that writes: how it chooses tokens.")
    parent: str | None
    branched_at: int | None
    tokens: list[TokenAnswer]
    sites: list[SiteAnswer]
    timings: dict[str, float] = Field(description="Seconds by phase: queued_s, load_s, write_s, trace_s.")
    implementation: str = Field(description="Which attention kernels ran: triton, cpu or reference.")
    error: RunErrorAnswer | None
    attempt: int
    place: int | None = Field(description="How many queued runs come before this one; null where it does not wait.")
    wait_s: float | None = Field(
        None, description="About how long it still waits, in seconds; null where that cannot be told."
    )
    workers: int = Field(description="How many workers live now.")
    created_at: datetime
    socket: str
    page: str


class BranchAnswer(Schema):
    """A run of a tree of branches; `token` is the one it took at `branched_at` in place of its parent's."""

    id: str
    parent: str | None
    branched_at: int | None
    token: str | None
    state: Literal["queued", "running", "finished", "failed", "cancelled"]
    created_at: datetime
    page: str


class TreeAnswer(Schema):
    """All runs that branched off one another, the first at the front, and the text that the first went on from."""

    text: str | None
    target: str | None
    runs: list[BranchAnswer]


class MapAnswer(Schema):
    """A rectangle of one head's map, rows and columns half-open. `rule` is exact, or max where cells were pooled.

    `position`, `token` and `logit` name the output that a gradient is of; null elsewhere.
    """

    site: str
    head: int
    rows: tuple[int, int]
    cols: tuple[int, int]
    cell: int
    rule: Literal["exact", "max"]
    implementation: str
    weights: list[list[float]]
    reading: Literal["attention", "value", "gradient", "rollout", "flow"]
    position: int | None
    token: int | None
    logit: float | None


class StrongKey(Schema):
    key: int
    weight: float


class PairAnswer(Schema):
    """One weight taken apart. Nats, but for weights; null for what plays no part, and for minus infinity."""

    site: str
    head: int
    row: int
    col: int
    rule: Literal["dot", "additive", "whole"] = Field(
        description="dot: products are query * key. additive: v * tanh(query + key). whole: the model handed its map "
        "out, and what made it is not known."
    )
    turned: bool | None = Field(description="Whether rotary positions have turned query and key; null if not known.")
    query: list[float]
    key: list[float]
    products: list[float] = Field(description="One a dimension; they sum to product.")
    product: float
    relative: float | None = Field(description="What a relative key adds to the product.")
    scale: float
    scaled: float
    softcap: float | None
    capped: float
    biases: dict[str, float] = Field(description="What is added: alibi, t5, bias (the model's own), edit.")
    hidden_by: list[str] = Field(
        description="The rules that hide the pair: causal, window, pattern, documents, padding, bias, edit."
    )
    score: float | None
    log_sum_exp: float | None
    factor: float | None = Field(description="Of the weight, where edges are scaled after the softmax.")
    weight: float
    sink: float | None = Field(description="A logit that joins the row's sum and takes no value.")
    seen: int = Field(description="How many keys the row sees.")
    largest_score: float | None
    strongest: list[StrongKey]
    implementation: str


class TotalsAnswer(Schema):
    """Some rows of a map, half-open, summed up: `received` has a number for each key, `entropy` one for each row."""

    site: str
    head: int
    rows: tuple[int, int]
    received: list[float]
    entropy: list[float]
    implementation: str


class FloorsAnswer(Schema):
    """Of some rows of a map, half-open: a weight that reaches its row's number is among the strongest."""

    site: str
    head: int
    rows: tuple[int, int]
    mass: float
    floors: list[float] = Field(description="Lowered by what rounding may do, a thousandth; 0 for a row without keys.")
    implementation: str


class NextToken(Schema):
    id: int
    text: str
    probability: float


class ProbabilitiesAnswer(Schema):
    """The most likely tokens after the token at `position`."""

    position: int
    sequence: str
    tokens: list[NextToken]
