"""Unpacks a zip or a tar that may have been made to do harm: regular files only, so many bytes and no more.

Python's `tarfile` wrote outside its folder in spite of its filter (CVE-2025-4517), so tar is read here, header by
header. Of a zip, `zipfile` reads the directory, and where entries lie and what they hold is checked here. Nothing is
ever written under a name that an archive chose.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar's manual, "Basic Tar Format";
PKWARE's APPNOTE.TXT.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from modelcore.checkpoints.error import CheckpointError
from modelcore.inspection.names import choose, require_distinct, require_sound, unsafe

FILES_LIMIT = 2_000
# Whatever an archive holds may be so many times as long as it is, once there is as much as this.
RATIO_LIMIT, RATIO_FROM_BYTES = 20, 64 << 20
PIECE_BYTES = 1 << 20

_BLOCK = 512
_LONG_NAME_LIMIT, _PAX_LIMIT = 4096, 65_536
_GZIP, _ZIP, _EMPTY_ZIP = b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06"

# Puts one file of the archive, given in pieces, somewhere.
Put = Callable[[str, Iterator[bytes]], None]


class _Readable(Protocol):
    def read(self, count: int, /) -> bytes: ...


def is_archive(file: Path) -> bool:
    """Whether this is a zip, a tar or a tar.gz. The zips that torch writes are none of those."""
    with file.open("rb") as stream:
        head = stream.read(_BLOCK)
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        return not _is_torch(file)
    return head.startswith(_GZIP) or _is_tar(head)


def unpack(file: Path, limit_bytes: int, put: Put) -> list[str]:
    """Gives each file that makes the model to `put`, and returns the names of all others.

    Raises: CheckpointError, `unsafe_archive` naming the entry, or `archive_too_large`.
    """
    count = _Count(file.stat().st_size, limit_bytes)
    with file.open("rb") as stream:
        head = stream.read(_BLOCK)
        stream.seek(0)
        if head.startswith((_ZIP, _EMPTY_ZIP)):
            return _unpack_zip(stream, count, put)
        # Read twice: what is kept depends on all the names.
        names = [name for name, _ in _tar_files(_opened(stream, head, count), count)]
        require_distinct(names)
        kept = choose(names)
        stream.seek(0)
        count.start_again()
        for name, pieces in _tar_files(_opened(stream, head, count), count):
            if name in kept.kept:
                put(kept.kept[name], pieces)
        return kept.left_out


@dataclass
class _Count:
    """How many bytes and files came out, and when that is too many."""

    packed_bytes: int
    limit_bytes: int
    bytes_out: int = 0
    files: int = 0

    def start_again(self) -> None:
        self.bytes_out = self.files = 0

    def file(self) -> None:
        self.files += 1
        if self.files > FILES_LIMIT:
            raise _too_large(f"The archive holds more than {FILES_LIMIT:,} files.", FILES_LIMIT)

    def came_out(self, count: int) -> None:
        self.bytes_out += count
        if self.bytes_out > self.limit_bytes:
            raise _too_large(f"What the archive holds is longer than {self.limit_bytes:,} bytes.", self.limit_bytes)
        if self.bytes_out > max(RATIO_FROM_BYTES, RATIO_LIMIT * self.packed_bytes):
            raise _too_large(
                f"The archive unpacks to more than {RATIO_LIMIT} times its length; no model does.", RATIO_LIMIT
            )


def _too_large(message: str, limit: int) -> CheckpointError:
    return CheckpointError(message, code="archive_too_large", limit=limit)


def _damaged() -> CheckpointError:
    return CheckpointError("The archive is cut short or damaged. Pack it again.", code="unsafe_archive")


# --- Zip -------------------------------------------------------------------------------------------------------------


def _is_torch(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.partition("/")[2] == "data.pkl" for name in archive.namelist()[:FILES_LIMIT])
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return False


def _unpack_zip(stream: IO[bytes], count: _Count, put: Put) -> list[str]:
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = {require_sound(entry.filename): entry for entry in archive.infolist() if _is_file(entry, count)}
            require_distinct(require_sound(e.filename) for e in archive.infolist() if not e.is_dir())
            _require_apart(list(entries.values()), count.packed_bytes)
            chosen = choose(entries)
            for name, kept in chosen.kept.items():
                put(kept, _zip_pieces(archive, entries[name], count))
            return chosen.left_out
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, (CheckpointError, OSError)) and not isinstance(error, EOFError):
            raise
        raise _damaged() from error


def _is_file(entry: zipfile.ZipInfo, count: _Count) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise unsafe(entry.filename, "is a link or a device, not a file")
    require_sound(entry.filename)
    count.file()
    if entry.is_dir():
        return False
    if entry.flag_bits & 0x1:
        raise unsafe(entry.filename, "is encrypted; pack it without a password")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise unsafe(entry.filename, "is packed in a way that is not read; use plain zip")
    if entry.file_size > count.limit_bytes:
        raise _too_large(f"What the archive holds is longer than {count.limit_bytes:,} bytes.", count.limit_bytes)
    return True


def _require_apart(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Entries that share their packed bytes unpack to more than any length of them tells."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end or entry.header_offset + entry.compress_size > size:
            raise unsafe(entry.filename, "shares its bytes with another one")
        end = entry.header_offset + entry.compress_size


def _zip_pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, count: _Count) -> Iterator[bytes]:
    with archive.open(entry) as packed:
        came = 0
        while piece := packed.read(PIECE_BYTES):
            came += len(piece)
            count.came_out(len(piece))
            yield piece
        if came != entry.file_size:
            raise unsafe(entry.filename, "is not as long as the archive says")


# --- Tar -------------------------------------------------------------------------------------------------------------


class _Unzipped:
    """A gzip's content, piece by piece, counted."""

    def __init__(self, stream: IO[bytes], count: _Count) -> None:
        self._stream, self._count = stream, count
        self._unzip = zlib.decompressobj(wbits=31)
        self._ready = b""

    def read(self, wanted: int) -> bytes:
        while len(self._ready) < wanted:
            packed = self._unzip.unconsumed_tail or self._stream.read(65_536)
            if not packed or self._unzip.eof:
                break
            try:
                piece = self._unzip.decompress(packed, PIECE_BYTES)
            except zlib.error as error:
                raise _damaged() from error
            self._count.came_out(len(piece))
            self._ready += piece
        taken, self._ready = self._ready[:wanted], self._ready[wanted:]
        return taken


