"""Every size and choice of one Transformer, frozen, and the address of each place where it attends.

A model is built from its `ModelConfig` alone: nothing is decided by a model's name. A field exists
here only when the layers implement it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

StackName = Literal["encoder", "decoder"]
SiteKind = Literal["self", "cross"]
PositionEncoding = Literal["learned", "sinusoidal"]
NormPlacement = Literal["pre", "post"]
Activation = Literal["gelu", "gelu_tanh", "relu", "silu"]

STACK_NAMES: tuple[StackName, ...] = get_args(StackName)


@dataclass(frozen=True, order=True)
class AttentionSite:
    """Where attention happens: a stack, self or cross, and a layer counted from 0."""

    stack: StackName
    kind: SiteKind
    layer: int

    def __str__(self) -> str:
        return f"{self.stack}.{self.kind}.{self.layer}"

    @classmethod
    def parse(cls, text: str) -> AttentionSite:
        """The inverse of `str`: "decoder.cross.1".

        Raises: ValueError with a sentence that shows a valid address.
        """
        stack, _, rest = text.partition(".")
        kind, _, layer = rest.partition(".")
        known = stack in get_args(StackName) and kind in get_args(SiteKind)
        if not known or (stack, kind) == ("encoder", "cross") or not (layer.isascii() and layer.isdigit()):
            raise ValueError(f"{text[:60]!r} is no attention site; write one as decoder.self.3 or encoder.self.0.")
        return cls(cast(StackName, stack), cast(SiteKind, kind), int(layer))


@dataclass(frozen=True)
class StackConfig:
    """One stack of equal blocks."""

    layers: int
    heads: int
    feedforward_width: int


@dataclass(frozen=True)
class ModelConfig:
    """A Transformer: a decoder alone, or an encoder and a decoder that attends to it.

    Raises: ValueError naming the field whose value no model can have.
    Source: Vaswani et al. 2017 for the encoder-decoder (post-norm, sinusoidal positions, scaled
        embeddings); Radford et al. 2019 for the decoder alone (pre-norm, learned positions).
    """

    vocabulary: int
    positions: int
    width: int
    decoder: StackConfig
    encoder: StackConfig | None = None
    position_encoding: PositionEncoding = "learned"
    norm_placement: NormPlacement = "pre"
    norm_epsilon: float = 1e-5
    activation: Activation = "gelu_tanh"
    scale_embeddings: bool = False
    logits_bias: bool = False
    start_token: int | None = None
    end_token: int | None = None
    pad_token: int | None = None

    def __post_init__(self) -> None:
        for name in ("vocabulary", "positions", "width"):
            _require_positive(name, getattr(self, name))
        for stack_name, stack in (("encoder", self.encoder), ("decoder", self.decoder)):
            if stack is None:
                continue
            for name in ("layers", "heads", "feedforward_width"):
                _require_positive(f"{stack_name}.{name}", getattr(stack, name))
            if self.width % stack.heads:
                raise ValueError(
                    f"width {self.width} does not divide by the {stack_name}'s {stack.heads} heads; "
                    "choose a width that is a multiple of the heads."
                )
        for name in ("start_token", "end_token", "pad_token"):
            token = getattr(self, name)
            if token is not None and not 0 <= token < self.vocabulary:
                raise ValueError(f"{name} {token} lies outside the vocabulary of {self.vocabulary} tokens.")
        if self.encoder is not None and self.start_token is None:
            raise ValueError("an encoder-decoder needs a start_token, the first token its decoder reads.")

    @property
    def architecture(self) -> Literal["decoder", "encoder-decoder"]:
        return "decoder" if self.encoder is None else "encoder-decoder"

    def sites(self) -> list[AttentionSite]:
        """All attention sites, in the order in which a forward pass reaches them."""
        sites: list[AttentionSite] = []
        if self.encoder is not None:
            sites += [AttentionSite("encoder", "self", layer) for layer in range(self.encoder.layers)]
        for layer in range(self.decoder.layers):
            sites.append(AttentionSite("decoder", "self", layer))
            if self.encoder is not None:
                sites.append(AttentionSite("decoder", "cross", layer))
        return sites

    def stack(self, name: StackName) -> StackConfig:
        """The sizes of one stack. Raises: ValueError if this model has no such stack."""
        stack = self.encoder if name == "encoder" else self.decoder
        if stack is None:
            raise ValueError(f"this model has no {name}.")
        return stack


def _require_positive(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1.")
