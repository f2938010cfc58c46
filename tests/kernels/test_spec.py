"""What cannot be attention is refused, in words."""

import pytest
import torch

from kernels import dispatch
from kernels.spec import AttentionSpec


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ({"scale": 0.0}, "scale must be positive"),
        ({"scale": 1.0, "window": 0}, "window must be at least 1"),
        ({"scale": 1.0, "stride": 0}, "stride must be at least 1"),
        ({"scale": 1.0, "prefix": 3}, "prefix needs causal"),
        ({"scale": 1.0, "causal": True, "prefix": -3}, "prefix needs causal=True and must not be negative"),
        ({"scale": 1.0, "block": 8}, "block counts window, stride or random_blocks"),
        ({"scale": 1.0, "block": 8, "window": 1, "key_starts": torch.tensor([1])}, "block and key_starts"),
        ({"scale": 1.0, "edge_keys": torch.ones(1, 1, 3)}, "give both"),
        ({"scale": 1.0, "edge_scale": torch.ones(1)}, "edges need edge_bias or edge_scale"),
        ({"scale": 1.0, "causal": True, "window": 0}, "window must be at least 1"),
        ({"scale": 1.0, "softcap": -1.0}, "softcap must be positive"),
    ],
)
def test_spec_that_means_nothing_is_refused(choice: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        AttentionSpec(**choice)


@pytest.mark.parametrize(
    ("q", "k", "v", "complaint"),
    [
        ((4, 8, 16), (1, 4, 8, 16), (1, 4, 8, 16), "must be \\[batch"),
        ((1, 4, 8, 16), (2, 4, 8, 16), (2, 4, 8, 16), "agree in batch and width"),
        ((1, 4, 8, 16), (1, 4, 8, 32), (1, 4, 8, 32), "agree in batch and width"),
        ((1, 4, 8, 16), (1, 3, 8, 16), (1, 3, 8, 16), "multiple of key heads"),
        ((1, 4, 0, 16), (1, 4, 8, 16), (1, 4, 8, 16), "nothing may be empty"),
        ((1, 4, 8, 16), (1, 4, 8, 16), (1, 4, 9, 16), "v must be like k"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(q: tuple, k: tuple, v: tuple, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        dispatch.attend(torch.zeros(q), torch.zeros(k), torch.zeros(v), AttentionSpec(1.0))


def test_mixed_dtypes_are_refused() -> None:
    x = torch.zeros(1, 1, 4, 8)
    with pytest.raises(ValueError, match="one floating dtype"):
        dispatch.attend(x, x.half(), x.half(), AttentionSpec(1.0))


def test_lse_of_another_length_is_refused() -> None:
    x = torch.zeros(1, 1, 4, 8)
    with pytest.raises(ValueError, match="lse must be"):
        dispatch.map_tile(x, x, torch.zeros(1, 1, 5), AttentionSpec(1.0), range(4), range(4))


def test_key_lengths_of_another_batch_are_refused() -> None:
    x = torch.zeros(1, 1, 4, 8)
    with pytest.raises(ValueError, match="key_lengths must be"):
        dispatch.attend(x, x, x, AttentionSpec(1.0, key_lengths=torch.tensor([4, 4])))