def _opened(stream: IO[bytes], head: bytes, count: _Count) -> _Readable:
    return _Unzipped(stream, count) if head.startswith(_GZIP) else stream


def _is_tar(head: bytes) -> bool:
    return len(head) == _BLOCK and head[257:262] == b"ustar" and _checksum_holds(head)


def _checksum_holds(head: bytes) -> bool:
    blank = head[:148] + b" " * 8 + head[156:]
    return _octal(head[148:156]) == sum(blank)


def _tar_files(stream: _Readable, count: _Count) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each regular file's name, and its content, of which what is not taken is passed over."""
    long_name: str | None = None
    long_size: int | None = None
    while True:
        head = stream.read(_BLOCK)
        if not head.strip(b"\0"):
            return
        if len(head) != _BLOCK or not _checksum_holds(head):
            raise _damaged()
        kind, size = head[156:157], _octal(head[124:136])
        if kind in (b"L", b"x", b"g"):
            told = _short_content(stream, size, _LONG_NAME_LIMIT if kind == b"L" else _PAX_LIMIT)
            if kind == b"L":
                long_name = _text(told.rstrip(b"\0"))
            elif kind == b"x":
                long_name, long_size = _of_pax(told, long_name)
            continue
        name = require_sound(long_name or _name(head))
        size = size if long_size is None else long_size
        long_name = long_size = None
        count.file()
        if kind == b"5":
            continue
        if kind not in (b"0", b"\0"):
            raise unsafe(name, "is a link or a device, not a file")
        if size > count.limit_bytes:
            raise _too_large(f"What the archive holds is longer than {count.limit_bytes:,} bytes.", count.limit_bytes)
        pieces = _content(stream, size)
        yield name, pieces
        for _ in pieces:
            pass


def _content(stream: _Readable, size: int) -> Iterator[bytes]:
    """So many bytes, and behind them what fills their last block."""
    left = size
    while left:
        piece = stream.read(min(left, PIECE_BYTES))
        if not piece:
            raise _damaged()
        left -= len(piece)
        yield piece
    if size % _BLOCK and len(stream.read(_BLOCK - size % _BLOCK)) != _BLOCK - size % _BLOCK:
        raise _damaged()


def _short_content(stream: _Readable, size: int, limit: int) -> bytes:
    if size > limit:
        raise _damaged()
    return b"".join(_content(stream, size))


def _of_pax(told: bytes, name: str | None) -> tuple[str | None, int | None]:
    """Path and size of a pax header: lines "LENGTH KEY=VALUE\\n"."""
    size = None
    while told:
        length, _, _ = told.partition(b" ")
        if not length.isdigit() or not len(length) < int(length[:6]) <= len(told):
            raise _damaged()
        line, told = told[len(length) + 1 : int(length[:6])], told[int(length[:6]) :]
        key, _, value = line.rstrip(b"\n").partition(b"=")
        if key == b"path":
            name = _text(value)
        elif key == b"size":
            if not value.isdigit() or len(value) > 18:
                raise _damaged()
            size = int(value)
        elif key.startswith(b"GNU.sparse"):
            raise unsafe(name or "?", "is stored with holes; pack it without --sparse")
    return name, size


def _name(head: bytes) -> str:
    name, prefix = head[:100].split(b"\0")[0], head[345:500].split(b"\0")[0]
    # GNU's older format has other things where the prefix is.
    return _text(prefix + b"/" + name if prefix and head[257:263] == b"ustar\0" else name)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _damaged() from None


def _octal(field: bytes) -> int:
    if field[:1] == b"\x80":  # GNU's way for files of 8 GB and more.
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not all(digit in b"01234567" for digit in digits):
        raise _damaged()
    return int(digits or b"0", 8)
