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
