"""From a SentencePiece model to a tokenizer: which id each piece has, and what stands around a text.

The ids are not always those of the model's file: `tokenizer_class` of tokenizer_config.json says how a family
lays them out. Spaces become ▁ and the text is cut as SentencePiece cuts it.

Source: google/sentencepiece, src/normalizer.cc and bpe_model.cc; the classes of these names in transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors

from modelcore.tokenizer.error import TokenizerError
from modelcore.tokenizer.sentencepiece import Algorithm, Piece, PieceType, SentencePieceModel
from modelcore.tokenizer.settings import Settings

SPACE = "▁"

# Far above T5's 100.
EXTRA_LIMIT = 10_000
# Below every score that training gives, so that the piece is only taken where nothing else covers the text.
LAST_RESORT = -1e6


@dataclass(frozen=True)
class Layout:
    """Pieces in the order of their ids, and the tokens around a text."""

    pieces: Sequence[Piece]
    unknown: int
    before: Sequence[str] = ()
    after: Sequence[str] = ()


def build_from_spm(model: SentencePieceModel, settings: Settings) -> tokenizers.Tokenizer:
    """Raises: TokenizerError if the layout that tokenizer_config.json names is not known."""
    name = settings.tokenizer_class
    if name not in _LAYOUTS:
        raise TokenizerError(
            f"tokenizer_config.json: how the class {name[:60]!r} counts the pieces of a SentencePiece model is not "
            "supported; save a tokenizer.json with transformers."
        )
    return assemble(model, _LAYOUTS[name](model, settings))


def assemble(model: SentencePieceModel, layout: Layout) -> tokenizers.Tokenizer:
    """The tokenizer of a layout. Raises: TokenizerError if a token that stands around a text has no id."""
    texts = [piece.text for piece in layout.pieces]
    cut: models.Model
    if model.algorithm == Algorithm.UNIGRAM:
        vocabulary = [(piece.text, piece.score) for piece in layout.pieces]
        cut = models.Unigram(vocabulary, unk_id=layout.unknown, byte_fallback=model.byte_fallback)
    else:
        ids = {text: id_ for id_, text in enumerate(texts)}
        merges = _merges(layout.pieces)
        cut = models.BPE(ids, merges, unk_token=texts[layout.unknown], fuse_unk=True, byte_fallback=model.byte_fallback)
    inner = tokenizers.Tokenizer(cut)
    _prepare(inner, model)
    control = [piece.text for piece in layout.pieces if piece.type == PieceType.CONTROL]
    inner.add_special_tokens([AddedToken(text, normalized=False) for text in control])
    around = [*layout.before, *layout.after]
    for token in around:
        if inner.token_to_id(token) is None:
            raise TokenizerError(f"The token {token[:40]!r}, which stands around every text, is no piece of the model.")
    if around:
        inner.post_processor = processors.TemplateProcessing(
            single=[*layout.before, "$A", *layout.after],
            special_tokens=[(token, inner.token_to_id(token)) for token in dict.fromkeys(around)],
        )
    return inner


def _prepare(inner: tokenizers.Tokenizer, model: SentencePieceModel) -> None:
    """How a text is made ready, and pieces become a text again."""
    steps: list[normalizers.Normalizer] = [normalizers.Precompiled(model.charsmap)] if model.charsmap else []
    if model.removes_extra_spaces:
        steps += [normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if model.adds_prefix:
        steps.append(normalizers.Prepend(SPACE))
    inner.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", SPACE)])
    crosses_words = any(SPACE in piece.text[1:] for piece in model.pieces if piece.type == PieceType.NORMAL)
    if not crosses_words:
        inner.pre_tokenizer = pre_tokenizers.Split(SPACE, "merged_with_next")
    spoken: list[decoders.Decoder] = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    inner.decoder = decoders.Sequence([*spoken, decoders.Strip(" ", 1, 0)] if model.adds_prefix else spoken)


def _merges(pieces: Sequence[Piece]) -> list[tuple[str, str]]:
    """Every way to put a piece together from two, the piece of the best score first."""
    scores = {piece.text: piece.score for piece in pieces if piece.type == PieceType.NORMAL}
    ways = [
        (-score, text[:cut], text[cut:])
        for text, score in scores.items()
        for cut in range(1, len(text))
        if text[:cut] in scores and text[cut:] in scores
    ]
    return [(left, right) for _, left, right in sorted(ways)]


def _control(text: str) -> Piece:
    return Piece(text, 0.0, PieceType.CONTROL)


def _plain(model: SentencePieceModel, settings: Settings) -> Layout:
    return Layout(model.pieces, model.unknown)


def _t5(model: SentencePieceModel, settings: Settings) -> Layout:
    """A hundred tokens for masked spans follow, the last one first."""
    count = settings.count("extra_ids", 100, EXTRA_LIMIT)
    extra = [_control(f"<extra_id_{number}>") for number in reversed(range(count))]
    return Layout([*model.pieces, *extra], model.unknown, after=[settings.token("eos_token", "</s>") or ""])


def _llama(model: SentencePieceModel, settings: Settings) -> Layout:
    begin, end = settings.token("bos_token", "<s>") or "", settings.token("eos_token", "</s>") or ""
    return Layout(
        model.pieces,
        model.unknown,
        before=[begin] if settings.flag("add_bos_token", True) else [],
        after=[end] if settings.flag("add_eos_token", False) else [],
    )


# How fairseq counts: these four first, then the model's pieces but for its own three.
_FAIRSEQ = [_control("<s>"), _control("<pad>"), _control("</s>"), Piece("<unk>", 0.0, PieceType.UNKNOWN)]
_FAIRSEQ_OWN = 3


def _xlm_roberta(model: SentencePieceModel, settings: Settings) -> Layout:
    pieces = [*_FAIRSEQ, *model.pieces[_FAIRSEQ_OWN:], _control("<mask>")]
    return Layout(pieces, _FAIRSEQ_OWN, before=["<s>"], after=["</s>"])


_LAYOUTS: Mapping[str, Callable[[SentencePieceModel, Settings], Layout]] = {
    "": _plain,
    "PreTrainedTokenizer": _plain,
    "T5Tokenizer": _t5,
    "LlamaTokenizer": _llama,
    "XLMRobertaTokenizer": _xlm_roberta,
}


def marian_layout(model: SentencePieceModel, ids: Mapping[str, int], settings: Settings) -> tuple[Layout, int]:
    """Marian's pieces have the ids of vocab.json, which knows those of both languages.

    Returns the layout and how many ids vocab.json has: pieces that it lacks follow, and stand for what is unknown.
    Raises: TokenizerError if the ids have gaps, or a special token has none.
    """
    by_id = sorted(ids, key=lambda text: ids[text])
    if [ids[text] for text in by_id] != list(range(len(by_id))):
        raise TokenizerError("vocab.json does not count its pieces from 0 on without a gap.")
    unknown, end, padding = (
        settings.token(key, default) or default
        for key, default in (("unk_token", "<unk>"), ("eos_token", "</s>"), ("pad_token", "<pad>"))
    )
    for token in (unknown, end):
        if token not in ids:
            raise TokenizerError(f"vocab.json lacks the special token {token[:40]!r}.")
    spoken = {piece.text: piece for piece in model.pieces if piece.type == PieceType.NORMAL}
    special = {end, padding, *(text for text in by_id if text.startswith(">>") and text.endswith("<<"))}
    other = [Piece(text, LAST_RESORT, PieceType.NORMAL) for text in by_id]
    pieces = [_control(piece.text) if piece.text in special else spoken.get(piece.text, piece) for piece in other]
    missing = [piece for text, piece in spoken.items() if text not in ids]
    return Layout([*pieces, *missing], ids[unknown], after=[end]), len(by_id)
