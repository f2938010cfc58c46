"""How the learning rate moves over a training run."""

from __future__ import annotations

import math
from collections.abc import Callable

# From the step (counted from 1) to the learning rate.
Schedule = Callable[[int], float]


def warmup_cosine(peak: float, warmup: int, steps: int, floor: float = 0.1) -> Schedule:
    """Linear warm-up, then a cosine down to `floor` × peak at the last step.

    Source: Loshchilov and Hutter 2017 (SGDR), with the warm-up of later language models.
    """

    def rate(step: int) -> float:
        if step < warmup:
            return peak * step / warmup
        progress = min(1.0, (step - warmup) / max(1, steps - warmup))
        return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))

    return rate


def warmup_linear(peak: float, warmup: int, steps: int) -> Schedule:
    """Linear warm-up, then linearly to nothing after the last step. Source: Devlin et al. 2018, A.2."""
    return lambda step: peak * min(step / warmup, max(0.0, (steps + 1 - step) / max(1, steps + 1 - warmup)))


def noam(width: int, warmup: int = 4000, factor: float = 1.0) -> Schedule:
    """width^-0.5 · min(step^-0.5, step · warmup^-1.5): a linear rise to the peak at `warmup`, then the inverse root.

    Source: Vaswani et al. 2017, 5.3, equation 3; `factor` is its code's learning_rate_constant.
    """

    def rate(step: int) -> float:
        return factor * width**-0.5 * min(step**-0.5, step * warmup**-1.5)

    return rate


def constant(peak: float, warmup: int) -> Schedule:
    """A linear rise, and then the same rate for ever."""
    return lambda step: peak * min(1.0, step / warmup)
