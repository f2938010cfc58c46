"""How a model reads a text that grows: each new token alone, after what a cache holds, or the whole text again."""

# B texts, N new tokens, K source tokens, W model width, V vocabulary

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from modelcore.config import ModelConfig
from modelcore.generation.error import GenerationError
from modelcore.layers.attention_map import Tap
from modelcore.layers.cache import Cache
from modelcore.layers.edits import Edits
from modelcore.layers.rotary import frequencies
from modelcore.layers.writing import lay_by_input
from modelcore.models.decoder import Decoder
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.models.readable import Readable
from modelcore.models.stack import run_through


class Reader(Protocol):
    """Reads texts of one length side by side, bit by bit."""

    def read(self, ids_BN: Tensor) -> Tensor:
        """Logits (B, V) of the token after these, which follow what was read before."""
        ...

    def reorder(self, rows_B: Tensor) -> None:
        """Text i goes on from what text rows[i] has read; there may be more of them than before, or fewer."""
        ...


def open_reader(
    model: Readable, source_1K: Tensor | None = None, *, tap: Tap | None = None, edits: Edits | None = None
) -> Reader:
    """The reader that this model needs: with a cache where what was read stays as it was.

    Raises: GenerationError if the model does not score next tokens, or the source is missing, or one too many.
    """
    config = model.config
    if config.architecture not in ("decoder", "encoder-decoder") or config.output != "vocabulary":
        raise GenerationError("writes_nothing", "This model reads only and writes nothing; choose one with a decoder.")
    if (source_1K is None) == (config.architecture == "encoder-decoder"):
        raise GenerationError(
            "source",
            "This model writes from a source; give one."
            if source_1K is None
            else "This model goes on from a prompt and reads no source; leave the source out.",
        )
    if isinstance(model, Decoder | EncoderDecoder):
        return CachedReader(model, source_1K, tap=tap, edits=edits)
    return WholeReader(model, source_1K, tap=tap, edits=edits)


class CachedReader:
    """Costs one row a token, or the whole text again where its new length changes what its older tokens see."""

    def __init__(
        self,
        model: Decoder | EncoderDecoder,
        source_1K: Tensor | None = None,
        *,
        tap: Tap | None = None,
        edits: Edits | None = None,
    ) -> None:
        lay_by_input(model)
        self._model, self._tap, self._edits = model, tap, edits
        self._cache = Cache()
        self._text_BN: Tensor | None = None
        self._memory_BKW: Tensor | None = None
        if isinstance(model, EncoderDecoder):
            assert source_1K is not None, "an encoder-decoder needs a source"
            self._memory_BKW = model.encode(source_1K, edits=edits)

    def read(self, ids_BN: Tensor) -> Tensor:
        self._text_BN = ids_BN if self._text_BN is None else torch.cat([self._text_BN, ids_BN], dim=1)
        if not _stands(self._model.config, self._cache.length, self._text_BN.shape[1]):
            self._cache, ids_BN = Cache(), self._text_BN
        if isinstance(self._model, Decoder):
            logits_B1V = self._model(ids_BN, cache=self._cache, last_only=True, tap=self._tap, edits=self._edits)
        else:
            assert self._memory_BKW is not None
            logits_B1V = self._model.decode(
                ids_BN, self._memory_BKW, cache=self._cache, last_only=True, tap=self._tap, edits=self._edits
            )
        return logits_B1V[:, -1]

    def reorder(self, rows_B: Tensor) -> None:
        self._cache.reorder(rows_B)
        if self._memory_BKW is not None:
            self._memory_BKW = self._memory_BKW[rows_B]
        if self._text_BN is not None:
            self._text_BN = self._text_BN[rows_B]


class WholeReader:
    """For models without a cache: reads every text from its start each time, one by one."""

    def __init__(
        self,
        model: Readable,
        source_1K: Tensor | None = None,
        *,
        tap: Tap | None = None,
        edits: Edits | None = None,
    ) -> None:
        self._model, self._tap, self._edits = model, tap, edits
        self._sources = () if source_1K is None else (source_1K,)
        self._text_BN: Tensor | None = None

    def read(self, ids_BN: Tensor) -> Tensor:
        self._text_BN = ids_BN if self._text_BN is None else torch.cat([self._text_BN, ids_BN], dim=1)
        return torch.stack([self._read_whole(text_N) for text_N in self._text_BN])

    def reorder(self, rows_B: Tensor) -> None:
        assert self._text_BN is not None, "nothing has been read yet"
        self._text_BN = self._text_BN[rows_B]

    def _read_whole(self, text_N: Tensor) -> Tensor:
        layers = self._model.layerwise(*self._sources, text_N[None], tap=self._tap, edits=self._edits)
        return run_through(layers)[0, -1]


def _stands(config: ModelConfig, length: int, longer: int) -> bool:
    """Whether what was read of a text of one length is the same within a longer text."""
    for pattern in config.stack("decoder").patterns:
        if length < pattern.prefix:
            return False
    return config.position_encoding != "rotary" or _turns_alike(config, length, longer)


def _turns_alike(config: ModelConfig, length: int, longer: int) -> bool:
    """Whether both lengths turn a position by the same angles, in every rotary encoding that there is."""
    head_width = config.head_width(config.stack("decoder"))
    for rotary in (config.rotary, config.window_rotary or config.rotary):
        width = rotary.width or head_width
        if rotary.depends_on_length and not torch.equal(
            frequencies(rotary, width, length), frequencies(rotary, width, longer)
        ):
            return False
    return True
