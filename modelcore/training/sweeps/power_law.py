"""The power law of a scaling sweep: L(N, D) = E + A / N^α + B / D^β, and where a budget of computing is best spent.

N parameters, D tokens, L nats a token on held-out text.
Source: Hoffmann et al. 2022 (arXiv 2203.15556), 3.3, equations 2 to 4. They fit the logarithms by L-BFGS under a Huber
loss; for given α and β the law is linear in E, A and B, so here those are solved for and α and β are searched.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Point = tuple[float, float, float]
"""Parameters, tokens, loss."""

FEWEST = 6
"""Points from which the five numbers are fitted."""
EXPONENTS = [0.05 * step for step in range(1, 41)]
# FLOPs of a parameter and a token, forward and backward: Kaplan et al. 2020 (arXiv 2001.08361), 2.1.
FLOPS = 6.0


@dataclass(frozen=True)
class PowerLaw:
    """`error` is the root of the mean squared relative error on the points that it was fitted to."""

    irreducible: float
    size_factor: float
    size_exponent: float
    tokens_factor: float
    tokens_exponent: float
    error: float

    def loss(self, parameters: float, tokens: float) -> float:
        of_size = self.size_factor / parameters**self.size_exponent
        return self.irreducible + of_size + self.tokens_factor / tokens**self.tokens_exponent

    def optimum(self, flops: float) -> tuple[float, float] | None:
        """The parameters and tokens that a budget is best spent on; None where more of one does not help."""
        a, b, alpha, beta = self.size_factor, self.tokens_factor, self.size_exponent, self.tokens_exponent
        if a <= 0 or b <= 0:
            return None
        balance = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
        parameters = balance * (flops / FLOPS) ** (beta / (alpha + beta))
        return parameters, flops / FLOPS / parameters


def fit(points: Iterable[Point]) -> PowerLaw | None:
    """None with fewer points than FEWEST, or where all have one size or one number of tokens."""
    told = [point for point in points if all(math.isfinite(value) and value > 0 for value in point)]
    if len(told) < FEWEST or len({n for n, _, _ in told}) < 2 or len({d for _, d, _ in told}) < 2:
        return None
    best = min((_solved(told, alpha, beta) for alpha, beta in itertools.product(EXPONENTS, EXPONENTS)), key=_error)
    step = EXPONENTS[0] / 2
    while step > 1e-4:
        near = [
            _solved(told, max(1e-3, best.size_exponent + x * step), max(1e-3, best.tokens_exponent + y * step))
            for x, y in itertools.product((-1, 0, 1), repeat=2)
        ]
        better = min(near, key=_error)
        if better.error >= best.error * (1 - 1e-9):
            step /= 2
        else:
            best = better
    return best


def _error(law: PowerLaw) -> float:
    return law.error


def _solved(points: Sequence[Point], alpha: float, beta: float) -> PowerLaw:
    """E, A and B by least squares of relative errors, none below 0: of all choices of which are 0 the best."""
    # Scaled so that columns are of one size: N^-α of a million parameters is a small number.
    n_mean = math.exp(sum(math.log(n) for n, _, _ in points) / len(points))
    d_mean = math.exp(sum(math.log(d) for _, d, _ in points) / len(points))
    rows = [(1 / loss, (n / n_mean) ** -alpha / loss, (d / d_mean) ** -beta / loss) for n, d, loss in points]
    best, least = (0.0, 0.0, 0.0), math.inf
    for chosen in itertools.product((False, True), repeat=3):
        columns = [column for column, is_free in enumerate(chosen) if is_free]
        found = _least_squares([[row[column] for column in columns] for row in rows])
        if found is None or min(found, default=0.0) < 0:
            continue
        values = [0.0, 0.0, 0.0]
        for column, value in zip(columns, found, strict=True):
            values[column] = value
        residual = sum((sum(v * x for v, x in zip(values, row, strict=True)) - 1) ** 2 for row in rows)
        if residual < least:
            best, least = (values[0], values[1], values[2]), residual
    e, a, b = best
    return PowerLaw(e, a * n_mean**alpha, alpha, b * d_mean**beta, beta, math.sqrt(least / len(points)))


def _least_squares(rows: list[list[float]]) -> list[float] | None:
    """x of least |Rx - 1|, by the normal equations of at most three unknowns; None where they have no one solution."""
    count = len(rows[0])
    table = [
        [sum(row[i] * row[j] for row in rows) for j in range(count)] + [sum(row[i] for row in rows)]
        for i in range(count)
    ]
    for pivot in range(count):
        largest = max(range(pivot, count), key=lambda row: abs(table[row][pivot]))
        table[pivot], table[largest] = table[largest], table[pivot]
        if abs(table[pivot][pivot]) < 1e-12:
            return None
        for other in range(count):
            if other != pivot:
                share = table[other][pivot] / table[pivot][pivot]
                table[other] = [x - share * y for x, y in zip(table[other], table[pivot], strict=True)]
    return [table[row][count] / table[row][row] for row in range(count)]
