"""The API keeps to its own description: made-up requests to every address are answered as it tells, and what it
does not allow is refused.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import redis
import requests
import schemathesis
from django.core.cache import cache
from django.test import Client
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis
from schemathesis import GenerationMode, checks
from schemathesis.config import SchemathesisConfig

from tests.webapp.conftest import MANIFEST
from webapp import dispatch
from webapp.api.router import api
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from workers.protocol.events import Failed
from workers.protocol.frame import Frame

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.ignored_auth,
]


@schemathesis.serializer("application/zip", "image/*")
def as_bytes(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def described(mode: GenerationMode) -> Any:
    """The description, for requests that fit it or that do not."""
    config = SchemathesisConfig()
    config.projects.default.generation.update(modes=[mode])
    return schemathesis.openapi.from_dict(dict(api.get_openapi_schema()), config=config)


schema, broken = described(GenerationMode.POSITIVE), described(GenerationMode.NEGATIVE)
made_up = hypothesis(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def world(broker: redis.Redis, tmp_path: Any) -> None:
    """A model and a run of it that can be guessed, so that some requests get far."""
    cache.clear()
    model = Checkpoint.objects.create(id="0", name="Zero", path=str(tmp_path), fingerprint="f", manifest=MANIFEST)
    Run.objects.create(id="0", checkpoint=model, text="a", state="finished")


async def refuse(*_: Any) -> Frame:
    """A worker that can read nothing."""
    return Frame(Failed(code="checkpoint_refused", message="The weights are gone."), {})


@schema.parametrize()
@made_up
def test_address_answers_as_described(case: schemathesis.Case, world: None) -> None:
    with mock.patch.object(dispatch, "_ask", refuse), mock.patch.object(dispatch, "_send", lambda *_: True):
        case.validate_response(answer(case), checks=CHECKS)


@broken.parametrize()
@made_up
def test_what_is_not_allowed_is_refused_as_a_problem(case: schemathesis.Case, world: None) -> None:
    with mock.patch.object(dispatch, "_ask", refuse), mock.patch.object(dispatch, "_send", lambda *_: True):
        found = answer(case)
    case.validate_response(found, checks=[*CHECKS, checks.negative_data_rejection])
    if found.status_code >= 400:
        assert found.headers["content-type"] == ["application/problem+json"]
        told = found.json()
        assert told["status"] == found.status_code and told["title"] and told["error"]["message"]


def answer(case: schemathesis.Case) -> schemathesis.Response:
    """By Django's own client: quicker than a server, and within the test's transaction."""
    given = case.as_transport_kwargs(base_url="http://testserver")
    given = {name: given.get(name) for name in ("method", "url", "headers", "params", "data", "json", "cookies")}
    asked = requests.Request(**given).prepare()
    body = asked.body or b""
    headers = {name: value for name, value in asked.headers.items() if name.lower() != "content-length"}
    found = Client().generic(
        asked.method or "GET",
        asked.path_url,
        body if isinstance(body, bytes) else str(body).encode(),
        headers.pop("Content-Type", "application/octet-stream"),
        headers=headers,
    )
    return schemathesis.Response(
        status_code=found.status_code,
        headers={name.lower(): [value] for name, value in found.items()},
        content=b"".join(found) if found.streaming else found.content,
        request=asked,
        elapsed=0.01,
        verify=False,
    )
