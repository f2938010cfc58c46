"""The Celery app: where jobs come from and how they are carried. Imports nothing that runs the model."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import kombu
from celery import Celery
from celery.app.amqp import AMQP
from celery.signals import after_setup_logger

from workers.protocol.jobs import QUEUE
from workers.protocol.log_lines import JsonLines

# Read once, when torch loads. Threads that spin while they wait for each other take the core that the other needs
# wherever something else runs too: with a busy browser beside it a text of 128 tokens took 2.2 s instead of 0.4.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# With a password in it, it may stand in a file (README.md, Settings).
_FILE = os.environ.get("REDIS_URL_FILE")
REDIS_URL = Path(_FILE).read_text().strip() if _FILE else os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
# How much memory models may stay in: a number of bytes, or a share of the device's as in "60%".
MODEL_BYTES = os.environ.get("HEADLIGHT_MODEL_BYTES", "")
LOGS = os.environ.get("HEADLIGHT_LOGS", "lines")
DTYPE = os.environ.get("HEADLIGHT_DTYPE", "float32")
DATA = Path(os.environ.get("HEADLIGHT_DATA", Path(__file__).resolve().parents[1] / "data"))

VERBS = (
    "trace",
    "generate",
    "tile",
    "pair",
    "totals",
    "floors",
    "influence",
    "compare",
    "difference",
    "lens",
    "tune",
    "train",
    "load",
)

PAUSE_S = 2.0


class Connection(kombu.Connection):
    """Looks for a broker that is away every PAUSE_S.

    kombu's own pauses grow to half a minute: after an absence of minutes the broker was back, and no worker came.
    """

    def ensure_connection(self, *args: Any, **kwargs: Any) -> kombu.Connection:
        return super().ensure_connection(*args, **{"interval_start": PAUSE_S, "interval_step": 0.0} | kwargs)


class Amqp(AMQP):
    Connection = Connection


app = Celery("headlight", amqp=Amqp, include=[f"workers.tasks.{verb}" for verb in VERBS])
app.conf.update(
    # redis-py calls a socket's address unix://, kombu redis+socket://.
    broker_url=REDIS_URL.replace("unix://", "redis+socket://", 1),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"visibility_timeout": 900, "socket_connect_timeout": 5},
    task_default_queue=QUEUE,
    task_serializer="json",
    accept_content=["json"],
    # The database knows what is to be done and leases it (webapp.record); Celery only carries it. So a job is
    # acknowledged when it arrives, and its result is the run's frames.
    task_acks_late=False,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=1,
    # A job that lies in one worker's memory while it works on another could be done by nobody else.
    worker_disable_prefetch=True,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    timezone="UTC",
)


@after_setup_logger.connect
def _write_json(logger: logging.Logger, **_: Any) -> None:
    for handler in logger.handlers if LOGS == "json" else ():
        handler.setFormatter(JsonLines("worker"))
