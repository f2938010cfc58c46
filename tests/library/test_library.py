"""From an upload to a model of the library, and out of it again: who sees it, what is kept, what is given back."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from tests.library.bad_archives import zipped
from tests.library.bad_files import CONFIGS, pickled
from tests.library.models import Files, good
from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint
from webapp.library import adoption, removal
from webapp.library.adoption import adopt
from webapp.library.arriving import Declared, declare
from webapp.library.fetching_back import fetch_back
from webapp.library.inspection import InspectionDiedError, Ready
from webapp.library.librarian import Librarian
from webapp.library.models import Arrival, ArrivingFile, Blob, ModelFile
from webapp.library.removal import collect, expire
from webapp.library.storage import storage
from webapp.runs.models import Run

pytestmark = pytest.mark.django_db(transaction=True)
MANIFEST = {
    "family": "gpt2",
    "architecture": "decoder",
    "output": "vocabulary",
    **dict.fromkeys(["layers", "heads", "encoder_layers"], 2),
    **dict.fromkeys(["width", "vocabulary", "positions", "longest", "parameters", "size_bytes"], 512),
}


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "DATA", tmp_path)
    return tmp_path


@pytest.fixture
def unlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes everything for a good model, without a look: what is tested is what comes after."""

    def ready(folder: Path, files: list[tuple[str, Path]], limit_bytes: int) -> Ready:
        (folder / "model").mkdir()
        for name, path in files:
            (folder / "model" / name).hardlink_to(path)
        return Ready(dict(MANIFEST), [name for name, _ in files], [], "")

    monkeypatch.setattr(adoption, "inspect", ready)


def bring(files: Files, owner: Person | None = None, name: str = "Brought", **more: str) -> Arrival:
    """What an upload leaves: rows and whole files."""
    arrival = declare(owner, name, [Declared(name, len(content)) for name, content in files.items()], **more)
    for file in arrival.files.all():
        file.path.write_bytes(files[file.name])
    ArrivingFile.objects.update(is_whole=True)
    Arrival.objects.filter(pk=arrival.pk).update(state=Arrival.State.UPLOADED)
    arrival.refresh_from_db()
    return arrival


def model_of(arrival: Arrival) -> Checkpoint:
    adopt(arrival)
    arrival.refresh_from_db()
    assert arrival.state == Arrival.State.READY, arrival.error
    assert arrival.checkpoint is not None
    return arrival.checkpoint


def person(name: str) -> tuple[Person, Client]:
    found, client = Person.objects.create(username=name), Client()
    client.force_login(found)
    return found, client


def names_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_good_upload_becomes_a_model_that_can_be_chosen(client: Client) -> None:
    arrival = bring(good())
    adopt(arrival)
    told = client.get(f"/api/v1/arrivals/{arrival.id}").json()
    assert told["state"] == "ready" and told["error"] is None
    listed = {model["id"]: model for model in client.get("/api/v1/models").json()["models"]}
    mine = listed[told["model"]]
    assert (mine["name"], mine["family"], mine["layers"], mine["dtype"]) == ("Brought", "gpt2", 2, "F32")
    assert not arrival.folder.exists()
    folder = storage().folder(told["model"])
    assert {path.name for path in folder.iterdir()} == set(good())


def test_refused_upload_leaves_nothing_but_the_reason(client: Client, own_data: Path) -> None:
    arrival = bring(CONFIGS[0].make(good()))
    adopt(arrival)
    told = client.get(f"/api/v1/arrivals/{arrival.id}").json()
    assert (told["state"], told["error"]["code"], told["error"]["field"]) == ("refused", "bad_config", "n_layer")
    assert not names_below(own_data / "arriving") and not names_below(own_data / "blobs")
    assert not Checkpoint.objects.exists()
    assert client.delete(f"/api/v1/arrivals/{arrival.id}").status_code == 204
    assert client.get(f"/api/v1/arrivals/{arrival.id}").status_code == 404


def test_equal_files_of_two_people_are_kept_once(unlooked: None, own_data: Path) -> None:
    (ada, _), (bob, _) = person("ada"), person("bob")
    first, second = model_of(bring(good(), ada)), model_of(bring(good(), bob))
    assert Blob.objects.count() == len(good()) == len(names_below(own_data / "blobs"))
    weights = [storage().folder(model.id) / "model.safetensors" for model in (first, second)]
    assert weights[0].stat().st_ino == weights[1].stat().st_ino
    removal.remove(first)
    assert collect() == 0
    assert weights[1].read_bytes() == good()["model.safetensors"]
    removal.remove(second)
    assert collect() == sum(map(len, good().values()))
    assert not names_below(own_data / "blobs") and not names_below(own_data / "library")


