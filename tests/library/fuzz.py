"""Coverage-guided fuzzing of what reads a stranger's files before anything large is loaded.

    pip install atheris==3.0.0
    python -m tests.library.fuzz headers -max_total_time=600      or: pickles, tars, zips, patterns

Each is given bytes and may read them or refuse them; any other end is a finding, which libFuzzer writes to a file.
Without atheris (it has no wheel for every machine) `try_out` runs a target on bytes of one's own.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType

from modelcore.checkpoints import json_object, pickle_table, pickled, safetensors_file, stored
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.json_object import parse_object
from modelcore.checkpoints.pickled import read_pickled
from modelcore.checkpoints.safetensors_file import read_header
from modelcore.inspection import archives, config_check, names, tokenizer_check
from modelcore.inspection.archives import is_archive, unpack
from modelcore.inspection.tokenizer_check import check_tokenizer, require_tame
from tests.library.models import Files

LIMIT_BYTES = 1 << 20
MODULES = [json_object, pickle_table, pickled, safetensors_file, stored]
MODULES += [archives, config_check, names, tokenizer_check, zipfile]


def headers(file: Path) -> None:
    for tensor in read_header(file):
        assert tensor.end <= file.stat().st_size


def pickles(file: Path) -> None:
    for tensor in read_pickled(file):
        assert 0 <= tensor.start <= tensor.end <= file.stat().st_size


def tars(file: Path) -> None:
    _unpack(file)


def zips(file: Path) -> None:
    _unpack(file)


def configs(file: Path) -> None:
    values = parse_object("config.json", file.read_bytes())
    config_check.require_possible(values)
    config_check.without_code(values)


def tokenizers(file: Path) -> None:
    check_tokenizer(file)


def patterns(file: Path) -> None:
    require_tame(file.read_bytes().decode("utf-8", "replace"), "pattern")


def _unpack(file: Path) -> None:
    came = 0

    def put(name: str, pieces: Iterator[bytes]) -> None:
        nonlocal came
        assert "/" not in name and ".." not in name
        came += sum(map(len, pieces))

    if is_archive(file):
        unpack(file, LIMIT_BYTES, put)
    assert came <= LIMIT_BYTES


TARGETS: dict[str, Callable[[Path], None]] = {
    target.__name__: target for target in (headers, pickles, tars, zips, configs, tokenizers, patterns)
}


def try_out(target: Callable[[Path], None], file: Path, raw: bytes) -> None:
    """Raises: whatever is no refusal."""
    file.write_bytes(raw)
    try:
        target(file)
    except CheckpointError as refused:
        assert str(refused)


def seeds(name: str, files: Files) -> list[bytes]:
    """Good files of the kind that a target reads, for a corpus to begin with."""
    from tests.library.bad_archives import tarred, zipped
    from tests.library.bad_files import pickled

    small = {"config.json": b"{}", "model.safetensors": files["model.safetensors"][:400]}
    made = pickled(lambda state: dict(list(state.items())[:2]))(files)["pytorch_model.bin"]
    old = pickled(lambda state: dict(list(state.items())[:2]), _use_new_zipfile_serialization=False)(files)
    return {
        "headers": [files["model.safetensors"], b"\x02\0\0\0\0\0\0\0{}"],
        "pickles": [made, old["pytorch_model.bin"]],
        "tars": [tarred(small), tarred(small, mode="w:gz")],
        "zips": [zipped(small), zipped(small, packed=zipfile.ZIP_DEFLATED)],
        "configs": [files["config.json"]],
        "tokenizers": [files["tokenizer.json"]],
        "patterns": [rb"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+|\s+(?!\S)|\s+", rb"(a+)+$"],
    }[name]


def _ours() -> Iterator[FunctionType]:
    """Every function whose branches are followed: those of the readers, and not those of torch."""
    for module in MODULES:
        for value in list(vars(module).values()):
            held = vars(value).values() if isinstance(value, type) else [value]
            yield from (f for f in held if isinstance(f, FunctionType) and f.__module__ == module.__name__)


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"Name a target: {', '.join(TARGETS)}. Options of libFuzzer follow it.")
    import atheris

    from tests.library.models import good

    name = sys.argv.pop(1)
    found = seeds(name, good())
    for function in _ours():
        atheris.instrument_func(function)
    with TemporaryDirectory() as folder:
        corpus, file = Path(folder) / "corpus", Path(folder) / "file"
        corpus.mkdir()
        for number, seed in enumerate(found):
            (corpus / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, str(corpus)], lambda raw: try_out(TARGETS[name], file, raw))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
