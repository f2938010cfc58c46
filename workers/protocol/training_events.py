"""The events of a training, from its plan to the model that it made; `events.py` has those of other runs.

The same holds as there: names and fields of a stored run are never edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.protocol.event import ArraySpec, Event


@dataclass(frozen=True, kw_only=True)
class Training(Event):
    """A worker trains, from `step` on: what was told of later steps is void, what was told before stands.

    `plan` has every field of `modelcore.training.plan.TrainingPlan` as text that people can read.
    """

    type = "training"
    plan: dict[str, str]
    step: int
    steps: int
    parameters: int


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """Steps that were done since the last of these; of each its loss in nats, before it, and how it was made.

    `memory_bytes` is what the worker's process holds, `seconds_left` an estimate, null where there is none yet.
    """

    type = "progress"
    arrays = {
        "steps": ArraySpec("i32", ("n",)),
        "loss": ArraySpec("f32", ("n",)),
        "learning_rate": ArraySpec("f32", ("n",)),
        "gradient_norm": ArraySpec("f32", ("n",)),
    }
    tokens_per_s: float
    memory_bytes: int
    seconds_left: float | None


@dataclass(frozen=True, kw_only=True)
class Evaluated(Event):
    """What the model could do after a step, on examples that it is never trained on, by name."""

    type = "evaluated"
    step: int
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Snapshot(Event):
    """What every head did with the probe text after a step, all sites one after another, each as `site` tells it.

    overview: heads[i] x rows x cols bytes of site i, as many cells as queries[i] and keys[i] have at cell[i]. scale: a
    number for each head. measures: of site i a row of heads[i] numbers for each of its names.
    """

    type = "snapshot"
    arrays = {
        "overview": ArraySpec("u8", ("values",)),
        "scale": ArraySpec("f32", ("heads",)),
        "measures": ArraySpec("f32", ("values",)),
    }
    step: int
    sites: list[str]
    heads: list[int]
    queries: list[int]
    keys: list[int]
    cell: list[int]
    causal: list[bool]
    measures: list[list[str]]
    labels: list[list[str]]


@dataclass(frozen=True, kw_only=True)
class Sample(Event):
    """What the model made of a probe after a step: the text it read, what it wrote, what would have been right or "".

    Of a model that guesses hidden tokens, `text` is `source` with its guesses in brackets.
    """

    type = "sample"
    step: int
    source: str
    text: str
    wanted: str


@dataclass(frozen=True, kw_only=True)
class Saved(Event):
    """A checkpoint was written: from this step a killed worker's training goes on."""

    type = "saved"
    step: int


@dataclass(frozen=True, kw_only=True)
class Steered(Event):
    """Somebody changed something on the way: what, after which step, and the new factor of the learning rate."""

    type = "steered"
    action: Literal["pause", "go_on", "checkpoint", "learning_rate", "sample"]
    step: int
    rate_factor: float


@dataclass(frozen=True, kw_only=True)
class Trained(Event):
    """The model is done: its weights lie in the trained models' folder."""

    type = "trained"
    step: int
    metrics: dict[str, float]
