"""The choice of an implementation is told, and nothing else runs in its place."""

from dataclasses import fields

import pytest
import torch

from kernels import cpu, dispatch
from kernels.spec import AttentionSpec


def test_cpu_is_chosen_for_tensors_there_and_names_its_matrix_products() -> None:
    choice = dispatch.chosen("cpu")
    assert choice.implementation == "cpu"
    assert cpu.score_backend().name in choice.reason


@pytest.mark.parametrize("operation", ["attend", "attend with gradients", "map_tile", "map_pool", "map_stats"])
def test_cuda_takes_triton(operation: dispatch.Operation) -> None:
    spec = AttentionSpec(1.0, causal=True, t5_bias=torch.zeros(4, 1), sinks=torch.zeros(1, requires_grad=True))
    assert dispatch.chosen("cuda", operation, spec, 128).implementation == "triton"


@pytest.mark.parametrize(
    ("operation", "rules", "named"),
    [
        ("map_pool", {"causal": True, "additive": torch.zeros(1, 8)}, "additive"),
        ("attend with gradients", {"relative_keys": torch.zeros(3, 8)}, "relative_keys"),
        ("attend with gradients", {"t5_bias": torch.zeros(4, 1, requires_grad=True)}, "a t5_bias that learns"),
    ],
)
def test_cuda_takes_torch_for_what_triton_does_not_know_and_names_it(
    operation: dispatch.Operation, rules: dict, named: str
) -> None:
    choice = dispatch.chosen("cuda", operation, AttentionSpec(1.0, **rules))
    assert choice.implementation == "torch"
    assert f"no Triton kernel for {operation} with {named};" in choice.reason


@pytest.mark.parametrize(("operation", "widest"), [("attend", 256), ("map_stats", 256), ("attend with gradients", 128)])
def test_cuda_takes_torch_for_heads_wider_than_a_tile(operation: dispatch.Operation, widest: int) -> None:
    assert dispatch.chosen("cuda", operation, AttentionSpec(1.0), widest).implementation == "triton"
    choice = dispatch.chosen("cuda", operation, AttentionSpec(1.0), widest + 1)
    assert choice.implementation == "torch"
    assert f"heads wider than {widest}" in choice.reason


@pytest.mark.parametrize("learns", [False, True])
def test_attend_asks_for_what_can_do_it(learns: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        dispatch.attention,
        "implementation_of",
        lambda named, operation, *to: asked.append((operation, to[-1])) or "cpu",
    )
    x = torch.zeros(1, 1, 4, 8)
    table = torch.zeros(3, 8, requires_grad=learns)
    dispatch.attend(x, x, torch.zeros(1, 1, 4, 12), AttentionSpec(1.0, relative_keys=table))
    assert asked == [("attend with gradients" if learns else "attend", 12)]


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
