"""What the kernel tests share."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import pytest
import torch

from kernels.spec import AttentionSpec

RunTriton = Callable[..., Any]


@pytest.fixture
def poisoned_memory() -> Iterator[None]:
    poison_memory()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def run_triton() -> Iterator[RunTriton]:
    """Calls a launcher where its kernels run: here on CUDA, else in a process whose Triton interprets.

    A process of its own, because Triton reads TRITON_INTERPRET when it is first imported.
    """
    if torch.cuda.is_available():
        yield lambda launch, *operands, **choices: on_cpu(launch(*map(on_cuda, operands), **choices))
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        interpreter = ProcessPoolExecutor(1, get_context("spawn"), poison_memory)
        interpreter.submit(int).result()
    with interpreter:
        yield lambda launch, *operands, **choices: interpreter.submit(launch, *operands, **choices).result()


def poison_memory() -> None:
    """torch.empty hands out NaN from now on, so an element that nobody writes shows."""
    torch.use_deterministic_algorithms(True)


def on_cuda(operand: Any) -> Any:
    if isinstance(operand, AttentionSpec):
        tensors = {name: getattr(operand, name) for name in operand.used}
        return replace(operand, **{name: x.cuda() for name, x in tensors.items() if isinstance(x, torch.Tensor)})
    return operand.cuda() if isinstance(operand, torch.Tensor) else operand


def on_cpu(result: Any) -> Any:
    if isinstance(result, torch.Tensor):
        return result.cpu()
    if isinstance(result, dict):
        return {name: on_cpu(x) for name, x in result.items()}
    return tuple(map(on_cpu, result)) if isinstance(result, tuple) else result