def test_file_that_came_otherwise_than_it_was_sent_is_refused(unlooked: None) -> None:
    arrival = bring(good())
    ArrivingFile.objects.filter(name="config.json").update(sha256="0" * 64)
    adopt(arrival)
    arrival.refresh_from_db()
    assert (arrival.state, arrival.error["code"]) == (Arrival.State.REFUSED, "wrong_checksum")


def test_inspection_that_died_is_tried_once_more_and_then_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: Any) -> Ready:
        raise InspectionDiedError("gone")

    monkeypatch.setattr(adoption, "inspect", dies)
    arrival = bring(good())
    adopt(arrival)
    arrival.refresh_from_db()
    assert arrival.state == Arrival.State.INSPECTING
    adopt(arrival)
    arrival.refresh_from_db()
    assert (arrival.state, arrival.error["code"]) == (Arrival.State.REFUSED, "not_checked")


def test_librarian_takes_up_what_one_before_it_left(unlooked: None) -> None:
    arrival = bring(good())
    Arrival.objects.update(state=Arrival.State.INSPECTING, attempts=1)
    (arrival.folder / "model").mkdir()
    librarian = Librarian()
    assert librarian.round() == 1
    librarian._busy[arrival.id].result(timeout=30)
    assert librarian.round() == 0
    assert Arrival.objects.get().state == Arrival.State.READY


@pytest.mark.parametrize(("visibility", "listed", "answers"), [("private", 0, 404), ("link", 0, 200), ("site", 1, 200)])
def test_visibility_says_who_sees_and_who_uses(unlooked: None, visibility: str, listed: int, answers: int) -> None:
    (ada, hers), (_, his) = person("ada"), person("bob")
    model = model_of(bring(good(), ada, visibility=visibility))
    for stranger in (his, Client()):
        assert len(stranger.get("/api/v1/models").json()["models"]) == listed
        for address in (f"/api/v1/models/{model.id}", f"/api/v1/models/{model.id}/lens"):
            assert stranger.get(address).status_code == answers
        assert stranger.get(f"/api/v1/models/{model.id}/download").status_code == answers
    assert len(hers.get("/api/v1/models").json()["models"]) == 1


def test_strangers_private_model_is_one_that_is_not_there(unlooked: None) -> None:
    (ada, hers), (_, his) = person("ada"), person("bob")
    model = model_of(bring(good(), ada)).id

    def asked(client: Client, id_: str) -> list[tuple[int, str]]:
        plan = {"assignment": "text", "text": "a b", "start": id_}
        cut = {"assignment": "text", "text": "a b c", "tokenizer_from": id_}
        answers = [
            client.post("/api/v1/runs", {"model": id_, "ids": [1]}, content_type="application/json"),
            client.post(
                "/api/v1/runs", {"model": id_, "kind": "generate", "ids": [1]}, content_type="application/json"
            ),
            client.post("/api/v1/trainings", cut, content_type="application/json"),
            client.post("/api/v1/trainings/estimate", cut, content_type="application/json"),
            client.post("/api/v1/trainings", plan, content_type="application/json"),
            client.post("/api/v1/sweeps/variants", {"kind": "sizes", "plan": cut}, content_type="application/json"),
            client.get(f"/api/v1/models/{id_}/lens"),
            client.post(f"/api/v1/models/{id_}/lens", {"text": "a"}, content_type="application/json"),
            client.delete(f"/api/v1/models/{id_}/lens"),
            client.patch(f"/api/v1/models/{id_}", {"name": "a"}, content_type="application/json"),
            client.get(f"/api/v1/models/{id_}/removal"),
            client.get(f"/api/v1/models/{id_}/download"),
            client.delete(f"/api/v1/models/{id_}"),
        ]
        return [(answer.status_code, answer.content.decode().replace(id_, "ID")) for answer in answers]

    assert asked(his, model) == asked(his, "nobody"), "what is told of it is what is told of none"
    assert hers.get(f"/api/v1/models/{model}").status_code == 200


