"""What a tokenizer.json may ask of the library: no text may take it for ever, or make it fill the memory.

Only structure is looked at here; afterwards the tokenizer is tried on texts that are hard on bad ones, under a limit
of time and memory (`modelcore.inspection.trial`).

Source: tokenizers' own JSON, https://huggingface.co/docs/tokenizers/api; catastrophic patterns, Davis et al. 2018,
"The Impact of Regular Expression Denial of Service in Practice".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.json_object import read_json_object

BYTES_LIMIT = 64 << 20
TOKENS_LIMIT = 1 << 21
DEPTH_LIMIT = 12
GROWTH_LIMIT = 64
"""How many times longer rules that replace one text by another may make a text, all together."""
RULES_LIMIT = 256
PATTERN_LIMIT = 4_096


def check_tokenizer(file: Path) -> None:
    """Raises: CheckpointError naming the part that is refused."""
    try:
        parts = read_json_object(file, BYTES_LIMIT)
    except CheckpointError as error:
        raise _bad(str(error).removesuffix("."), None) from error
    _require_vocabulary(parts)
    rules = [rule for name in ("normalizer", "pre_tokenizer", "decoder") for rule in _rules(parts.get(name), name)]
    if len(rules) > RULES_LIMIT:
        raise _bad(f"tokenizer.json has {len(rules):,} rules; at most {RULES_LIMIT} are read", "normalizer")
    for place in ("normalizer", "decoder"):
        growth = math.prod(_growth(rule) for where, rule in rules if where == place)
        if growth > GROWTH_LIMIT:
            raise _bad(f"the {place} of tokenizer.json makes a text more than {GROWTH_LIMIT} times longer", place)
    for place, rule in rules:
        pattern = rule.get("pattern")
        if isinstance(pattern, dict) and isinstance(pattern.get("Regex"), str):
            require_tame(pattern["Regex"], place)


def _require_vocabulary(parts: dict[str, Any]) -> None:
    model, added = parts.get("model"), parts.get("added_tokens") or []
    if not isinstance(model, dict) or not isinstance(added, list):
        raise _bad("tokenizer.json has no model", "model")
    for name in ("vocab", "merges"):
        held = model.get(name) or []
        if not isinstance(held, (dict, list)) or len(held) + len(added) > TOKENS_LIMIT:
            raise _bad(f"the {name} of tokenizer.json is longer than {TOKENS_LIMIT:,}, or no list", f"model.{name}")
    ids = [*(model["vocab"].values() if isinstance(model.get("vocab"), dict) else ())]
    ids += [token.get("id") for token in added if isinstance(token, dict)]
    # The library makes a table up to the largest id.
    if not all(isinstance(id_, int) and 0 <= id_ < 2 * TOKENS_LIMIT for id_ in ids):
        raise _bad(f"an id of tokenizer.json is no whole number below {2 * TOKENS_LIMIT:,}", "model.vocab")


def _rules(part: Any, place: str, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """A part and those inside it, which a Sequence holds under one of several names."""
    if part is None:
        return
    if not isinstance(part, dict) or depth > DEPTH_LIMIT:
        raise _bad(f"the {place} of tokenizer.json is nested more than {DEPTH_LIMIT} deep, or no object", place)
    yield place, part
    for inner in part.values():
        if isinstance(inner, list):
            for rule in inner:
                if isinstance(rule, dict) and "type" in rule:
                    yield from _rules(rule, place, depth + 1)


def _growth(rule: dict[str, Any]) -> float:
    if rule.get("type") == "Prepend":
        return 1.0
    content, pattern = rule.get("content"), rule.get("pattern")
    if not isinstance(content, str):
        return 1.0
    told = pattern.get("String") if isinstance(pattern, dict) else None
    replaced = len(told.encode()) if isinstance(told, str) else 1
    return max(1.0, len(content.encode()) / max(1, replaced))


def require_tame(pattern: str, place: str) -> None:
    """A repetition around a repetition may take a time that doubles with each letter; a reference back is no better.

    Raises: CheckpointError.
    """
    if len(pattern) > PATTERN_LIMIT:
        raise _bad(f"a pattern of tokenizer.json is longer than {PATTERN_LIMIT:,} characters", place)
    repeats = [False]  # for each open group, whether something in it repeats
    escaped = in_class = False
    closed = False  # whether the group that ended just now holds a repetition
    for place_in_text, letter in enumerate(pattern):
        following = pattern[place_in_text + 1 : place_in_text + 2]
        if escaped:
            if (letter.isdigit() and letter != "0") or letter in "kg":
                raise _bad("a pattern of tokenizer.json refers back to what it matched", place)
            escaped = closed = False
        elif letter == "\\":
            escaped, closed = True, False
        elif in_class:
            in_class = letter != "]"
        elif letter == "[":
            in_class, closed = True, False
        elif letter == "(":
            repeats.append(False)
            closed = False
        elif letter == ")" and len(repeats) > 1:
            closed = repeats.pop()
            repeats[-1] |= closed
        elif letter in "*+" or (letter == "{" and following.isdigit()):
            if closed:
                raise _bad("a pattern of tokenizer.json repeats what repeats itself, which may take for ever", place)
            repeats[-1] = True
        elif letter not in "?":
            closed = False


def _bad(what: str, field: str | None) -> CheckpointError:
    return CheckpointError(f"{what[:1].upper()}{what[1:]}."[:300], code="bad_tokenizer", field=field)
