"""The shapes of what the lens answers."""

from __future__ import annotations

from typing import Literal

from ninja import Field, Schema


class LensLayer(Schema):
    """What the model would say at each position if it ended after `depth` of its layers."""

    depth: int = Field(description="How many layers the stream has been through; 0 is what enters the first.")
    ids: list[list[int]] = Field(description="For each position the likeliest tokens, falling.")
    probabilities: list[list[float]] = Field(description="Theirs, by a softmax over the whole vocabulary.")
    truth_probabilities: list[float | None] = Field(description="Of the true token; null where there is none.")
    truth_ranks: list[int | None] = Field(description="Of the true token, 0 for the likeliest.")


class LensAnswer(Schema):
    """What each layer would say at some positions, half-open."""

    sequence: Literal["encoder", "decoder"]
    positions: tuple[int, int]
    guesses: Literal["next", "own", "class"] = Field(
        description="next: the token after the position. own: the token itself. class: what the picture shows."
    )
    tuned: bool
    texts: dict[str, str] = Field(description="Each token's text by its id.")
    truth: list[int | None] = Field(description="The true token of each position.")
    layers: list[LensLayer]


class TrainingRequest(Schema):
    """What a tuned lens learns from: exactly one of the two."""

    text: str | None = None
    run: str | None = Field(None, description="A run of this model, whose text is taken.")


class TunedAnswer(Schema):
    """A trained lens. KL(model || lens) at each depth, in nats, on tokens of the text that taught it nothing."""

    trained_at: float = Field(description="Unix time, in seconds.")
    tokens: int = Field(description="Of the text; seven tenths of them taught.")
    steps: int
    before: list[float] = Field(description="Of the logit lens, at depth 0, 1, … but for the last, where it is 0.")
    after: list[float] = Field(description="Of the tuned lens.")


class TrainingError(Schema):
    code: str
    message: str


class LensStateAnswer(Schema):
    """The last training of a model's tuned lens, and the lens that there is."""

    state: Literal["none", "waiting", "reading", "training", "finished", "failed", "cancelled"]
    done: int = Field(description="Steps done.")
    total: int
    error: TrainingError | None
    tuned: TunedAnswer | None
    least_tokens: int = Field(description="How many tokens a text must have.")
