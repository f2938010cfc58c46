"""map_stats against the definitions, written out over the float64 map."""

import math

import pytest
import torch

from kernels import dispatch
from tests.kernels.cases import CASES, Case

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=str)


@EVERY_CASE
@pytest.mark.parametrize("implementation", ["cpu", "reference"])
def test_measures_are_those_of_the_float64_map(case: Case, implementation: str, poisoned_memory: None) -> None:
    ids = token_ids(case)
    stats = stats_of(case, ids, implementation)
    truth = stats_by_hand(case, ids)
    assert stats.keys() == truth.keys()
    for name in truth:
        assert stats[name].dtype == torch.float32
        torch.testing.assert_close(stats[name].double(), truth[name], atol=5e-6, rtol=5e-6)


def test_measures_of_a_longer_text_than_one_chunk() -> None:
    case = Case("long", 600, 600, heads=4, groups=2, masks={"causal": True})
    ids = token_ids(case)
    stats, truth = stats_of(case, ids), stats_of(case, ids, "reference")
    for name in truth:
        torch.testing.assert_close(stats[name], truth[name], atol=5e-6, rtol=2e-5)


def test_a_previous_token_head_measures_as_one() -> None:
    """Keys that shout at the query after them: every measure has a value known by heart."""
    tokens = 40
    k = torch.eye(tokens)[None, None]
    q = 100 * k.roll(1, dims=2)
    q[:, :, 0] = 0
    case = Case("previous", tokens, tokens, masks={"causal": True})
    lse = dispatch.attend(q, k, k, case.spec).lse
    stats = dispatch.map_stats(q, k, lse, case.spec, None)
    assert set(stats) == {"entropy", "distance", "diagonal", "previous_token", "next_token", "first_token"}
    assert stats["previous_token"].item() == pytest.approx((tokens - 1) / tokens, abs=1e-5)
    assert stats["distance"].item() == pytest.approx((tokens - 1) / tokens, abs=1e-4)
    assert stats["diagonal"].item() == pytest.approx(1 / tokens, abs=1e-5)
    assert stats["entropy"].item() == pytest.approx(0, abs=1e-4)


def test_uniform_attention_has_the_entropy_of_the_logarithm() -> None:
    q = k = torch.zeros(1, 1, 32, 8)
    case = Case("uniform", 32, 32, width=8)
    stats = dispatch.map_stats(q, k, dispatch.attend(q, k, k, case.spec).lse, case.spec, None)
    assert stats["entropy"].item() == pytest.approx(math.log(32), abs=1e-5)


def test_token_measures_need_as_many_queries_as_keys() -> None:
    case = Case("cross", 20, 30)
    assert "induction" not in stats_of(case, torch.zeros(1, 30, dtype=torch.long))


def test_ids_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one id for each key"):
        stats_of(Case("ids", 20, 20), torch.zeros(1, 19, dtype=torch.long))


def test_measures_are_told_by_name() -> None:
    case = Case("named", 20, 20, masks={"causal": True, "sinks": [1.0, -2.0]})
    q, k, v = case.operands
    lse = dispatch.attend(q, k, v, case.spec).lse
    stats = dispatch.map_stats(q, k, lse, case.spec, None, ["sink", "entropy"])
    assert set(stats) == {"entropy", "sink"}
    torch.testing.assert_close(stats["sink"].double(), (1 - case.truth.map.sum(-1)).mean(-1), atol=2e-6, rtol=1e-6)
    with pytest.raises(ValueError, match=r"measures must be some of entropy, .* got luck"):
        dispatch.map_stats(q, k, lse, case.spec, None, ["luck"])


def test_sinks_take_nothing_where_there_are_none() -> None:
    q, k, v = Case("none", 20, 20).operands
    spec = Case("none", 20, 20).spec
    lse = dispatch.attend(q, k, v, spec).lse
    assert dispatch.map_stats(q, k, lse, spec, None, ["sink"])["sink"].eq(0).all()


def token_ids(case: Case) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 6, (case.batch, case.keys), generator=generator)


def stats_of(case: Case, ids: torch.Tensor, implementation: str | None = None) -> dict[str, torch.Tensor]:
    q, k, v = case.operands
    lse = dispatch.attend(q, k, v, case.spec).lse
    return dispatch.map_stats(q, k, lse, case.spec, ids, implementation=implementation)


def stats_by_hand(case: Case, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    names = ["entropy", "distance", "diagonal", "previous_token", "next_token", "first_token"]
    if case.queries == case.keys:
        names += ["duplicate_token", "induction"]
    stats = {name: torch.zeros(case.batch, case.heads, dtype=torch.float64) for name in names}
    for b in range(case.batch):
        first = 0 if case.spec.key_starts is None else int(case.spec.key_starts[b])
        for h in range(case.heads):
            seeing = [i for i in range(case.queries) if case.truth.visible[b, h, i].any()]
            recurring = [i for i in seeing if case.queries == case.keys and ids[b, i] in ids[b, :i]]
            sums = dict.fromkeys(names, 0.0)
            for i in seeing:
                here = i + case.keys - case.queries if case.spec.positional else i
                for j, p in enumerate(case.truth.map[b, h, i].tolist()):
                    sums["entropy"] -= p * math.log(p) if p else 0.0
                    sums["distance"] += p * abs(here - j)
                    sums["diagonal"] += p * (j == here)
                    sums["previous_token"] += p * (j == here - 1)
                    sums["next_token"] += p * (j == here + 1)
                    sums["first_token"] += p * (j == first)
                    if case.queries == case.keys:
                        own = ids[b, i]
                        sums["duplicate_token"] += p * bool(j < i and ids[b, j] == own)
                        sums["induction"] += p * bool(0 < j <= i and ids[b, j - 1] == own)
            for name in names:
                rows = recurring if name in ("duplicate_token", "induction") else seeing
                stats[name][b, h] = sums[name] / max(len(rows), 1)
    return stats
