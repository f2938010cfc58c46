"""What a training of a tuned lens tells while it runs, and whether it is still the one in force."""

from __future__ import annotations

import json

from workers.protocol import keys
from workers.protocol.jobs import TuneJob
from workers.runtime.feed import Server

# Says something under the token that is in force; a training that was stopped or replaced says nothing more.
TELL = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if ARGV[4] == 'ends' then redis.call('DEL', KEYS[1]) else redis.call('EXPIRE', KEYS[1], ARGV[3]) end
return 1
"""


class TuningFeed:
    def __init__(self, server: Server, job: TuneJob) -> None:
        model = job.source.model
        self._server = server
        self._token = job.token
        self._keys = [keys.lens_training(model), keys.lens_told(model)]
        self._tell = server.register_script(TELL)

    @property
    def is_in_force(self) -> bool:
        return self._server.get(self._keys[0]) == self._token.encode()

    def tell(self, state: str, done: int, total: int) -> bool:
        """False where it was stopped, or another one took its place."""
        return self._say({"state": state, "done": done, "total": total})

    def finish(self) -> None:
        self._say({"state": "finished"}, ends=True)

    def fail(self, code: str, message: str) -> None:
        self._say({"state": "failed", "code": code, "message": message}, ends=True)

    def _say(self, told: dict[str, object], *, ends: bool = False) -> bool:
        arguments: list[str | int] = [self._token, json.dumps(told), keys.LENS_TTL_S, "ends" if ends else "goes on"]
        return bool(self._tell(keys=self._keys, args=arguments))
