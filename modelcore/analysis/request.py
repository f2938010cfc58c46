"""What a person asks a trace to read, checked against the model: text or ids in, tokens out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelcore.config import ModelConfig
from modelcore.tokenizer import Encoding, Tokenizer, TokenizerError


class RequestError(ValueError):
    """A request that this model cannot answer: a code for programs, a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class TraceRequest:
    """What to read. Exactly one of text and ids; a target, for an encoder-decoder, may be given as either.

    A text gets the special tokens that the model expects, a target's text the start token before it;
    ids are read as they are. Without a target (an empty one counts as none) the model writes it.
    """

    text: str | None = None
    ids: Sequence[int] | None = None
    target: str | None = None
    target_ids: Sequence[int] | None = None

    @property
    def has_target(self) -> bool:
        return bool(self.target) or bool(self.target_ids)


def read_source(request: TraceRequest, config: ModelConfig, tokenizer: Tokenizer | None) -> Encoding:
    """The tokens of the text, or the ids as they are.

    Raises: RequestError if there is nothing to read, an id is unknown, or the positions do not suffice.
    """
    if (request.text is None) == (request.ids is None):
        raise RequestError("text_or_ids", "Give either a text or token ids: one of them, not both.")
    if request.text is not None:
        encoding = _tokenize(request.text, tokenizer) if request.text else NOTHING
    else:
        encoding = _label_given(request.ids or [], config, tokenizer)
    return _checked(encoding, config)


def read_target(request: TraceRequest, config: ModelConfig, tokenizer: Tokenizer | None) -> Encoding:
    """What the decoder of an encoder-decoder reads for a given target: start token, target, no end token.

    Raises: RequestError as `read_source` does.
    """
    if request.target and request.target_ids:
        raise RequestError("text_or_ids", "Give the target as a text or as token ids: one of them, not both.")
    if not request.target:
        return _checked(_label_given(request.target_ids or [], config, tokenizer), config)
    target = _tokenize(request.target, tokenizer)
    start = label_ids([] if config.start_token is None else [config.start_token], tokenizer)
    end = len(target) - 1 if target.ids and target.ids[-1] == config.end_token else len(target)
    return _checked(
        Encoding(
            start.ids + target.ids[:end],
            [(0, 0), *target.offsets[:end]],
            start.texts + target.texts[:end],
            [True, *target.special[:end]],
        ),
        config,
    )


NOTHING = Encoding([], [], [], [])


def label_ids(ids: Sequence[int], tokenizer: Tokenizer | None) -> Encoding:
    """Ids with their readable texts; offsets count in those texts set side by side, special tokens left out."""
    texts = [tokenizer.readable(id_) if tokenizer else f"#{id_}" for id_ in ids]
    special = [tokenizer.is_special(id_) if tokenizer else False for id_ in ids]
    offsets, start = [], 0
    for text, is_special in zip(texts, special, strict=True):
        end = start if is_special else start + len(text)
        offsets.append((start, end))
        start = end
    return Encoding(list(ids), offsets, texts, special)


def _label_given(ids: Sequence[int], config: ModelConfig, tokenizer: Tokenizer | None) -> Encoding:
    _require_known(ids, config)
    return label_ids(ids, tokenizer)


def _tokenize(text: str, tokenizer: Tokenizer | None) -> Encoding:
    if tokenizer is None:
        raise RequestError("no_tokenizer", "This model came without a tokenizer; give token ids instead of a text.")
    try:
        return tokenizer.encode(text)
    except TokenizerError as error:
        raise RequestError("bad_text", str(error)) from error


def _checked(encoding: Encoding, config: ModelConfig) -> Encoding:
    if not len(encoding):
        raise RequestError("empty_text", "There is nothing to read; give at least one character or token id.")
    if len(encoding) > config.positions:
        raise RequestError(
            "text_too_long",
            f"This text has {len(encoding):,} tokens; the model reads at most {config.positions:,}. "
            "Shorten it, or choose a model with more positions.",
        )
    _require_known(encoding.ids, config)
    return encoding


def _require_known(ids: Sequence[int], config: ModelConfig) -> None:
    for index, id_ in enumerate(ids):
        if not isinstance(id_, int) or isinstance(id_, bool) or not 0 <= id_ < config.vocabulary:
            raise RequestError(
                "id_out_of_range",
                f"Token id {str(id_)[:20]} at place {index} is outside the model's vocabulary, "
                f"0 to {config.vocabulary - 1}.",
            )
