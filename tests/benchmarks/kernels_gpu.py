"""The Triton kernels beside torch's attention on the GPU at hand, as shares of what the card does in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from kernels import dispatch
from kernels.spec import AttentionSpec
from tests.benchmarks.figures import Figure, interleaved

# B batch, H heads, G key/value heads, N tokens, D width of a head

HEADS, TOKENS = 32, 8192
ROUNDS = 11

# TFLOP/s on an H200 at 8,192 tokens and more: forward full and causal, backward.
FORWARD = {(128, False): 550, (128, True): 500, (64, False): 410, (64, True): 370}
BACKWARD = {128: 380, 64: 300}
OVERVIEW_TOKENS, OVERVIEW_CELLS, OVERVIEW_MS = 131_072, 256, 180
TILE, TILE_US = 1024, 40
GROWTH = 2.1


def figures() -> Iterator[Figure]:
    if not torch.cuda.is_available():
        yield Figure(
            "kernels.gpu", skipped="no CUDA device; forward, backward, overviews, tiles and memory wait for one"
        )
        return
    card = torch.cuda.get_device_name()
    products, bandwidth = _ceilings()
    yield Figure(
        "kernels.gpu.ceilings", f"{card}: products {products / 1e12:.0f} TFLOP/s, memory {bandwidth / 1e12:.2f} TB/s"
    )
    for width, causal in FORWARD:
        yield from _forward(width, causal, products)
    for width in BACKWARD:
        yield from _backward(width, products)
    yield _overview(products)
    yield _tile(bandwidth)
    yield _memory()


def _ceilings() -> tuple[float, float]:
    """FLOP/s of a large bfloat16 product and bytes/s of a large copy."""
    side = 8192
    a, b = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    source = torch.empty(2**30, device="cuda", dtype=torch.uint8)
    target = torch.empty_like(source)
    product_s, copy_s = interleaved(
        ROUNDS, lambda: _gpu_seconds(lambda: a @ b), lambda: _gpu_seconds(lambda: target.copy_(source))
    )
    return 2 * side**3 / product_s, 2 * source.numel() / copy_s


def _forward(width: int, causal: bool, products: float) -> Iterator[Figure]:
    q, k, v = _operands(TOKENS, width)
    spec = AttentionSpec(width**-0.5, causal=causal)
    rivals = _rivals(q, k, v, causal)
    ways = {"ours": lambda: dispatch.attend(q, k, v, spec, implementation="triton"), **rivals}
    seconds = _in_turns(ways)
    flops = 4 * HEADS * TOKENS**2 * width / (2 if causal else 1)
    kind = "causal" if causal else "full"
    yield from _rates(f"kernels.gpu.forward_{width}_{kind}", flops, seconds, FORWARD[width, causal], products)


def _backward(width: int, products: float) -> Iterator[Figure]:
    q, k, v = (x.requires_grad_() for x in _operands(TOKENS, width))
    spec = AttentionSpec(width**-0.5)
    d_out = torch.randn_like(q)
    outs = {
        "ours": dispatch.attend(q, k, v, spec, implementation="triton").out,
        "sdpa": scaled_dot_product_attention(q, k, v),
    }
    ways = {
        name: lambda out=out: torch.autograd.grad(out, (q, k, v), d_out, retain_graph=True)
        for name, out in outs.items()
    }
    flops = 10 * HEADS * TOKENS**2 * width
    yield from _rates(f"kernels.gpu.backward_{width}", flops, _in_turns(ways), BACKWARD[width], products)


def _rivals(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> dict[str, Callable[[], object]]:
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def cudnn() -> Tensor:
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            return scaled_dot_product_attention(q, k, v, is_causal=causal)

    block_mask = None
    if causal:
        block_mask = create_block_mask(lambda b, h, i, j: j <= i, None, None, q.shape[2], k.shape[2], device="cuda")
    flex = torch.compile(flex_attention)

    def eager() -> Tensor:
        scores = (q @ k.mT) * q.shape[3] ** -0.5
        if causal:
            hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device="cuda").triu(1)
            scores = scores.masked_fill(hidden, -torch.inf)
        return scores.softmax(-1) @ v

    return {
        "sdpa": lambda: scaled_dot_product_attention(q, k, v, is_causal=causal),
        "cudnn": cudnn,
        "flex": lambda: flex(q, k, v, block_mask=block_mask),
        "eager": eager,
    }


def _in_turns(ways: dict[str, Callable[[], object]]) -> dict[str, float | str]:
    """The median of each; of one that does not run here, what it said."""
    seconds: dict[str, float | str] = {}
    for name, way in ways.items():
        try:
            way()
        except RuntimeError as refusal:
            if name == "ours":
                raise
            seconds[name] = str(refusal).splitlines()[0]
    running = [name for name in ways if name not in seconds]
    medians = interleaved(ROUNDS, *(lambda way=ways[name]: _gpu_seconds(way) for name in running))
    return seconds | dict(zip(running, medians, strict=True))


def _rates(name: str, flops: float, seconds: dict[str, float | str], goal: int, products: float) -> Iterator[Figure]:
    for way, taken in seconds.items():
        if isinstance(taken, str):
            yield Figure(f"{name}.{way}", skipped=taken)
            continue
        rate = flops / taken
        said = f"{rate / 1e12:.0f} TFLOP/s, {rate / products:.0%} of the product's"
        ours = way == "ours"
        yield Figure(f"{name}.{way}", said, f">= {goal} TFLOP/s" if ours else "", rate >= 1e12 * goal if ours else None)


def _overview(products: float) -> Figure:
    """All heads of one layer at once: maxima and means of 256 x 256 cells, from q, k and log-sum-exp."""
    q, k, v = _operands(OVERVIEW_TOKENS, 128, key_heads=8)
    spec = AttentionSpec(128**-0.5, causal=True)
    lse = dispatch.attend(q, k, v, spec, implementation="triton").lse
    cell = OVERVIEW_TOKENS // OVERVIEW_CELLS
    (taken,) = interleaved(
        5, lambda: _gpu_seconds(lambda: dispatch.map_pool(q, k, lse, spec, cell, implementation="triton"))
    )
    limit_s = HEADS * OVERVIEW_TOKENS**2 * 128 / products
    return Figure(
        f"kernels.gpu.overview_of_{HEADS}_heads_at_{OVERVIEW_TOKENS}",
        f"{1e3 * taken:.0f} ms, {limit_s / taken:.0%} of the product alone",
        f"<= {OVERVIEW_MS} ms",
        1e3 * taken <= OVERVIEW_MS,
    )


def _tile(bandwidth: float) -> Figure:
    q, k, v = _operands(TOKENS, 128)
    spec = AttentionSpec(128**-0.5, causal=True)
    lse = dispatch.attend(q, k, v, spec, implementation="triton").lse
    rows, cols = range(TOKENS - TILE, TOKENS), range(TILE)
    repeats = 20

    def tiles() -> None:
        for _ in range(repeats):
            dispatch.map_tile(q, k, lse, spec, rows, cols, implementation="triton")

    (taken,) = interleaved(ROUNDS, lambda: _gpu_seconds(tiles) / repeats)
    limit_s = 4 * HEADS * TILE**2 / bandwidth
    return Figure(
        f"kernels.gpu.tile_{TILE}_of_{HEADS}_heads",
        f"{1e6 * taken:.0f} us, {limit_s / taken:.0%} of writing it",
        f"<= {TILE_US} us",
        1e6 * taken <= TILE_US,
    )


def _memory() -> Figure:
    peaks = [_peak(tokens) for tokens in (16_384, 32_768)]
    return Figure(
        "kernels.gpu.memory_when_tokens_double",
        f"x {peaks[1] / peaks[0]:.2f}, {peaks[1] / 2**20:.0f} MiB at 32,768",
        f"<= x {GROWTH}",
        peaks[1] <= GROWTH * peaks[0],
    )


def _peak(tokens: int) -> int:
    """Bytes of attention and its overview, operands included."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    q, k, v = _operands(tokens, 128)
    dispatch.attend_and_pool(q, k, v, AttentionSpec(128**-0.5, causal=True), tokens // OVERVIEW_CELLS)
    return torch.cuda.max_memory_allocated() - before


def _operands(tokens: int, width: int, key_heads: int = HEADS) -> list[Tensor]:
    generator = torch.Generator("cuda").manual_seed(0)
    return [
        torch.randn(1, heads, tokens, width, generator=generator, device="cuda", dtype=torch.bfloat16)
        for heads in (HEADS, key_heads, key_heads)
    ]


def _gpu_seconds(action: Callable[[], object]) -> float:
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    action()
    ended.record()
    ended.synchronize()
    return began.elapsed_time(ended) / 1e3
