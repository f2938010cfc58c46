"""The sizes of one stack of blocks, and what differs from layer to layer within it."""

from __future__ import annotations

from dataclasses import dataclass

from modelcore.config.checks import require_whole


@dataclass(frozen=True)
class Pattern:
    """Which keys the self-attention of a layer sees, as in `kernels.spec.AttentionSpec`; by default all.

    A decoder stays causal whatever the pattern. `random_blocks` counts the blocks drawn for each block of
    queries (BigBird), the same ones for the same `seed`.
    """

    window: int | None = None
    stride: int | None = None
    global_tokens: int = 0
    random_blocks: int = 0
    block: int = 1
    prefix: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("window", "stride"):
            if getattr(self, name) is not None:
                require_whole(f"pattern.{name}", getattr(self, name))
        for name in ("global_tokens", "random_blocks", "prefix"):
            require_whole(f"pattern.{name}", getattr(self, name), least=0)
        require_whole("pattern.block", self.block)
        if self.block > 1 and self.window is None and self.stride is None and not self.random_blocks:
            raise ValueError("pattern.block counts window, stride or random_blocks; give one of them, or leave it 1.")

    @property
    def window_alone(self) -> bool:
        """Whether nothing but a window hides keys, so that older ones need not be kept while generating."""
        return self == Pattern(window=self.window) and self.window is not None


FULL = Pattern()


@dataclass(frozen=True)
class Experts:
    """A mixture of experts in place of each feed-forward network.

    Each token goes to its `active` likeliest experts; their weights are the router's softmax over all
    experts, scaled to sum to 1 where `normalised`.
    Source: Shazeer et al. 2017 (arXiv 1701.06538); Mixtral (2401.04088), 2.1.
    """

    count: int
    active: int = 2
    normalised: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.active <= self.count:
            raise ValueError(f"{self.active} of {self.count} experts cannot be active; choose from 1 to {self.count}.")


@dataclass(frozen=True)
class StackConfig:
    """One stack of blocks, equal but for their patterns.

    key_heads   heads of keys and values, each shared by heads / key_heads query heads; None: no sharing
    head_width  None: the model's width / heads
    patterns    one for each layer, or one for all, or none: every layer sees everything
    """

    layers: int
    heads: int
    feedforward_width: int
    key_heads: int | None = None
    head_width: int | None = None
    patterns: tuple[Pattern, ...] = ()
    experts: Experts | None = None

    @property
    def key_head_count(self) -> int:
        return self.heads if self.key_heads is None else self.key_heads

    def pattern(self, layer: int) -> Pattern:
        if len(self.patterns) > 1:
            return self.patterns[layer]
        return self.patterns[0] if self.patterns else FULL
