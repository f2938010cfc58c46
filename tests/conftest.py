"""What tests of every floor share: the broker, and the whole site, for those that need one."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator

import pytest
import redis

from tests.environment import BROKER_SOCKET
from tests.running import RunningSite
from webapp.supervise import broker as valkey


@pytest.fixture(scope="session")
def running_broker() -> Iterator[None]:
    """The real server that `./run` starts, on a socket of the tests' own."""
    process = subprocess.Popen(valkey.command(BROKER_SOCKET), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not BROKER_SOCKET.exists():
        assert process.poll() is None and time.monotonic() < deadline, "the broker did not start"
        time.sleep(0.02)
    yield
    process.terminate()
    process.wait(timeout=5)


@pytest.fixture
def broker(running_broker: None) -> redis.Redis:
    """An empty broker."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None)
    client.flushall()
    return client


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """One running Headlight for all tests of the road and of the page that do not end it."""
    running = RunningSite(tmp_path_factory.mktemp("site") / "data")
    yield running
    running.stop()
