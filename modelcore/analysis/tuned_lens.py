"""The tuned lens: for each depth a translator A h + b into the last layer's coordinates, trained to say what the model
says.

A depth is how many layers the stream has been through; the last needs no translator. Training is a step at a time, and
all that it knows is tensors and numbers, so that it can be put aside between two steps and taken up elsewhere.
Source: Belrose et al. 2023 (arXiv 2303.08112), 3: translators start as the identity and minimise KL(model || lens).
"""

# D depths, N tokens, R rows at once, W model width, V vocabulary

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.lens import Unembedding, rows_at_once, speaking_stack, unembedding
from modelcore.analysis.request import RequestError
from modelcore.config import StackName
from modelcore.models.build import Transformer
from modelcore.models.readable import Readable
from modelcore.models.stack import run_through
from modelcore.tokenizer import Encoding

# Fewer tokens than this teach translators nothing that holds elsewhere.
LEAST_TOKENS = 256
# More are not read: 4,096 of GPT-2's are 164 MB of streams.
MOST_TOKENS = 4096
# Of a training text; most models have seen no shorter ones, and it costs less than the longest.
WINDOW_TOKENS = 128
# Numbers of all translators together: a few times as many are held while they are trained.
MOST_WEIGHTS = 1 << 26

# Shares of the tokens: most teach, some choose when a depth has learned enough, and the rest tell how well it did.
TEACHING, CHOOSING = 0.7, 0.15
STEPS = 300
LOOK_EVERY = 25
ROWS = 64
LEAST_ROWS = 8
# Multiplications of one step: a second or two on two cores, for as long as whoever else wants the worker waits.
STEP_PRODUCTS = 1 << 36
# Each number of a translator moves a result of W of them: the rate of one is this over W.
LEARNING_RATE = 1.0
# Of the first and second moment, and what keeps the division from 0. Source: Kingma and Ba 2014 (Adam), algorithm 1.
BETAS = (0.9, 0.99)
EPSILON = 1e-8


@dataclass(frozen=True, eq=False)
class TunedLens:
    """Trained translators. Shapes: weight (D, W, W), bias (D, W), float32."""

    weight_DWW: Tensor
    bias_DW: Tensor

    def translate(self, depth: int, x_RW: Tensor) -> Tensor:
        weight_WW, bias_W = self.weight_DWW[depth].to(x_RW), self.bias_DW[depth].to(x_RW)
        return F.linear(x_RW, weight_WW, bias_W)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is taught: the streams of a text, (D + 1, N, W), the last depth's included."""

    x_LNW: Tensor

    @property
    def parts(self) -> tuple[range, range, range]:
        """The tokens that teach, choose and tell, in the order of the text."""
        tokens = self.x_LNW.shape[1]
        taught, chosen = int(tokens * TEACHING), int(tokens * (TEACHING + CHOOSING))
        return range(taught), range(taught, chosen), range(chosen, tokens)


@dataclass(eq=False)
class Tuning:
    """A tuned lens in training. `tensors` are the translators as they are and as they were best, and Adam's moments;
    `least` is each depth's best divergence on the tokens that choose, `before` what those that tell had at first.
    """

    tensors: dict[str, Tensor]
    step: int = 0
    least: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)

    @classmethod
    def begin(cls, lesson: Lesson) -> Tuning:
        last, _, width = lesson.x_LNW.shape
        depths = last - 1
        weight = torch.eye(width).repeat(depths, 1, 1)
        bias = torch.zeros(depths, width)
        moments = {
            f"{moment}.{name}": torch.zeros_like(tensor)
            for moment in ("first", "second")
            for name, tensor in (("weight", weight), ("bias", bias))
        }
        best = {"best.weight": weight.clone(), "best.bias": bias.clone()}
        return cls({"weight": weight, "bias": bias, **best, **moments})

    @property
    def is_done(self) -> bool:
        return self.step >= STEPS

    @property
    def lens(self) -> TunedLens:
        """As it was best."""
        return TunedLens(self.tensors["best.weight"], self.tensors["best.bias"])


def require_tunable(model: Readable) -> None:
    """Raises: RequestError if a tuned lens cannot be trained for this model."""
    unembedding(model)
    if not isinstance(model, Transformer) or model.config.architecture not in ("decoder", "encoder"):
        raise RequestError("not_tunable", "A tuned lens is trained for native models that read one text.")
    depths = len(speaking_stack(model).blocks)
    if depths * model.config.width**2 > MOST_WEIGHTS:
        raise RequestError(
            "not_tunable", "This model is too large for a tuned lens: its translators take too much room."
        )


@torch.inference_mode()
def lesson_of(model: Readable, text: Encoding) -> Iterator[Lesson | None]:
    """Reads the text window by window, with None after each, and yields the lesson at the end.

    Special tokens that stand around the whole text are put around each window, and are no part of the lesson.
    Raises: RequestError if the text is too short.
    """
    opening, inner, closing = _around(text)
    tokens = len(inner)
    if tokens < LEAST_TOKENS:
        raise RequestError(
            "text_too_short",
            f"This text has {tokens:,} tokens; a tuned lens needs {LEAST_TOKENS} to learn from. Give a longer one.",
        )
    config = model.config
    room = min(WINDOW_TOKENS, config.longest) - len(opening) - len(closing)
    if room < 1:
        raise RequestError("not_tunable", "This model reads texts that are too short to train a tuned lens on.")
    device = next(model.parameters()).device
    windows: list[Tensor] = []
    for begin in range(0, min(tokens, MOST_TOKENS), room):
        window = inner[begin : begin + room]
        layers: list[Tensor] = []

        def keep(
            _: StackName, depth: int, x_BNW: Tensor, *, layers: list[Tensor] = layers, many: int = len(window)
        ) -> None:
            layers.append(x_BNW[0, len(opening) : len(opening) + many].float().cpu())

        ids = torch.tensor([[*opening, *window, *closing]], device=device)
        run_through(model.layerwise(ids, stream_tap=keep))
        windows.append(torch.stack(layers))
        yield None
    yield Lesson(torch.cat(windows, dim=1))


