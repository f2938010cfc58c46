"""Every event that a run can send: its JSON fields and the arrays that travel with it.

This file is the source of `static/src/wire/messages.ts` (`python -m workers.protocol.typescript`). A stored run
pins the names: a change of meaning is a new event or a new frame version, never an edit of an old field.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from workers.protocol.comparison_events import Comparison, Difference
from workers.protocol.event import ArraySpec, Event
from workers.protocol.influence import InfluenceReading
from workers.protocol.training_events import (
    Evaluated,
    Progress,
    Sample,
    Saved,
    Snapshot,
    Steered,
    Trained,
    Training,
)

Stack = Literal["encoder", "decoder"]
Ending = Literal["end_token", "stop_token", "stop_string", "length", "positions"]


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """A worker took the run. With attempt > 1 everything before this event is void."""

    type = "started"
    run: str
    attempt: int
    model: str
    worker: str
    device: str
    dtype: str
    implementation: str


@dataclass(frozen=True, kw_only=True)
class Tokens(Event):
    """The tokens of one sequence. Offsets count Unicode code points of that sequence's text; of two texts, as if the
    second followed the first without a gap.
    """

    type = "tokens"
    arrays = {"ids": ArraySpec("i32", ("n",)), "offsets": ArraySpec("i32", ("n", "2"))}
    sequence: Stack
    origin: Literal["given", "generated"]
    texts: list[str]
    special: list[bool]


@dataclass(frozen=True, kw_only=True)
class Site(Event):
    """All heads of one attention site: a pooled overview and a few measures of each head.

    A cell of the overview covers cell x cell tokens and holds the largest probability in it ("max"); with cell 1 it
    is the map itself. Encoding "sqrt": p = scale[h] * (byte / 255) ** 2, which keeps faint weights visible.
    `labels` names what each head does, `margin` and `confidence` say by how much and how surely, 0 to 1
    (`modelcore.analysis.labels`).
    """

    type = "site"
    arrays = {
        "overview": ArraySpec("u8", ("heads", "rows", "cols")),
        "scale": ArraySpec("f32", ("heads",)),
        "measures": ArraySpec("f32", ("measures", "heads")),
        "margin": ArraySpec("f32", ("heads",), later=True),
        "confidence": ArraySpec("f32", ("heads",), later=True),
    }
    site: str
    stack: Stack
    kind: Literal["self", "cross"]
    layer: int
    heads: int
    queries: int
    keys: int
    causal: bool
    cell: int
    rule: Literal["max"]
    encoding: Literal["sqrt"]
    measures: list[str]
    labels: list[str] = field(default_factory=list)
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Probabilities(Event):
    """The k most likely next tokens after each position; `texts` names every id that occurs."""

    type = "probabilities"
    arrays = {"ids": ArraySpec("i32", ("n", "k")), "probabilities": ArraySpec("f32", ("n", "k"))}
    sequence: Stack
    texts: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Picture(Event):
    """A picture as the model reads it: resized and cut out, before its values become (pixel * rescale - mean) /
    deviation.

    It is cut into rows x cols patches of patch[0] x patch[1] pixels, down and across. They are the tokens, row by row,
    behind `first` ones that stand for no patch. What the last patches leave at the right and below is not read.
    """

    type = "picture"
    arrays = {"pixels": ArraySpec("u8", ("height", "width", "channels"))}
    rows: int
    cols: int
    patch: list[int]
    first: int
    rescale: float
    mean: list[float]
    deviation: list[float]


@dataclass(frozen=True, kw_only=True)
class Classes(Event):
    """What a picture shows: the k likeliest classes, by a softmax over all; `texts` has their names in that order."""

    type = "classes"
    arrays = {"ids": ArraySpec("i32", ("k",)), "probabilities": ArraySpec("f32", ("k",))}
    texts: list[str]


@dataclass(frozen=True, kw_only=True)
class Step(Event):
    """A token that a model wrote at `place`, its likeliest alternatives, and each head's row of the token before it.

    `written` is the text that can be shown from now on: whole characters, nothing of a stop string. `probability` is
    by the model, `sampled_probability` among what the sampling left, `finished` why the text ends here. The rows stand
    one after another: heads[i] x ceil(keys[i] / cell) values of sites[i], p = value / 65535, the largest of a cell.
    """

    type = "step"
    arrays = {
        "alternatives": ArraySpec("i32", ("k",)),
        "probabilities": ArraySpec("f32", ("k",)),
        "rows": ArraySpec("u16", ("values",)),
    }
    place: int
    id: int
    text: str
    written: str
    probability: float
    sampled_probability: float
    finished: Ending | None
    texts: list[str]
    cell: int
    sites: list[str]
    heads: list[int]
    keys: list[int]


@dataclass(frozen=True, kw_only=True)
class PromptRows(Event):
    """A site's map of the prompt that a model goes on from, p = value / 65535, the largest of cell x cell tokens."""

    type = "prompt_rows"
    arrays = {"rows": ArraySpec("u16", ("heads", "rows", "cols"))}
    site: str
    causal: bool
    queries: int
    keys: int
    cell: int


@dataclass(frozen=True, kw_only=True)
class Beams(Event):
    """Tokens that a beam search kept in one step, numbered on from `first`; parents are numbers, -1 is the prompt.

    Log-probabilities are in nats: of each token alone, and of all since the prompt (totals). The last of them has no
    tokens and says which nodes the found texts end at, the best first, with their scores.
    """

    type = "beams"
    arrays = {
        "ids": ArraySpec("i32", ("n",)),
        "parents": ArraySpec("i32", ("n",)),
        "log_probabilities": ArraySpec("f32", ("n",)),
        "totals": ArraySpec("f32", ("n",)),
    }
    first: int
    texts: list[str]
    ended: list[bool]
    best: list[int]
    scores: list[float]


