"""A stranger's tokenizer in use: the library runs it in a process of its own, which a text may cost, and not ours."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from modelcore.tokenizer.error import TokenizerError, TokenizerLimitError
from modelcore.tokenizer.tokenizer import Encoding, Tokenizer

HOUSE = Path(__file__).resolve().parents[2]
CALL_S = 10.0
"""How long one text may take. The first answer waits for Python to start as well."""
START_S = 30.0
ANSWER_LIMIT_BYTES = 1 << 28


class LimitedTokenizer(Tokenizer):
    """As `Tokenizer`, but a text that takes too long, too much memory, or crashes the library is a TokenizerError.

    The next text has a new process. One text at a time.
    """

    def __init__(self, folder: Path, call_s: float = CALL_S) -> None:
        """Raises: FileNotFoundError where the folder has none; TokenizerError."""
        self._process = _Process(folder, call_s)
        told = self._process.start()
        self._tell(told["known"], asks_target=False)
        if told["target"] is not None:
            target = LimitedTokenizer.__new__(LimitedTokenizer)
            target._process = self._process
            target._tell(told["target"], asks_target=True)
            self.target = target

    def _tell(self, known: dict[str, Any], asks_target: bool) -> None:
        self._known_texts, self._special = known["texts"], set(known["special"])
        self._longest, self._pairs = known["longest_token"], known["takes_pairs"]
        self._asks_target, self.target = asks_target, self

    @property
    def takes_pairs(self) -> bool:
        return bool(self._pairs)

    @property
    def vocabulary(self) -> int:
        return len(self._known_texts)

    @cached_property
    def longest_token(self) -> int | None:
        longest: int | None = self._longest
        return longest

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        told = self._process.ask({"encode": [text, pair], "target": self._asks_target})["encoding"]
        return Encoding(**{**told, "offsets": [(start, end) for start, end in told["offsets"]]})

    def decode(self, ids: list[int]) -> str:
        return str(self._process.ask({"decode": ids, "target": self._asks_target})["text"])

    def readable(self, id_: int) -> str:
        return self._known_texts[id_] if 0 <= id_ < len(self._known_texts) else f"⟨{id_}⟩"

    def is_special(self, id_: int) -> bool:
        return id_ in self._special


class _Process:
    """The process, made anew where it is gone."""

    def __init__(self, folder: Path, call_s: float) -> None:
        self._folder, self._call_s = folder, call_s
        self._child: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    def start(self) -> dict[str, Any]:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "modelcore.inspection.tokenizing", str(self._folder)],
            cwd=HOUSE,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TOKENIZERS_PARALLELISM": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._answer(START_S)

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Raises: TokenizerError."""
        with self._turn:
            if self._child is None:
                self.start()
            assert self._child is not None and self._child.stdin is not None
            try:
                self._child.stdin.write(json.dumps(asked).encode() + b"\n")
                self._child.stdin.flush()
            except BrokenPipeError:
                pass  # What it left us is read below, and says that it ended.
            return self._answer(self._call_s)

    def _answer(self, within_s: float) -> dict[str, Any]:
        line = self._line(time.monotonic() + within_s)
        if line is None:
            self._end()
            raise TokenizerLimitError(
                f"This model's tokenizer took longer than {within_s:.0f} s on this text, or more memory than it may; "
                "it was stopped."
            )
        told: dict[str, Any] = json.loads(line)
        if "refused" in told:
            raise TokenizerError(told["refused"])
        return told

    def _line(self, deadline: float) -> bytes | None:
        """None where none came in time, or the process ended."""
        assert self._child is not None and self._child.stdout is not None
        said = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while not said.endswith(b"\n"):
                if len(said) > ANSWER_LIMIT_BYTES or not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
                piece = self._child.stdout.read1(1 << 20)  # type: ignore[attr-defined]
                if not piece:
                    return None
                said += piece
        return bytes(said)

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def __del__(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