def _around(text: Encoding) -> tuple[list[int], list[int], list[int]]:
    """The special tokens before a text, the text, and those after it."""
    first = next((place for place, special in enumerate(text.special) if not special), len(text))
    last = next((place for place in range(len(text), first, -1) if not text.special[place - 1]), first)
    return text.ids[:first], text.ids[first:last], text.ids[last:]


def advance(model: Readable, lesson: Lesson, tuning: Tuning) -> None:
    """One step: every translator looks at the same tokens; now and then each is tried on those that choose.

    Source: Adam (Kingma and Ba 2014, arXiv 1412.6980), algorithm 1, with a rate that falls to 0.
    """
    unembed, depths = unembedding(model), len(lesson.x_LNW) - 1
    teach, choose, tell = lesson.parts
    if tuning.step == 0:
        tuning.before = divergences(model, lesson, tuning.lens, tell)
        tuning.least = divergences(model, lesson, tuning.lens, choose)
    rows = min(len(teach), _rows(model, depths))
    # Numbered by the step, so that a training that was put aside goes on as if it had not been.
    drawn_R = torch.randint(len(teach), (rows,), generator=torch.Generator().manual_seed(tuning.step))
    rate = LEARNING_RATE / model.config.width * (1 - tuning.step / STEPS)
    target_RV = _log_shares(unembed, _to(model, lesson.x_LNW[-1][drawn_R]))
    for depth in range(depths):
        weight, bias = (tuning.tensors[name][depth].clone().requires_grad_() for name in ("weight", "bias"))
        x_RW = _to(model, lesson.x_LNW[depth][drawn_R])
        with torch.enable_grad():
            said_RV = _log_shares(unembed, F.linear(x_RW, weight.to(x_RW), bias.to(x_RW)))
            loss = F.kl_div(said_RV, target_RV, reduction="batchmean", log_target=True)
            slopes = torch.autograd.grad(loss, (weight, bias))
        for name, slope in zip(("weight", "bias"), slopes, strict=True):
            _adam(tuning, name, depth, slope, rate)
    tuning.step += 1
    if tuning.step % LOOK_EVERY == 0:
        _keep_the_best(model, lesson, tuning, choose)


def _adam(tuning: Tuning, name: str, depth: int, slope: Tensor, rate: float) -> None:
    first, second = (tuning.tensors[f"{moment}.{name}"][depth] for moment in ("first", "second"))
    first.lerp_(slope, 1 - BETAS[0])
    second.lerp_(slope.square(), 1 - BETAS[1])
    count = tuning.step + 1
    mean, spread = first / (1 - BETAS[0] ** count), second / (1 - BETAS[1] ** count)
    tuning.tensors[name][depth] -= rate * mean / (spread.sqrt() + EPSILON)


def _keep_the_best(model: Readable, lesson: Lesson, tuning: Tuning, choose: range) -> None:
    now = TunedLens(tuning.tensors["weight"], tuning.tensors["bias"])
    for depth, found in enumerate(divergences(model, lesson, now, choose)):
        if found < tuning.least[depth]:
            tuning.least[depth] = found
            for name in ("weight", "bias"):
                tuning.tensors[f"best.{name}"][depth] = tuning.tensors[name][depth]


@torch.inference_mode()
def divergences(
    model: Readable, lesson: Lesson, lens: TunedLens, tokens: range, portion: Portion = USUAL
) -> list[float]:
    """KL(model || lens) of each depth over some tokens, in nats: how much less the lens knows than the model."""
    unembed, depths = unembedding(model), len(lesson.x_LNW) - 1
    sums, rows = [0.0] * depths, rows_at_once(model.config.vocabulary, portion)
    for begin in range(tokens.start, tokens.stop, rows):
        part = slice(begin, min(begin + rows, tokens.stop))
        target_RV = _log_shares(unembed, _to(model, lesson.x_LNW[-1][part]))
        for depth in range(depths):
            said_RV = _log_shares(unembed, lens.translate(depth, _to(model, lesson.x_LNW[depth][part])))
            sums[depth] += float(F.kl_div(said_RV, target_RV, reduction="sum", log_target=True))
    return [total / len(tokens) for total in sums]


def _log_shares(unembed: Unembedding, x_RW: Tensor) -> Tensor:
    return unembed(x_RW).float().log_softmax(-1)


def _to(model: Readable, x_RW: Tensor) -> Tensor:
    """Where the model is. A copy, as what was made without gradients may not enter where there are some."""
    weight = next(model.parameters())
    return x_RW.to(weight.device, weight.dtype, copy=True)


def _rows(model: Readable, depths: int) -> int:
    config = model.config
    products = (3 * depths + 1) * config.vocabulary * config.width
    return max(LEAST_ROWS, min(ROWS, STEP_PRODUCTS // products))
