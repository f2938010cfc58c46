"""The files of weights: which format each has whatever its name, and what their headers say. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.json_object import read_json_object
from modelcore.checkpoints.pickled import read_pickled
from modelcore.checkpoints.safetensors_file import read_header
from modelcore.checkpoints.stored import StoredTensor

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FILES_LIMIT = 1_000
INDEX_LIMIT_BYTES = 16 << 20
# A pickle that names the same bytes again and again becomes longer when each tensor gets its own.
GROWTH_LIMIT, GROWTH_FROM_BYTES = 2, 64 << 20


def is_pickle(file: Path) -> bool:
    """By how it begins: a zip, or a pickle of a protocol; behind eight bytes of length a header begins with a brace."""
    with file.open("rb") as stream:
        head = stream.read(9)
    return head.startswith(b"PK\x03\x04") or (head[:1] == b"\x80" and head[1:2] <= b"\x05" and head[8:9] != b"{")


def _begins_with_a_header(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(9)[8:] == b"{"


def chosen_weights(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Those that are read, and those that are left out: safetensors are taken where both kinds are there.

    Raises: CheckpointError where there are none, or a pickle calls itself safetensors.
    """
    if len(files) > FILES_LIMIT:
        raise CheckpointError(
            f"The weights are in {len(files):,} files; at most {FILES_LIMIT:,} are read.", limit=FILES_LIMIT
        )
    named = [file for file in files if file.suffix == ".safetensors"]
    for file in named:
        if is_pickle(file):
            raise CheckpointError(
                f"{file.name} is a pickle that calls itself safetensors. Save the weights as safetensors.",
                code="unsafe_pickle",
                field=file.name,
            )
    others = [file for file in files if file.suffix != ".safetensors"]
    if named:
        return named, others
    if not others:
        raise CheckpointError("There are no weights beside config.json. Add model.safetensors.", code="no_weights")
    return others, []


def read_headers(files: Sequence[Path]) -> dict[str, StoredTensor]:
    """Every tensor of these files by name, each once. Raises: CheckpointError."""
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        pickled = file.suffix != ".safetensors" and not _begins_with_a_header(file)
        for tensor in _header(file, pickled):
            if tensor.name in tensors:
                raise CheckpointError(
                    f"{tensor.name[:80]} is stored twice, in {tensors[tensor.name].file.name} and in {file.name}.",
                    code="bad_tensor" if pickled else "bad_safetensors",
                    field=tensor.name[:80],
                )
            tensors[tensor.name] = tensor
    return tensors


def _header(file: Path, pickled: bool) -> list[StoredTensor]:
    try:
        return read_pickled(file) if pickled else read_header(file)
    except CheckpointError as error:
        error.code = error.code or ("bad_tensor" if pickled else "bad_safetensors")
        error.field = error.field or file.name
        raise


def require_index(folder: Path, tensors: dict[str, StoredTensor]) -> None:
    """One file is called model.safetensors; of several an index says which tensor lies where: the one that was
    brought, which must be true, or one that is made.
    """
    files = {tensor.file for tensor in tensors.values()}
    if len(files) == 1:
        (only,) = files
        (folder / INDEX).unlink(missing_ok=True)
        only.rename(folder / SINGLE)
        return
    places = {name: tensor.file.name for name, tensor in tensors.items()}
    if (folder / INDEX).exists():
        brought = read_json_object(folder / INDEX, INDEX_LIMIT_BYTES).get("weight_map")
        if brought != places:
            raise CheckpointError(
                f"{INDEX} does not say where the tensors lie. Leave it out, or bring the one that belongs to them.",
                code="bad_safetensors",
                field=INDEX,
            )
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def convert(tensors: dict[str, StoredTensor], target: Path) -> None:
    """Writes one safetensors file of tensors that lie in pickles, bytes as they are.

    Source: the safetensors format, https://github.com/huggingface/safetensors#format.
    """
    size = sum(tensor.size_bytes for tensor in tensors.values())
    brought = sum(file.stat().st_size for file in {tensor.file for tensor in tensors.values()})
    if size > max(GROWTH_LIMIT * brought, GROWTH_FROM_BYTES):
        raise CheckpointError("Too many tensors share their bytes. Save the weights as safetensors.", code="bad_tensor")
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, tensor in tensors.items():
        offsets = [place, place := place + tensor.size_bytes]
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with target.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            with tensor.file.open("rb") as stream:
                stream.seek(tensor.start)
                left = tensor.size_bytes
                while left:
                    piece = stream.read(min(left, 1 << 20))
                    if not piece:
                        raise CheckpointError(f"{tensor.file.name} is cut short.", code="bad_tensor")
                    out.write(piece)
                    left -= len(piece)
