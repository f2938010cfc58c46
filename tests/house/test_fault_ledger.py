"""The account of faults sees each way in which a promise can be broken; one that sees none proves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.faults.ledger import Promised, difference, settle
from tests.workers.golden_frames import GOLDEN
from workers.protocol import frame
from workers.protocol.archive import StoredFrame


def stored(*names: str, **changes: object) -> list[StoredFrame]:
    frames = []
    for seq, name in enumerate(names, 1):
        event, arrays = GOLDEN[name]
        event = replace(event, seq=seq, **(changes if name == "tokens" else {}))
        frames.append(StoredFrame(seq, frame.encode(event, arrays)))
    return frames


GOOD = stored("started", "tokens", "finished")


def account(state: str | None, frames: list[StoredFrame]) -> dict[str, int]:
    return settle([Promised("r", "a")], {"r": state}, {"r": frames}).counts


def test_run_that_ended_once_is_none_of_it() -> None:
    assert account("finished", GOOD) == {"lost": 0, "doubled": 0, "stuck": 0, "wrong": 0}


def test_run_that_is_unknown_or_failed_is_lost_and_one_that_never_ended_is_stuck() -> None:
    assert account(None, [])["lost"] == 1
    assert account("failed", stored("started", "failed"))["lost"] == 1
    assert account("running", GOOD[:2])["stuck"] == 1


def test_seq_that_is_used_twice_or_left_out_is_doubled_and_so_are_two_starts_and_two_ends() -> None:
    assert account("finished", [GOOD[0], GOOD[0], GOOD[2]])["doubled"] == 1
    assert account("finished", [GOOD[0], GOOD[2]])["doubled"] == 1
    assert account("finished", stored("started", "started", "finished"))["doubled"] == 1
    assert account("finished", stored("started", "finished", "finished"))["doubled"] == 1
    assert account("finished", stored("started", "tokens"))["doubled"] == 1


def test_result_that_differs_from_the_others_of_its_kind_is_wrong() -> None:
    odd = stored("started", "progress", "finished")
    promised = [Promised(run, "a") for run in "xyz"]
    states: dict[str, str | None] = dict.fromkeys("xyz", "finished")
    found = settle(promised, states, {"x": GOOD, "y": GOOD, "z": odd})
    assert set(found.wrong) == {"z"} and not found.holds


def test_numbers_may_be_rounded_otherwise_and_nothing_else() -> None:
    exact = [("site", {"site": "decoder.self.0", "share": 0.5}), ("site.map", np.array([0.25, 0.75], np.float32))]
    close = [
        ("site", {"site": "decoder.self.0", "share": 0.50001}),
        ("site.map", np.array([0.25001, 0.75], np.float32)),
    ]
    far = [exact[0], ("site.map", np.array([0.26, 0.75], np.float32))]
    other = [("site", {"site": "decoder.self.1", "share": 0.5}), exact[1]]
    assert difference(exact, close) == ""
    assert "site.map differs by" in difference(exact, far)
    assert "decoder.self.1" in difference(exact, other)
    assert difference(exact, exact[:1]) == "other events"
    nothing = [exact[0], ("site.map", np.array([np.nan, 0.75], np.float32))]
    assert difference(exact, nothing), "what is no number is not near one"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_number_of_few_bits_may_be_off_by_its_last_step(dtype: Any) -> None:
    one, next_, far = ([("step.rows", np.array([7, steps], dtype))] for steps in (200, 201, 202))
    assert difference(one, next_) == ""
    assert difference(one, far) == "step.rows differs by 2"
    ids = [[("step.alternatives", np.array([steps], np.int32))] for steps in (200, 201)]
    assert difference(*ids) == "step.alternatives differs by 1"