def test_owner_renames_describes_and_shares(unlooked: None) -> None:
    (ada, hers), (_, his) = person("ada"), person("bob")
    model = model_of(bring(good(), ada, visibility="site")).id
    change = {"name": "<b>Lamp</b>", "sentence": "It glows.", "licence": "MIT", "visibility": "link"}
    answer = hers.patch(f"/api/v1/models/{model}", change, content_type="application/json")
    assert answer.status_code == 200
    told = hers.get(f"/api/v1/models/{model}").json()
    assert {name: told[name] for name in change} == change
    assert his.patch(f"/api/v1/models/{model}", change, content_type="application/json").status_code == 403
    assert his.delete(f"/api/v1/models/{model}").status_code == 403
    for bad in ("", "a\u202eb", "a\x00b", "x" * 121):
        refused = hers.patch(f"/api/v1/models/{model}", {"name": bad}, content_type="application/json")
        assert (refused.status_code, refused.json()["error"]["field"]) == (422, "name")


def test_files_stay_while_a_run_reads_them(unlooked: None) -> None:
    ada, hers = person("ada")
    model = model_of(bring(good(), ada))
    run = Run.objects.create(checkpoint=model, text="a", owner=ada)
    told = hers.get(f"/api/v1/models/{model.id}/removal").json()
    size = sum(map(len, good().values()))
    assert (told["runs"], told["others_runs"], told["freed_bytes"], told["kept_bytes"]) == (1, 0, 0, size)
    assert hers.delete(f"/api/v1/models/{model.id}").status_code == 200
    assert hers.get(f"/api/v1/models/{model.id}").status_code == 404
    assert collect() == 0
    assert storage().folder(model.id).is_dir()
    assert hers.get(f"/api/v1/runs/{run.id}").status_code == 200
    run.delete()
    assert collect() == size


def test_files_stay_while_a_training_starts_from_them(unlooked: None) -> None:
    model = model_of(bring(good()))
    training = Run.objects.create(kind="train", plan={"start": model.id})
    removal.remove(model)
    assert collect() == 0
    Run.objects.filter(pk=training.pk).update(state=Run.State.FINISHED)
    assert collect() > 0


def test_model_is_downloaded_as_it_is_kept(unlooked: None, client: Client) -> None:
    model = model_of(bring(good(), name="My model"))
    answer = client.get(f"/api/v1/models/{model.id}/download")
    assert answer["Content-Disposition"] == 'attachment; filename="my-model.tar"'
    assert (answer["X-Content-Type-Options"], answer["Content-Security-Policy"]) == ("nosniff", "sandbox")

    async def whole() -> bytes:
        return b"".join([piece async for piece in answer])

    from asgiref.sync import async_to_sync

    raw = async_to_sync(whole)()
    assert len(raw) == int(answer["Content-Length"])
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        assert {name: archive.extractfile(f"my-model/{name}").read() for name in good()} == good()  # type: ignore[union-attr]


def test_what_comes_with_headlight_is_not_changed(client: Client) -> None:
    Checkpoint.objects.create(
        id="prose", name="Prose", path=f"{settings.ZOO}/prose", fingerprint="f", manifest=MANIFEST
    )
    assert client.delete("/api/v1/models/prose").status_code == 403


def test_upload_that_rested_too_long_is_given_up(own_data: Path) -> None:
    arrival = declare(None, "Slow", [Declared("model.safetensors", 10)])
    Arrival.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert expire() == 1
    assert not arrival.folder.exists() and not Arrival.objects.exists()


def test_used_room_counts_what_is_kept_and_what_comes(unlooked: None, client: Client) -> None:
    model_of(bring(good()))
    declare(None, "Slow", [Declared("model.safetensors", 10)])
    quota = client.get("/api/v1/library").json()["quota"]
    assert quota["person_used_bytes"] == quota["site_used_bytes"] == sum(map(len, good().values())) + 10


def test_arrival_is_declared_with_its_files(client: Client) -> None:
    files = [{"name": "m/config.json", "size_bytes": 2}, {"name": "m/model.safetensors", "size_bytes": 5}]
    answer = client.post("/api/v1/arrivals", {"name": "m", "files": files}, content_type="application/json")
    assert answer.status_code == 201
    told = answer.json()
    assert (told["state"], told["size_bytes"], told["arrived_bytes"]) == ("uploading", 7, 0)
    assert all(file["address"].startswith("/api/v1/uploads/") for file in told["files"])
    twice = client.post("/api/v1/arrivals", {"name": "m", "files": [files[0]] * 2}, content_type="application/json")
    assert (twice.status_code, twice.json()["error"]["code"]) == (422, "bad_files")


