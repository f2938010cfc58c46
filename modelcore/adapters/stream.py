"""The residual stream of an adapted model, and the way from it to what the model says, both as transformers has them.

The stack that speaks is a list of blocks. What enters the first and leaves each is handed out as it passes; and put in
place of what the last one leaves, any stream goes through the model's own norm, head, scale and softcap.
"""

# R rows, W model width

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from modelcore.adapters.interface import Planned
from modelcore.adapters.plan import NUMBER
from modelcore.checkpoints.error import CheckpointError
from modelcore.config import StackName


def blocks_of(model: nn.Module, plan: Sequence[Planned], stack: StackName) -> list[nn.Module]:
    """The blocks of a stack, in their order: the list that its attending modules stand in.

    Raises: CheckpointError if they stand in none, or in several.
    """
    lists = set()
    for planned in plan:
        found = NUMBER.search(planned.module)
        if planned.site is not None and planned.site.stack == stack:
            lists.add(planned.module[: found.start() - 1] if found and found.start() else "")
    path = lists.pop() if len(lists) == 1 else ""
    blocks = model.get_submodule(path) if path else None
    if not isinstance(blocks, nn.ModuleList):
        raise CheckpointError("This model's blocks stand in no one list, so that what each leaves cannot be told.")
    return list(blocks)


@contextmanager
def handing_out(blocks: Sequence[nn.Module], tap: Callable[[Tensor], None]) -> Iterator[None]:
    """While inside, `tap` receives what enters the first block and what leaves each, (1, N, W); blocks may repeat."""
    has_begun = False

    def enter(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        nonlocal has_begun
        if not has_begun:
            tap(_stream(given[0] if given else named.get("hidden_states")))
        has_begun = True

    def leave(_: nn.Module, given: Any, output: Any) -> None:
        tap(_stream(output))

    handles = [blocks[0].register_forward_pre_hook(enter, with_kwargs=True)]
    handles += [block.register_forward_hook(leave) for block in blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def in_place_of(block: nn.Module, x_1RW: Tensor) -> Iterator[None]:
    """While inside, the block leaves this stream, whatever enters it."""

    def replace(_: nn.Module, given: Any, output: Any) -> Any:
        return (x_1RW, *output[1:]) if isinstance(output, tuple) else x_1RW

    handle = block.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


def _stream(given: Any) -> Tensor:
    stream = given[0] if isinstance(given, tuple) and given else given
    if not isinstance(stream, Tensor) or stream.dim() != 3 or stream.shape[0] != 1:
        raise CheckpointError("This model's blocks do not hand on one stream of tokens, so no lens can be shown.")
    return stream
