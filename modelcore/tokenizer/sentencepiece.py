"""Reads a SentencePiece model file: the few fields of its protocol buffer that decide how a text is cut.

Source: google/sentencepiece, src/sentencepiece_model.proto (field numbers and defaults); the wire format,
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from modelcore.tokenizer.error import TokenizerError

FILE_LIMIT_BYTES = 64 * 1024 * 1024
PIECE_LIMIT = 1_000_000
PIECE_LIMIT_CHARACTERS = 512


class Algorithm(IntEnum):
    UNIGRAM = 1
    BPE = 2


class PieceType(IntEnum):
    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class Piece:
    text: str
    score: float
    type: PieceType


@dataclass(frozen=True)
class SentencePieceModel:
    """Pieces by id, and how a text is made ready for them.

    charsmap              a compiled table of replacements, NFKC as a rule
    adds_prefix           a space before the text
    removes_extra_spaces  at both ends, and between words all but one
    """

    pieces: tuple[Piece, ...]
    algorithm: Algorithm
    charsmap: bytes
    byte_fallback: bool
    adds_prefix: bool
    removes_extra_spaces: bool

    @property
    def unknown(self) -> int:
        """The id of the piece for what no other piece covers."""
        return next(id_ for id_, piece in enumerate(self.pieces) if piece.type == PieceType.UNKNOWN)


def read_sentencepiece(file: Path) -> SentencePieceModel:
    """Raises: TokenizerError naming the file and what is wrong with it, or not read."""
    if file.stat().st_size > FILE_LIMIT_BYTES:
        raise TokenizerError(f"{file.name} is longer than {FILE_LIMIT_BYTES:,} bytes, the most that is read.")
    try:
        model = _model(file.name, file.read_bytes())
    except (ValueError, IndexError, struct.error) as error:
        if isinstance(error, TokenizerError):
            raise
        raise TokenizerError(f"{file.name} is no SentencePiece model, or is cut short.") from error
    unknown = sum(piece.type == PieceType.UNKNOWN for piece in model.pieces)
    if unknown != 1:
        raise TokenizerError(f"{file.name} has {unknown} pieces for what is unknown; a SentencePiece model has one.")
    return model


def _model(name: str, raw: bytes) -> SentencePieceModel:
    pieces: list[Piece] = []
    trainer: dict[int, int | float | bytes] = {}
    normalizer: dict[int, int | float | bytes] = {}
    for number, value in _fields(raw):
        if number in (1, 2, 3) and not isinstance(value, bytes):
            raise ValueError("a message is expected")
        if number == 1 and isinstance(value, bytes):
            pieces.append(_piece(value))
        elif number == 2 and isinstance(value, bytes):
            trainer |= dict(_fields(value))
        elif number == 3 and isinstance(value, bytes):
            normalizer |= dict(_fields(value))
        if len(pieces) > PIECE_LIMIT:
            raise TokenizerError(f"{name} has more than {PIECE_LIMIT:,} pieces, the most that are read.")
    odd = next((piece for piece in pieces if piece.type in (PieceType.UNUSED, PieceType.USER_DEFINED)), None)
    if odd is not None:
        kind = odd.type.name.lower().replace("_", " ")
        raise TokenizerError(f"{name}: the piece {odd.text[:40]!r} is marked as {kind}, which is not supported.")
    # Fields of TrainerSpec: 3 model_type, 24 treat_whitespace_as_suffix, 35 byte_fallback.
    # Of NormalizerSpec: 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces.
    algorithm = trainer.get(3, Algorithm.UNIGRAM)
    if not isinstance(algorithm, int) or algorithm not in list(Algorithm):
        raise TokenizerError(f"{name} cuts whole words or characters; only unigram and BPE models are supported.")
    if trainer.get(24, 0) or not normalizer.get(5, 1):
        raise TokenizerError(f"{name} keeps spaces behind words, or as they are, which is not supported.")
    charsmap = normalizer.get(2, b"")
    if not isinstance(charsmap, bytes):
        raise ValueError("bytes are expected")
    return SentencePieceModel(
        tuple(pieces),
        Algorithm(algorithm),
        charsmap,
        byte_fallback=bool(trainer.get(35, 0)),
        adds_prefix=bool(normalizer.get(3, 1)),
        removes_extra_spaces=bool(normalizer.get(4, 1)),
    )


def _piece(raw: bytes) -> Piece:
    fields = dict(_fields(raw))
    text, score, type_ = fields.get(1, b""), fields.get(2, 0.0), fields.get(3, PieceType.NORMAL)
    if not isinstance(text, bytes) or not isinstance(score, float) or not isinstance(type_, int):
        raise ValueError("a piece is text, score and type")
    decoded = text.decode()
    if not 1 <= len(decoded) <= PIECE_LIMIT_CHARACTERS or score != score:
        raise ValueError("a piece has a length and a score")
    return Piece(decoded, score, PieceType(type_))


def _fields(raw: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Number and value of each field: varints as int, 32-bit ones as float, 64-bit ones and the rest as bytes."""
    place = 0
    while place < len(raw):
        key, place = _varint(raw, place)
        wire = key & 7
        if wire == 0:
            value, place = _varint(raw, place)
            yield key >> 3, value
            continue
        if wire == 2:
            length, place = _varint(raw, place)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError("no such wire type")
        end = place + length
        if end > len(raw):
            raise ValueError("a field leaves its message")
        chunk, place = raw[place:end], end
        yield key >> 3, struct.unpack("<f", chunk)[0] if wire == 5 else chunk


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = raw[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number without end")
