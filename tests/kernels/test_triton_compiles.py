"""The Triton kernels compile for Hopper without a GPU, use its tensor cores, and spill no register."""

import re
import subprocess
from pathlib import Path

import pytest
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from kernels import flash_forward, map_pool, map_tile
from kernels.scores import Blocks

CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
MASKED = {"CAUSAL": True, "HAS_WINDOW": True, "HAS_SOFTCAP": False, "HAS_LENGTHS": True}
WIDTHS = {"WIDTH": 128, "BLOCK_D": 128, "stride_q_width": 1, "stride_k_width": 1}


@pytest.mark.parametrize(
    ("kernel", "blocks", "constants"),
    [
        (
            flash_forward._forward_kernel,
            flash_forward._blocks(torch.bfloat16, 128),
            {"BLOCK_Q": 128, "BLOCK_K": 64, "stride_v_width": 1},
        ),
        (map_tile._tile_kernel, Blocks(64, 64), {"BLOCK_Q": 64, "BLOCK_K": 64}),
        (map_pool._pool_kernel, Blocks(64, 64), {"BLOCK": 64, "CELL": 512}),
    ],
    ids=["flash_forward", "map_tile", "map_pool"],
)
def test_kernel_compiles_for_hopper(
    kernel: triton.JITFunction,
    blocks: Blocks,
    constants: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    constants = MASKED | WIDTHS | constants
    names = kernel.arg_names
    source = ASTSource(
        kernel,
        {name: "constexpr" if name in constants else argument_type(name) for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs={(i,): [["tt.divisibility", 16]] for i, name in enumerate(names) if is_aligned(name)},
    )
    options = {"num_warps": blocks.num_warps, "num_stages": blocks.num_stages}
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert compiled.metadata.shared <= 227 * 1024
    cubin = tmp_path / "kernel.cubin"
    cubin.write_bytes(compiled.asm["cubin"])
    dump = subprocess.run([CUOBJDUMP, "-sass", cubin], capture_output=True, text=True, check=True).stdout
    assert re.search(r"\bHGMMA", dump), "no tensor core instruction"
    assert not re.search(r"\b(LDL|STL)", dump), "registers spill"


def argument_type(name: str) -> str:
    if name in ("p_q", "p_k", "p_v", "p_out"):
        return "*bf16"
    if name in ("p_key_lengths", "p_wanted"):
        return "*i64"
    if name.startswith("p_"):
        return "*fp32"
    return "fp32" if name in ("factor", "softcap_log2") else "i32"


def is_aligned(name: str) -> bool:
    return name.startswith("p_") or name.endswith(("_batch", "_head", "_row"))
