"""What a trainer says of its machine, for estimates."""

from __future__ import annotations

import json
from pathlib import Path

import redis

from workers.protocol import keys
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.machine import describe_machine


def test_machine_is_measured_and_told_with_the_pulse(broker: redis.Redis, tmp_path: Path) -> None:
    machine = describe_machine("cpu", tmp_path)
    assert 1e7 < machine["flops_per_s"] < 1e14
    assert 1e8 < machine["memory_bytes"] < 1e14 and machine["disk_free_bytes"] > 0
    for name, queue, told in (("trainer", TRAIN_QUEUE, machine), ("worker", QUEUE, None)):
        pulse = Heartbeat(broker, name, "cpu", "cpu", dict, (queue,), told)
        pulse.beat()
        assert json.loads(broker.get(keys.worker(name)) or b"{}").get("machine") == told  # type: ignore[arg-type]
