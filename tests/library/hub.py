"""A small hub of the tests' own on loopback, as `huggingface_hub` sees one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.library.models import Files

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """`models` by name; one of `gated` wants the token "open-sesame". `elsewhere` is where files are sent from."""

    def __init__(self, models: dict[str, Files]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.models, self.gated, self.elsewhere = models, set[str](), ""
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        if path.startswith("/api/models/"):
            name, _, revision = path.removeprefix("/api/models/").partition("/revision/")
            self._about(name, revision, with_body)
        else:
            name, _, rest = path[1:].partition("/resolve/")
            self._file(name, rest.partition("/")[2], with_body)

    def _about(self, name: str, revision: str, with_body: bool) -> None:
        files = self.server.models.get(name)
        if files is None:
            self._send(404, b"{}", with_body, {"x-error-code": "RepoNotFound"})
            return
        if revision not in ("", "main", "v1", COMMIT):
            self._send(404, b"{}", with_body, {"x-error-code": "RevisionNotFound"})
            return
        if self._is_shut(name):
            self._send(403, b"{}", with_body, {"x-error-code": "GatedRepo"})
            return
        siblings: list[dict[str, Any]] = [_sibling(file, content) for file, content in files.items()]
        told = {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "private": False}
        self._send(200, json.dumps(told).encode(), with_body, {"content-type": "application/json"})

    def _file(self, name: str, file: str, with_body: bool) -> None:
        content = self.server.models.get(name, {}).get(file)
        if content is None or self._is_shut(name):
            self._send(404, b"", with_body, {"x-error-code": "EntryNotFound"})
            return
        digest = hashlib.sha256(content).hexdigest()
        headers = {"x-repo-commit": COMMIT, "etag": f'"{digest}"', "x-linked-etag": f'"{digest}"'}
        headers["x-linked-size"] = str(len(content))
        if self.server.elsewhere:
            self._send(302, b"", with_body, {**headers, "location": f"{self.server.elsewhere}/{file}"})
        else:
            self._send(200, content, with_body, headers)

    def _is_shut(self, name: str) -> bool:
        return name in self.server.gated and self.headers.get("authorization") != "Bearer open-sesame"

    def _send(self, status: int, body: bytes, with_body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    told: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
    if name.endswith(".safetensors"):
        told["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return told


@contextmanager
def serving(models: dict[str, Files]) -> Iterator[Hub]:
    hub = Hub(models)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    yield hub
    hub.shutdown()
    hub.server_close()
    thread.join()
