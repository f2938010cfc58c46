"""Zips of small pictures, well made and otherwise."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image


def png(shade: int, size: tuple[int, int] = (6, 6)) -> bytes:
    """A picture of one shade of grey."""
    file = io.BytesIO()
    Image.new("L", size, shade).save(file, "PNG")
    return file.getvalue()


def picture_zip(path: Path, shades: Mapping[str, Iterable[int]]) -> Path:
    """For each label a folder of pictures, one for each shade."""
    return packed(path, {f"{label}/{shade}.png": png(shade) for label, these in shades.items() for shade in these})


def packed(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
