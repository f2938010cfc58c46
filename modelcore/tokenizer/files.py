"""Which files of a folder make its tokenizer, from the one that says most to the one that says least."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors

from modelcore.tokenizer.error import TokenizerError, guarded
from modelcore.tokenizer.sentencepiece import read_sentencepiece
from modelcore.tokenizer.settings import SETTINGS_FILES, read_object, read_settings
from modelcore.tokenizer.spm_layout import assemble, build_from_spm, marian_layout

VOCABULARY_LIMIT_BYTES = 64 * 1024 * 1024

SPM_FILES = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model")


@dataclass(frozen=True)
class Read:
    """A tokenizer of the library; ids from `known` on stand for `unknown`; `target` cuts what a decoder writes."""

    inner: tokenizers.Tokenizer
    known: int | None = None
    unknown: int = 0
    target: Read | None = None


def read_folder(folder: Path) -> Read:
    """The tokenizer of a checkpoint's folder.

    Raises: FileNotFoundError if there is none; TokenizerError if it cannot be read.
    """
    for names, read in _READERS:
        if all((folder / name).is_file() for name in names):
            return guarded(partial(read, folder), _unreadable(names[0]))
    kinds = ", ".join(" with ".join(names) for names, _ in _READERS)
    raise FileNotFoundError(f"no tokenizer in {folder.name}; one is read from {kinds}")


def read_file(file: Path) -> Read:
    """A `tokenizer.json` under whatever name."""
    return guarded(lambda: Read(tokenizers.Tokenizer.from_file(str(file))), _unreadable(file.name))


def _unreadable(name: str) -> str:
    return f"{name} is not a tokenizer that the tokenizers library can read."


_BYTE_LEVEL_SPECIAL = ("<|endoftext|>", "<s>", "<pad>", "</s>", "<unk>")


def _spm_reader(name: str) -> Callable[[Path], Read]:
    return lambda folder: Read(build_from_spm(read_sentencepiece(folder / name), read_settings(folder)))


def _marian(folder: Path) -> Read:
    source = _marian_side(folder, "source.spm")
    return Read(source.inner, source.known, source.unknown, _marian_side(folder, "target.spm"))


def _marian_side(folder: Path, name: str) -> Read:
    ids, settings = read_object(folder / "vocab.json", VOCABULARY_LIMIT_BYTES), read_settings(folder)
    if not all(isinstance(id_, int) and not isinstance(id_, bool) for id_ in ids.values()):
        raise TokenizerError("vocab.json must give each piece its id.")
    model = read_sentencepiece(folder / name)
    layout, known = marian_layout(model, ids, settings)
    return Read(assemble(model, layout), known, layout.unknown)


def _byte_level(folder: Path) -> Read:
    """GPT-2's, which RoBERTa and BART put <s> and </s> around."""
    settings = read_settings(folder)
    inner = tokenizers.Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    prefix = bool(settings.flag("add_prefix_space", False))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.ByteLevel(trim_offsets=False)
    ids = inner.get_vocab()
    if {"<s>", "</s>", "<mask>"} <= ids.keys():
        begin, end = settings.token("cls_token", "<s>") or "", settings.token("sep_token", "</s>") or ""
        mask = settings.values.get("mask_token")
        takes_space = isinstance(mask, dict) and mask.get("lstrip") is True
        inner.add_special_tokens([AddedToken("<mask>", lstrip=takes_space, normalized=False)])
        inner.post_processor = processors.RobertaProcessing(
            (end, ids[end]), (begin, ids[begin]), trim_offsets=False, add_prefix_space=prefix
        )
    inner.add_special_tokens([token for token in _BYTE_LEVEL_SPECIAL if token in ids])
    return Read(inner)


def _word_piece(folder: Path) -> Read:
    """BERT's. Source: `BertTokenizer` in transformers, also for what holds where tokenizer_config.json is silent."""
    file, settings = folder / "vocab.txt", read_settings(folder)
    if file.stat().st_size > VOCABULARY_LIMIT_BYTES:
        raise TokenizerError(f"vocab.txt is longer than {VOCABULARY_LIMIT_BYTES:,} bytes, the most that is read.")
    words = file.read_text(encoding="utf-8").split("\n")
    ids = {word.rstrip("\r"): id_ for id_, word in enumerate(words[:-1] if words[-1] == "" else words)}
    defaults = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}
    tokens = {name: settings.token(f"{name}_token", token) or token for name, token in defaults.items()}
    for name in ("unk", "cls", "sep"):
        if tokens[name] not in ids:
            raise TokenizerError(f"vocab.txt lacks the special token {tokens[name][:40]!r}.")
    inner = tokenizers.Tokenizer(models.WordPiece(ids, unk_token=tokens["unk"], max_input_chars_per_word=100))
    inner.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(settings.flag("tokenize_chinese_chars", True)),
        strip_accents=settings.flag("strip_accents", None),
        lowercase=bool(settings.flag("do_lower_case", True)),
    )
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.decoder = decoders.WordPiece()
    inner.add_special_tokens([token for token in tokens.values() if token in ids])
    inner.post_processor = processors.TemplateProcessing(
        single=[tokens["cls"], "$A", tokens["sep"]],
        pair=[tokens["cls"], "$A", tokens["sep"], "$B:1", f"{tokens['sep']}:1"],
        special_tokens=[(tokens[name], ids[tokens[name]]) for name in ("cls", "sep")],
    )
    return Read(inner)


_READERS: tuple[tuple[tuple[str, ...], Callable[[Path], Read]], ...] = (
    (("tokenizer.json",), lambda folder: read_file(folder / "tokenizer.json")),
    (("source.spm", "target.spm", "vocab.json"), _marian),
    *(((name,), _spm_reader(name)) for name in SPM_FILES),
    (("vocab.json", "merges.txt"), _byte_level),
    (("vocab.txt",), _word_piece),
)

# Every file that may be opened.
TOKENIZER_FILES = tuple(dict.fromkeys([name for names, _ in _READERS for name in names] + list(SETTINGS_FILES)))
