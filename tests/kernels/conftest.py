"""What the kernel tests share."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def poisoned_memory() -> Iterator[None]:
    """torch.empty hands out NaN, so an element that nobody writes shows. Needs no help from the kernels."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
