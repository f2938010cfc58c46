"""The choices that a configuration makes by name."""

from __future__ import annotations

from typing import Literal

# How a token's position reaches the model: a vector added to its own ("learned", "sinusoidal"), or
# something that attention adds to scores or turns queries and keys by.
PositionEncoding = Literal["none", "learned", "sinusoidal", "relative_keys", "t5", "alibi", "rotary"]

# Encodings that are tables with one row a position: nothing can be read past their end.
TABLED_POSITIONS: frozenset[PositionEncoding] = frozenset(["learned", "sinusoidal"])

# "scaled_dot": q·k / √D. "dot": q·k. "multiplicative": qᵀ W k (Luong et al. 2015, arXiv 1508.04025, 3.1).
# "additive": v·tanh(W₁ q + W₂ k) (Bahdanau et al. 2014, arXiv 1409.0473, A.1.2).
ScoreFunction = Literal["scaled_dot", "dot", "multiplicative", "additive"]

NormKind = Literal["layer", "rms"]

# Where a sublayer f of a block is normalised:
#   "pre"       x + f(n(x))          Radford et al. 2019
#   "post"      n(x + f(x))          Vaswani et al. 2017, 3.1
#   "sandwich"  x + n'(f(n(x)))      Gemma 2 (arXiv 2408.00118), 2
#   "output"    x + n'(f(x))         OLMo 2 (arXiv 2501.00656), 3.2
NormPlacement = Literal["pre", "post", "sandwich", "output"]

Activation = Literal["gelu", "gelu_tanh", "quick_gelu", "relu", "silu", "tanh"]

# What comes out: scores of the vocabulary or of classes at each position, of classes once, or nothing further.
Output = Literal["vocabulary", "token_classes", "classes", "hidden"]
