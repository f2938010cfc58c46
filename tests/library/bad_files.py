"""Makes every file that must be refused (archives: bad_archives). None is kept in the repository."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tests.library.models import Files

Make = Callable[[Files], Files]


@dataclass(frozen=True)
class Bad:
    """A way to spoil a good model, and what is said of it; `says` is a part of the sentence."""

    name: str
    code: str
    make: Make
    field: str | None = None
    says: str = ""


class Gadget:
    def __init__(self, called: Any, *arguments: Any) -> None:
        self.reduced = called, arguments

    def __reduce__(self) -> Any:
        return self.reduced


CANARY = "/tmp/headlight-canary"


def header_of(raw: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def with_header(header: bytes, body: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + body


# --- Safetensors -----------------------------------------------------------------------------------------------------


def weights(change: Callable[[dict[str, Any], bytes], bytes]) -> Make:
    """Writes the safetensors anew from its header and its bytes."""
    return lambda files: {**files, "model.safetensors": change(*header_of(files["model.safetensors"]))}


def _header_too_long(header: dict[str, Any], body: bytes) -> bytes:
    return with_header(json.dumps(header).encode().ljust((16 << 20) + 1), body)


def _length_overflows(header: dict[str, Any], body: bytes) -> bytes:
    return struct.pack("<Q", 2**64 - 1) + json.dumps(header).encode() + body


def _too_many(header: dict[str, Any], body: bytes) -> bytes:
    end = max(entry["data_offsets"][1] for entry in header.values() if "data_offsets" in entry)
    more = {f"e{n}": {"dtype": "U8", "shape": [0], "data_offsets": [end, end]} for n in range(100_001)}
    return with_header(json.dumps(header | more).encode(), body)


def _entry(**changed: Any) -> Callable[[dict[str, Any], bytes], bytes]:
    def change(header: dict[str, Any], body: bytes) -> bytes:
        header["lm_head.extra"] = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changed}
        return with_header(json.dumps(header).encode(), body)

    return change


def _twice(header: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(header).encode()
    name, entry = next((name, entry) for name, entry in header.items() if name != "__metadata__")
    double = f"{json.dumps(name)}: {json.dumps(entry)}, ".encode()
    return with_header(b"{" + double + text[1:], body)


def _deep(header: dict[str, Any], body: bytes) -> bytes:
    return with_header(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", body)


def _first_with(name: str, value: Any) -> Callable[[dict[str, Any], bytes], bytes]:
    def change(header: dict[str, Any], body: bytes) -> bytes:
        first = next(name for name in header if name != "__metadata__")
        header[first][name] = value
        return with_header(json.dumps(header).encode(), body)

    return change


def _renamed(new: str) -> Callable[[dict[str, Any], bytes], bytes]:
    def change(header: dict[str, Any], body: bytes) -> bytes:
        first = next(name for name in header if name != "__metadata__")
        header = {new if name == first else name: entry for name, entry in header.items()}
        return with_header(json.dumps(header).encode(), body)

    return change


def _value(number: float) -> Callable[[dict[str, Any], bytes], bytes]:
    def change(header: dict[str, Any], body: bytes) -> bytes:
        return with_header(json.dumps(header).encode(), body[:40] + struct.pack("<f", number) + body[44:])

    return change


SAFETENSORS = [
    Bad("header of 16 MiB and a byte", "bad_safetensors", weights(_header_too_long), says="16,777,216"),
    Bad("header length of 2^64", "bad_safetensors", weights(_length_overflows), "model.safetensors"),
    Bad("100,001 tensors", "bad_safetensors", weights(_too_many), says="100,000"),
    Bad("cut in the header", "bad_safetensors", lambda f: {**f, "model.safetensors": f["model.safetensors"][:100]}),
    Bad("cut in the weights", "bad_safetensors", lambda f: {**f, "model.safetensors": f["model.safetensors"][:-1]}),
    Bad("longer than it says", "bad_safetensors", lambda f: {**f, "model.safetensors": f["model.safetensors"] + b"1"}),
    Bad("empty", "bad_safetensors", lambda f: {**f, "model.safetensors": b""}),
    Bad("overlapping tensors", "bad_safetensors", weights(_entry())),
    Bad("name twice", "bad_safetensors", weights(_twice), says="twice"),
    Bad("nested for ever", "bad_safetensors", weights(_deep)),
    Bad("rank of 100,000", "bad_safetensors", weights(_entry(shape=[1] * 100_000)), says="axes"),
    Bad("shape that overflows", "bad_safetensors", weights(_entry(shape=[2**62, 2**62]))),
    Bad("negative shape", "bad_safetensors", weights(_first_with("shape", [-1, 2]))),
    Bad("shape of floats", "bad_safetensors", weights(_first_with("shape", [1.5, 2]))),
    Bad("negative offset", "bad_safetensors", weights(_first_with("data_offsets", [-4, 4]))),
    Bad("offsets beyond the file", "bad_safetensors", weights(_first_with("data_offsets", [0, 2**60]))),
    Bad("dtype that is none", "bad_safetensors", weights(_first_with("dtype", "F8_E4M3")), says="dtype"),
    Bad("dtype of another size", "bad_safetensors", weights(_first_with("dtype", "F64"))),
    Bad("name of 513 letters", "bad_safetensors", weights(_renamed("x" * 513))),
    Bad("name with a right-to-left mark", "bad_safetensors", weights(_renamed("a\u202eb"))),
    Bad("metadata that is no text", "bad_safetensors", weights(lambda h, b: with_header(
        json.dumps({**h, "__metadata__": {"a": [1]}}).encode(), b))),
    Bad("a weight is missing", "bad_tensor", weights(_renamed("gone")), says="missing"),
    Bad("NaN", "not_finite", weights(_value(float("nan"))), says="1 NaN"),
    Bad("infinity", "not_finite", weights(_value(float("-inf"))), says="1 infinite"),
]  # fmt: skip


# --- Pickles ---------------------------------------------------------------------------------------------------------


def pickled(saved: Callable[[dict[str, torch.Tensor]], Any], name: str = "pytorch_model.bin", **options: Any) -> Make:
    def make(files: Files) -> Files:
        from safetensors.torch import load

        state, stream = load(files["model.safetensors"]), io.BytesIO()
        torch.save(saved(state), stream, **options)
        return {**{n: c for n, c in files.items() if n != "model.safetensors"}, name: stream.getvalue()}

    return make


def _bomb(state: dict[str, torch.Tensor]) -> Any:
    return {**state, "weight": Gadget(os.system, f"touch {CANARY}")}


def _nested(state: dict[str, torch.Tensor]) -> Any:
    return OrderedDict(state, deep=OrderedDict(deeper=[(Gadget(eval, "1+1"),)]))


def _strided(state: dict[str, torch.Tensor]) -> Any:
    name = next(iter(state))
    return {**state, name: torch.zeros(1).expand(state[name].shape)}


def _lying(name: str) -> Make:
    """Says that a storage holds 2^60 numbers, where there are a few."""
    plain = pickled(lambda state: {"weight": torch.zeros(4)}, name)

    def make(files: Files) -> Files:
        made = plain(files)
        with zipfile.ZipFile(io.BytesIO(made[name])) as archive:
            entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        table = next(path for path in entries if path.endswith("data.pkl"))
        entries[table] = entries[table].replace(b"K\x04N", b"\x8a\x08" + (2**60).to_bytes(8, "little") + b"N")
        entries[table] = entries[table].replace(b"K\x04\x85", b"\x8a\x08" + (2**60).to_bytes(8, "little") + b"\x85")
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for path, content in entries.items():
                archive.writestr(path, content)
        return {**made, name: stream.getvalue()}

    return make


def _script(files: Files) -> Files:
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), stream)
    return {**{n: c for n, c in files.items() if n != "model.safetensors"}, "model.pt": stream.getvalue()}


def _as_safetensors(make: Make) -> Make:
    def renamed(files: Files) -> Files:
        made = make(files)
        made["model.safetensors"] = made.pop("pytorch_model.bin")
        return made

    return renamed


RAW = b"cposix\nsystem\n(S'touch " + CANARY.encode() + b"'\ntR."


def _raw(files: Files) -> Files:
    return {**{n: c for n, c in files.items() if n != "model.safetensors"}, "pytorch_model.bin": RAW}


PICKLES = [
    Bad("pickle that runs code", "unsafe_pickle", pickled(_bomb), f"{os.system.__module__}.system"),
    Bad("old pickle that runs code", "unsafe_pickle", pickled(_bomb, _use_new_zipfile_serialization=False)),
    Bad("pickle of protocol 4 that runs code", "unsafe_pickle", pickled(_bomb, "model.pt", pickle_protocol=4)),
    Bad("code deep inside", "unsafe_pickle", pickled(_nested), says="eval"),
    Bad("pickle called safetensors", "unsafe_pickle", _as_safetensors(pickled(_bomb)), "model.safetensors"),
    Bad("pickle in text", "unsafe_pickle", _raw),
    Bad("TorchScript", "unsafe_pickle", _script),
    Bad("sparse tensor", "unsafe_pickle", pickled(lambda s: {**s, "sparse": torch.eye(3).to_sparse()})),
    Bad("quantised tensor", "unsafe_pickle", pickled(
        lambda s: {**s, "q": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)})),
    Bad("meta tensor", "unsafe_pickle", pickled(lambda s: {**s, "m": torch.empty(3, device="meta")})),
    Bad("stride of zero", "bad_tensor", pickled(_strided)),
    Bad("storage that lies", "bad_tensor", _lying("pytorch_model.bin")),
    Bad("whole module", "unsafe_pickle", pickled(lambda s: torch.nn.Linear(2, 2))),
    Bad("bytearray of 16 GB", "unsafe_pickle", pickled(lambda s: {**s, "b": Gadget(bytearray, 2**34)})),
]  # fmt: skip


# --- config.json -----------------------------------------------------------------------------------------------------


def config(**changed: Any) -> Make:
    return lambda files: {**files, "config.json": json.dumps(json.loads(files["config.json"]) | changed).encode()}


def raw_config(raw: bytes) -> Make:
    return lambda files: {**files, "config.json": raw}


CONFIGS = [
    Bad("10^9 layers", "bad_config", config(n_layer=10**9), "n_layer", "4,096"),
    Bad("10^30 positions", "bad_config", config(n_positions=10**30), "n_positions"),
    Bad("more layers than there are", "bad_tensor", config(n_layer=7), says="missing"),
    Bad("heads that do not divide", "bad_config", config(n_head=7)),
    Bad("no heads", "bad_config", config(n_head=0), "n_head"),
    Bad("negative width", "bad_config", config(n_embd=-8), "n_embd"),
    Bad("epsilon of NaN", "bad_config", config(layer_norm_epsilon=float("nan")), "layer_norm_epsilon", "nan"),
    Bad("infinite epsilon", "bad_config", config(layer_norm_epsilon=float("inf")), "layer_norm_epsilon"),
    Bad("layers as text", "bad_config", config(n_layer="12"), "n_layer"),
    Bad("no model_type", "bad_config", config(model_type=None), says="model_type"),
    Bad("unknown model_type", "bad_config", config(model_type="<script>alert(1)</script>")),
    Bad("nested", "bad_config", raw_config(b'{"a":' * 50 + b"1" + b"}" * 50)),
    Bad("nested for ever", "bad_config", raw_config(b"[" * 100_000)),
    Bad("key twice", "bad_config", raw_config(b'{"model_type":"gpt2","model_type":"bert"}'), says="twice"),
    Bad("longer than 1 MiB", "bad_config", config(padding="x" * (1 << 20)), says="1,048,576"),
    Bad("no JSON", "bad_config", raw_config(b"\xff\xfe{")),
    Bad("quantised", "bad_config", config(model_type="blenderbot", quantization_config={"bits": 4})),
]


# --- Tokenizers ------------------------------------------------------------------------------------------------------


def tokenizer(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Make:
    return lambda files: {**files, "tokenizer.json": json.dumps(change(json.loads(files["tokenizer.json"]))).encode()}


def _split(pattern: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    rule = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return lambda parts: {**parts, "pre_tokenizer": rule}


def _replaces(parts: dict[str, Any]) -> dict[str, Any]:
    rule = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}
    return {**parts, "normalizer": {"type": "Sequence", "normalizers": [rule] * 12}}


def _sequences(parts: dict[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "Lowercase"}
    for _ in range(60):
        inner = {"type": "Sequence", "normalizers": [inner]}
    return {**parts, "normalizer": inner}


def _far_id(parts: dict[str, Any]) -> dict[str, Any]:
    token = {"id": 5_000, "content": "<far>", "special": True}
    flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    return {**parts, "added_tokens": [*parts["added_tokens"], {**token, **flags}]}


def _huge_id(parts: dict[str, Any]) -> dict[str, Any]:
    parts["model"]["vocab"]["<huge>"] = 2**31
    return parts


TOKENIZERS = [
    Bad("nested repetition", "bad_tokenizer", tokenizer(_split("(a+)+$")), "pre_tokenizer"),
    Bad("reference back", "bad_tokenizer", tokenizer(_split(r"(a*)b\1")), "pre_tokenizer"),
    Bad("two ways for each letter", "bad_tokenizer", tokenizer(_split("(?:a|a)*![^!]")), says="plain text"),
    Bad("rules that grow a text", "bad_tokenizer", tokenizer(_replaces), "normalizer", "64"),
    Bad("rules in rules in rules", "bad_tokenizer", tokenizer(_sequences), "normalizer"),
    Bad("id beyond the embedding", "bad_tokenizer", tokenizer(_far_id), "vocab_size"),
    Bad("id of 2^31", "bad_tokenizer", tokenizer(_huge_id), "model.vocab"),
    Bad("no JSON", "bad_tokenizer", lambda files: {**files, "tokenizer.json": b"{"}),
    Bad("nested for ever", "bad_tokenizer", lambda files: {**files, "tokenizer.json": b'{"a":' + b"[" * 100_000}),
    Bad("no tokenizer", "bad_tokenizer", lambda files: {**files, "tokenizer.json": b'{"model": {"type": "Nothing"}}'}),
]
