"""One Transformer: what enters, what its blocks are, what comes out.

Nothing is decided by a model's name. A field exists here only when the layers implement it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modelcore.config.checks import check_model, require_whole
from modelcore.config.choices import (
    TABLED_POSITIONS,
    Activation,
    NormKind,
    NormPlacement,
    Output,
    PositionEncoding,
    ScoreFunction,
)
from modelcore.config.rotary import PLAIN_ROTARY, Rotary
from modelcore.config.site import AttentionSite, StackName
from modelcore.config.stack import StackConfig

Architecture = Literal["decoder", "encoder", "encoder-decoder", "vision"]

# What encodings without a table may read: far more than a machine holds, yet a bound.
POSITION_LIMIT = 1 << 20


@dataclass(frozen=True)
class HeadConfig:
    """From the last hidden states to what comes out. "classes" reads the first position alone.

    tied        the output matrix is that of the input tokens, transposed
    transform   a linear layer before the output, with its own bias and activation, then a LayerNorm
    scale       factor of the hidden states before the output matrix
    softcap     squash the scores into (-softcap, softcap)
    distilled   a second classifier reads the second position, and the two are averaged
    Source: transform: Devlin et al. 2018 (BERT). softcap: Gemma 2 (arXiv 2408.00118), 2. distilled: DeiT
        (2012.12877), 4.
    """

    output: Output = "vocabulary"
    classes: int = 0
    tied: bool = True
    bias: bool = False
    transform: bool = False
    transform_bias: bool = True
    transform_activation: Activation | None = None
    transform_norm: bool = False
    scale: float = 1.0
    softcap: float | None = None
    distilled: bool = False


@dataclass(frozen=True)
class ImageConfig:
    """A picture cut into patches, which stand where a text has tokens, after one class token.

    Units: pixels. `extra_tokens` are learned vectors that stand first, the class token included.
    Source: Dosovitskiy et al. 2020 (ViT, arXiv 2010.11929), 3.1.
    """

    height: int
    width: int
    patch_height: int
    patch_width: int
    channels: int = 3
    extra_tokens: int = 1

    def __post_init__(self) -> None:
        for name in ("height", "width", "patch_height", "patch_width", "channels"):
            require_whole(f"image.{name}", getattr(self, name))
        require_whole("image.extra_tokens", self.extra_tokens, least=0)
        if self.height < self.patch_height or self.width < self.patch_width:
            raise ValueError(
                f"a patch of {self.patch_height} × {self.patch_width} does not fit into {self.height} × {self.width}."
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.height // self.patch_height, self.width // self.patch_width

    @property
    def tokens(self) -> int:
        return self.extra_tokens + self.grid[0] * self.grid[1]


@dataclass(frozen=True)
class ModelConfig:
    """A Transformer: a decoder, an encoder, or both, the decoder then attending to the encoder.

    Sizes
        vocabulary          0 where patches are read
        positions           the tokens that a text may have, or, where no table bounds it, has had in training
        width               of the residual stream
    What enters
        embedding_width     of the token vectors where it is not `width`; a linear layer leads to it,
        embedding_projection  from the "tokens", or from the "sum" of tokens, positions and types
        embedding_scale     factor of the token vectors
        embedding_norm      a normalisation of the sum
        token_types         how many kinds of segment there are; texts given alone are of kind 0
        position_offset     the row of the learned table that position 0 reads
    Attention
        rotary, window_rotary  the latter in layers that see a window only, where given
        relative_distance   relative keys are told apart up to this many tokens (Shaw et al. 2018)
        attention_scale     for "scaled_dot"; None: head_width ** -0.5
        scale_by_layer      scores of layer l are divided by l + 1
        qk_norm             queries and keys normalised: each head's, or all that a layer projects
        clip_qkv            queries, keys and values cut to ± this
        sinks               a learned logit a head that takes no value (gpt-oss, arXiv 2508.10925)
    Blocks
        parallel            attention and feed-forward read the same x, and both are added to it;
        shared_norm         with one normalisation for the two
        norm_unit_offset    normalisations multiply by 1 + weight (Gemma)
        final_norm          after the last block
        gated               activation(gate x) · (expand x) (Shazeer 2020, arXiv 2002.05202)
        dropout             in training: of embeddings, and of what each sublayer adds

    Raises: ValueError naming the field whose value no model can have.
    """

    vocabulary: int
    positions: int
    width: int
    decoder: StackConfig | None = None
    encoder: StackConfig | None = None
    image: ImageConfig | None = None
    head: HeadConfig = HeadConfig()

    embedding_width: int | None = None
    embedding_projection: Literal["tokens", "sum"] = "tokens"
    embedding_projection_bias: bool = False
    embedding_scale: float = 1.0
    embedding_norm: bool = False
    token_types: int = 0

    position_encoding: PositionEncoding = "learned"
    position_offset: int = 0
    rotary: Rotary = PLAIN_ROTARY
    window_rotary: Rotary | None = None
    t5_buckets: int = 32
    t5_max_distance: int = 128
    relative_distance: int = 16

    score: ScoreFunction = "scaled_dot"
    attention_scale: float | None = None
    scale_by_layer: bool = False
    softcap: float | None = None
    sinks: bool = False
    qk_norm: Literal["head", "projection"] | None = None
    clip_qkv: float | None = None
    attention_bias: bool = True
    attention_output_bias: bool = True

    norm: NormKind = "layer"
    norm_placement: NormPlacement = "pre"
    norm_epsilon: float = 1e-5
    norm_bias: bool = True
    norm_weight: bool = True
    norm_unit_offset: bool = False
    parallel: bool = False
    shared_norm: bool = False
    final_norm: bool = True

    activation: Activation = "gelu_tanh"
    gated: bool = False
    feedforward_bias: bool = True
    dropout: float = 0.0

    start_token: int | None = None
    end_token: int | None = None
    pad_token: int | None = None

    def __post_init__(self) -> None:
        check_model(self)

    @property
    def architecture(self) -> Architecture:
        if self.image is not None:
            return "vision"
        if self.encoder is None:
            return "decoder"
        return "encoder" if self.decoder is None else "encoder-decoder"

    @property
    def output(self) -> Output:
        return self.head.output

    @property
    def longest(self) -> int:
        """The most tokens that the model can read at all."""
        if self.image is not None:
            return self.image.tokens
        return self.positions if self.position_encoding in TABLED_POSITIONS else POSITION_LIMIT

    def sites(self) -> list[AttentionSite]:
        """All attention sites, in the order in which a forward pass reaches them."""
        sites: list[AttentionSite] = []
        if self.encoder is not None:
            sites += [AttentionSite("encoder", "self", layer) for layer in range(self.encoder.layers)]
        if self.decoder is not None:
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

    @property
    def stacks(self) -> dict[StackName, StackConfig]:
        """The stacks that there are, in the order of the forward pass."""
        found: dict[StackName, StackConfig] = {}
        if self.encoder is not None:
            found["encoder"] = self.encoder
        if self.decoder is not None:
            found["decoder"] = self.decoder
        return found

    @property
    def token_width(self) -> int:
        """Of the token vectors as they are stored."""
        return self.width if self.embedding_width is None else self.embedding_width

    def head_width(self, stack: StackConfig) -> int:
        return stack.head_width or self.width // stack.heads
