"""A model of GPT-2-small's shape beside the same weights in transformers: forward, tapped, writing, loading.

Float32, random weights (speed does not depend on them), as many threads as torch takes on this machine.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from kernels.cpu.matmul import FEW, FLOAT32_ERROR, MANY, matmul_backend, onednn_answers, onednn_linear, onednn_pack
from modelcore.analysis.key_tokens import KeyTokens
from modelcore.analysis.maps import AttentionMap, overview_and_labels, overview_cell
from modelcore.analysis.request import label_ids
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from modelcore.models.build import Transformer
from tests.benchmarks.child_process import measured_in_child
from tests.benchmarks.figures import Figure, interleaved, seconds_of

LENGTHS = (32, 64, 128, 256, 512, 1024, 2048)
PROMPT, WRITTEN = 32, 128
LOADS = 5

FORWARD_GOAL, TAPPED_GOAL, TAP_COST_GOAL = 0.6, 0.65, 1.15
WRITING_GOAL = 1.5
LOADING_GOAL, MEMORY_GOAL = 1.5, 1.2


@dataclass(frozen=True)
class Pair:
    """The same weights in both implementations, and alone: [inputs, outputs] each, plain and packed for oneDNN."""

    theirs: GPT2LMHeadModel
    ours: Transformer
    weights: list[Tensor]
    packed: list[Tensor]


def figures() -> Iterator[Figure]:
    for rows in (FEW, MANY):
        backend = matmul_backend(rows)
        said = f"{backend.name}, {torch.get_num_threads()} threads: {backend.reason}"
        yield Figure(f"transformer.matmul_backend_{rows}_rows", said)
    with tempfile.TemporaryDirectory() as folder:
        pair = _make(Path(folder))
        for length in LENGTHS:
            yield from _forward(pair, length)
        yield _accuracy(pair)
        yield _writing(pair)
        del pair
        yield from _loading(Path(folder))


def _make(folder: Path) -> Pair:
    logging.disable_progress_bar()
    torch.manual_seed(0)
    config = GPT2Config(n_positions=max(LENGTHS), bos_token_id=None, eos_token_id=None)
    GPT2LMHeadModel(config).save_pretrained(folder)
    theirs = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    weights = [weight for name, weight in theirs.named_parameters() if weight.dim() == 2 and ".h." in name]
    weights.append(theirs.lm_head.weight.t())
    packed = [onednn_pack(weight.t().contiguous()) for weight in weights] if onednn_answers() else []
    return Pair(theirs, open_checkpoint(folder).load(), weights, packed)


def _ids(pair: Pair, length: int) -> Tensor:
    return torch.randint(pair.ours.config.vocabulary, (1, length), generator=torch.Generator().manual_seed(length))


@torch.inference_mode()
def _forward(pair: Pair, length: int) -> Iterator[Figure]:
    """All logits of one text; then with every head's overview; then with its measures and labels too."""
    ids = _ids(pair, length)

    tokens = KeyTokens.of(label_ids(ids[0].tolist(), None), is_text=True)

    def overview(map_: AttentionMap) -> None:
        map_.pool(overview_cell(map_.queries, map_.keys), mean=False)

    actions: list[Callable[[], object]] = [
        lambda: pair.theirs(ids, use_cache=False).logits,
        lambda: pair.ours(ids),
        lambda: pair.ours(ids, tap=overview),
        lambda: pair.ours(ids, tap=lambda map_: overview_and_labels(map_, tokens)),
        *_products(pair, length),
    ]
    for action in actions:
        action()
    rounds = 9 if length <= 256 else 5
    theirs_s, bare_s, tapped_s, measured_s, *products_s = interleaved(rounds, *(_timed(action) for action in actions))
    name = f"transformer.forward_{length}"
    limit = min(products_s) / theirs_s
    beyond = ", the goal is beyond it here" if limit > FORWARD_GOAL else ""
    said = f"{limit:.2f} of transformers{beyond}; {min(products_s) / bare_s:.0%} of our pass"
    yield Figure(f"{name}_limit", f"bare matrix products, by the fastest library: {said}")
    yield _ratio(name, bare_s / theirs_s, FORWARD_GOAL, "of transformers", f"{1e3 * bare_s:.0f} ms")
    yield _ratio(f"{name}_overviews", tapped_s / theirs_s, TAPPED_GOAL, "of transformers", f"{1e3 * tapped_s:.0f} ms")
    yield _ratio(f"{name}_overviews_cost", tapped_s / bare_s, TAP_COST_GOAL, "of untapped")
    yield Figure(f"{name}_overviews_and_measures", f"{measured_s / bare_s:.2f} of untapped")


