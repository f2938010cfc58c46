"""The choice of an implementation is told, and nothing else runs in its place."""

from dataclasses import fields

import pytest
import torch

from kernels import cpu, dispatch
from kernels.spec import AttentionSpec


def test_cpu_is_chosen_for_tensors_there_and_names_its_matrix_products() -> None:
    choice = dispatch.chosen("cpu")
    assert choice.implementation == "cpu"
    assert cpu.matmul_backend().name in choice.reason


@pytest.mark.parametrize(
    ("operation", "implementation"),
    [
        ("attend", "triton"),
        ("attend with gradients", "torch"),
        ("attend to values of another width", "torch"),
        ("map_tile", "triton"),
        ("map_pool", "triton"),
        ("map_stats", "torch"),
    ],
)
def test_cuda_takes_triton_where_there_is_a_kernel_and_says_where_not(
    operation: dispatch.Operation, implementation: str
) -> None:
    choice = dispatch.chosen("cuda", operation)
    assert choice.implementation == implementation
    assert (operation in choice.reason) == (implementation == "torch")


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"window": 4}, "a window without causal"),
        ({"sinks": torch.zeros(1), "documents": torch.zeros(1, 4)}, "documents, sinks"),
        ({"causal": True, "prefix": 4}, "prefix"),
        ({"causal": True, "relative_keys": torch.zeros(3, 8)}, "relative_keys"),
        ({"causal": True, "additive": torch.zeros(1, 8)}, "additive"),
    ],
)
def test_cuda_takes_torch_for_what_triton_does_not_know_and_names_it(rules: dict, named: str) -> None:
    choice = dispatch.chosen("cuda", "map_pool", AttentionSpec(1.0, **rules))
    assert choice.implementation == "torch"
    assert f"no Triton kernel for map_pool with {named};" in choice.reason


@pytest.mark.parametrize(
    ("value_width", "learns", "operation"),
    [(8, False, "attend"), (4, False, "attend to values of another width"), (4, True, "attend with gradients")],
)
def test_attend_asks_for_what_can_do_it(
    value_width: int, learns: bool, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Triton kernel takes values as wide as keys, and has no backward pass."""
    asked = []
    monkeypatch.setattr(dispatch, "_implementation", lambda named, operation, *_: asked.append(operation) or "cpu")
    x = torch.zeros(1, 1, 4, 8)
    table = torch.zeros(3, 8, requires_grad=learns)
    dispatch.attend(x, x, x[..., :value_width], AttentionSpec(1.0, relative_keys=table))
    assert asked == [operation]


def test_every_field_is_known_to_triton_or_sent_elsewhere() -> None:
    """A field that Triton does not know and nobody sends elsewhere would silently not be there."""
    for field in fields(AttentionSpec):
        spec = AttentionSpec(1.0)
        object.__setattr__(spec, field.name, torch.ones(1))
        qualifies = field.name in ("scale", "t5_bidirectional", "t5_max_distance")
        assert qualifies or field.name in spec.used
        if field.name not in dispatch.TRITON_KNOWS and not qualifies:
            assert dispatch.chosen("cuda", "attend", spec).implementation == "torch"


@pytest.mark.parametrize("implementation", ["triton", "torch", "abacus"])
def test_implementation_that_cannot_run_here_is_refused(implementation: dispatch.Implementation) -> None:
    x = torch.zeros(1, 1, 4, 8)
    with pytest.raises(ValueError, match="does not run attend on cpu"):
        dispatch.attend(x, x, x, AttentionSpec(1.0), implementation=implementation)
