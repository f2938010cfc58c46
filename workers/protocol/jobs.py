"""What Celery carries: whole jobs as JSON, so that a worker needs no database."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from workers.protocol.influence import InfluenceReading

QUEUE = "interactive"
TRAIN_QUEUE = "train"
TRACE = "trace"
GENERATE = "generate"
TILE = "tile"
PAIR = "pair"
TOTALS = "totals"
FLOORS = "floors"
INFLUENCE = "influence"
TRAIN = "train"
COMPARE = "compare"
DIFFERENCE = "difference"
LENS = "lens"
TUNE = "tune"
LOAD = "load"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a model's checkpoint lies, as the worker sees it. A `limited` one was brought by a stranger."""

    model: str
    path: str
    limited: bool = False


@dataclass(frozen=True, kw_only=True)
class TraceJob:
    """Read a text with a model and publish what every head does. Exactly one of `text`, `ids` and `picture` is given,
    the last as the id of a stored picture (`workers.protocol.pictures`).

    `attempt` fences: of two workers that hold the same run, only the one with the higher attempt is listened to.
    `submitted_at` is Unix time in seconds, from which the wait in the queue is counted.
    """

    run: str
    attempt: int
    source: Source
    submitted_at: float
    text: str | None = None
    ids: list[int] | None = None
    target: str | None = None
    target_ids: list[int] | None = None
    text_pair: str | None = None
    picture: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> TraceJob:
        return cls(**{**job, "source": Source(**job["source"])})


@dataclass(frozen=True, kw_only=True)
class Choices:
    """How a model that writes chooses its tokens, as `modelcore.generation` reads it; with `beams` by beam search,
    which knows `max_tokens` and `length_penalty` alone.
    """

    max_tokens: int = 64
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop_strings: list[str] = field(default_factory=list)
    beams: int | None = None
    length_penalty: float | None = None


@dataclass(frozen=True, kw_only=True)
class GenerateJob:
    """Go on from a text, or write the target of a source, and publish every token; `trace` says what is read."""

    trace: TraceJob
    choices: Choices

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> GenerateJob:
        return cls(trace=TraceJob.from_json(job["trace"]), choices=Choices(**job["choices"]))


@dataclass(frozen=True, kw_only=True)
class ReadingJob:
    """Read something off what a run left, and answer on `reply`.

    Carries the trace that made it: where what it left is gone, the worker traces again.
    """

    trace: TraceJob
    reply: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> Self:
        """Spans of rows, columns and positions are tuples, which JSON has not."""
        spans: dict[str, Any] = {name: tuple(job[name]) for name in ("rows", "cols", "positions") if name in job}
        return cls(**{**job, **spans, "trace": TraceJob.from_json(job["trace"])})


@dataclass(frozen=True, kw_only=True)
class MapJob(ReadingJob):
    """Read something off one head's map."""

    site: str
    head: int


@dataclass(frozen=True, kw_only=True)
class TileJob(MapJob):
    """Recompute a rectangle. Rows and columns are half-open [start, stop)."""

    rows: tuple[int, int]
    cols: tuple[int, int]
    cell: int = 1


@dataclass(frozen=True, kw_only=True)
class PairJob(MapJob):
    """Take the weight of one row and column apart."""

    row: int
    col: int


@dataclass(frozen=True, kw_only=True)
class TotalsJob(MapJob):
    """Sum some rows up along both sides, half-open [start, stop)."""

    rows: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class FloorsJob(MapJob):
    """Find how weak a weight of each row may be and still be among those that hold `mass` of it; [start, stop)."""

    rows: tuple[int, int]
    mass: float


@dataclass(frozen=True, kw_only=True)
class InfluenceJob(MapJob):
    """Recompute a rectangle of another reading of the map. `position` and `token` name the output that a gradient is
    of; None leaves it to the model.
    """

    reading: InfluenceReading
    rows: tuple[int, int]
    cols: tuple[int, int]
    cell: int = 1
    position: int | None = None
    token: int | None = None


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """Train a model by a plan, as `modelcore.training.plan` reads it; goes on from the run's last checkpoint.

    `paths` are the checkpoints that its fields `start` and `tokenizer_from` name, by field, as the worker sees them.
    """

    run: str
    attempt: int
    submitted_at: float
    plan: dict[str, Any]
    paths: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> TrainJob:
        return cls(**job)


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """What two runs read in one sequence: of each token what it is known by, the same in both runs where it is the
    same token, and whether it is special; and the pairs of places that somebody made by hand.
    """

    a: list[str]
    b: list[str]
    special_a: list[bool]
    special_b: list[bool]
    by_hand: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class CompareJob(ReadingJob):
    """Compare two runs over all heads of some sites; `trace` made the first run's maps, `other` the second's.

    At most `most_weights` weights of each site are read.
    """

    other: TraceJob
    sequences: dict[str, Sequences]
    sites: list[str]
    most_weights: int

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> Self:
        return super().from_json({**job, **_compared(job)})


@dataclass(frozen=True, kw_only=True)
class DifferenceJob(MapJob):
    """Take a rectangle of the first run's map from the same of the second's; as CompareJob and TileJob."""

    other: TraceJob
    sequences: dict[str, Sequences]
    rows: tuple[int, int]
    cols: tuple[int, int]
    cell: int = 1

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> Self:
        return super().from_json({**job, **_compared(job)})


def _compared(job: dict[str, Any]) -> dict[str, Any]:
    sequences = {
        name: Sequences(**{**told, "by_hand": [tuple(pair) for pair in told["by_hand"]]})
        for name, told in job["sequences"].items()
    }
    return {"other": TraceJob.from_json(job["other"]), "sequences": sequences}


@dataclass(frozen=True, kw_only=True)
class LensJob(ReadingJob):
    """Say what each layer would guess at some positions, half-open [start, stop); `tuned` by the model's tuned lens."""

    positions: tuple[int, int]
    top: int = 5
    tuned: bool = False


@dataclass(frozen=True, kw_only=True)
class TuneJob:
    """Train a model's tuned lens on a text, given as text or as ids, for a while; the worker sends it to itself again.

    `token` fences: only the training whose token is in force is gone on with.
    """

    source: Source
    token: str
    text: str | None = None
    ids: list[int] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, job: dict[str, Any]) -> TuneJob:
        return cls(**{**job, "source": Source(**job["source"])})
