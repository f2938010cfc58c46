"""Somebody reads a run: how far it is, its tokens, its sites, its next tokens."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.webapp.conftest import store
from webapp.runs.models import Run


def test_queued_run_says_so(client: Client, run: Run) -> None:
    answer = client.get(f"/api/v1/runs/{run.id}").json()
    assert (answer["state"], answer["tokens"], answer["sites"]) == ("queued", [], [])


def test_tokens_carry_their_place_in_the_text(client: Client, run: Run) -> None:
    store(run, "started", "tokens")
    tokens = client.get(f"/api/v1/runs/{run.id}").json()["tokens"]
    assert tokens[1] == {"sequence": "decoder", "id": 300, "text": " é", "start": 1, "end": 4, "special": False}


def test_finished_run_is_finished_before_the_recorder_has_heard(client: Client, run: Run) -> None:
    store(run, "started", "tokens", "site", "probabilities", "finished")
    assert run.state == "queued"
    answer = client.get(f"/api/v1/runs/{run.id}").json()
    assert (answer["state"], answer["implementation"]) == ("finished", "cpu")
    assert answer["timings"] == {"queued_s": 0.5, "trace_s": 0.125}
    assert answer["sites"] == [
        {
            "site": "decoder.self.0",
            "stack": "decoder",
            "kind": "self",
            "layer": 0,
            "heads": 2,
            "queries": 3,
            "keys": 3,
            "causal": True,
            "measures": {
                "entropy": pytest.approx([0, 0.2]),
                "previous_token": pytest.approx([0.4, 0.6]),
                "first_token": pytest.approx([0.8, 1]),
            },
            "labels": ["previous_token", "unclear"],
            "margin": [0.75, 0.125],
            "confidence": [0.875, 0],
        }
    ]


def test_run_stored_before_heads_were_labelled_is_read_without_labels(client: Client, run: Run) -> None:
    store(run, "started", "tokens", "site_unlabelled", "probabilities", "finished")
    (site,) = client.get(f"/api/v1/runs/{run.id}").json()["sites"]
    assert (site["labels"], site["margin"], site["confidence"]) == ([], [], [])
    assert set(site["measures"]) == {"entropy", "previous_token", "first_token"}


def test_failed_run_says_why(client: Client, run: Run) -> None:
    store(run, "started", "failed")
    answer = client.get(f"/api/v1/runs/{run.id}").json()
    assert answer["state"] == "failed"
    assert answer["error"] == {"code": "text_too_long", "message": "This text has 312 tokens; 256 fit."}


def test_restart_voids_what_the_lost_worker_said(client: Client, run: Run) -> None:
    store(run, "started", "tokens", "site")
    store(run, "started", "tokens", attempt=2)
    answer = client.get(f"/api/v1/runs/{run.id}").json()
    assert len(answer["tokens"]) == 3
    assert answer["sites"] == []


def test_next_tokens_of_a_position(client: Client, run: Run) -> None:
    store(run, "started", "tokens", "probabilities", "finished")
    url = f"/api/v1/runs/{run.id}/probabilities"
    assert client.get(url, {"position": 1, "top": 1}).json() == {
        "position": 1,
        "sequence": "decoder",
        "tokens": [{"id": 300, "text": " é", "probability": 0.5}],
    }
    assert client.get(url, {"position": -1, "top": 2}).json()["tokens"][0] == {
        "id": 7,
        "text": "🙂",
        "probability": 1.0,
    }


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"position": 3, "top": 1}, "bad_position"),
        ({"position": -4, "top": 1}, "bad_position"),
        ({"position": 0, "top": 3}, "bad_top"),
        ({"position": 0, "top": 0}, "bad_top"),
        ({"position": "x"}, "bad_field"),
    ],
)
def test_position_that_is_not_there_is_refused(client: Client, run: Run, query: dict[str, int], code: str) -> None:
    store(run, "probabilities")
    answer = client.get(f"/api/v1/runs/{run.id}/probabilities", query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_next_tokens_that_have_not_come_yet(client: Client, run: Run) -> None:
    answer = client.get(f"/api/v1/runs/{run.id}/probabilities")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_yet")


@pytest.mark.parametrize("path", ["", "/probabilities", "/maps/decoder.self.0/0"])
@pytest.mark.django_db
def test_unknown_run_is_not_found(client: Client, path: str) -> None:
    answer = client.get(f"/api/v1/runs/nobody{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_run")
