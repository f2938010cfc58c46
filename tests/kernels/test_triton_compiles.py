"""The Triton kernels compile for Hopper and Ampere without a GPU, and their machine code keeps to a recorded table.

What `compiled.json` holds of each loop are instructions for each score of each thread, and spills. After a change
that is meant, `python -m tests.kernels.compiled` records it anew.
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.kernels.compiled import SHARED_KIB, TABLE, compile_all, launches

RECORDED = json.loads(TABLE.read_text())
NAMES = [(name, int(card)) for card in RECORDED for name in RECORDED[card]]
WITHOUT_TENSOR_CORES = {"pairs_kernel", "combine_kernel"}
SPILLING = {"backward 128, t5"}  # half the tile would not spill, and take twice the instructions
SHORT_TILES = {"split_kernel"}  # 16 rows, where Hopper's own instruction takes 64


@pytest.fixture(scope="module")
def compiling(pytestconfig: pytest.Config) -> Iterator[dict[tuple[str, int], Future]]:
    """Everything at once, from the cache of the last run where nothing has changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_CACHE_DIR", str(pytestconfig.cache.mkdir("triton")))
        futures = compile_all(NAMES)
        yield futures
    for future in futures.values():
        future.cancel()


@pytest.mark.parametrize(("name", "card"), NAMES, ids=lambda part: f"sm_{part}" if isinstance(part, int) else part)
def test_machine_code_is_as_good_as_recorded(name: str, card: int, compiling: dict[tuple[str, int], Future]) -> None:
    kernels = compiling[name, card].result()
    recorded = RECORDED[str(card)][name]
    assert kernels.keys() == recorded.keys()
    for kernel, facts in kernels.items():
        assert facts["shared_kib"] <= SHARED_KIB[card]
        if kernel not in WITHOUT_TENSOR_CORES and not name.startswith("float32"):
            assert facts["tensor_core"] == ("HGMMA" if card >= 90 and kernel not in SHORT_TILES else "HMMA")
        assert len(facts["loops"]) == len(recorded[kernel]["loops"])
        for (instructions, spills), (instructions_then, _) in zip(
            facts["loops"], recorded[kernel]["loops"], strict=True
        ):
            assert spills == 0 or name in SPILLING, f"{kernel}: registers spill in a loop over tiles"
            assert instructions == pytest.approx(instructions_then, rel=0.1), f"{kernel}: record the table anew?"


@pytest.mark.parametrize("card", SHARED_KIB)
def test_every_launch_is_recorded(card: int) -> None:
    assert RECORDED[str(card)].keys() == launches(card).keys()
