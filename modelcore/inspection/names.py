"""Which files a model's folder is made of, and what names may look like. Everything else is left out, and said so."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from modelcore.checkpoints.error import CheckpointError

DEPTH_LIMIT = 8
NAME_LIMIT_BYTES = 255

CONFIG = "config.json"
# As `modelcore.tokenizer.files` reads them, which imports too much for the first look.
TOKENIZER = frozenset(
    [
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "source.spm",
        "target.spm",
        "vocab.json",
        "merges.txt",
        "vocab.txt",
        "spiece.model",
        "sentencepiece.bpe.model",
        "tokenizer.model",
    ]
)
BESIDES = frozenset([CONFIG, "preprocessor_config.json"])
INDEXES = frozenset(["model.safetensors.index.json", "pytorch_model.bin.index.json"])
LICENCES = re.compile(r"(licen[cs]e|copying)(\.md|\.txt)?", re.IGNORECASE)
WEIGHTS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.(safetensors|bin|pt|pth)")
# Optimisers, arguments of a training and the like, which are no weights of the model.
NO_WEIGHTS = re.compile(r"(optimizer|scheduler|training_args|rng_state|scaler|adapter_).*")


@dataclass(frozen=True)
class Chosen:
    """Of the names that were brought: those that make the model, by the names they get, and the others."""

    kept: dict[str, str]
    left_out: list[str]


def choose(names: Iterable[str]) -> Chosen:
    """The files beside the config.json that lies highest. Raises: CheckpointError where there is none, or several."""
    paths = {name: PurePosixPath(name) for name in names}
    configs = sorted((path for path in paths.values() if path.name == CONFIG), key=lambda path: len(path.parts))
    if not configs:
        raise CheckpointError(
            "There is no config.json beside the weights; it says what kind of model they are. Add it, or name a model "
            "that they are built like.",
            code="no_config",
            field=CONFIG,
        )
    if len(configs) > 1 and len(configs[0].parts) == len(configs[1].parts):
        raise CheckpointError(
            f"There are several models here, in {configs[0].parent} and {configs[1].parent}; bring them one by one.",
            code="several_models",
            field=CONFIG,
        )
    home = configs[0].parent
    kept = {name: path.name for name, path in paths.items() if path.parent == home and is_wanted(path.name)}
    return Chosen(kept, sorted(set(paths) - set(kept)))


def is_wanted(name: str) -> bool:
    """Whether a file of this name, without its folder, belongs to a model."""
    if name in TOKENIZER or name in BESIDES or name in INDEXES or LICENCES.fullmatch(name):
        return True
    return bool(WEIGHTS.fullmatch(name)) and not NO_WEIGHTS.fullmatch(name)


def require_sound(name: str) -> str:
    """The name with `/` between its parts and no `./` before it.

    Raises: CheckpointError where it leads out of its folder, or holds what cannot be shown.
    """
    if len(name.encode("utf-8", "surrogatepass")) > NAME_LIMIT_BYTES * DEPTH_LIMIT:
        raise unsafe(name, "is too long")
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in name):
        raise unsafe(name, "holds characters that do not show")
    if "\\" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise unsafe(name, "is no path inside a folder")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise unsafe(name, "leads out of its folder")
    if len(parts) > DEPTH_LIMIT:
        raise unsafe(name, f"lies more than {DEPTH_LIMIT} folders deep")
    if any(len(part.encode()) > NAME_LIMIT_BYTES for part in parts):
        raise unsafe(name, "is too long")
    return "/".join(parts)


def require_distinct(names: Iterable[str]) -> None:
    """Raises: CheckpointError where two names differ in case or in the spelling of a letter alone."""
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        if folded in seen:
            raise unsafe(name, f"is there twice, also as {shown(seen[folded])}")
        seen[folded] = name


def unsafe(name: str, why: str) -> CheckpointError:
    return CheckpointError(f"The file {shown(name)} {why}.", code="unsafe_archive", field=shown(name))


def shown(name: str) -> str:
    """A name that may hold anything, as a sentence shows it."""
    return ascii(name[:80])
