"""T5: a pre-norm encoder-decoder without biases, whose positions are a bias of each head for each distance.

The second version (1.1, Flan) gates its feed-forward and has an output matrix of its own.

Source: Raffel et al. 2019 (arXiv 1910.10683); layout of `T5ForConditionalGeneration`, `T5Model` and
`T5EncoderModel` in Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints.config_file import LAYER_LIMIT, Keys
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Entry, Family, Shape, linear_entries, norm_entries
from modelcore.config import Activation, HeadConfig, ModelConfig, StackConfig, StackName

_KNOWN_KEYS = {
    "vocab_size",
    "n_positions",
    "d_model",
    "d_kv",
    "d_ff",
    "num_layers",
    "num_decoder_layers",
    "num_heads",
    "relative_attention_num_buckets",
    "relative_attention_max_distance",
    "layer_norm_epsilon",
    "feed_forward_proj",
    "dense_act_fn",
    "is_gated_act",
    "scale_decoder_outputs",
    "tie_word_embeddings",
    "dropout_rate",
    "classifier_dropout",
    "initializer_factor",
    "output_past",
}

# feed_forward_proj: its activation, in transformers' name, and whether it is gated.
_FEEDFORWARDS: dict[str, tuple[Activation, str, bool]] = {
    "relu": ("relu", "relu", False),
    "gelu": ("gelu", "gelu", False),
    "silu": ("silu", "silu", False),
    "gated-relu": ("relu", "relu", True),
    "gated-gelu": ("gelu_tanh", "gelu_new", True),
    "gated-silu": ("silu", "silu", True),
}

# Class of transformers: whether it has a decoder, and whether that speaks.
_CLASSES = {
    "T5ForConditionalGeneration": (True, True),
    "T5WithLMHeadModel": (True, True),
    "T5Model": (True, False),
    "T5EncoderModel": (False, False),
}

# Our name of each sublayer: theirs.
_SUBLAYERS = {"self_attention": "SelfAttention", "cross_attention": "EncDecAttention", "feedforward": "DenseReluDense"}

_HEAD = "lm_head.weight"

# Smaller tables of buckets leave no room for a bucket a distance in each direction.
_LEAST_BUCKETS = 4


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(values)
    keys.refuse_unknown(_KNOWN_KEYS)
    keys.require("is_decoder", False)
    activation, activation_name, gated = keys.choice("feed_forward_proj", "relu", _FEEDFORWARDS)
    keys.require("dense_act_fn", activation_name)
    keys.require("is_gated_act", gated)
    has_decoder, speaks = _class(keys)
    width, vocabulary = keys.size("d_model", 512), keys.size("vocab_size", 32128)
    buckets = keys.size("relative_attention_num_buckets", 32)
    distance = keys.size("relative_attention_max_distance", 128)
    if buckets < _LEAST_BUCKETS or distance <= buckets // 2:
        raise CheckpointError(
            f"config.json: relative_attention_num_buckets {buckets} and relative_attention_max_distance {distance} "
            f"tell no distances apart; take at least {_LEAST_BUCKETS} buckets, and a distance above half of them."
        )
    layers = keys.size("num_layers", 6, LAYER_LIMIT)

    def stack(layers: int) -> StackConfig:
        return StackConfig(layers, keys.size("num_heads", 8), keys.size("d_ff", 2048), head_width=keys.size("d_kv", 64))

    padding = keys.token("pad_token_id", vocabulary)
    start = keys.token("decoder_start_token_id")
    return ModelConfig(
        vocabulary=vocabulary,
        positions=keys.size("n_positions", 512),
        width=width,
        encoder=stack(layers),
        decoder=stack(keys.size("num_decoder_layers", layers, LAYER_LIMIT)) if has_decoder else None,
        head=_head(keys, shapes, width) if speaks else HeadConfig(output="hidden", tied=False),
        position_encoding="t5",
        t5_buckets=buckets,
        t5_max_distance=distance,
        score="dot",
        attention_bias=False,
        attention_output_bias=False,
        norm="rms",
        norm_placement="pre",
        norm_epsilon=keys.number("layer_norm_epsilon", 1e-6),
        norm_bias=False,
        activation=activation,
        gated=gated,
        feedforward_bias=False,
        start_token=(padding if start is None else start) if has_decoder else None,
        end_token=keys.token("eos_token_id", vocabulary),
        pad_token=padding,
    )


def _class(keys: Keys) -> tuple[bool, bool]:
    """Where config.json names no class, the file is taken for that of a whole model."""
    classes = keys.values.get("architectures") or ["T5ForConditionalGeneration"]
    if not isinstance(classes, list) or not isinstance(classes[0], str) or classes[0] not in _CLASSES:
        raise CheckpointError(
            f"config.json: architectures {str(classes)[:60]} is not supported; known are {', '.join(_CLASSES)}."
        )
    return _CLASSES[classes[0]]


def _head(keys: Keys, shapes: Mapping[str, Shape], width: int) -> HeadConfig:
    """In the first version the output matrix is tied, and what it reads is scaled by width ** -0.5.

    transformers before 5 tell the second version by `tie_word_embeddings` false. Since 5 that key is always
    true, `scale_decoder_outputs` is false, and the matrix is tied unless one is stored.
    """
    tied = keys.flag("tie_word_embeddings", True)
    scaled = keys.flag("scale_decoder_outputs", tied)
    return HeadConfig(tied=_HEAD not in shapes or (tied and scaled), scale=width**-0.5 if scaled else 1.0)


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    stack, speaks = config.stack("encoder"), config.head.output == "vocabulary"
    name = "T5EncoderModel" if config.decoder is None else "T5ForConditionalGeneration" if speaks else "T5Model"
    projections = {(activation, gated): key for key, (activation, _, gated) in _FEEDFORWARDS.items()}
    return {
        "architectures": [name],
        "model_type": "t5",
        "is_encoder_decoder": config.decoder is not None,
        "vocab_size": config.vocabulary,
        "n_positions": config.positions,
        "d_model": config.width,
        "d_kv": config.head_width(stack),
        "d_ff": stack.feedforward_width,
        "num_layers": stack.layers,
        "num_decoder_layers": (config.decoder or stack).layers,
        "num_heads": stack.heads,
        "relative_attention_num_buckets": config.t5_buckets,
        "relative_attention_max_distance": config.t5_max_distance,
        "layer_norm_epsilon": config.norm_epsilon,
        "feed_forward_proj": projections[config.activation, config.gated],
        "tie_word_embeddings": config.head.tied and config.head.scale != 1.0,
        "scale_decoder_outputs": config.head.scale != 1.0,
        "decoder_start_token_id": config.start_token,
        "eos_token_id": config.end_token,
        "pad_token_id": config.pad_token,
    }


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    shape = (config.vocabulary, config.width)
    table = [Entry("shared.weight", shape, ("tokens.weight",))]
    for name in config.stacks:
        table += _stack(config, name)
    if config.head.output == "vocabulary" and not config.head.tied:
        table.append(Entry(_HEAD, shape, ("head.output.weight",)))
    return table


def _stack(config: ModelConfig, name: StackName) -> list[Entry]:
    width, stack = config.width, config.stack(name)
    bias = f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    table = [
        Entry(bias, (config.t5_buckets, stack.heads), (f"{name}.position_bias",)),
        *norm_entries(f"{name}.final_layer_norm", f"{name}.norm", width, bias=False),
    ]
    sublayers = ["self_attention", *(["cross_attention"] if name == "decoder" else []), "feedforward"]
    for layer in range(stack.layers):
        for number, ours in enumerate(sublayers):
            place, own = f"{name}.block.{layer}.layer.{number}", f"{name}.blocks.{layer}.{ours}"
            linears = _feedforward(config, stack) if ours == "feedforward" else _attention(config, stack)
            for our_linear, (their_linear, inputs, outputs) in linears.items():
                names = f"{place}.{_SUBLAYERS[ours]}.{their_linear}", (f"{own}.{our_linear}",)
                table += linear_entries(*names, inputs, outputs, bias=False)
            table += norm_entries(f"{place}.layer_norm", f"{own}_residual.norm", width, bias=False)
    return table


def _attention(config: ModelConfig, stack: StackConfig) -> dict[str, tuple[str, int, int]]:
    """Our name of each linear layer: theirs, its inputs and its outputs."""
    width, inner = config.width, stack.heads * config.head_width(stack)
    inward = {ours: (theirs, width, inner) for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v"))}
    return inward | {"output": ("o", inner, width)}


def _feedforward(config: ModelConfig, stack: StackConfig) -> dict[str, tuple[str, int, int]]:
    width, inner = config.width, stack.feedforward_width
    if config.gated:
        return {"gate": ("wi_0", width, inner), "expand": ("wi_1", width, inner), "contract": ("wo", inner, width)}
    return {"expand": ("wi", width, inner), "contract": ("wo", inner, width)}


def _aliases(config: ModelConfig) -> dict[str, str]:
    names = [f"{name}.embed_tokens.weight" for name in config.stacks]
    tied = [_HEAD] if config.head.output == "vocabulary" and config.head.tied else []
    return dict.fromkeys(names + tied, "shared.weight")


FAMILY = Family(
    model_types=("t5",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=_aliases,
    # The first files of T5 hold one, and no version has read it.
    is_ignored=lambda name: name.endswith(".EncDecAttention.relative_attention_bias.weight"),
)