def _products(pair: Pair, rows: int) -> list[Callable[[], object]]:
    """All matrix products of a pass with the model's own weights and nothing else, by torch and by oneDNN."""
    inputs = {width: torch.randn(rows, width) for width in {weight.shape[0] for weight in pair.weights}}

    def by_torch() -> None:
        for weight in pair.weights:
            inputs[weight.shape[0]] @ weight

    def by_onednn() -> None:
        for plain, packed in zip(pair.weights, pair.packed, strict=True):
            onednn_linear(inputs[plain.shape[0]], packed)

    return [by_torch, by_onednn] if pair.packed else [by_torch]


def _timed(action: Callable[[], object]) -> Callable[[], float]:
    return lambda: seconds_of(action)


def _ratio(name: str, ratio: float, goal: float, of: str, also: str = "") -> Figure:
    return Figure(name, f"{ratio:.2f} {of}" + (f", {also}" if also else ""), f"<= {goal} {of}", ratio <= goal)


@torch.inference_mode()
def _accuracy(pair: Pair, length: int = 64) -> Figure:
    """The largest error of a logit, of the largest logit, against transformers in float64."""
    ids = _ids(pair, length)
    ours, theirs = pair.ours(ids), pair.theirs(ids).logits
    exact = pair.theirs.double()(ids).logits
    pair.theirs.float()
    error, their_error = (float((logits - exact).abs().max() / exact.abs().max()) for logits in (ours, theirs))
    also = f"transformers {their_error:.1e}"
    return Figure(
        "transformer.error_against_float64", f"{error:.1e}, {also}", f"<= {FLOAT32_ERROR:.0e}", error <= FLOAT32_ERROR
    )


@torch.inference_mode()
def _writing(pair: Pair) -> Figure:
    """The likeliest token, one after the other; alternatives are not asked for, as transformers tells none."""
    ids = _ids(pair, PROMPT)

    def theirs() -> list[int]:
        asked = {"max_new_tokens": WRITTEN, "do_sample": False, "pad_token_id": 0}
        written: Tensor = pair.theirs.generate(ids, attention_mask=torch.ones_like(ids), **asked)
        return written[0, PROMPT:].tolist()

    def ours() -> list[int]:
        steps = generate(pair.ours, ids[0].tolist(), Sampling(max_tokens=WRITTEN), alternatives=0)
        return [step.id for step in steps]

    assert ours() == theirs(), "both must write the same text"
    theirs_s, ours_s = interleaved(5, lambda: seconds_of(theirs), lambda: seconds_of(ours))
    faster = theirs_s / ours_s
    return Figure(
        "transformer.greedy_writing",
        f"{faster:.2f} x transformers, {WRITTEN / ours_s:.0f} tokens/s",
        f">= {WRITING_GOAL} x tokens/s of transformers",
        faster >= WRITING_GOAL,
    )


def _loading(folder: Path) -> Iterator[Figure]:
    """Each in a process of its own, beside reading the file into memory; the system has it cached for both."""
    file = folder / "model.safetensors"
    turns = [(measured_in_child("read", file), measured_in_child("load", folder)) for _ in range(LOADS)]
    read_s, load_s = (statistics.median(child.seconds for child in children) for children in zip(*turns, strict=True))
    size_bytes = file.stat().st_size
    also = f"{load_s:.2f} s, {size_bytes / 1e6:.0f} MB"
    yield _ratio("transformer.loading", load_s / read_s, LOADING_GOAL, "of reading", also)
    peak = statistics.median(loaded.peak_bytes for _, loaded in turns) / size_bytes
    yield _ratio("transformer.loading_memory", peak, MEMORY_GOAL, "of the file")
