"""Rotary positions, and how they are stretched beyond the length that a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass

# Positions in what follows are counts of tokens; `original_positions` is how many the model first learned.


@dataclass(frozen=True)
class LinearScaling:
    """Positions divided by `factor`. Source: Chen et al. 2023 (arXiv 2306.15595), position interpolation."""

    factor: float


@dataclass(frozen=True)
class DynamicScaling:
    """A base that grows with the text once it is longer than `original_positions`.

    Source: the "dynamic NTK" of bloc97 and emozilla 2023; `dynamic` in Hugging Face's rope utilities.
    """

    factor: float
    original_positions: int


@dataclass(frozen=True)
class YarnScaling:
    """Fast frequencies kept, slow ones divided by `factor`, a ramp between. Source: YaRN (arXiv 2309.00071), 3.

    `attention_factor` multiplies sine and cosine, hence scores by its square.
    """

    factor: float
    original_positions: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float = 1.0
    truncate: bool = True


@dataclass(frozen=True)
class Llama3Scaling:
    """As YaRN, with a ramp in wavelengths. Source: Llama 3.1's reference code, `apply_scaling`."""

    factor: float
    low_frequency_factor: float
    high_frequency_factor: float
    original_positions: int


@dataclass(frozen=True)
class LongScaling:
    """A divisor for each frequency: one list up to `original_positions`, another for longer texts.

    Source: LongRoPE (arXiv 2402.13753); `longrope` in Hugging Face's rope utilities.
    """

    short_factors: tuple[float, ...]
    long_factors: tuple[float, ...]
    original_positions: int
    attention_factor: float = 1.0


Scaling = LinearScaling | DynamicScaling | YarnScaling | Llama3Scaling | LongScaling


@dataclass(frozen=True)
class Rotary:
    """Pairs of a head's dimensions turned by position × base^(-2i / width).

    `width` is how many dimensions of a head are turned, the first ones; None turns all. `exponent_width`
    stands in the exponent where it is another: a checkpoint that asks for 3 dimensions has 4 of them turned.
    Dimension i is paired with i + width / 2, as in Hugging Face's layout of Llama and GPT-NeoX.
    Source: Su et al. 2021 (arXiv 2104.09864), 3.4.
    """

    base: float = 10_000.0
    width: int | None = None
    scaling: Scaling | None = None
    exponent_width: int | None = None

    def __post_init__(self) -> None:
        if not self.base > 0:
            raise ValueError(f"the rotary base is {self.base}; it must be positive, and is usually 10000.")
        if self.width is not None and (self.width < 2 or self.width % 2):
            raise ValueError(f"the rotary width is {self.width}; it must be even and at least 2.")

    @property
    def depends_on_length(self) -> bool:
        """Whether a longer text turns the same position by another angle: a cache of what was read is then outdated."""
        return isinstance(self.scaling, (DynamicScaling, LongScaling))


PLAIN_ROTARY = Rotary()
