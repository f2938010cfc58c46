"""`python -m modelcore.inspection.tokenizing FOLDER`: cuts texts for another process, under limits of its own.

First a line with all that is known without a text; then a line for each asked: {"encode": [text, pair]} or
{"decode": ids}. The "target" that may stand beside them asks the tokenizer of what a decoder writes.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modelcore.inspection.confine import Limits, confine, end_with_parent
from modelcore.tokenizer import Tokenizer, TokenizerError

MEMORY_BYTES = 1 << 30
CPU_S = 24 * 3600


def main() -> None:
    end_with_parent()
    folder = Path(sys.argv[1])
    confine(Limits(memory_bytes=MEMORY_BYTES, cpu_s=CPU_S, file_bytes=0), reads=[folder])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    try:
        tokenizer = Tokenizer.load(folder)
    except (TokenizerError, FileNotFoundError) as error:
        _say(out, {"refused": str(error)})
        return
    _say(out, {"known": _known(tokenizer), "target": _known(tokenizer.target) if _has_target(tokenizer) else None})
    for line in sys.stdin:
        _say(out, _answer(tokenizer, json.loads(line)))


def _has_target(tokenizer: Tokenizer) -> bool:
    return tokenizer.target is not tokenizer


def _known(tokenizer: Tokenizer) -> dict[str, Any]:
    ids = range(tokenizer.vocabulary)
    return {
        "texts": [tokenizer.readable(id_) for id_ in ids],
        "special": [id_ for id_ in ids if tokenizer.is_special(id_)],
        "longest_token": tokenizer.longest_token,
        "takes_pairs": tokenizer.takes_pairs,
    }


def _answer(tokenizer: Tokenizer, asked: dict[str, Any]) -> dict[str, Any]:
    asked_of = tokenizer.target if asked.get("target") else tokenizer
    try:
        if "encode" in asked:
            return {"encoding": asdict(asked_of.encode(*asked["encode"]))}
        return {"text": asked_of.decode(asked["decode"])}
    except TokenizerError as error:
        return {"refused": str(error)}


def _say(out: Any, told: dict[str, Any]) -> None:
    out.write(json.dumps(told) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
