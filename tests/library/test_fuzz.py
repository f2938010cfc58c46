"""The targets of fuzzing stand: good files, and many spoilt ones, are read or refused, and nothing else happens."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.library.fuzz import TARGETS, seeds, try_out
from tests.library.models import good

SPOILT = 120


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    for seed in seeds(name, good()):
        try_out(TARGETS[name], tmp_path / "file", seed)
        for _ in range(SPOILT):
            raw = bytearray(seed)
            for _ in range(chance.randint(1, 6)):
                place = chance.randrange(len(raw))
                match chance.randrange(4):
                    case 0:
                        raw[place] = chance.randrange(256)
                    case 1:
                        del raw[place : place + chance.randint(1, 40)]
                    case 2:
                        raw[place:place] = raw[chance.randrange(len(raw)) :][: chance.randint(1, 40)]
                    case 3:
                        raw[place : place + 8] = chance.choice([b"\xff" * 8, bytes(8), b"9" * 8, b"[[[[[[[["])
                raw = raw or bytearray(b"x")
            try_out(TARGETS[name], tmp_path / "file", bytes(raw))
