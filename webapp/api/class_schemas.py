"""What the API takes and gives of classes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

ClassName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class ClassRequest(Schema):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: ClassName


class LinkRequest(Schema):
    """For how many days the new link is good."""

    model_config = ConfigDict(extra="forbid", strict=True)

    days: Literal[1, 7, 30] = 30


class JoinRequest(Schema):
    model_config = ConfigDict(extra="forbid", strict=True)

    link: str = Field(max_length=26, description="What stands behind /join/ in the address that the teacher gave.")


class ClassAnswer(Schema):
    """`joining` is told to the teacher alone; null while nobody may join."""

    id: str
    name: str
    page: str
    teacher: str
    leads: bool = Field(description="Whether whoever asks is its teacher.")
    joining: str | None
    joining_until: datetime | None
    created_at: datetime


class ClassesAnswer(Schema):
    classes: list[ClassAnswer]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class PupilAnswer(Schema):
    """Runs of the last 24 hours, jobs of now, training of the last 30 days."""

    id: int
    email: str
    joined_at: datetime
    runs_today: int
    running: int
    waiting: int
    training_minutes: float


class PupilsAnswer(Schema):
    people: list[PupilAnswer]


class JobAnswer(Schema):
    """A job of a member's, without what is read or written in it."""

    id: str
    person: int
    kind: Literal["trace", "generate", "train"]
    model: str | None
    state: Literal["queued", "running"]
    created_at: datetime
    started_at: datetime | None


class JobsAnswer(Schema):
    jobs: list[JobAnswer]
