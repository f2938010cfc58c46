"""Run the model for a trace job: what `trace` publishes and what `tile` makes again after an eviction."""

from __future__ import annotations

from collections.abc import Iterator

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.picture import PictureRead, read_picture
from modelcore.analysis.stream import Stream, read_stream
from modelcore.analysis.trace import (
    ClassesScored,
    NextTokens,
    RequestError,
    SiteTraced,
    TokensRead,
    TraceRequest,
    trace,
)
from workers import app as celery_app
from workers.protocol import pictures
from workers.protocol.jobs import TraceJob
from workers.runtime.engine import Resident


def traced(
    job: TraceJob, resident: Resident, portion: Portion = USUAL
) -> Iterator[PictureRead | TokensRead | SiteTraced | NextTokens | ClassesScored]:
    """What modelcore yields for this job, layer by layer; of a picture first how the model reads it.

    Raises: RequestError where what is asked and the model do not fit, or the picture cannot be read.
    """
    picture = None
    if job.picture is not None:
        picture = _picture(job.picture, resident)
        yield picture
    yield from trace(resident.model, request_of(job, picture), resident.checkpoint.tokenizer, portion)


def stream_of(job: TraceJob, resident: Resident) -> Stream:
    """The residual stream of a run: runs the model. Raises: as `traced`."""
    picture = None if job.picture is None else _picture(job.picture, resident)
    return read_stream(resident.model, request_of(job, picture), resident.checkpoint.tokenizer)


def asked_of(job: TraceJob, resident: Resident) -> TraceRequest:
    """What a run has the model read. Raises: RequestError where the picture cannot be read."""
    return request_of(job, None if job.picture is None else _picture(job.picture, resident))


def request_of(job: TraceJob, picture: PictureRead | None) -> TraceRequest:
    return TraceRequest(
        text=job.text,
        ids=job.ids,
        target=job.target,
        target_ids=job.target_ids,
        text_pair=job.text_pair,
        pixels=None if picture is None else picture.pixels,
    )


def _picture(id_: str, resident: Resident) -> PictureRead:
    """Decodes what somebody uploaded. Raises: RequestError."""
    checkpoint = resident.checkpoint
    if checkpoint.config.image is None:
        raise RequestError("no_image", "This model reads text, not pictures; give a text or token ids.")
    try:
        return read_picture(
            pictures.place(celery_app.DATA, id_), checkpoint.config.image, checkpoint.path, name="This file"
        )
    except FileNotFoundError:
        raise RequestError("picture_gone", "This picture is not kept any more. Choose it again.") from None
