"""Compiles what the launchers launch, without a GPU, and looks at the machine code.

    python -m tests.kernels.compiled        records the table that test_triton_compiles.py holds the kernels to

A launcher is called as ever, on tensors of the CPU, with Triton made to believe in a card: so what is compiled is
what runs, specialised for the same alignments and options.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from kernels.spec import AttentionSpec, LogScale

TABLE = Path(__file__).with_name("compiled.json")
SHARED_KIB = {80: 163, 90: 227}  # of one program, CUDA C++ Programming Guide, table "Technical Specifications"
WORKERS = 2
TOKENS, CELL = 1024, 512


def launches(card: int) -> dict[str, Callable[[], object]]:
    """One launch for each configuration of the table, and on Hopper for each variant of a kernel, by name."""
    from kernels.gpu import decode, flash_backward, flash_forward
    from kernels.gpu.map_pairs import map_pairs, map_top_keys
    from kernels.gpu.map_pool import map_pool
    from kernels.gpu.map_rows import entropy_and_distance, map_received
    from kernels.gpu.map_tile import map_tile

    causal = AttentionSpec(scale=0.1, causal=True)
    rows = range(TOKENS)
    lse = torch.empty(1, 4, TOKENS)
    edge = torch.zeros(1, 1, TOKENS, dtype=torch.int64)
    named: dict[str, Callable[[], object]] = {}
    for width in (64, 128, 256):
        q, k, v = heads(width)
        maps = (q, k, lse, causal)
        named |= {
            f"forward {width}": partial(flash_forward.attend, q, k, v, causal),
            f"decode {width}": partial(decode.attend, q[:, :, :8], k, v, causal),
            f"pool {width}": partial(map_pool, *maps, CELL, rows, rows),
            f"rows {width}": partial(entropy_and_distance, *maps),
            f"columns {width}": partial(map_received, *maps),
        }
        if width <= 128:
            named[f"backward {width}"] = partial(
                flash_backward.backward, q, k, v, lse, lse, torch.empty_like(q), causal
            )
    q, k, v = heads(128)
    maps = (q, k, lse, causal)
    named |= {
        "tile 128": partial(map_tile, *maps, rows, rows),
        "pairs 128": partial(map_pairs, *maps, edge, edge),
        "top keys 128": partial(map_top_keys, *maps, 4, rows),
    }
    if card < 90:
        return named
    windowed = AttentionSpec(scale=0.1, causal=True, window=300, key_lengths=torch.zeros(1, dtype=torch.int64))
    packed = AttentionSpec(scale=0.1, causal=True, documents=torch.zeros(1, TOKENS, dtype=torch.int64))
    biased = AttentionSpec(scale=0.1, t5_bias=torch.zeros(32, 4))
    named |= {
        "forward 128, full": partial(flash_forward.attend, q, k, v, AttentionSpec(scale=0.1)),
        "forward 128, window": partial(flash_forward.attend, q, k, v, windowed),
        "forward 128, documents": partial(flash_forward.attend, q, k, v, packed),
        "forward 128, t5": partial(flash_forward.attend, q, k, v, biased),
        "forward 256, t5": partial(flash_forward.attend, *heads(256), biased),
        "backward 128, t5": partial(flash_backward.backward, q, k, v, lse, lse, torch.empty_like(q), biased),
        "pool 128, t5": partial(map_pool, q, k, lse, biased, CELL, rows, rows),
        "forward 128, entropy": partial(flash_forward.attend, q, k, v, causal, of_rows=True),
        "pool 128, maxima": partial(map_pool, *maps, CELL, rows, rows, mean=False),
        "pool 128, small cells": partial(map_pool, *maps, 16, rows, rows),
        "tile 128, 8 bit": partial(map_tile, *maps, rows, rows, log_scale=LogScale()),
    }
    for width in (64, 128):
        q, k, v = heads(width, torch.float32)
        d_out = torch.empty_like(q)
        named |= {
            f"float32 forward {width}": partial(flash_forward.attend, q, k, v, causal),
            f"float32 backward {width}": partial(flash_backward.backward, q, k, v, lse, lse, d_out, causal),
        }
    return named


def heads(width: int, dtype: torch.dtype = torch.bfloat16) -> tuple[torch.Tensor, ...]:
    """q, k and v, with two query heads a key head."""
    return tuple(torch.empty(1, TOKENS, count, width, dtype=dtype).transpose(1, 2) for count in (4, 2, 2))


def compile_all(names: list[tuple[str, int]]) -> dict[tuple[str, int], Future]:
    """Launches by name and compute capability, in processes of their own: there Triton may be told of a card."""
    workers = ProcessPoolExecutor(WORKERS, get_context("spawn"))
    futures = {(name, card): workers.submit(compile_launch, name, card) for name, card in names}
    workers.shutdown(wait=False)
    return futures


def compile_launch(name: str, card: int) -> dict[str, dict[str, Any]]:
    """What is to be known of each kernel that the launch compiles, by the kernel's name."""
    from triton.runtime.jit import JITFunction

    torch.set_num_threads(1)
    pretend(card)
    kernels: dict[str, dict[str, Any]] = {}
    run = JITFunction.run

    def compile_only(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> Any:
        compiled = run(self, *args, grid=grid, warmup=True, **options)
        block = options.get("BLOCK", 0)
        scores = options.get("BLOCK_Q", block) * options.get("BLOCK_K", block) / (32 * options.get("num_warps", 4))
        kernels[self.__name__.strip("_")] = facts(compiled, scores)
        return compiled

    JITFunction.run = compile_only
    try:
        launches(card)[name]()
    finally:
        JITFunction.run = run
    return kernels


def pretend(card: int) -> None:
    """Let Triton take this machine for one with a card of that compute capability."""
    import triton
    from triton.backends.compiler import GPUTarget

    from kernels.gpu import configurations

    configurations.compute_capability = lambda device: divmod(card, 10)

    class Driver:
        def get_current_target(self) -> GPUTarget:
            return GPUTarget("cuda", card, 32)

        def get_current_device(self) -> int:
            return card

        def get_current_stream(self, device: int = 0) -> int:
            return 0

        def get_active_torch_device(self) -> torch.device:
            return torch.device("cpu")

    triton.runtime.driver.set_active(Driver())


def facts(compiled: Any, scores_of_a_thread: float) -> dict[str, Any]:
    """The loops are those that multiply and hold no other, as (instructions for each score, spills), least first."""
    instructions = disassembled(compiled.asm["cubin"])
    bodies = [body for body in innermost_loops(instructions) if count(body, "HGMMA|HMMA|FFMA") > 4]
    return {
        "shared_kib": round(compiled.metadata.shared / 1024, 1),
        "tensor_core": next((name for name in ("HGMMA", "HMMA") if count(instructions, name)), None),
        "spills": count(instructions, "LDL|STL"),
        "loops": sorted(
            (round(len(body) / scores_of_a_thread, 2), count(body, "LDL|STL")) for body in bodies if scores_of_a_thread
        ),
    }


def disassembled(cubin: bytes) -> list[tuple[int, str, str]]:
    """Address, operation and operands of each instruction."""
    import triton

    cuobjdump = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        dump = subprocess.run([cuobjdump, "-sass", file.name], capture_output=True, text=True, check=True).stdout
    line = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)\s*(.*?);")
    return [(int(address, 16), operation, operands) for address, operation, operands in line.findall(dump)]


