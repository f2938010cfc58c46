"""The bytes of models lie on this disk, or in an S3 store besides; they are the same bytes wherever they come from."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings
from moto.server import ThreadedMotoServer

from tests.waiting import until
from webapp.library.librarian import Librarian
from webapp.library.models import Blob
from webapp.library.storage import REMOTE, Storage, WrongBytesError, hash_of, storage
from webapp.settings import s3_options
from webapp.supervise import doctor

CONTENT = os.urandom(20 << 20)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEYS = ("reader", "secret")


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """Speaks S3 over HTTP on loopback."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, tmp_path: Path) -> Iterator[Any]:
    """An empty bucket, and the site set to it as the environment would."""
    name = f"models-{tmp_path.name[-20:].strip('_-').lower().replace('_', '-')}-{time.time_ns()}"
    client = boto3.resource(
        "s3",
        endpoint_url=s3_server,
        aws_access_key_id="reader",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    bucket = client.create_bucket(Bucket=name)
    options = s3_options(name, s3_server, "us-east-1", *KEYS)
    remote = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    with override_settings(STORAGES={**settings.STORAGES, "models": remote}, DATA=tmp_path):
        yield bucket


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    path = tmp_path / "brought"
    path.write_bytes(CONTENT)
    return path


def test_bytes_are_kept_once_and_laid_out_by_their_names(tmp_path: Path, brought: Path) -> None:
    kept = Storage(tmp_path / "data")
    for _ in range(2):
        kept.keep(brought, SHA256)
    for model in ("a", "b"):
        folder = kept.lay_out(model, [("model.safetensors", SHA256)])
        assert hash_of(folder / "model.safetensors") == SHA256
    assert (kept.folder("a") / "model.safetensors").stat().st_nlink == 4
    assert [sha256 for sha256, _ in kept.stored()] == [SHA256]
    kept.clear_away("a")
    assert kept.folder("b").is_dir() and not kept.folder("a").exists()


def test_name_of_bytes_is_a_hash_and_no_path(tmp_path: Path) -> None:
    for bad in ("../../etc/passwd", "", "a" * 63, "G" * 64):
        with pytest.raises(ValueError):
            Storage(tmp_path).place(bad)


def test_s3_holds_all_bytes_and_gives_them_back(bucket: Any, tmp_path: Path, brought: Path) -> None:
    kept = storage()
    kept.keep(brought, SHA256)
    kept.keep(brought, SHA256)
    (stored,) = bucket.objects.all()
    assert (stored.key, stored.size) == (f"blobs/{SHA256[:2]}/{SHA256}", len(CONTENT))
    # Another machine, or this one with a new disk.
    kept.clear_away("lamp")
    kept.forget_here(SHA256)
    brought.unlink()
    assert not kept.place(SHA256).exists()
    folder = kept.lay_out("lamp", [("model.safetensors", SHA256)])
    assert hash_of(folder / "model.safetensors") == SHA256
    kept.drop(SHA256)
    assert not list(bucket.objects.all()) and not kept.place(SHA256).exists()


def test_bucket_is_made_where_it_is_missing_and_left_where_it_is_there(bucket: Any, brought: Path) -> None:
    def told() -> str:
        out = io.StringIO()
        call_command("make_bucket", stdout=out)
        return out.getvalue()

    bucket.delete()
    assert told() == f"{bucket.name}: made\n"
    storage().keep(brought, SHA256)
    assert told() == f"{bucket.name}: ready\n"
    assert [stored.key for stored in bucket.objects.all()] == [f"blobs/{SHA256[:2]}/{SHA256}"]


def test_where_no_bucket_is_set_none_is_made() -> None:
    out = io.StringIO()
    call_command("make_bucket", stdout=out)
    assert "the disk alone" in out.getvalue()


def test_store_that_is_away_is_named_with_what_to_check(tmp_path: Path) -> None:
    options = s3_options("models", "http://127.0.0.1:9", "us-east-1", "reader", "secret")
    remote = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    refused = pytest.raises(CommandError, match="HEADLIGHT_S3_ENDPOINT")
    with override_settings(STORAGES={**settings.STORAGES, "models": remote}), refused:
        call_command("make_bucket")


@pytest.mark.django_db(transaction=True)
def test_what_came_before_the_bucket_was_set_is_handed_on(bucket: Any, tmp_path: Path, brought: Path) -> None:
    Storage(tmp_path).keep(brought, SHA256)
    gone = "0" * 64
    for sha256 in (gone, SHA256):
        Blob.objects.create(sha256=sha256, size_bytes=len(CONTENT))
    librarian = Librarian()
    try:
        librarian.even_out()
        until(lambda: [each.key for each in bucket.objects.all()] == [f"blobs/{SHA256[:2]}/{SHA256}"])
    finally:
        librarian.stop()
    Storage(tmp_path).drop(SHA256)
    assert hash_of(storage().lay_out("lamp", [("model.safetensors", SHA256)]) / "model.safetensors") == SHA256


@pytest.mark.django_db
def test_doctor_looks_at_the_bucket(bucket: Any) -> None:
    def told() -> list[tuple[str, str]]:
        return [(found.state, found.words) for found in doctor.findings() if "bucket" in found.words]

    assert told() == [("ok", f"The bucket {bucket.name} answers.")]
    bucket.delete()
    assert told() == [("broken", f"There is no bucket {bucket.name}: python manage.py make_bucket")]
    options = s3_options(bucket.name, "http://127.0.0.1:9", "us-east-1", *KEYS)
    away = {**settings.STORAGES, REMOTE: {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}}
    with override_settings(STORAGES=away):
        ((state, words),) = told()
    assert state == "broken" and "HEADLIGHT_S3_ENDPOINT" in words


def test_other_bytes_than_were_put_there_are_not_taken(bucket: Any, brought: Path) -> None:
    kept = storage()
    kept.keep(brought, SHA256)
    kept.forget_here(SHA256)
    bucket.Object(f"blobs/{SHA256[:2]}/{SHA256}").put(Body=b"something else")
    with pytest.raises(WrongBytesError):
        kept.lay_out("lamp", [("model.safetensors", SHA256)])
    assert not kept.place(SHA256).exists()
    assert not list(kept.place(SHA256).parent.iterdir()), "nothing half-fetched is left"


def test_fetch_that_broke_off_is_cleared_away(tmp_path: Path) -> None:
    kept = Storage(tmp_path)
    broken_off = kept.place(SHA256).with_name(f".{SHA256}.123")
    broken_off.parent.mkdir(parents=True)
    broken_off.write_bytes(b"half")
    kept.clear_broken_off(time.time() - 10)
    assert broken_off.exists()
    kept.clear_broken_off(time.time() + 10)
    assert not broken_off.exists()
