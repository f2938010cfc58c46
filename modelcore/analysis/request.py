"""What a person asks a model to read, checked against the model: text, ids or a picture in, tokens out."""

# C colour channels, Y and X pixels down and across

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modelcore.config import ImageConfig, ModelShape
from modelcore.tokenizer import Encoding, Tokenizer, TokenizerError, TokenizerLimitError


class RequestError(ValueError):
    """A request that this model cannot answer: a code for programs, a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, eq=False)
class TraceRequest:
    """What to read. Exactly one of text, ids and pixels; a target, for an encoder-decoder, as text or as ids; a second
    text, for an encoder that takes pairs, read after the first as one sequence with it.

    A text gets the special tokens that the model expects, a target's text the start token before it;
    ids are read as they are. Without a target (an empty one counts as none) the model writes it.
    Pixels are a preprocessed picture, float (1, C, Y, X), for a model that reads images.
    """

    text: str | None = None
    ids: Sequence[int] | None = None
    target: str | None = None
    target_ids: Sequence[int] | None = None
    pixels: Tensor | None = None
    text_pair: str | None = None

    @property
    def has_target(self) -> bool:
        return bool(self.target) or bool(self.target_ids)


def read_source(request: TraceRequest, config: ModelShape, tokenizer: Tokenizer | None) -> Encoding:
    """The tokens of the text, the ids as they are, or the patches of the picture.

    Raises: RequestError if there is nothing to read, an id is unknown, or the positions do not suffice.
    """
    given = sum(source is not None for source in (request.text, request.ids, request.pixels))
    if given != 1:
        raise RequestError("text_or_ids", "Give either a text, or token ids, or a picture: one of them, not more.")
    if request.text_pair and (request.text is None or not takes_pairs(config, tokenizer)):
        raise RequestError(
            "no_pair",
            "A second text goes with a first one, to an encoder that takes pairs, as BERT does; leave it out.",
        )
    if config.image is not None:
        return _read_patches(request.pixels, config.image)
    if request.pixels is not None:
        raise RequestError("no_image", "This model reads text, not pictures; give a text or token ids.")
    if request.text is not None:
        encoding = _tokenize(request.text, tokenizer, request.text_pair or None) if request.text else NOTHING
        _require_known_types(encoding, config)
    else:
        encoding = _label_given(request.ids or [], config, tokenizer)
    return _checked(encoding, config)


def takes_pairs(config: ModelShape, tokenizer: Tokenizer | None) -> bool:
    """Whether two texts can be read as a pair: an encoder, and a tokenizer that knows what stands between them.

    Segments are not asked for: RoBERTa and DistilBERT are told the border by </s></s> or [SEP] alone.
    """
    if config.architecture != "encoder" or config.token_types is None:
        return False
    return tokenizer is not None and tokenizer.takes_pairs


def read_target(request: TraceRequest, config: ModelShape, tokenizer: Tokenizer | None) -> Encoding:
    """What the decoder of an encoder-decoder reads for a given target: start token, target, no end token.

    Raises: RequestError as `read_source` does.
    """
    if request.target and request.target_ids:
        raise RequestError("text_or_ids", "Give the target as a text or as token ids: one of them, not both.")
    if not request.target:
        return _checked(_label_given(request.target_ids or [], config, tokenizer), config)
    target = _tokenize(request.target, tokenizer and tokenizer.target)
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


def _read_patches(pixels: Tensor | None, image: ImageConfig) -> Encoding:
    """The places of a picture as tokens: the first ones by name, patches by row and column, counted from 1."""
    if pixels is None:
        raise RequestError("image_needed", "This model reads pictures; give a picture in place of a text.")
    wanted = (1, image.channels, image.height, image.width)
    if tuple(pixels.shape) != wanted or not pixels.is_floating_point():
        raise RequestError(
            "wrong_pixels",
            f"The pixels are {list(pixels.shape)} of {str(pixels.dtype).removeprefix('torch.')}; "
            f"this model reads {list(wanted)} of float32.",
        )
    if not torch.isfinite(pixels).all():
        raise RequestError("wrong_pixels", "The pixels hold values that are not finite; preprocess the picture again.")
    rows, columns = image.grid
    first = ["class", "distillation", *(f"extra {i}" for i in range(2, image.extra_tokens))][: image.extra_tokens]
    texts = first + [f"{row + 1},{column + 1}" for row in range(rows) for column in range(columns)]
    special = [place < image.extra_tokens for place in range(image.tokens)]
    return Encoding(list(range(image.tokens)), [(0, 0)] * image.tokens, texts, special)


def _label_given(ids: Sequence[int], config: ModelShape, tokenizer: Tokenizer | None) -> Encoding:
    _require_known(ids, config)
    return label_ids(ids, tokenizer)


def _tokenize(text: str, tokenizer: Tokenizer | None, pair: str | None = None) -> Encoding:
    if tokenizer is None:
        raise RequestError("no_tokenizer", "This model came without a tokenizer; give token ids instead of a text.")
    try:
        return tokenizer.encode(text, pair)
    except TokenizerLimitError as error:
        raise RequestError("tokenizer_limit", str(error)) from error
    except TokenizerError as error:
        raise RequestError("bad_text", str(error)) from error


def _checked(encoding: Encoding, config: ModelShape) -> Encoding:
    if not len(encoding):
        raise RequestError("empty_text", "There is nothing to read; give at least one character or token id.")
    if len(encoding) > config.longest:
        raise RequestError(
            "text_too_long",
            f"This text has {len(encoding):,} tokens; the model reads at most {config.longest:,}. "
            "Shorten it, or choose a model with more positions.",
        )
    _require_known(encoding.ids, config)
    return encoding


def _require_known_types(encoding: Encoding, config: ModelShape) -> None:
    """Of a pair. A kind beyond the model's table would end the process on a GPU."""
    kinds = 1 + max(encoding.types or [0])
    if config.token_types is not None and 1 < config.token_types < kinds:
        raise RequestError(
            "no_pair",
            f"The tokenizer tells {kinds} kinds of segments apart, the model {config.token_types}; "
            "leave the second text out.",
        )


def _require_known(ids: Sequence[int], config: ModelShape) -> None:
    for index, id_ in enumerate(ids):
        if not isinstance(id_, int) or isinstance(id_, bool) or not 0 <= id_ < config.vocabulary:
            raise RequestError(
                "id_out_of_range",
                f"Token id {str(id_)[:20]} at place {index} is outside the model's vocabulary, "
                f"0 to {config.vocabulary - 1}.",
            )
