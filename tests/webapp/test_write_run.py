"""Somebody has a model write, branches off what it wrote, and finds the tree again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.test import Client

from tests.webapp.conftest import store
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from webapp.runs.replay import replay
from webapp.runs.writing import trace_of
from workers.protocol import archive, frame
from workers.protocol.events import Tokens
from workers.protocol.jobs import Choices, GenerateJob

URL = "/api/v1/runs"


def post(client: Client, **body: Any) -> Any:
    return client.post(URL, {"kind": "generate", "model": "tiny", **body}, content_type="application/json")


def store_tokens(run: Run, *texts: list[str], sequence: str = "decoder") -> None:
    """The `tokens` events of a worker, ids counted from 10."""
    writer = archive.ArchiveWriter(archive.folder(settings.DATA, run.id), 1)
    for seq, told in enumerate(texts, 1):
        event = Tokens(seq=seq, sequence=sequence, origin="given", texts=told, special=[False] * len(told))  # type: ignore[arg-type]
        arrays = {
            "ids": np.arange(10, 10 + len(told), dtype=np.int32),
            "offsets": np.zeros((len(told), 2), np.int32),
        }
        writer.append(seq, frame.encode(event, arrays))
    writer.close()


def test_run_that_writes_is_written_down_and_sent_with_its_choices(
    client: Client, checkpoint: Checkpoint, sent: list, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = post(client, text="So it", generate={"max_tokens": 5, "temperature": 0.7, "stop_strings": ["\n"]})
    assert answer.status_code == 201
    run = Run.objects.get(pk=answer.json()["id"])
    assert run.kind == "generate"
    [job] = sent
    assert isinstance(job, GenerateJob) and (job.trace.run, job.trace.text) == (run.id, "So it")
    assert job.choices == Choices(max_tokens=5, temperature=0.7, stop_strings=["\n"])
    told = client.get(f"{URL}/{run.id}").json()
    assert (told["kind"], told["parent"], told["branched_at"]) == ("generate", None, None)
    assert told["generate"]["temperature"] == 0.7 and told["generate"]["top_k"] is None


def test_without_choices_the_likeliest_tokens_are_written(client: Client, checkpoint: Checkpoint, sent: list) -> None:
    run = Run.objects.get(pk=post(client, text="So it").json()["id"])
    job = run.job()
    assert isinstance(job, GenerateJob) and job.choices == Choices()


@pytest.mark.parametrize(
    ("choices", "field", "words"),
    [
        ({"max_tokens": 0}, "max_tokens", "goes from 1 to 2,048"),
        ({"max_tokens": 4096}, "max_tokens", "goes from 1 to 2,048"),
        ({"temperature": -1}, "temperature", "give 0 for the likeliest"),
        ({"top_k": 0}, "top_k", "1 or more"),
        ({"top_p": 1.5}, "top_p", "no more than 1"),
        ({"min_p": 0}, "min_p", "above 0"),
        ({"temperature": 0, "top_k": 5}, "temperature", "takes the likeliest"),
        ({"repetition_penalty": 0}, "repetition_penalty", "above 0"),
        ({"seed": -1}, "seed", "goes from 0"),
        ({"stop_strings": [""]}, "stop_strings", "empty"),
        ({"stop_strings": ["a"] * 9}, "stop_strings", "at most 8"),
        ({"beams": 17}, "beams", "goes from 1 to 16"),
        ({"beams": 2, "temperature": 1}, "temperature", "together with beams"),
        ({"beams": 2, "stop_strings": ["."]}, "stop_strings", "together with beams"),
        ({"length_penalty": 1}, "length_penalty", "beam search"),
    ],
)
def test_number_that_no_choice_can_be_made_by_is_refused_in_words(
    client: Client, checkpoint: Checkpoint, choices: dict[str, Any], field: str, words: str
) -> None:
    refused = post(client, text="a", generate=choices)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["field"]) == (422, "bad_sampling", f"generate.{field}")
    assert words in error["message"] and error["message"].endswith(".")
    assert not Run.objects.exists()


def test_what_is_no_number_is_refused(client: Client, checkpoint: Checkpoint) -> None:
    for generate in ({"temperature": "hot"}, {"nucleus": 0.9}):
        refused = post(client, text="a", generate=generate)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_field")
    not_finite = b'{"kind": "generate", "model": "tiny", "text": "a", "generate": {"temperature": NaN}}'
    assert client.post(URL, not_finite, content_type="application/json").status_code == 422


def test_model_that_only_reads_is_not_asked_to_write(client: Client, checkpoint: Checkpoint) -> None:
    Checkpoint.objects.update(manifest={**checkpoint.manifest, "architecture": "encoder"})
    refused = post(client, text="a")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "writes_nothing")


def test_choices_of_writing_do_not_go_with_a_trace(client: Client, checkpoint: Checkpoint) -> None:
    refused = post(client, kind="trace", text="a", generate={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "not_writing")


def test_branches_are_found_as_one_tree_from_each_of_its_runs(
    client: Client, checkpoint: Checkpoint, sent: list
) -> None:
    root = post(client, text="So it").json()["id"]
    branch = post(client, ids=[1, 2, 7], parent=root, branched_at=2).json()["id"]
    twig = post(client, ids=[1, 2, 7, 9], parent=branch, branched_at=3).json()["id"]
    other = post(client, text="So it").json()["id"]
    store_tokens(Run.objects.get(pk=branch), ["So", " it", " went"], ["So", " it", " went", " on"])
    for run in (root, branch, twig):
        tree = client.get(f"{URL}/{run}/tree").json()
        assert tree["text"] == "So it"
        found = [(one["id"], one["parent"], one["branched_at"], one["token"]) for one in tree["runs"]]
        assert found == [(root, None, None, None), (branch, root, 2, " went"), (twig, branch, 3, None)]
    assert [one["id"] for one in client.get(f"{URL}/{other}/tree").json()["runs"]] == [other]
    assert client.get(f"{URL}/nowhere/tree").status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"ids": [1, 2], "parent": "nobody", "branched_at": 1}, "unknown_parent"),
        ({"ids": [1, 2], "parent": "ROOT"}, "half_a_branch"),
        ({"ids": [1, 2], "branched_at": 1}, "half_a_branch"),
        ({"ids": [1, 2], "parent": "ROOT", "branched_at": 5}, "bad_branch"),
        ({"text": "So", "parent": "ROOT", "branched_at": 0}, "bad_branch"),
    ],
)
def test_branch_that_hangs_on_nothing_is_refused(
    client: Client, checkpoint: Checkpoint, sent: list, body: dict[str, Any], code: str
) -> None:
    root = post(client, text="So it").json()["id"]
    refused = post(client, **{**body, **({"parent": root} if body.get("parent") == "ROOT" else {})})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, code)


def test_maps_are_made_again_from_the_finished_text_not_from_its_prompt(checkpoint: Checkpoint) -> None:
    run = Run.objects.create(checkpoint=checkpoint, text="So it", kind="generate", choices={})
    store_tokens(run, ["So", " it"], ["So", " it", " goes", "."])
    job = trace_of(run, replay(run.id))
    assert (job.text, job.ids) == (None, [10, 11, 12, 13])


def test_text_of_a_run_that_still_writes_is_told_as_far_as_it_is(client: Client, checkpoint: Checkpoint) -> None:
    run = Run.objects.create(checkpoint=checkpoint, text="🙂 é", kind="generate", choices={})
    store(run, "started", "tokens", "step")
    tokens = client.get(f"{URL}/{run.id}").json()["tokens"]
    assert [token["text"] for token in tokens] == ["🙂", " é", "⏎", "🙂"]
