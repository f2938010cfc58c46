"""Labelled pictures in a zip of the user's, a folder for each label. Anybody may have made it, so nothing is believed:
nothing is unpacked to the disk, and what is too many, too long or not what it says is refused before it is read.

    cats/1.png  cats/2.jpg  dogs/1.png        or the same within one folder
"""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from modelcore.analysis.picture import decode
from modelcore.analysis.request import RequestError
from modelcore.training.plan import PlanError

MOST_BYTES = 64 << 20
MOST_FILES = 20_000
MOST_DIRECTORY_BYTES = 4 << 20
MOST_UNPACKED_BYTES = 512 << 20
MOST_PICTURE_BYTES = 16 << 20
# Pictures are compressed already: of real ones deflate takes a few percent, of a bitmap of drawn lines nine tenths.
MOST_RATIO = 100
MOST_PIXELS = 4_000_000
MOST_PIXELS_IN_ALL = 2_000_000_000
MOST_LABELS = 200
LONGEST_LABEL = 100
FEWEST_OF_A_LABEL = 2

# What operating systems and their archivers put beside one's files.
LEFT_BY_SYSTEMS = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
# PKWARE's APPNOTE.TXT, 4.3.16 and 4.3.15: the record that a zip ends with, and the mark of its longer form before it.
END_RECORD, END_MARK, LONG_MARK = struct.Struct("<4s4H2IH"), b"PK\x05\x06", b"PK\x06\x07"
LONG_MARK_BYTES = 20
LONGEST_COMMENT = 0xFFFF
ENCRYPTED = 0x1


@dataclass(frozen=True)
class LabelledPicture:
    """`name` is its path in the zip."""

    name: str
    label: str
    picture: Image.Image


def read_picture_zip(file: Path) -> Iterator[LabelledPicture]:
    """Decoded one by one, in the order of their names; a picture that comes twice under one label comes once.

    Raises: PlanError that names the file in the zip and says what is allowed.
    """
    if not file.is_file():
        raise _refused("The zip is gone; send it again.")
    if file.stat().st_size > MOST_BYTES:
        raise _refused(f"The zip is longer than {MOST_BYTES:,} bytes; make the pictures smaller.", MOST_BYTES)
    content = file.read_bytes()
    _require_short_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from _pictures(archive)
    except PlanError:
        raise
    except Exception as error:  # zipfile meets whatever bytes somebody made up, and fails in many ways
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            raise  # This is the machine's fault, not the zip's.
        raise _refused("This is no zip that can be read; pack the folders again.") from error


def _pictures(archive: zipfile.ZipFile) -> Iterator[LabelledPicture]:
    labels = _labels(archive.infolist())
    label_of_bytes: dict[bytes, tuple[str, str]] = {}
    unpacked = pixels = 0
    for entry, label in labels:
        content = _unpack(archive, entry)
        unpacked += len(content)
        if unpacked > MOST_UNPACKED_BYTES:
            raise _too_long_unpacked()
        digest = hashlib.sha256(content).digest()
        if digest in label_of_bytes:
            name, before = label_of_bytes[digest]
            if before != label:
                raise _refused(f"{_shown(entry)} is the same picture as {name}, under another label; keep one of them.")
            continue
        label_of_bytes[digest] = _shown(entry), label
        picture = _decode(content, entry)
        pixels += picture.width * picture.height
        if pixels > MOST_PIXELS_IN_ALL:
            raise _refused(f"All pictures together may have {MOST_PIXELS_IN_ALL:,} pixels; make them smaller.")
        yield LabelledPicture(_shown(entry), label, picture)


def _labels(entries: list[zipfile.ZipInfo]) -> list[tuple[zipfile.ZipInfo, str]]:
    """The pictures' entries with their labels, by name, all checked before one is read."""
    if len(entries) > MOST_FILES:
        raise _refused(f"The zip holds {len(entries):,} files; at most {MOST_FILES:,} are read.", MOST_FILES)
    names: set[str] = set()
    found: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    for entry in entries:
        if entry.filename in names:
            raise _refused(f"{_shown(entry)} is in the zip twice; pack it again.")
        names.add(entry.filename)
        path = _safe_path(entry)
        if not entry.is_dir() and not any(part in LEFT_BY_SYSTEMS or part.startswith("._") for part in path.parts):
            found.append((entry, path))
    if sum(entry.file_size for entry, _ in found) > MOST_UNPACKED_BYTES:
        raise _too_long_unpacked()
    tops = {path.parts[0] for _, path in found}
    # Packed as one folder that holds those of the labels, or as those.
    depth = 3 if len(tops) == 1 and all(len(path.parts) == 3 for _, path in found) else 2
    for entry, path in found:
        if len(path.parts) != depth:
            raise _refused(f"{_shown(entry)} is not in a folder of its label, as in cats/1.png; pack it so.")
    return sorted(((entry, _label(path.parts[-2], entry)) for entry, path in found), key=lambda of: of[0].filename)