def innermost_loops(instructions: list[tuple[int, str, str]]) -> list[list[tuple[int, str, str]]]:
    """From the target of each jump backwards to the jump."""
    at = {address: n for n, (address, _, _) in enumerate(instructions)}
    spans = []
    for n, (address, operation, operands) in enumerate(instructions):
        target = re.search(r"0x([0-9a-f]+)", operands)
        if operation.startswith("BRA") and target and int(target[1], 16) < address and int(target[1], 16) in at:
            spans.append((at[int(target[1], 16)], n + 1))
    return [
        instructions[start:stop]
        for start, stop in spans
        if not any((start, stop) != other and start <= other[0] and other[1] <= stop for other in spans)
    ]


def count(instructions: list[tuple[int, str, str]], operations: str) -> int:
    wanted = set(operations.split("|"))
    return sum(
        number for name, number in Counter(op.split(".")[0] for _, op, _ in instructions).items() if name in wanted
    )


def main() -> None:
    names = [(name, card) for card in SHARED_KIB for name in launches(card)]
    table: dict[str, dict[str, Any]] = {str(card): {} for card in SHARED_KIB}
    for (name, card), kernels in compile_all(names).items():
        table[str(card)][name] = kernels.result()
    rows = [
        f'  "{card}": {{\n'
        + ",\n".join(f"    {json.dumps(name)}: {json.dumps(kernels)}" for name, kernels in launched.items())
        + "\n  }"
        for card, launched in table.items()
    ]
    TABLE.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
