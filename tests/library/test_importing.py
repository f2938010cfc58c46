"""Somebody imports a model by its name from a hub, which is a small server on loopback here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests.library.hub import Hub, serving
from tests.library.models import good
from webapp.library.adoption import adopt
from webapp.library.importing import fetch
from webapp.library.models import Arrival
from webapp.library.secret import seal, unseal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    more = {"train.py": b"import os", "pytorch_model.bin": b"\x80\x02.", "onnx/model.onnx": b"1", "README.md": b"Hello"}
    with serving({"ada/lamp": {**good(), **more}, "ada/gated": good(), "ada/pickled": {"config.json": b"{}"}}) as hub:
        hub.gated.add("ada/gated")
        monkeypatch.setattr(settings, "DATA", tmp_path)
        monkeypatch.setattr(settings, "HUB_ENDPOINT", hub.endpoint)
        yield hub


def begin(client: Client, source: str, token: str = "") -> Arrival:
    answer = client.post("/api/v1/imports", {"source": source, "token": token}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return Arrival.objects.get(pk=answer.json()["id"])


def fetched(client: Client, source: str, token: str = "") -> Arrival:
    arrival = begin(client, source, token)
    fetch(arrival)
    arrival.refresh_from_db()
    return arrival


@pytest.mark.parametrize("source", ["ada/lamp", "ada/lamp@v1"])
def test_named_model_is_fetched_and_becomes_ready(hub: Hub, client: Client, source: str) -> None:
    arrival = fetched(client, source)
    assert arrival.state == Arrival.State.UPLOADED, arrival.error
    assert {file.name for file in arrival.files.all()} == set(good())
    weights = arrival.files.get(name="model.safetensors")
    assert weights.path.read_bytes() == good()["model.safetensors"] and len(weights.sha256) == 64
    told = client.get(f"/api/v1/arrivals/{arrival.id}").json()
    assert told["arrived_bytes"] == told["size_bytes"] == sum(map(len, good().values()))
    asked = {path.rpartition("/")[2] for path in hub.asked if "/resolve/" in path}
    assert asked == set(good()), "nothing but what makes the model is asked for"
    adopt(arrival)
    arrival.refresh_from_db()
    assert arrival.state == Arrival.State.READY
    assert arrival.checkpoint is not None and arrival.checkpoint.name == "lamp"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("ada/gated", "gated"),
        ("ada/nothing", "unknown_source"),
        ("ada/lamp@v2", "unknown_source"),
        ("ada/pickled", "no_safetensors"),
    ],
)
def test_what_cannot_be_imported_says_why_and_leaves_nothing(hub: Hub, client: Client, source: str, code: str) -> None:
    arrival = fetched(client, source)
    assert (arrival.state, arrival.error["code"]) == (Arrival.State.REFUSED, code)
    assert not arrival.folder.exists()


def test_token_opens_the_gate_and_is_forgotten_afterwards(hub: Hub, client: Client) -> None:
    arrival = begin(client, "ada/gated", "open-sesame")
    assert arrival.token is not None and b"open-sesame" not in bytes(arrival.token)
    fetch(arrival)
    arrival.refresh_from_db()
    assert (arrival.state, arrival.token) == (Arrival.State.UPLOADED, None)


def test_no_other_host_is_asked(hub: Hub, client: Client) -> None:
    with serving({}) as other:
        # Another name for this machine: the import must not even look it up.
        hub.elsewhere = other.endpoint.replace("127.0.0.1", "localhost")
        arrival = fetched(client, "ada/lamp")
        assert (arrival.state, arrival.error["code"]) == (Arrival.State.REFUSED, "other_host")
        assert other.asked == []


def test_host_that_the_hub_keeps_its_files_on_may_be_named(
    hub: Hub, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({}) as other:
        hub.elsewhere = other.endpoint.replace("127.0.0.1", "localhost")
        monkeypatch.setattr(settings, "HUB_FILE_HOSTS", ["localhost"])
        fetched(client, "ada/lamp")
        assert other.asked


def test_hub_that_is_away_is_said_so(hub: Hub, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "HUB_ENDPOINT", "http://127.0.0.1:9")
    arrival = fetched(client, "ada/lamp")
    assert (arrival.state, arrival.error["code"]) == (Arrival.State.REFUSED, "hub_away")


def test_model_beyond_the_quota_is_refused_before_it_is_fetched(
    hub: Hub, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "PERSON_QUOTA_BYTES", 1000)
    arrival = fetched(client, "ada/lamp")
    assert (arrival.state, arrival.error["code"]) == (Arrival.State.REFUSED, "quota_used_up")
    assert not [path for path in hub.asked if path.endswith("model.safetensors")]


@pytest.mark.parametrize(
    "source", ["lamp", "https://evil.example/ada/lamp", "ada/../lamp", "ada/lamp@../..", "a b/c", ""]
)
def test_source_that_is_no_name_is_refused(hub: Hub, client: Client, source: str) -> None:
    answer = client.post("/api/v1/imports", {"source": source}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_source")
    assert hub.asked == []


def test_site_without_a_hub_imports_nothing(client: Client) -> None:
    answer = client.post("/api/v1/imports", {"source": "ada/lamp"}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "imports_off")
    assert client.get("/api/v1/library").json()["hub"] is None


def test_sealed_text_opens_with_the_sites_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = seal("open-sesame")
    assert b"open-sesame" not in sealed and unseal(sealed) == "open-sesame"
    monkeypatch.setattr(settings, "SECRET_KEY", "another")
    assert unseal(sealed) is None
