"""The cases that the Triton kernels meet, under the interpreter small enough for the ordinary test run."""

from __future__ import annotations

import pytest

from kernels import dispatch
from kernels.gpu.configurations import Configuration
from tests.kernels.cases import CASES, Case

SMALL = Configuration(32, 32)  # so that a case of 129 tokens has edges, an interior and a ragged end
MOST_PAIRS = 35_000  # the interpreter makes a million a second, at best


def known(operation: dispatch.Operation) -> list[Case]:
    return [
        case
        for case in CASES
        if dispatch.chosen("cuda", operation, case.spec).implementation == "triton"
        and case.batch * case.heads * case.queries * case.keys <= MOST_PAIRS
    ]


def every_case(operation: dispatch.Operation) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", known(operation), ids=str)


def some_cases(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case", [next(case for case in CASES if case.name == name) for name in names], ids=str
    )
