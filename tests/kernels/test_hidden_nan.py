"""A key that is not finite spoils the rows that see it, and no other."""

from __future__ import annotations

import pytest
import torch

from kernels import dispatch
from kernels.spec import AttentionSpec

TOKENS, BAD = 12, 9


@pytest.mark.parametrize(
    "spec", [AttentionSpec(scale=0.5, causal=True), AttentionSpec(scale=0.5, causal=True, window=4)]
)
def test_rows_before_a_key_that_is_not_finite_stay_true(spec: AttentionSpec) -> None:
    """Hiding by the smaller of two numbers let the NaN of a later key through into rows that never see it."""
    q, k, v = torch.randn(3, 1, 2, TOKENS, 16, generator=torch.Generator().manual_seed(0))
    out, lse = dispatch.attend(q, k, v, spec)[:2]
    spoilt = k.clone()
    spoilt[:, :, BAD] = torch.nan
    spoilt_out, spoilt_lse = dispatch.attend(q, spoilt, v, spec)[:2]
    whole = dispatch.map_tile(q, k, lse, spec, range(TOKENS), range(TOKENS))
    tile = dispatch.map_tile(q, spoilt, spoilt_lse, spec, range(TOKENS), range(TOKENS))
    pooled = dispatch.map_pool(q, spoilt, spoilt_lse, spec, 1)
    torch.testing.assert_close(spoilt_out[:, :, :BAD], out[:, :, :BAD])
    torch.testing.assert_close(tile[:, :, :BAD], whole[:, :, :BAD])
    torch.testing.assert_close(pooled.maximum[:, :, :BAD], whole[:, :, :BAD])
    assert tile[:, :, BAD, BAD].isnan().all()