def _safe_path(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Nothing is written to a path of the zip; one that leads elsewhere was made to do harm, all the same."""
    path = PurePosixPath(entry.filename)
    # ZipInfo.filename ends at a zero byte, and has slashes for what the zip may have written otherwise.
    original = entry.orig_filename
    leads_out = path.is_absolute() or ".." in path.parts or "\\" in original or "\0" in original or ":" in original
    if leads_out or not path.parts:
        raise _refused(f"{_shown(entry)} leads out of the zip; pack the folders of labels alone.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refused(f"{_shown(entry)} is a link or no file at all; pack the pictures themselves.")
    # Of the others one asks for a dictionary of up to 4 GB before it has unpacked a byte.
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(f"{_shown(entry)} is packed in a way that is not read; pack it as zips usually are.")
    if entry.flag_bits & ENCRYPTED:
        raise _refused(f"{_shown(entry)} is locked by a password; pack it without one.")
    return path


def _label(name: str, entry: zipfile.ZipInfo) -> str:
    if len(name) > LONGEST_LABEL or not name.isprintable():
        raise _refused(f"The folder of {_shown(entry)} is no label: at most {LONGEST_LABEL} letters that can be read.")
    return name


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Reads no more than the limit, whatever the directory says."""
    most = min(MOST_PICTURE_BYTES, max(1 << 20, entry.compress_size * MOST_RATIO))
    if entry.file_size > most:
        raise _refused(
            f"{_shown(entry)} unpacks to {entry.file_size:,} bytes; of one as short at most {most:,} are read.", most
        )
    with archive.open(entry) as opened:
        content = opened.read(most + 1)
    if len(content) != entry.file_size:
        raise _refused(f"{_shown(entry)} is not as long as the zip says; pack it again.")
    return content


def _decode(content: bytes, entry: zipfile.ZipInfo) -> Image.Image:
    try:
        return decode(content, "RGB", _shown(entry), most_pixels=MOST_PIXELS)
    except RequestError as error:
        raise _refused(error.message) from error


def _require_short_directory(content: bytes) -> None:
    """A directory is read whole, and each entry becomes an object of some hundred bytes.

    The record that tells its length is found as `zipfile` finds it.
    """
    tail = content[-END_RECORD.size :]
    if len(tail) < END_RECORD.size:
        raise _refused("This is no zip; pack folders of pictures, one folder for each label.")
    at = len(content) - END_RECORD.size
    if tail[:4] != END_MARK or tail[-2:] != b"\0\0":
        at = content.rfind(END_MARK, max(0, len(content) - LONGEST_COMMENT - END_RECORD.size))
        if at < 0 or at + END_RECORD.size > len(content):
            raise _refused("This is no zip; pack folders of pictures, one folder for each label.")
    length = END_RECORD.unpack_from(content, at)[5]
    if content[max(0, at - LONG_MARK_BYTES) :][:4] == LONG_MARK or length > MOST_DIRECTORY_BYTES:
        raise _refused(f"The zip holds too many files; at most {MOST_FILES:,} are read.", MOST_FILES)


def _shown(entry: zipfile.ZipInfo) -> str:
    name = "".join(character if character.isprintable() else "�" for character in entry.filename)
    return name if len(name) <= LONGEST_LABEL else f"…{name[-LONGEST_LABEL:]}"


def _too_long_unpacked() -> PlanError:
    return _refused(f"Unpacked, the zip has more than {MOST_UNPACKED_BYTES:,} bytes; make the pictures smaller.")


def _refused(message: str, limit: float | None = None) -> PlanError:
    return PlanError("pictures", message, limit)
