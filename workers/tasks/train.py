"""Train: go through a plan step by step, tell the curve and what heads do, keep what is needed to go on."""

from __future__ import annotations

import json
import resource
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from modelcore.analysis.chunks import Portion
from modelcore.analysis.maps import AttentionMap
from modelcore.checkpoints.writer import write_json
from modelcore.manifest import describe
from modelcore.training.assignments.pictures import PROBE_FILE, PictureAssignment
from modelcore.training.brought import Brought
from modelcore.training.followers import Followers
from modelcore.training.loop import StepDone
from modelcore.training.plan import TrainingPlan
from modelcore.training.session import Session
from workers import app as celery_app
from workers.app import app
from workers.protocol import archives, jobs, keys, trainings
from workers.protocol.events import Finished, Started
from workers.protocol.jobs import TrainJob
from workers.protocol.training_events import Evaluated, Progress, Sample, Saved, Steered, Trained, Training
from workers.runtime import encoding
from workers.runtime.attempts import run_attempt
from workers.runtime.feed import Feed, HandedBackError
from workers.runtime.process import Process, current

TELL_EVERY_S = 0.5
PAUSED_S = 0.2


@app.task(name=jobs.TRAIN)
def train(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    run_train(TrainJob.from_json(job), process)


def run_train(job: TrainJob, process: Process) -> None:
    def publish(feed: Feed, _: Portion) -> list[AttentionMap]:
        # Its batches are as its plan has them; where memory was full it goes on from its last checkpoint.
        feed.publish(_started(job, process))
        plan = TrainingPlan.from_json(job.plan)
        brought = _brought(job, plan)
        with Followers(plan, trainings.progress_folder(celery_app.DATA, job.run), brought) as followers:
            _Course(job, process, feed, plan, brought, followers).run()
        return []

    run_attempt(job, process, publish)


@dataclass
class Untold:
    """Steps that were done and not yet told."""

    steps: list[StepDone] = field(default_factory=list)
    tokens: int = 0
    since: float = field(default_factory=time.monotonic)


class _Course:
    """One attempt at a plan, from `started` to `finished`."""

    def __init__(
        self, job: TrainJob, process: Process, feed: Feed, plan: TrainingPlan, brought: Brought, followers: Followers
    ) -> None:
        self._job, self._process, self._feed, self._followers = job, process, feed, followers
        self._began = time.perf_counter()
        folder = trainings.progress_folder(celery_app.DATA, job.run)
        self._session = Session(plan, folder, brought, followers.group)
        self._untold = Untold()
        self._first, self._tokens = self._session.step, 0
        self._metrics: dict[str, float] = {}
        # The step of the checkpoint that says all; None where something was changed since.
        self._saved: int | None = self._session.step or None

    def run(self) -> None:
        session, plan = self._session, self._session.plan
        queued_s = max(0.0, time.time() - self._job.submitted_at)
        self._feed.publish(
            Training(plan=_readable(plan), step=session.step, steps=plan.steps, parameters=session.parameters)
        )
        read, _ = session.probe()
        for one in read:
            self._feed.publish(*encoding.tokens(one))
        if session.step == 0:
            self._evaluate()
            self._snapshot()
        while not session.is_done:
            self._obey()
            self._followers.check()
            done, tokens = session.advance()
            self._untold.steps.append(done)
            self._untold.tokens += tokens
            self._tokens += tokens
            is_last = session.is_done
            if is_last or time.monotonic() - self._untold.since >= TELL_EVERY_S:
                self._tell()
            if is_last or done.step % plan.evaluate_every == 0:
                self._evaluate()
            if is_last or done.step % plan.snapshot_every == 0:
                self._snapshot()
            if is_last or done.step % plan.checkpoint_every == 0:
                self._save()
        self._export()
        session.close()
        timings = {"queued_s": queued_s, "train_s": time.perf_counter() - self._began}
        self._feed.publish(Finished(implementation=self._process.implementation, timings=timings))
        # Nothing goes on from here: the weights lie with the model, and three times their size is free again.
        shutil.rmtree(trainings.progress_folder(celery_app.DATA, self._job.run), ignore_errors=True)

    def _tell(self) -> None:
        """The curve since last time, as an increment."""
        untold, session = self._untold, self._session
        if not untold.steps:
            return
        seconds = max(1e-6, time.monotonic() - untold.since)
        left = (session.plan.steps - session.step) * seconds / len(untold.steps)
        columns = {
            "loss": [done.loss for done in untold.steps],
            "learning_rate": [done.learning_rate for done in untold.steps],
            "gradient_norm": [done.gradient_norm for done in untold.steps],
        }
        arrays: dict[str, Any] = {name: np.array(column, np.float32) for name, column in columns.items()}
        arrays["steps"] = np.array([done.step for done in untold.steps], np.int32)
        event = Progress(tokens_per_s=untold.tokens / seconds, memory_bytes=_memory_bytes(), seconds_left=left)
        self._feed.publish(event, arrays)
        self._untold = Untold()

    def _evaluate(self) -> None:
        self._metrics = self._session.measure()
        self._feed.publish(Evaluated(step=self._session.step, metrics=self._metrics))
        self._sample()

    def _sample(self) -> None:
        written = self._session.sample()
        if written is not None:
            self._feed.publish(Sample(step=self._session.step, **vars(written)))

    def _snapshot(self) -> None:
        _, sites = self._session.probe()
        self._feed.publish(*encoding.snapshot(self._session.step, sites))

    def _save(self) -> None:
        if self._saved == self._session.step:
            return
        self._tell()
        self._session.save()
        self._saved = self._session.step
        self._feed.publish(Saved(step=self._session.step))

    def _export(self) -> None:
        folder = trainings.model_folder(celery_app.DATA, self._job.run)
        self._session.export(folder)
        # Takes some seconds, in which somebody may cancel it.
        self._metrics |= self._session.translate(self._feed.check)
        write_json(folder / trainings.CARD, _card(self._job, self._session, self._metrics))
        write_json(folder / trainings.RESULT, self._result())
        # Last: where it stands, everything does.
        write_json(folder / trainings.MANIFEST, describe(folder))
        self._feed.publish(Trained(step=self._session.step, metrics=self._metrics))

    def _result(self) -> dict[str, Any]:
        """What a sweep's table shows; tokens read before a cut are reckoned from those read since."""
        session = self._session
        done = max(1, session.step - self._first)
        return {
            "parameters": session.parameters,
            "tokens": round(self._tokens * session.step / done),
            "seconds": time.perf_counter() - self._began,
            "metrics": self._metrics,
        }

    def _obey(self) -> None:
        """Does what people asked for since the last step; while it pauses it waits here, and still hears."""
        paused = False
        while True:
            if self._process.heartbeat.leaving.is_set():
                self._save()
                raise HandedBackError
            order = _next_order(self._process, self._job.run)
            match order:
                case {"action": "pause"}:
                    paused = True
                    self._tell()
                    self._save()
                case {"action": "go_on"}:
                    paused = False
                case {"action": "checkpoint"}:
                    self._save()
                case {"action": "sample"}:
                    self._sample()
                case {"action": "learning_rate", "factor": float() | int() as factor}:
                    self._session.rate_factor = float(factor)
                    self._saved = None
            if order:
                session = self._session
                self._feed.publish(Steered(action=order["action"], step=session.step, rate_factor=session.rate_factor))
            elif paused:
                time.sleep(PAUSED_S)
                # A run that was stopped while it pauses is told so by its next frame, which nothing else sends.
                self._feed.check()
                self._session.wait()
            else:
                self._untold.since = time.monotonic() if not self._untold.steps else self._untold.since
                return


def _brought(job: TrainJob, plan: TrainingPlan) -> Brought:
    folders = {name: Path(path) for name, path in job.paths.items()}
    pictures = None if plan.pictures is None else archives.place(celery_app.DATA, plan.pictures)
    return Brought(start=folders.get("start"), tokenizer_from=folders.get("tokenizer_from"), pictures=pictures)


def _started(job: TrainJob, process: Process) -> Started:
    return Started(
        run=job.run,
        attempt=job.attempt,
        model="",
        worker=process.heartbeat.name,
        device=process.engine.device,
        dtype="float32",
        implementation=process.implementation,
    )


def _next_order(process: Process, run: str) -> dict[str, Any] | None:
    given = cast("bytes | None", process.server.lpop(keys.orders(run)))
    return None if given is None else json.loads(given)


def _readable(plan: TrainingPlan) -> dict[str, str]:
    """Without the user's text, which may be long, and is the run's."""
    return {name: f"{value}" for name, value in plan.to_json().items() if name != "text"}


def _card(job: TrainJob, session: Session, metrics: dict[str, float]) -> dict[str, Any]:
    plan = session.plan
    stack = list(session.model.config.stacks.values())[-1]
    trained = "trained here" if plan.start is None else f"fine-tuned here from {plan.start}"
    return {
        "name": f"{'Trained' if plan.start is None else 'Fine-tuned'}: {plan.assignment}",
        "sentence": f"{stack.layers} layers of {stack.heads} heads, {trained} for {session.step:,} steps.",
        "examples": _examples(session),
        "started_from": plan.start,
        "measured": {"steps": session.step, **metrics},
        "run": job.run,
    }


def _examples(session: Session) -> list[dict[str, Any]]:
    """Of a model that reads pictures the one that it was watched with; texts are known from what it told."""
    if not isinstance(session.assignment, PictureAssignment):
        return []
    site = str(session.model.config.sites()[0])
    finding = "The picture that its heads were watched with while it learned."
    return [{"title": "The probe picture", "picture": PROBE_FILE, "site": site, "head": 0, "finding": finding}]


def _memory_bytes() -> int:
    """The most that this process has held; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
