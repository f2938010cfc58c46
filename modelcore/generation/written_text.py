"""From tokens to text as it is written: whole characters only, and nothing from a stop string on."""

from __future__ import annotations

from collections.abc import Sequence

from modelcore.tokenizer import Tokenizer

# Of the text before the first written token: enough for a decoder to see what that token stands after.
CONTEXT_TOKENS = 5

# What a decoder writes for bytes that are no character, or not yet.
NO_CHARACTER = "\ufffd"


class WrittenText:
    """Takes tokens one by one, and gives out the text that they add as soon as nothing can take it back.

    A token may end within a character, or within what may become a stop string; that much waits for the next.
    Half a character that `before`, the text so far, ends with is given out with its other half.
    """

    def __init__(self, tokenizer: Tokenizer, before: Sequence[int] = (), stop_strings: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop_strings = stop_strings
        # Decoded together, given out up to `_read`: a decoder may write a token differently at the start of a text.
        self._ids = list(before[-CONTEXT_TOKENS:])
        self._read = len(self._ids)
        while self._decoded_before().endswith(NO_CHARACTER):
            self._read -= 1
        self._held = ""
        self.stopped = False

    def add(self, id_: int) -> str:
        """The text that is certain now, perhaps none. Sets `stopped` where a stop string is complete."""
        self._ids.append(id_)
        before, now = self._decoded_before(), self._tokenizer.decode(self._ids)
        if now.endswith(NO_CHARACTER) or len(now) <= len(before):
            return ""
        self._held += now[len(before) :]
        self._ids, self._read = self._ids[self._read :], len(self._ids) - self._read
        return self._give_out(self._may_begin_stop())

    def rest(self) -> str:
        """What was held back, at the end of the text."""
        if self.stopped:
            return ""
        self._held += self._tokenizer.decode(self._ids)[len(self._decoded_before()) :]
        return self._give_out(0)

    def _decoded_before(self) -> str:
        return self._tokenizer.decode(self._ids[: self._read])

    def _give_out(self, held: int) -> str:
        places = [place for stop in self._stop_strings if (place := self._held.find(stop)) >= 0]
        if places:
            self.stopped = True
            return self._held[: min(places)]
        end = len(self._held) - held
        certain, self._held = self._held[:end], self._held[end:]
        return certain

    def _may_begin_stop(self) -> int:
        """How many of the last characters are the beginning of a stop string."""
        longest = max((len(stop) for stop in self._stop_strings), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stop_strings):
                return length
        return 0