def test_archive_becomes_a_model_of_its_parts(own_data: Path) -> None:
    model = model_of(bring({"brought.zip": zipped(good())}))
    assert {file.name for file in model.files.all()} == set(good())


def test_model_whose_folder_is_gone_is_laid_out_again(unlooked: None, client: Client) -> None:
    mine, other = model_of(bring(good(), name="Mine")), model_of(bring({**good(), "extra.txt": b"1"}, name="Other"))
    before = names_below(storage().folder(mine.id))
    storage().clear_away(mine.id)
    (storage().folder(other.id) / "config.json").unlink()
    # As on another machine, where the data has another place.
    Checkpoint.objects.filter(pk=mine.id).update(path="/elsewhere/library/mine")
    told = client.post("/api/v1/runs", json.dumps({"model": mine.id, "text": "a"}), content_type="application/json")
    assert (told.status_code, told.json()["error"]["code"]) == (409, "model_missing")
    assert set(fetch_back()) == {mine.id, other.id}
    assert names_below(storage().folder(mine.id)) == before
    mine.refresh_from_db()
    assert mine.path == str(storage().folder(mine.id)) and not mine.is_missing
    assert fetch_back() == []


def test_model_whose_bytes_are_gone_keeps_no_other_waiting(unlooked: None) -> None:
    lost, other = model_of(bring(good(), name="Lost")), model_of(bring({"config.json": b"{}"}, name="Other"))
    for model in (lost, other):
        storage().clear_away(model.id)
    storage().place(ModelFile.objects.get(checkpoint=lost, name="model.safetensors").blob_id).unlink()
    assert fetch_back() == [other.id]
    assert lost.is_missing and not other.is_missing


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_weights_alone_are_built_like_a_model_that_is_here(client: Client, weights: str) -> None:
    first = model_of(bring(good(), name="First"))
    files = good() if weights.endswith("safetensors") else pickled(lambda state: state)(good())
    second = bring({f"run-7/{weights}": files[weights]}, name="Second", like=first.id)
    adopt(second)
    told = client.get(f"/api/v1/arrivals/{second.id}").json()
    assert told["state"] == "ready", told["error"]
    assert any("Built like First" in note for note in told["notes"])
    model = Checkpoint.objects.get(pk=told["model"])
    assert names_below(Path(model.path)) == set(good())
    assert model.manifest["parameters"] == first.manifest["parameters"]


def test_weights_alone_are_refused_where_no_model_or_a_wrong_one_is_named(client: Client) -> None:
    alone = {"model.safetensors": good()["model.safetensors"]}
    arrival = bring(alone)
    adopt(arrival)
    assert client.get(f"/api/v1/arrivals/{arrival.id}").json()["error"]["code"] == "no_config"
    wider = model_of(bring(good(width=24), name="Wider"))
    arrival = bring(alone, like=wider.id)
    adopt(arrival)
    assert client.get(f"/api/v1/arrivals/{arrival.id}").json()["error"]["code"] == "bad_tensor"


def test_like_is_for_weights_alone_and_a_model_that_is_here(client: Client) -> None:
    first = model_of(bring(good(), name="First"))
    for name in ("model.zip", "config.json"):
        asked = {"name": "a", "files": [{"name": name, "size_bytes": 9}], "like": first.id}
        told = client.post("/api/v1/arrivals", json.dumps(asked), content_type="application/json")
        assert (told.status_code, told.json()["error"]["code"]) == (422, "not_weights_alone")
    second = bring({"model.safetensors": good()["model.safetensors"]}, name="Second", like=first.id)
    storage().clear_away(first.id)
    adopt(second)
    assert client.get(f"/api/v1/arrivals/{second.id}").json()["error"]["code"] == "model_missing"


def test_weights_are_not_built_like_a_strangers_model(unlooked: None, client: Client) -> None:
    ada, _ = person("ada")
    hers = model_of(bring(good(), ada))
    asked = {"name": "a", "files": [{"name": "model.safetensors", "size_bytes": 9}], "like": hers.id}
    told = client.post("/api/v1/arrivals", json.dumps(asked), content_type="application/json")
    assert (told.status_code, told.json()["error"]["code"]) == (404, "unknown_model")
