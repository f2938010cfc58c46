"""This process in a worker's place, for a run that says exactly what a test or a benchmark wants it to say."""

from __future__ import annotations

from typing import Any

import numpy as np
import redis

from tests.running import RunningSite
from webapp.supervise import broker
from workers.protocol.events import Finished, Started
from workers.protocol.training_events import Progress
from workers.runtime.feed import Feed

# Nobody's heartbeat renews such a run's lease, so a site has to lend it for longer.
LENT = {"HEADLIGHT_LEASE_S": "3600"}


class StandIn:
    """On a run of its own."""

    def __init__(self, site: RunningSite, event_bytes: int) -> None:
        feed, server = None, redis.Redis(unix_socket_path=str(broker.socket_path(site.data)))
        # Where a real worker was faster, the run is that one's.
        while feed is None:
            self.run = site.submit("prose", "In the beginning God created")
            feed = Feed.take(server, site.data, self.run, 1)
        self._feed = feed
        each = event_bytes // 16
        self._arrays: dict[str, np.ndarray[Any, Any]] = {"steps": np.zeros(each, np.int32)}
        self._arrays |= {name: np.zeros(each, np.float32) for name in ("loss", "learning_rate", "gradient_norm")}
        about = {"model": "prose", "worker": "stand-in", "device": "cpu", "dtype": "float32", "implementation": "cpu"}
        feed.publish(Started(run=self.run, attempt=1, **about))

    def say(self, number: float) -> None:
        """One event of so many bytes; the number comes back as its `tokens_per_s`."""
        self._feed.publish(Progress(tokens_per_s=number, memory_bytes=0, seconds_left=0.0), self._arrays)

    def finish(self) -> None:
        self._feed.publish(Finished(implementation="cpu", timings={}))
        self.leave()

    def leave(self) -> None:
        self._feed.__exit__(None, None, None)
