"""Makes every archive that must be refused, and good ones to compare. None is kept in the repository."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.library.models import Files


@dataclass(frozen=True)
class BadArchive:
    """An archive as it is uploaded, made of a good model's files."""

    name: str
    code: str
    make: Callable[[Files], bytes]
    says: str = ""


def zipped(files: Files, *more: tuple[zipfile.ZipInfo | str, bytes], packed: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packed) as archive:
        for name, content in files.items():
            archive.writestr(f"model/{name}", content)
        for entry, content in more:
            archive.writestr(entry, content)
    return stream.getvalue()


def tarred(files: Files, *more: tarfile.TarInfo, mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(f"model/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, size
    return made


def _link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


def _overlapping(files: Files) -> bytes:
    """Two entries of the directory that name the same packed bytes."""
    raw = bytearray(zipped(files, ("model/a.txt", b"a" * 40), ("model/b.txt", b"a" * 40)))
    first, second = raw.find(b"model/a.txt"), raw.find(b"model/b.txt")
    directory_a, directory_b = raw.rfind(b"model/a.txt"), raw.rfind(b"model/b.txt")
    assert first < second < directory_a < directory_b
    raw[directory_b - 4 : directory_b] = raw[directory_a - 4 : directory_a]
    return bytes(raw)


def _many(files: Files) -> Iterator[tuple[str, bytes]]:
    return ((f"model/{n}.txt", b"") for n in range(2_001))


def _lying_size(files: Files) -> bytes:
    raw = bytearray(zipped(files))
    place = raw.rfind(b"model/config.json") - 46 + 24
    raw[place : place + 4] = struct.pack("<I", 10)
    return bytes(raw)


def _bad_checksum(files: Files) -> bytes:
    raw = bytearray(zipped(files))
    place = raw.find(files["config.json"][:40])
    raw[place + 5] ^= 1
    return bytes(raw)


def _with_bomb(files: Files) -> Files:
    """Weights that pack to a thousandth of their length."""
    return {**files, "model.safetensors": bytes(200 << 20)}


ARCHIVES = [
    BadArchive("zip that leads out", "unsafe_archive", lambda f: zipped(f, ("../evil.json", b"")), "leads out"),
    BadArchive("zip with an absolute name", "unsafe_archive", lambda f: zipped(f, ("/etc/passwd", b""))),
    BadArchive("zip with a drive's name", "unsafe_archive", lambda f: zipped(f, ("C:/evil", b""))),
    BadArchive("zip with a backslash", "unsafe_archive", lambda f: zipped(f, ("..\\evil", b""))),
    BadArchive(
        "zip with a link", "unsafe_archive", lambda f: zipped(f, (_link("model/l.json"), b"/etc/passwd")), "link"
    ),
    BadArchive("zip with a name twice", "unsafe_archive", lambda f: zipped(f, ("model/CONFIG.json", b"{}")), "twice"),
    BadArchive("zip with a ligature", "unsafe_archive", lambda f: zipped(f, ("model/con\ufb01g.json", b"{}"))),
    BadArchive("zip with a name that turns round", "unsafe_archive", lambda f: zipped(f, ("model/a\u202etxt", b""))),
    BadArchive("zip with a control character", "unsafe_archive", lambda f: zipped(f, ("model/a\x07", b""))),
    BadArchive("zip that is nine folders deep", "unsafe_archive", lambda f: zipped(f, ("a/" * 9 + "b", b""))),
    BadArchive("zip whose entries overlap", "unsafe_archive", _overlapping, "shares"),
    BadArchive("zip of 2,001 files", "archive_too_large", lambda f: zipped(f, *_many(f)), "2,000"),
    BadArchive("zip bomb", "archive_too_large", lambda f: zipped(_with_bomb(f), packed=zipfile.ZIP_DEFLATED)),
    BadArchive("zip with a size that lies", "unsafe_archive", _lying_size),
    BadArchive("zip with a wrong checksum", "unsafe_archive", _bad_checksum),
    BadArchive("zip that is cut", "unsafe_archive", lambda f: zipped(f)[:-30]),
    BadArchive("zip in LZMA", "unsafe_archive", lambda f: zipped(f, packed=zipfile.ZIP_LZMA)),
    BadArchive("zip without a model", "no_config", lambda f: zipped({"readme.txt": b"hello"})),
    BadArchive("zip of two models", "several_models", lambda f: zipped(f, ("other/config.json", b"{}"))),
    BadArchive("tar that leads out", "unsafe_archive", lambda f: tarred(f, member("model/../../evil.json", size=5))),
    BadArchive("tar with an absolute name", "unsafe_archive", lambda f: tarred(f, member("/etc/cron.d/evil", size=5))),
    BadArchive("tar with a link", "unsafe_archive", lambda f: tarred(f, member("model/l", tarfile.SYMTYPE, "/etc"))),
    BadArchive("tar with a hard link", "unsafe_archive", lambda f: tarred(f, member("model/l", tarfile.LNKTYPE, "x"))),
    BadArchive("tar with a device", "unsafe_archive", lambda f: tarred(f, member("model/d", tarfile.CHRTYPE))),
    BadArchive("tar with a pipe", "unsafe_archive", lambda f: tarred(f, member("model/p", tarfile.FIFOTYPE))),
    BadArchive("tar.gz bomb", "archive_too_large", lambda f: tarred(_with_bomb(f), mode="w:gz")),
    BadArchive("tar that is cut", "unsafe_archive", lambda f: tarred(f)[: len(f["config.json"]) + 700]),
    BadArchive("tar of 2,001 files", "archive_too_large", lambda f: tarred(f, *(member(str(n)) for n in range(2_001)))),
]
