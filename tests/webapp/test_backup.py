"""A site in one file, and back: rows and files, in another folder, whole or not at all."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.webapp.conftest import MANIFEST, store
from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run, Sweep
from webapp.supervise import backup
from workers.protocol import archive

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(settings: Any, tmp_path: Path) -> Path:
    """With a person, a model within the data folder, a sweep, and a run whose branch came before it by its id."""
    settings.DATA = tmp_path / "old"
    model = settings.DATA / "trained" / "m"
    model.mkdir(parents=True)
    (model / "weights").write_bytes(b"w" * 5000)
    (settings.DATA / "captures").mkdir()
    (settings.DATA / "captures" / "kept").write_bytes(b"again")
    owner = Person.objects.create(username="ada")
    checkpoint = Checkpoint.objects.create(id="m", name="M", path=str(model), fingerprint="f", manifest=MANIFEST)
    parent = Run.objects.create(id="z" * 26, checkpoint=checkpoint, text="🙂 é", owner=owner)
    Run.objects.create(id="a" * 26, checkpoint=checkpoint, text="two", parent=parent)
    Run.objects.create(plan={"steps": 1}, sweep=Sweep.objects.create(kind="table3", plan={}))
    store(parent, "started")
    return Path(settings.DATA)


def emptied(settings: Any, data: Path) -> None:
    settings.DATA = data
    data.mkdir()
    for model in (Run, Sweep, Checkpoint, Person):
        model._base_manager.all().delete()


def test_site_comes_back_in_another_folder_with_all_rows_and_files(site: Path, settings: Any, tmp_path: Path) -> None:
    frames = list(archive.read(archive.folder(site, "z" * 26)))
    held = backup.back_up(tmp_path / "site.tar")
    emptied(settings, tmp_path / "new")
    assert backup.restore(tmp_path / "site.tar") == held
    run = Run.objects.get(pk="z" * 26)
    assert (run.text, run.owner and run.owner.username) == ("🙂 é", "ada")
    assert Run.objects.get(pk="a" * 26).parent == run and Run.objects.filter(sweep__kind="table3").exists()
    model = Path(Checkpoint.objects.get().path)
    assert model == settings.DATA / "trained" / "m" and (model / "weights").read_bytes() == b"w" * 5000
    assert list(archive.read(archive.folder(settings.DATA, "z" * 26))) == frames
    assert not (settings.DATA / "captures").exists()
    Person.objects.create(username="next")


def test_backup_overwrites_nothing_and_leaves_nothing_half_written(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.back_up(tmp_path / "site.tar")
    with pytest.raises(CommandError, match="is there already"):
        call_command("backup", str(tmp_path / "site.tar"))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_add", full)
    with pytest.raises(CommandError, match="No space left"):
        call_command("backup", str(tmp_path / "other.tar"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "site.tar"]


def test_restore_refuses_a_site_that_has_something(site: Path, tmp_path: Path) -> None:
    backup.back_up(tmp_path / "site.tar")
    with pytest.raises(CommandError, match="of its own"):
        call_command("restore", str(tmp_path / "site.tar"))


@pytest.mark.parametrize("harm", ["cut", "other", "newer", "climbs"])
def test_bad_backup_is_refused_and_no_row_is_left(harm: str, site: Path, settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "site.tar"
    if harm == "newer":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backup, "_migrations", lambda: ["runs.9999_from_tomorrow"])
            backup.back_up(file)
    else:
        backup.back_up(file)
    match harm:
        case "cut":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        case "other":
            file.write_bytes(b"hello")
        case "climbs":
            with tarfile.open(file, "a") as tar:
                member = tarfile.TarInfo("data/../../escaped")
                member.size = 1
                tar.addfile(member, io.BytesIO(b"x"))
    emptied(settings, tmp_path / "new")
    words = {"newer": "newer Headlight", "climbs": "no plain file"}.get(harm, "is no backup|is not whole")
    with pytest.raises(CommandError, match=words):
        call_command("restore", str(file))
    assert not Run.objects.exists() and not (tmp_path / "escaped").exists()
