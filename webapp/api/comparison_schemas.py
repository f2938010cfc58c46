"""What a comparison of two runs gives, field by field."""

from __future__ import annotations

from typing import Literal

from ninja import Schema
from pydantic import Field


class StrongestKey(Schema):
    """A place in the run's own tokens, and the weight that its map has there."""

    key: int
    weight: float


class ChangedRow(Schema):
    """A row of the first run and its partner in the second, with the strongest key of each that both runs share and
    that is no sink."""

    row: int
    partner: int
    distance: float
    a: StrongestKey
    b: StrongestKey


class ChangedHead(Schema):
    site: str
    head: int
    distance: float | None = Field(description="Mean over the rows that both runs have; null where none says anything.")
    rows: list[ChangedRow] = Field(description="Those that changed most, the most changed first.")


class ComparisonAnswer(Schema):
    """Two runs compared. `heads` begin with the one that changed most."""

    a: str
    b: str
    aligned_by: Literal["tokens", "hand"]
    alignment: dict[str, list[tuple[int, int]]] = Field(
        description="By sequence: places of tokens that belong together, the first run's and the second's."
    )
    heads: list[ChangedHead]
    sites: list[str] = Field(description="Those that both runs have.")
    rows_read: list[int] = Field(description="Of each site; fewer than rows_shared where the texts are long.")
    rows_shared: list[int]
    implementation: str


class DifferenceAnswer(Schema):
    """The second run's weights less the first's, on a rectangle of the first run's map, half-open."""

    site: str
    head: int
    rows: tuple[int, int]
    cols: tuple[int, int]
    cell: int
    values: list[list[float | None]] = Field(description="Null where a row or a column has no partner.")
    implementation: str
