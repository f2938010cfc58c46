"""Tune: train a model's tuned lens for a while, and put the rest at the end of the queue: people come between."""

from __future__ import annotations

import logging
import shutil
import time
from typing import Any

from kombu.exceptions import OperationalError

from modelcore.analysis.chunks import Portion
from modelcore.analysis.request import RequestError, label_ids
from modelcore.analysis.tuned_lens import STEPS, Lesson, Tuning, advance, divergences, lesson_of, require_tunable
from modelcore.analysis.tuned_lens_file import (
    AboutLens,
    open_lesson,
    open_tuning,
    save_lesson,
    save_tuned_lens,
    save_tuning,
)
from modelcore.checkpoints.digest import digest_of
from modelcore.checkpoints.error import CheckpointError
from modelcore.tokenizer import Encoding, TokenizerError
from workers import app as celery_app
from workers.app import app
from workers.protocol import jobs, lenses
from workers.protocol.jobs import TuneJob
from workers.runtime.engine import Resident
from workers.runtime.process import Process, current
from workers.runtime.second_try import twice_if_full
from workers.runtime.tuning import TuningFeed

log = logging.getLogger(__name__)

# How long whoever asks for something else may have to wait for a training.
WHILE_S = 1.5


@app.task(name=jobs.TUNE)
def tune(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    request = TuneJob.from_json(job)
    if not run_tune(request, process):
        return
    try:
        # The text has been read: what is taught lies in the data folder.
        tune.apply_async(args=[{**job, "text": "", "ids": None}], queue=jobs.QUEUE, retry=False)
    except (OperationalError, OSError):
        log.exception("the lens of %s: its training could not be sent on", request.source.model)
        TuningFeed(process.server, request).fail("internal", "The queue is away, so the training ended. Train again.")


def run_tune(request: TuneJob, process: Process) -> bool:
    """True where there is more to do."""
    training = TuningFeed(process.server, request)
    folder = lenses.training_folder(celery_app.DATA, request.source.model, request.token)
    is_unfinished = False
    try:
        is_unfinished = training.is_in_force and twice_if_full(
            lambda portion: _go_on(request, process, training, portion), process.engine, [request.source]
        )
    except RequestError as refused:
        training.fail(refused.code, refused.message)
    except CheckpointError as refused:
        training.fail("checkpoint_refused", str(refused))
    except MemoryError:
        training.fail("out_of_memory", "The worker has too little memory to train a tuned lens for this model.")
    except OSError as error:
        log.exception("the lens of %s", request.source.model)
        training.fail("not_stored", f"The lens could not be stored: {error.strerror or error}.")
    except Exception:
        log.exception("the lens of %s", request.source.model)
        training.fail("internal", "The worker failed on this training; its log says why.")
    finally:
        if not is_unfinished:
            shutil.rmtree(folder, ignore_errors=True)
    return is_unfinished


def _go_on(request: TuneJob, process: Process, training: TuningFeed, portion: Portion) -> bool:
    """True where there is more to do; False where it is finished, or was stopped meanwhile."""
    began = time.monotonic()
    model = request.source.model
    folder = lenses.training_folder(celery_app.DATA, model, request.token)
    resident, _ = process.engine.model(request.source)
    lesson, tuning = open_lesson(folder), open_tuning(folder)
    if lesson is None:
        _forget_others(request)
        if not training.tell("reading", 0, STEPS):
            return False
        require_tunable(resident.model)
        lesson = _read(request, resident)
        save_lesson(folder, lesson)
    tuning = tuning or Tuning.begin(lesson)
    # One step at least: where models push each other out of memory, loading alone takes a turn.
    advance(resident.model, lesson, tuning)
    while not tuning.is_done and time.monotonic() - began < WHILE_S:
        advance(resident.model, lesson, tuning)
    if not tuning.is_done:
        save_tuning(folder, tuning)
        return training.tell("training", tuning.step, STEPS)
    told = lesson.parts[2]
    about = AboutLens(
        checkpoint=digest_of(resident.checkpoint.path),
        tokens=lesson.x_LNW.shape[1],
        steps=STEPS,
        before=tuning.before,
        after=divergences(resident.model, lesson, tuning.lens, told, portion),
        trained_at=time.time(),
    )
    if training.is_in_force:
        save_tuned_lens(lenses.place(celery_app.DATA, model), tuning.lens, about)
        training.finish()
    return False


def _read(request: TuneJob, resident: Resident) -> Lesson:
    *_, lesson = lesson_of(resident.model, _encoded(request, resident))
    assert lesson is not None, "a lesson comes at the end"
    return lesson


def _encoded(request: TuneJob, resident: Resident) -> Encoding:
    """Raises: RequestError."""
    tokenizer = resident.checkpoint.tokenizer
    if request.ids is not None:
        return label_ids(request.ids, tokenizer)
    if tokenizer is None:
        raise RequestError("no_tokenizer", "This model came without a tokenizer; train its lens on a run of token ids.")
    try:
        return tokenizer.encode(request.text or "")
    except TokenizerError as error:
        raise RequestError("bad_text", str(error)) from error


def _forget_others(request: TuneJob) -> None:
    """What trainings left that ended with their worker; no other one of this model is in force."""
    model_folder = lenses.folder(celery_app.DATA, request.source.model)
    for left in model_folder.glob("training-*"):
        if left.name != f"training-{request.token}":
            shutil.rmtree(left, ignore_errors=True)
