"""Products in 16 bits, activations that are computed twice, compiled layers: what they change and what they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from modelcore.training import matmul, precision
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.session import DivergedError, Session
from tests.modelcore.test_session import losses, plan


@pytest.fixture
def any_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """This CPU may be slow at 16 bits, but it computes them."""
    monkeypatch.setattr(precision, "_multiplies", lambda *_: True)


def set_scale(session: Session, scale: float) -> None:
    scaler = session._trainer._scaler
    scaler.load_state_dict(scaler.state_dict() | {"scale": scale})


@pytest.mark.usefixtures("any_precision")
@pytest.mark.parametrize("kind", ["bf16", "fp16"])
@pytest.mark.parametrize("assignment", ["copy", "dates"])
def test_sixteen_bits_learn_what_float32_learns_and_keep_weights_whole(
    assignment: Any, kind: Any, tmp_path: Path
) -> None:
    exact, rounded = (
        Session(plan(assignment, precision=name, dropout=0.0, steps=20), tmp_path / name) for name in ("float32", kind)
    )
    told, also = losses(exact), losses(rounded)
    assert told != also and also == pytest.approx(told, rel=0.03)
    assert {tensor.dtype for tensor in rounded.model.state_dict().values()} == {torch.float32}


@pytest.mark.usefixtures("any_precision")
@pytest.mark.parametrize("kind", ["bf16", "fp16"])
def test_sixteen_bits_go_on_with_the_same_losses(kind: Any, tmp_path: Path) -> None:
    told = plan(precision=kind, steps=20)
    whole = losses(Session(told, tmp_path / "whole"))
    cut = Session(told, tmp_path / "cut")
    while cut.step < 7:
        cut.advance()
    if kind == "fp16":
        set_scale(cut, 256.0)
    cut.save()
    gone_on = Session(told, tmp_path / "cut")
    assert gone_on._trainer.scale == cut._trainer.scale == (256.0 if kind == "fp16" else 1.0)
    assert losses(gone_on) == pytest.approx(whole[7:], rel=1e-3 if kind == "fp16" else 0)


@pytest.mark.usefixtures("any_precision")
def test_gradient_that_overflows_skips_the_step_and_halves_the_scale(tmp_path: Path) -> None:
    session = Session(plan(precision="fp16"), tmp_path)
    set_scale(session, 2.0**40)
    before = {name: tensor.clone() for name, tensor in session.model.state_dict().items()}
    done, _ = session.advance()
    assert done.skipped and done.gradient_norm == 0 and session._trainer.scale == 2.0**39
    assert all(torch.equal(tensor, before[name]) for name, tensor in session.model.state_dict().items())
    set_scale(session, 1024.0)
    assert not session.advance()[0].skipped


@pytest.mark.usefixtures("any_precision")
def test_gradient_that_is_no_number_at_any_scale_has_diverged(tmp_path: Path) -> None:
    session = Session(plan(precision="fp16", steps=200), tmp_path)
    for parameter in session.model.parameters():
        parameter.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(DivergedError):
        losses(session)


@pytest.mark.parametrize("kind", ["bf16", "fp16"])
def test_device_that_has_no_such_products_refuses_them_and_names_what_it_has(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_fp16_supported", lambda: False)
    with pytest.raises(PlanError, match=r"This cpu has no .*: float32") as refused:
        Session(plan(precision=kind), tmp_path)
    assert refused.value.field == "precision"


@pytest.mark.parametrize("assignment", ["copy", "dates"])
def test_recomputed_activations_give_the_same_losses_for_less_memory(assignment: Any, tmp_path: Path) -> None:
    """With dropout, whose noise must be the same the second time. Bytes are those that autograd keeps."""
    kept: dict[bool, int] = {}
    curves: dict[bool, list[float]] = {}
    for recompute in (False, True):
        session = Session(plan(assignment, layers=4, recompute=recompute), tmp_path / str(recompute))
        kept[recompute] = _bytes_kept(session)
        curves[recompute] = losses(session)
    assert curves[True] == curves[False]
    assert kept[True] < kept[False] / 3, kept


def _bytes_kept(session: Session) -> int:
    """Of activations, by one loss, until its gradient is taken; weights are there anyway."""
    seen = {parameter.data_ptr() for parameter in session.model.parameters()}
    total = 0

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal total
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            total += storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = session.assignment.loss(session.model, session.assignment.batch(1))
    del loss
    return total


def test_compiling_without_a_compiler_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(PlanError, match=r"g\+\+") as refused:
        Session(plan(compile=True), tmp_path)
    assert refused.value.field == "compile"


def test_plan_of_before_there_was_a_choice_is_read_as_float32() -> None:
    stored = plan().to_json()
    for field in ("precision", "recompute", "compile"):
        del stored[field]
    assert TrainingPlan.from_json(stored) == plan()


@pytest.mark.parametrize("changes", [{"precision": "int8"}, {"recompute": 1}, {"compile": "yes"}])
def test_other_choices_are_refused_by_their_field(changes: dict[str, Any]) -> None:
    with pytest.raises(PlanError) as refused:
        plan(**changes)
    assert refused.value.field in changes


@pytest.mark.parametrize(("exact", "route"), [(True, "medium"), (False, "highest")])
def test_training_goes_on_with_the_products_it_began_with_where_they_are_exact(
    exact: bool, route: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint may come from a machine whose "medium" is float32, to one where it is bfloat16."""
    before = torch.get_float32_matmul_precision()
    monkeypatch.setattr(matmul, "_is_exact", lambda asked: exact or asked == matmul.DEFAULT)
    try:
        monkeypatch.setattr(matmul, "_chosen_once", lambda: "medium")
        begun = Session(plan(), tmp_path)
        begun._matmul = "medium"
        begun.save()
        monkeypatch.setattr(matmul, "_chosen_once", lambda: "highest")
        Session(plan(), tmp_path)
        assert torch.get_float32_matmul_precision() == route
    finally:
        torch.set_float32_matmul_precision(before)
