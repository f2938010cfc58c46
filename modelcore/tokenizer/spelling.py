"""What a person reads of a token: a vocabulary spells bytes and spaces in ways of its own."""

from __future__ import annotations

import re

SPACE = "▁"

_BYTE = re.compile("<0x([0-9A-F]{2})>")


def bytes_of_byte_level(token: str) -> bytes | None:
    """The bytes that a token of a byte-level vocabulary stands for; None if it is none."""
    try:
        return bytes(_BYTE_OF[character] for character in token)
    except KeyError:
        return None


def readable_piece(token: str) -> str:
    """A piece of a SentencePiece model, with its spaces; a byte reads like ⟨E2⟩."""
    byte = _BYTE.fullmatch(token)
    return f"⟨{byte[1]}⟩" if byte else token.replace(SPACE, " ")


def readable_bytes(raw: bytes) -> str:
    """UTF-8 where it is whole; every run of stray bytes as hexadecimal in angle brackets."""
    text, stray = "", b""
    while raw:
        try:
            whole, bad, raw = raw.decode(), b"", b""
        except UnicodeDecodeError as error:
            whole, bad, raw = raw[: error.start].decode(), raw[error.start : error.end], raw[error.end :]
        if whole:
            text, stray = text + _bracketed(stray) + whole, b""
        stray += bad
    return text + _bracketed(stray)


def _bracketed(stray: bytes) -> str:
    return f"⟨{stray.hex(' ').upper()}⟩" if stray else ""


def _character_of_byte() -> dict[int, str]:
    """The printable character that stands for each byte in a byte-level vocabulary.

    Source: GPT-2's encoder: printable Latin-1 stands for itself, the other bytes for U+0100 and up.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + place) for place, byte in enumerate(shifted)}


_BYTE_OF = {character: byte for byte, character in _character_of_byte().items()}
