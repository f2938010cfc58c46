"""Estimates are near what a plan's model takes, and what cannot fit is told with its number."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from modelcore.training.costs import Machine, costs, misfit
from modelcore.training.plan import TrainingPlan
from modelcore.training.session import Session

SMALL = {"layers": 2, "heads": 4, "width": 64}
TEXT = "In the beginning God created the heaven and the earth. " * 100
PLANS: list[dict[str, Any]] = [
    {"assignment": "copy"},
    {"assignment": "modular"},
    {"assignment": "copy", "positions": "rotary", "norm_order": "sandwich"},
    {"assignment": "copy", "positions": "t5", "norm_order": "post"},
    {"assignment": "copy", "score": "multiplicative", "key_width": 8},
    {"assignment": "copy", "score": "additive", "positions": "none"},
    {"assignment": "brackets", "positions": "relative_keys", "norm_order": "output"},
    {"assignment": "text", "text": TEXT, "tokenizer": "bytes", "vocabulary": 258},
    {"assignment": "masked", "text": TEXT, "tokenizer": "bytes", "vocabulary": 261},
    {"assignment": "dates", "vocabulary": 300},
    {"assignment": "dates", "vocabulary": 300, "positions": "learned", "norm_order": "pre", "dropout": 0.1},
]


@pytest.mark.parametrize("changes", PLANS, ids=lambda changes: "-".join(map(str, changes.values()))[:50])
def test_estimated_parameters_are_the_models_and_activations_are_near(changes: dict[str, Any], tmp_path: Path) -> None:
    plan = TrainingPlan(**{**SMALL, **changes})
    told, session = costs(plan.to_json()), Session(plan, tmp_path)
    assert told.parameters == session.parameters
    batch = session.assignment.batch(1)
    assert told.tokens_per_step == pytest.approx(session.assignment.tokens_of(batch), rel=0.4)
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        session.assignment.loss(session.model, batch)
    of_weights = {weight.untyped_storage().data_ptr() for weight in session.model.parameters()}
    activations = sum(size for place, size in kept.items() if place not in of_weights)
    assert 0.5 < told.activations_bytes / activations < 2.5


def test_recomputing_keeps_one_layer_and_the_inputs_of_the_others_and_computes_a_third_more() -> None:
    plan = TrainingPlan(**{**SMALL, "assignment": "copy", "layers": 12})
    kept, again = costs(plan.to_json()), costs(replace(plan, recompute=True).to_json())
    assert again.activations_bytes < kept.activations_bytes / 4
    assert again.flops == pytest.approx(kept.flops * 4 / 3)


def test_time_and_energy_are_of_a_machine_whose_rate_is_known() -> None:
    plan = TrainingPlan(assignment="copy").to_json()
    assert costs(plan).seconds is None and costs(plan, Machine(flops_per_s=1e10)).watt_hours is None
    slow, fast = (costs(plan, Machine(flops_per_s=rate, watts=36.0)) for rate in (1e9, 1e12))
    assert slow.seconds and fast.seconds and slow.seconds > 5 * fast.seconds
    assert slow.watt_hours == pytest.approx(slow.seconds / 100)
    doubled = costs({**plan, "steps": 2 * plan["steps"]}, Machine(flops_per_s=1e9))
    assert doubled.seconds == pytest.approx(2 * slow.seconds)


@pytest.mark.parametrize(
    ("changes", "machine", "field"),
    [
        ({"width": 1024, "layers": 24}, Machine(memory_bytes=2 * 10**9), "width"),
        ({"batch": 1024, "length": 1024}, Machine(memory_bytes=2 * 10**9), "batch"),
        ({"width": 1024, "layers": 24}, Machine(memory_bytes=10**12, disk_free_bytes=10**9), "width"),
        ({"assignment": "text", "text": "too short " * 9, "length": 64}, Machine(), "length"),
    ],
)
def test_plan_for_which_there_is_no_room_is_told_with_its_number(
    changes: dict[str, Any], machine: Machine, field: str
) -> None:
    found = misfit(TrainingPlan(**{"assignment": "copy", **changes}).to_json(), machine)
    assert found is not None and found.field == field and found.message.endswith(".")
    assert misfit(TrainingPlan(assignment="copy").to_json(), Machine(memory_bytes=4 * 10**9)) is None


def test_what_the_site_imports_needs_no_torch() -> None:
    modules = ("costs", "sweeps.variants", "sweeps.power_law")
    names = [f"modelcore.training.{module}" for module in modules]
    imports = f"import sys, json, importlib; [importlib.import_module(name) for name in {names!r}]"
    script = f"{imports}; print(json.dumps([*sys.modules]))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    assert set(names) <= set(loaded) and not {"torch", "numpy", "tokenizers"} & set(loaded)
