"""What somebody brings is looked through in a process of its own: good models are ready, each bad file is refused."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.library.bad_archives import ARCHIVES, BadArchive, tarred, zipped
from tests.library.bad_files import CANARY, CONFIGS, PICKLES, SAFETENSORS, TOKENIZERS, Bad, config, pickled
from tests.library.models import Files, good
from webapp.library import inspection
from webapp.library.inspection import Ready, Refusal, inspect

# As promised; a loaded machine is slow, not wrong.
VERDICT_S = 30.0


def look_through(folder: Path, files: Files) -> Ready | Refusal:
    """Lays the files where an upload would have, under names of the site, and has them inspected."""
    parts = folder / "parts"
    parts.mkdir()
    brought = []
    for number, (name, content) in enumerate(files.items()):
        (parts / str(number)).write_bytes(content)
        brought.append((name, parts / str(number)))
    return inspect(folder, brought, limit_bytes=1 << 30)


def ready(folder: Path, files: Files) -> Ready:
    found = look_through(folder, files)
    assert isinstance(found, Ready), found
    return found


@pytest.mark.parametrize("bad", [*SAFETENSORS, *PICKLES, *CONFIGS, *TOKENIZERS], ids=lambda bad: bad.name)
def test_bad_file_is_refused_in_one_sentence(tmp_path: Path, bad: Bad) -> None:
    began = time.monotonic()
    found = look_through(tmp_path, bad.make(good()))
    assert isinstance(found, Refusal), found
    assert found.code == bad.code, found
    assert len(found.message) <= 300 and found.message.endswith(".") and found.message.isprintable()
    assert "/" not in found.message.replace("label_", "") or "<" in found.message, "no path of this machine is told"
    assert bad.field is None or found.field == bad.field
    assert bad.says in found.message
    assert time.monotonic() - began < VERDICT_S
    assert not Path(CANARY).exists()


@pytest.mark.parametrize("bad", ARCHIVES, ids=lambda bad: bad.name)
def test_bad_archive_is_refused_and_nothing_is_written_outside(tmp_path: Path, bad: BadArchive) -> None:
    folder = tmp_path / "arrival"
    folder.mkdir()
    found = look_through(folder, {"brought.zip": bad.make(good())})
    assert isinstance(found, Refusal), found
    assert found.code == bad.code, found
    assert len(found.message) <= 300 and found.message.isprintable()
    assert bad.says in found.message
    assert os.listdir(tmp_path) == ["arrival"]
    assert set(os.listdir(folder)) <= {"parts", "model"}


def test_good_folder_is_ready_with_its_manifest(tmp_path: Path) -> None:
    found = ready(tmp_path, {f"my model/{name}": content for name, content in good().items()})
    manifest = found.manifest
    assert (manifest["family"], manifest["layers"], manifest["heads"], manifest["dtype"]) == ("gpt2", 2, 2, "F32")
    assert manifest["memory_bytes"]["float32"] == 4 * manifest["parameters"]
    assert found.files == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == good()["model.safetensors"]


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, mode="w:gz")])
def test_archive_of_a_good_folder_is_as_good(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    found = ready(tmp_path, {"brought": pack({**good(), "LICENSE": b"Do as you like.\n", "train.py": b"import os"})})
    assert found.files == ["config.json", "model.safetensors", "tokenizer.json"]
    assert found.licence == "Do as you like."
    assert any("train.py" in note for note in found.notes)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
@pytest.mark.parametrize("is_zip", [True, False])
def test_pickled_weights_become_safetensors(tmp_path: Path, name: str, is_zip: bool) -> None:
    files = pickled(lambda state: state, name, _use_new_zipfile_serialization=is_zip)(good())
    found = ready(tmp_path, files)
    assert found.files == ["config.json", "model.safetensors", "tokenizer.json"]
    with safe_open(tmp_path / "model" / "model.safetensors", "pt") as weights:
        assert len(weights.keys()) > 10


def test_code_that_a_config_names_is_left_out_and_said_so(tmp_path: Path) -> None:
    changed = config(auto_map={"AutoModel": "evil.py"}, _attn_implementation="user/repo")(good())
    found = ready(tmp_path, changed)
    kept = json.loads((tmp_path / "model" / "config.json").read_text())
    assert not {"auto_map", "_attn_implementation"} & kept.keys()
    assert any("never run" in note for note in found.notes)


def test_shards_without_an_index_get_one(tmp_path: Path) -> None:
    from safetensors.torch import load, save

    state = load(good()["model.safetensors"])
    half = dict(list(state.items())[: len(state) // 2])
    rest = {name: tensor for name, tensor in state.items() if name not in half}
    files = {name: content for name, content in good().items() if name != "model.safetensors"}
    files |= {"model-1.safetensors": save(half), "model-2.safetensors": save(rest)}
    found = ready(tmp_path, files)
    assert "model.safetensors.index.json" in found.files


def test_what_takes_too_long_is_stopped_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "TOKENIZER_S", 0.001)
    found = look_through(tmp_path, good())
    assert isinstance(found, Refusal) and found.code == "bad_tokenizer"
    assert found.message.startswith("Trying the tokenizer took longer than")


def test_inspection_can_open_neither_the_sites_files_nor_a_connection(tmp_path: Path) -> None:
    """As a pickle that did run would find itself."""
    import subprocess
    import sys

    secret = tmp_path / "secret"
    secret.write_text("key")
    (tmp_path / "own").mkdir()
    code = f"""
import ctypes, os, pathlib
from modelcore.inspection.confine import Limits, confine
walls = confine(Limits(), writes=[pathlib.Path({str(tmp_path / "own")!r})])
def tried(act):
    try: act(); return "done"
    except (OSError, MemoryError) as error: return type(error).__name__
import socket
libc = ctypes.CDLL(None)
print([walls, tried(lambda: open({str(secret)!r})), tried(lambda: open({str(tmp_path / "new")!r}, "w")),
       tried(socket.socket), libc.socket(2, 1, 0), tried(lambda: os.execv("/bin/true", ["true"])),
       tried(lambda: bytearray(2 << 30)), tried(lambda: open({str(tmp_path / "own" / "x")!r}, "w"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PATH": ""})
    denied = "PermissionError"
    expected = [["limits", "disk", "calls"], denied, denied, denied, -1, denied, "MemoryError", "done"]
    assert done.stdout.strip() == str(expected)
