"""Training beside plain torch, transformers and torch.nn.Transformer: the same weights, batches and losses.

Float32, as many threads as torch takes on this machine. `limit` is the rival's step against one in which nothing but
our model's matrix products took time, by the faster library. On two cores of a Zen 3 (AVX2) MKL makes 155 to 170 of the
185 GFLOP/s that the units can, oneDNN 80 to 155, and products are three quarters of a plain step: 1.3 times plain torch
is the limit there, and 1.4 is a goal for machines where oneDNN is 2.5 times as fast as MKL. The rest of our step is
attention (14 of 100, torch's fused kernel), GELU (6) and gradients of biases (1); AdamW and clipping are under 1.
Pairs are packed, so that their limit is beyond what a rival that computes padding can reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kernels.cpu.matmul import onednn_answers, onednn_linear
from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.models.build import build
from modelcore.training.loop import Optimisation, Trainer
from modelcore.training.matmul import choose_matmul
from modelcore.training.objectives import next_token, target_given_source
from modelcore.training.pairs import IGNORED, PairBatch
from tests.benchmarks.figures import Figure, interleaved, seconds_of
from tests.benchmarks.training_rivals import Rival, plain_gpt, torch_transformer, transformers_gpt2

PLAIN_GOAL, TRANSFORMERS_GOAL, PAIRS_GOAL = 1.4, 1.6, 1.4
# Losses are of one to five nats; float32 in another order makes 1e-6 of it in the first steps.
SAME_LOSS = 1e-4
STEPS_COMPARED = 8
ROUNDS = 7
RATE = 1e-3
SETTINGS = Optimisation(betas=(0.9, 0.99), epsilon=1e-8, weight_decay=0.1)

# nanoGPT's config/train_shakespeare_char.py at the batch of 12 of its README's CPU example; no dropout.
CHARACTERS = ModelConfig(vocabulary=65, positions=256, width=384, decoder=StackConfig(6, 6, 4 * 384))
BATCH = 12

PAIR_STACK = StackConfig(3, 4, 4 * 256)
PAIRS = ModelConfig(
    vocabulary=512,
    positions=64,
    width=256,
    encoder=PAIR_STACK,
    decoder=PAIR_STACK,
    position_encoding="sinusoidal",
    norm_placement="post",
    final_norm=False,
    activation="relu",
    embedding_scale=16.0,
    head=HeadConfig(bias=True),
    start_token=0,
    pad_token=0,
)
PAIR_BATCH, LONGEST = 64, 32


def figures() -> Iterator[Figure]:
    yield Figure("training.matmul", choose_matmul())
    rivals = {"plain_torch": (plain_gpt, PLAIN_GOAL), "transformers": (transformers_gpt2, TRANSFORMERS_GOAL)}
    yield from _compared("training.characters", CHARACTERS, next_token, _characters, rivals)
    yield from _compared(
        "training.pairs", PAIRS, target_given_source, _pairs, {"torch_transformer": (torch_transformer, PAIRS_GOAL)}
    )


def _characters(step: int) -> Tensor:
    """Text-like: each character follows from the one before, but for a tenth."""
    generator = torch.Generator().manual_seed(step)
    ids_BN = torch.randint(65, (BATCH, 257), generator=generator)
    noise_BN = torch.rand(BATCH, 257, generator=generator) < 0.1
    for place in range(1, 257):
        ids_BN[:, place] = torch.where(noise_BN[:, place], ids_BN[:, place], (7 * ids_BN[:, place - 1] + 3) % 65)
    return ids_BN


def _pairs(step: int) -> PairBatch:
    """Sources of several lengths, to be reversed. A quarter is padding; of the task `dates`' sources it is 27 of 100,
    of those of `numbers` 52."""
    generator = torch.Generator().manual_seed(step)
    lengths_B = torch.randint(LONGEST // 2, LONGEST + 1, (PAIR_BATCH,), generator=generator)
    source_BK, labels_BQ = (
        torch.zeros(PAIR_BATCH, LONGEST, dtype=torch.int64),
        torch.full((PAIR_BATCH, LONGEST), IGNORED),
    )
    for row, length in enumerate(lengths_B.tolist()):
        word = torch.randint(1, PAIRS.vocabulary, (length,), generator=generator)
        source_BK[row, :length], labels_BQ[row, :length] = word, word.flip(0)
    target_BQ = torch.cat([torch.zeros(PAIR_BATCH, 1, dtype=torch.int64), labels_BQ[:, :-1].clamp(min=0)], 1)
    return PairBatch(source_BK, lengths_B, target_BQ, labels_BQ)


def _step_of(rival: Rival, drawn: dict[int, Any], step: int) -> float:
    return rival.step(drawn[step])


def _tokens_of(batch: Tensor | PairBatch) -> int:
    if isinstance(batch, PairBatch):
        return batch.source_BK.numel() + batch.target_BQ.numel()
    return batch[:, 1:].numel()


@dataclass(frozen=True)
class Step:
    """One step after another, each timed; `losses` are kept."""

    advance: Callable[[int], float]
    losses: list[float]

    def timed(self) -> float:
        step = len(self.losses) + 1
        return seconds_of(lambda: self.losses.append(self.advance(step)))


def _compared(
    name: str,
    config: ModelConfig,
    objective: Callable[[Any, Any], Tensor],
    batches: Callable[[int], Any],
    rivals: dict[str, tuple[Callable[..., Rival], float]],
) -> Iterator[Figure]:
    torch.manual_seed(0)
    ours = build(config)
    made = {rival: make(ours, RATE, SETTINGS) for rival, (make, _) in rivals.items()}
    trainer: Trainer[Any, Any] = Trainer(ours, objective, lambda _: RATE, SETTINGS)
    drawn = {step: batches(step) for step in range(1, STEPS_COMPARED + 1)}
    steps = [
        Step(lambda step: trainer.step(step, drawn[step]).loss, []),
        *(Step(partial(_step_of, rival, drawn), []) for rival in made.values()),
    ]
    for one in steps:
        one.timed()
    products = Products.of(ours, objective, drawn[1])
    own_s, *theirs_s, onednn_s, torch_s = interleaved(
        ROUNDS, *(one.timed for one in steps), lambda: products.seconds("onednn"), lambda: products.seconds("torch")
    )
    products_s = min(onednn_s, torch_s)
    tokens = _tokens_of(drawn[1])
    for (rival, (_, goal)), seconds, theirs in zip(rivals.items(), theirs_s, steps[1:], strict=True):
        ratio, limit = seconds / own_s, seconds / products_s
        beyond = ", the goal is beyond it here" if limit < goal else ""
        said = f"{limit:.2f} x {rival}{beyond}; products are {products_s / own_s:.0%} of our step"
        yield Figure(f"{name}_{rival}_limit", said)
        also = f"{tokens / own_s:,.0f} tokens/s"
        yield Figure(f"{name}_{rival}", f"{ratio:.2f} x, {also}", f">= {goal} x tokens/s", ratio >= goal)
        apart = max(abs(a - b) for a, b in zip(steps[0].losses, theirs.losses, strict=True))
        also = f"{steps[0].losses[0]:.2f} to {steps[0].losses[-1]:.2f}"
        yield Figure(f"{name}_{rival}_losses", f"{apart:.1e} apart, {also}", f"<= {SAME_LOSS}", apart <= SAME_LOSS)


@dataclass(frozen=True)
class Products:
    """The matrix products of linear layers in one step and nothing else: forward, of the input, of the weight."""

    operands: list[tuple[Tensor, Tensor, Tensor]]

    @classmethod
    def of(cls, model: nn.Module, objective: Callable[[Any, Any], Tensor], batch: Any) -> Products:
        rows: list[tuple[int, int, int]] = []
        hooks = [
            module.register_forward_hook(
                lambda layer, given, _: rows.append((given[0].numel() // layer.in_features, *layer.weight.shape))
            )
            for module in model.modules()
            if isinstance(module, nn.Linear)
        ]
        with torch.no_grad():
            objective(model, batch)
        for hook in hooks:
            hook.remove()
        return cls([(torch.randn(n, i), torch.randn(o, i), torch.randn(n, o)) for n, o, i in rows])

    def seconds(self, library: str) -> float:
        return seconds_of(self._by_torch if library == "torch" else self._by_onednn)

    def _by_torch(self) -> None:
        for x, weight, d_y in self.operands:
            x @ weight.t(), d_y @ weight, d_y.t() @ x

    def _by_onednn(self) -> None:
        if not onednn_answers():
            return self._by_torch()
        for x, weight, d_y in self.operands:
            onednn_linear(x, weight), onednn_linear(d_y, weight.t()), onednn_linear(d_y.t(), x.t())
