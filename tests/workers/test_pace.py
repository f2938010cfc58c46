"""How quickly a worker is believed to be, from what it did."""

from __future__ import annotations

import pytest

from workers.protocol.fleet import TELLING_BYTES, Pace


def test_first_run_and_small_loads_make_nobody_slow() -> None:
    pace = Pace()
    pace.loaded(TELLING_BYTES // 4, 1.0)
    pace.ran(2.0)
    assert (pace.run_s, pace.load_bytes_per_s, pace.loading_s, pace.done) == (0.0, 0.0, 1.0, 1)
    pace.ran(0.1)
    pace.loaded(4 * TELLING_BYTES, 0.5)
    assert pace.run_s == pytest.approx(0.1) and pace.load_bytes_per_s == pytest.approx(8 * TELLING_BYTES)


def test_means_follow_what_comes_later() -> None:
    pace = Pace()
    for seconds in (1.0, 0.1, *[0.3] * 30):
        pace.ran(seconds)
        pace.loaded(TELLING_BYTES, seconds)
    assert pace.run_s == pytest.approx(0.3, rel=0.05)
    assert pace.load_bytes_per_s == pytest.approx(TELLING_BYTES / 0.3, rel=0.05)
