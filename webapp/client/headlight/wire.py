"""Requests to a site, by the standard library alone."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headlight.errors import HeadlightError

TRIES = 4
LONGEST_WAIT_S = 30.0
PASSING = {429, 502, 503, 504}


class Wire:
    """One site, and who asks there. What passes by itself is asked again, a creation under the same key."""

    def __init__(self, url: str, token: str | None, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self._token, self._timeout_s = token, timeout_s

    def get(self, path: str, **query: Any) -> Any:
        return json.loads(self._ask("GET", path, query))

    def array(self, path: str, **query: Any) -> NDArray[np.float32]:
        found: NDArray[np.float32] = np.load(
            io.BytesIO(self._ask("GET", path, query, accept="application/x-npy")), allow_pickle=False
        )
        return found

    def post(self, path: str, body: Any = None) -> Any:
        return json.loads(self._ask("POST", path, {}, body={} if body is None else body))

    def patch(self, path: str, body: Any) -> Any:
        return json.loads(self._ask("PATCH", path, {}, body=body))

    def delete(self, path: str) -> None:
        self._ask("DELETE", path, {})

    def _ask(
        self, method: str, path: str, query: dict[str, Any], body: Any = None, accept: str = "application/json"
    ) -> bytes:
        given = {name: value for name, value in query.items() if value is not None}
        address = f"{self.url}/api/v1{path}" + (f"?{urllib.parse.urlencode(given)}" if given else "")
        headers = {"Accept": accept, "User-Agent": "headlight-python/0.1"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = urllib.request.Request(address, data=data, headers=headers, method=method)
        for remaining in reversed(range(TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                    told: bytes = answer.read()
                    return told
            except urllib.error.HTTPError as error:
                refusal = _refusal(error)
                wait_s = _wait_s(error)
                if error.code not in PASSING or not remaining or wait_s > LONGEST_WAIT_S:
                    raise refusal from None
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                if not remaining:
                    reason = getattr(error, "reason", error)
                    raise HeadlightError(f"{self.url} does not answer: {reason}.", "unreachable", 0) from None
                wait_s = 1.0
            time.sleep(wait_s)
        raise AssertionError("the last try answers or raises")


def _refusal(error: urllib.error.HTTPError) -> HeadlightError:
    try:
        told = json.loads(error.read())["error"]
        return HeadlightError(told["message"], told["code"], error.code, told["field"])
    except (ValueError, KeyError, TypeError):
        return HeadlightError(f"The site answered {error.code} without a reason.", "unexplained", error.code)


def _wait_s(error: urllib.error.HTTPError) -> float:
    given = error.headers.get("Retry-After", "")
    return float(given) if given.isdigit() else 1.0
