"""A zip of labelled pictures: read where it is well made, refused in words whatever else somebody packed."""

from __future__ import annotations

import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelcore.training import picture_zip
from modelcore.training.assignments import Given, assignment_of
from modelcore.training.picture_zip import read_picture_zip
from modelcore.training.plan import PlanError, TrainingPlan
from tests.modelcore import zips
from tests.modelcore.zips import packed, png

GOOD = {"cats/1.png": png(10), "cats/2.png": png(11), "dogs/1.png": png(200), "dogs/2.png": png(201)}


def read(path: Path) -> list[tuple[str, str]]:
    return [(one.label, one.name) for one in read_picture_zip(path)]


def refusal(path: Path) -> str:
    with pytest.raises(PlanError) as refused:
        read(path)
    assert refused.value.field == "pictures" and refused.value.message.endswith("."), refused.value.message
    return refused.value.message


@pytest.mark.parametrize("top", ["", "mine/"])
def test_folder_is_the_label_also_within_one_folder(top: str, tmp_path: Path) -> None:
    path = packed(tmp_path / "z", {top + name: content for name, content in GOOD.items()})
    assert read(path) == [
        ("cats", f"{top}cats/1.png"),
        ("cats", f"{top}cats/2.png"),
        ("dogs", f"{top}dogs/1.png"),
        ("dogs", f"{top}dogs/2.png"),
    ]


def test_what_systems_leave_beside_is_passed_over(tmp_path: Path) -> None:
    left = {"__MACOSX/cats/._1.png": b"x", "cats/.DS_Store": b"x", "dogs/Thumbs.db": b"x", "cats/._1.png": b"x"}
    assert len(read(packed(tmp_path / "z", GOOD | left))) == 4


def test_copy_of_a_picture_counts_once_and_under_another_label_is_refused(tmp_path: Path) -> None:
    """A copy would be learned and asked for; under two labels it has no answer."""
    assert len(read(packed(tmp_path / "z", GOOD | {"cats/3.png": png(10)}))) == 4
    assert "the same picture as cats/1.png" in refusal(packed(tmp_path / "z", GOOD | {"dogs/3.png": png(10)}))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../cats/3.png", "leads out"),
        ("/cats/3.png", "leads out"),
        ("cats/../../3.png", "leads out"),
        ("cats\\3.png", "leads out"),
        ("c:cats/3.png", "leads out"),
        ("3.png", "not in a folder"),
        ("cats/more/3.png", "not in a folder"),
        (f"{'x' * 101}/3.png", "no label"),
        ("c\x07ts/3.png", "no label"),
    ],
)
def test_path_that_is_no_label_and_picture_is_refused(name: str, said: str, tmp_path: Path) -> None:
    message = refusal(packed(tmp_path / "z", GOOD | {name: png(3)}))
    assert said in message and message.isprintable()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no picture that can be read"),
        (b"MZ" + bytes(300), "no picture that can be read"),
        (png(5)[:40], "no picture that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture that can be read"),
        (png(5, (2001, 2000)), "2,001 × 2,000 pixels"),
        (b"BM" + bytes(3_000_000), "unpacks to 3,000,002 bytes"),
    ],
)
def test_file_that_is_no_modest_picture_is_refused_by_its_name(content: bytes, said: str, tmp_path: Path) -> None:
    message = refusal(packed(tmp_path / "z", GOOD | {"cats/bad.png": content}))
    assert said in message and "cats/bad.png" in message


def test_link_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "z", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("cats/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert "is a link" in refusal(path)


def test_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "z", GOOD)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("cats/1.png", png(3))
    assert "twice" in refusal(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_ways_of_packing_that_may_ask_for_all_memory_are_refused(method: int, tmp_path: Path) -> None:
    path = packed(tmp_path / "z", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("cats/3.png", png(3), compress_type=method)
    assert "packed in a way" in refusal(path)


def test_locked_zip_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "z", GOOD)
    content = path.read_bytes().replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    path.write_bytes(content)
    assert "password" in refusal(path)


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ("MOST_BYTES", 100, "longer than"),
        ("MOST_FILES", 3, "at most 3"),
        ("MOST_UNPACKED_BYTES", 200, "Unpacked"),
        ("MOST_PICTURE_BYTES", 20, "unpacks to"),
        ("MOST_PIXELS_IN_ALL", 100, "together"),
        ("MOST_DIRECTORY_BYTES", 50, "too many files"),
    ],
)
def test_limits_are_told(limit: str, value: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_zip, limit, value)
    assert said in refusal(packed(tmp_path / "z", GOOD))


def test_directory_that_is_said_to_be_short_is_not_read_beyond_that(tmp_path: Path) -> None:
    """The longer form of a zip names its directory's length elsewhere; no zip of 64 MB needs it."""
    path = packed(tmp_path / "z", GOOD)
    content = path.read_bytes()
    at = content.rfind(b"PK\x05\x06")
    longer = content[:at] + struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1) + content[at:]
    path.write_bytes(longer)
    assert "too many files" in refusal(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content, at: content[:at],
        lambda content, at: content[:at] + b"\xff" * 9 + content[at + 9 :],
        lambda content, at: content[at:],
        lambda content, at: b"PK\x03\x04" + content[at:],
    ],
)
def test_broken_zip_is_refused_wherever_it_is_broken(spoil: Callable[[bytes, int], bytes], tmp_path: Path) -> None:
    whole = packed(tmp_path / "z", GOOD).read_bytes()
    chance = random.Random(0)
    for _ in range(60):
        path = tmp_path / "broken"
        path.write_bytes(spoil(whole, chance.randrange(len(whole))))
        try:
            read(path)
        except PlanError as refused:
            assert refused.field == "pictures" and refused.message.endswith(".")


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"no zip at all, but rather long" * 9])
def test_what_is_no_zip_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "z").write_bytes(content)
    with pytest.raises(PlanError) as refused:
        assignment_of(TrainingPlan(assignment="images", pictures="z"), Given(pictures=tmp_path / "z"))
    assert refused.value.field == "pictures"


@pytest.mark.parametrize(
    ("shades", "said"),
    [
        ({"cats": range(9)}, "one label or none"),
        ({"cats": range(9), "dogs": [100]}, "The folder dogs has one picture"),
        ({f"label {n}": [n] for n in range(201)}, "201 labels"),
    ],
)
def test_too_little_to_tell_apart_is_refused(shades: Any, said: str, tmp_path: Path) -> None:
    path = zips.picture_zip(tmp_path / "z", shades)
    with pytest.raises(PlanError, match=said):
        assignment_of(TrainingPlan(assignment="images", pictures="z"), Given(pictures=path))