@dataclass(frozen=True, kw_only=True)
class Tile(Event):
    """An exact rectangle of one head's map; with cell > 1 pooled by max over cell x cell tokens."""

    type = "tile"
    arrays = {"weights": ArraySpec("f32", ("rows", "cols"))}
    site: str
    head: int
    rows: list[int]
    cols: list[int]
    cell: int
    rule: Literal["exact", "max"]
    implementation: str


@dataclass(frozen=True, kw_only=True)
class Pair(Event):
    """One weight of a map taken apart: weight = exp(score - log_sum_exp) * factor.

    score = softcap * tanh(scaled / softcap) + the biases, and scaled = scale * (product + relative), product being the
    sum of the products. Rule "dot": those are query * key, dimension by dimension; "additive": v * tanh(query + key);
    "whole": the model handed its map out, and there are none. What plays no part is null. `turned`: whether query and
    key stand as rotary positions turned them, null where nobody knows. `hidden_by` names the rules that hide the
    pair: its score is null then, minus infinity. Of the row: the keys it sees, its largest score, its strongest keys.
    """

    type = "pair"
    arrays = {
        "query": ArraySpec("f32", ("width",)),
        "key": ArraySpec("f32", ("width",)),
        "products": ArraySpec("f32", ("width",)),
        "strongest_keys": ArraySpec("i32", ("k",)),
        "strongest_weights": ArraySpec("f32", ("k",)),
    }
    site: str
    head: int
    row: int
    col: int
    rule: Literal["dot", "additive", "whole"]
    turned: bool | None
    product: float
    relative: float | None
    scale: float
    scaled: float
    softcap: float | None
    capped: float
    biases: dict[str, float]
    hidden_by: list[str]
    score: float | None
    log_sum_exp: float | None
    factor: float | None
    weight: float
    sink: float | None
    seen: int
    largest_score: float | None
    implementation: str


@dataclass(frozen=True, kw_only=True)
class Totals(Event):
    """Some rows of a map summed up: what each key receives of them, and each row's entropy in nats."""

    type = "totals"
    arrays = {"received": ArraySpec("f32", ("keys",)), "entropy": ArraySpec("f32", ("rows",))}
    site: str
    head: int
    rows: list[int]
    implementation: str


@dataclass(frozen=True, kw_only=True)
class Floors(Event):
    """Of some rows of a map: what a weight must reach to be among the strongest, which hold `mass` of their row."""

    type = "floors"
    arrays = {"floors": ArraySpec("f32", ("rows",))}
    site: str
    head: int
    rows: list[int]
    mass: float
    implementation: str


@dataclass(frozen=True, kw_only=True)
class Influence(Event):
    """A rectangle of another reading of a map, with cell > 1 the largest in size of cell x cell values.

    A gradient's are signed, and are of the logit of `token` at `position`, null for a classifier of the whole input.
    Rollout and flow are the layer's: every head of a site has the same.
    """

    type = "influence"
    arrays = {"values": ArraySpec("f32", ("rows", "cols"))}
    site: str
    head: int
    reading: InfluenceReading
    rows: list[int]
    cols: list[int]
    cell: int
    rule: Literal["exact", "max"]
    position: int | None
    token: int | None
    logit: float | None
    implementation: str


@dataclass(frozen=True, kw_only=True)
class Lens(Event):
    """What a model would say at some positions if it ended after a layer; row 0 is before the first, the last is what
    it says.

    `guesses`: the next token, the token itself (of an encoder), or what a picture shows. `truth` is the true token of
    each position, -1 where there is none; its ranks count from 0 for the likeliest. `texts` has each token by its id.
    """

    type = "lens"
    arrays = {
        "ids": ArraySpec("i32", ("layers", "positions", "k")),
        "probabilities": ArraySpec("f32", ("layers", "positions", "k")),
        "truth": ArraySpec("i32", ("positions",)),
        "truth_probabilities": ArraySpec("f32", ("layers", "positions")),
        "truth_ranks": ArraySpec("i32", ("layers", "positions")),
    }
    sequence: Stack
    positions: list[int]
    guesses: Literal["next", "own", "class"]
    tuned: bool
    texts: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Finished(Event):
    """The run is complete and stored. `implementation` names the kernels that ran; timings are in seconds, by phase."""

    type = "finished"
    ends_run = True
    implementation: str
    timings: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """The run cannot be done; `message` is meant for the person who asked."""

    type = "failed"
    ends_run = True
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Cancelled(Event):
    """The run was stopped on request."""

    type = "cancelled"
    ends_run = True


EVENTS: dict[str, type[Event]] = {
    event.type: event
    for event in (
        Started,
        Tokens,
        Site,
        Probabilities,
        Picture,
        Classes,
        Step,
        PromptRows,
        Beams,
        Tile,
        Pair,
        Totals,
        Floors,
        Influence,
        Training,
        Progress,
        Evaluated,
        Snapshot,
        Sample,
        Saved,
        Steered,
        Trained,
        Comparison,
        Difference,
        Lens,
        Finished,
        Failed,
        Cancelled,
    )
}
ENDINGS = frozenset(name for name, event in EVENTS.items() if event.ends_run)


def from_header(header: dict[str, Any]) -> Event:
    """The event that a frame's header describes. Raises: KeyError or TypeError when it describes none."""
    event = EVENTS[header["type"]]
    names = {f.name for f in fields(event)}
    return event(**{name: value for name, value in header.items() if name in names})
