"""What cannot be attention is refused, in words."""

import json
from dataclasses import fields

import pytest
import torch

from kernels import dispatch
from kernels.spec import AttentionSpec
from tests.kernels.cases import CASES, Case


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
        ({"scale": 1.0, "additive": torch.ones(1, 8), "relative_keys": torch.ones(3, 8)}, "relative keys are part of"),
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
        ((1, 4, 8, 16), (1, 4, 8, 16), (1, 4, 9, 16), "v must be like k but for its width"),
        ((1, 4, 8, 16), (1, 4, 8, 16), (1, 4, 8, 0), "v must be like k but for its width"),
        ((1, 4, 8, 16), (1, 4, 8, 16), (1, 4, 8), "v must be like k but for its width"),
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


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ({"sinks": torch.zeros(3)}, r"sinks must be \[2\]"),
        ({"alibi_slopes": torch.zeros(2, 1)}, r"alibi_slopes must be \[2\]"),
        ({"t5_bias": torch.zeros(2, 32)}, r"t5_bias must be \['any', 2\]"),
        ({"relative_keys": torch.zeros(3, 7)}, r"relative_keys must be \['any', 8\] or \[2, 'any', 8\]"),
        ({"relative_keys": torch.zeros(1, 3, 8)}, "relative_keys must be"),
        ({"relative_keys": torch.zeros(4, 8)}, r"relative_keys must have 2c \+ 1 rows"),
        ({"relative_keys": torch.zeros(3, 8).long()}, "relative_keys must hold floats"),
        ({"additive": torch.zeros(2, 7)}, r"additive must be \[2, 8\]"),
        ({"additive": torch.zeros(2, 8).long()}, "additive must hold floats"),
        ({"documents": torch.zeros(1, 5).long()}, r"documents must be \[1, 4\]"),
        ({"documents": torch.zeros(1, 4)}, "documents must hold integers"),
        ({"head_gate": torch.ones(2).long()}, "head_gate must hold floats"),
        ({"random_blocks": torch.zeros(1, 4, 1).long(), "block": 2}, "random_blocks must be"),
        ({"bias": torch.zeros(1, 1, 4, 4, requires_grad=True)}, "bias takes no gradient"),
        ({"edge_queries": torch.ones(1, 3, 4).int(), "edge_keys": torch.ones(1, 1, 4).int(),
          "edge_bias": torch.zeros(1)}, "edge_queries must be"),
    ],
)  # fmt: skip
def test_fields_of_other_shapes_are_refused(rules: dict, complaint: str) -> None:
    x = torch.zeros(1, 2, 4, 8)
    with pytest.raises(ValueError, match=complaint):
        dispatch.attend(x, x, x, AttentionSpec(1.0, **rules))


def test_more_queries_than_documents_are_refused() -> None:
    x = torch.zeros(1, 1, 4, 8)
    with pytest.raises(ValueError, match="4 queries are too many"):
        dispatch.attend(x, x[:, :, :3], x[:, :, :3], AttentionSpec(1.0, documents=torch.zeros(1, 3).long()))


@pytest.mark.parametrize(
    ("rules", "positional"),
    [
        ({}, False),
        ({"additive": torch.ones(1, 8)}, False),
        ({"key_lengths": torch.tensor([3])}, False),
        ({"relative_keys": torch.ones(3, 8)}, True),
        ({"t5_bias": torch.ones(8, 1)}, True),
        ({"window": 4}, True),
    ],
)
def test_spec_that_speaks_of_distances_says_where_queries_stand(rules: dict, positional: bool) -> None:
    """Else queries and keys may be of different texts, and a measure must not take the last query for the last key."""
    assert AttentionSpec(1.0, **rules).positional is positional


@pytest.mark.parametrize("case", CASES, ids=str)
def test_spec_of_some_heads_and_of_one_sequence_is_that_part_of_the_whole(case: Case) -> None:
    """Heads without groups, so that a choice of them is a choice of operands."""
    q, k, v = case.operands
    heads = [case.heads - 1, 0]
    groups = [head // (case.heads // case.groups) for head in heads]
    b = case.batch - 1
    spec = case.spec.for_heads(heads).for_sequence(b)
    part = dispatch.attend(q[b : b + 1, heads], k[b : b + 1, groups], v[b : b + 1, groups], spec)
    torch.testing.assert_close(part.out.double(), case.truth.out[b : b + 1, heads], atol=5e-6, rtol=1e-6)


def test_fields_are_plain_values_or_tensors() -> None:
    """What a map is kept on disk by: values as JSON, tensors in a file of tensors."""
    for case in CASES:
        for field in fields(case.spec):
            value = getattr(case.spec, field.name)
            assert isinstance(value, torch.Tensor) or json.loads(json.dumps(value)) == value
