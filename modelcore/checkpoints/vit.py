"""ViT and DeiT: a pre-norm encoder over the patches of a picture.

DeiT puts a distillation token behind the class token, and may classify by both.

Source: Dosovitskiy et al. 2020 (arXiv 2010.11929); Touvron et al. 2020 (2012.12877); layout of the classes of
these names in Hugging Face's transformers, which save other names than they hold in memory since 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, LAYER_LIMIT, Keys, label_names
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Entry, Family, Reshaped, Shape, Slot, linear_entries, norm_entries
from modelcore.config import HeadConfig, ImageConfig, ModelConfig, StackConfig

_KNOWN_KEYS = {
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "layer_norm_eps",
    "image_size",
    "patch_size",
    "num_channels",
    "qkv_bias",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    # Of a pooler, and of a head that restores pixels, which are not read.
    "pooler_output_size",
    "pooler_act",
    "encoder_stride",
}

PIXEL_LIMIT = 1 << 14

_BLOCK = {
    "self_attention.query": "attention.attention.query",
    "self_attention.key": "attention.attention.key",
    "self_attention.value": "attention.attention.value",
    "self_attention.output": "attention.output.dense",
    "self_attention_residual.norm": "layernorm_before",
    "feedforward.expand": "intermediate.dense",
    "feedforward.contract": "output.dense",
    "feedforward_residual.norm": "layernorm_after",
}
_INWARD = ("self_attention.query", "self_attention.key", "self_attention.value")
# In a state dict that transformers 5 did not save itself.
_IN_MEMORY = {
    ".layers.": ".encoder.layer.",
    ".attention.q_proj.": ".attention.attention.query.",
    ".attention.k_proj.": ".attention.attention.key.",
    ".attention.v_proj.": ".attention.attention.value.",
    ".attention.o_proj.": ".attention.output.dense.",
    ".mlp.fc1.": ".intermediate.dense.",
    ".mlp.fc2.": ".output.dense.",
}


@dataclass(frozen=True)
class Spelling:
    """One `model_type`: the first tokens that it learns, and its classes in transformers with their heads."""

    model_type: str
    first_tokens: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]


VIT = Spelling("vit", ("cls_token",), {"ViTForImageClassification": ("classifier",), "ViTModel": ()})
DEIT = Spelling(
    "deit",
    ("cls_token", "distillation_token"),
    {
        "DeiTForImageClassificationWithTeacher": ("cls_classifier", "distillation_classifier"),
        "DeiTForImageClassification": ("classifier",),
        "DeiTModel": (),
    },
)


def read_config(spelling: Spelling, values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(values)
    keys.refuse_unknown(_KNOWN_KEYS)
    (height, width), (patch_height, patch_width) = _pair(keys, "image_size", 224), _pair(keys, "patch_size", 16)
    image = ImageConfig(
        height, width, patch_height, patch_width, keys.size("num_channels", 3), len(spelling.first_tokens)
    )
    heads = _heads(spelling, keys)
    return ModelConfig(
        vocabulary=0,
        positions=image.tokens,
        width=keys.size("hidden_size", 768),
        image=image,
        encoder=StackConfig(
            keys.size("num_hidden_layers", 12, LAYER_LIMIT),
            keys.size("num_attention_heads", 12),
            keys.size("intermediate_size", 3072),
        ),
        head=HeadConfig(
            output="classes" if heads else "hidden",
            classes=keys.labels() if heads else 0,
            tied=False,
            bias=bool(heads),
            distilled=len(heads) == 2,
        ),
        attention_bias=keys.flag("qkv_bias", True),
        norm_placement="pre",
        norm_epsilon=keys.number("layer_norm_eps", 1e-12),
        activation=keys.choice("hidden_act", "gelu", ACTIVATIONS),
    )


def _pair(keys: Keys, key: str, default: int) -> tuple[int, int]:
    """Height and width in pixels; one number stands for both."""
    value = keys.values.get(key, default)
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2:
        raise CheckpointError(f"config.json: {key} must be one number of pixels, or two, not {len(sides)}.")
    height, width = (Keys({key: side}).size(key, limit=PIXEL_LIMIT) for side in sides)
    return height, width


def _heads(spelling: Spelling, keys: Keys) -> tuple[str, ...]:
    """Where config.json names no class, the file is taken for that of a bare model."""
    classes = keys.values.get("architectures") or list(spelling.classes)[-1:]
    if not isinstance(classes, list) or not isinstance(classes[0], str) or classes[0] not in spelling.classes:
        raise CheckpointError(
            f"config.json: architectures {str(classes)[:60]} is not supported; known are {', '.join(spelling.classes)}."
        )
    return spelling.classes[classes[0]]


def _class(spelling: Spelling, config: ModelConfig) -> tuple[str, tuple[str, ...]]:
    """The class that has as many classifiers, and their names."""
    count = 0 if config.head.output == "hidden" else 1 + config.head.distilled
    return next((name, heads) for name, heads in spelling.classes.items() if len(heads) == count)


def write_config(spelling: Spelling, config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    stack, image = config.stack("encoder"), _image(config)
    return {
        "architectures": [_class(spelling, config)[0]],
        "model_type": spelling.model_type,
        "hidden_size": config.width,
        "num_hidden_layers": stack.layers,
        "num_attention_heads": stack.heads,
        "intermediate_size": stack.feedforward_width,
        "hidden_act": ACTIVATION_NAMES[config.activation],
        "layer_norm_eps": config.norm_epsilon,
        "image_size": [image.height, image.width],
        "patch_size": [image.patch_height, image.patch_width],
        "num_channels": image.channels,
        "qkv_bias": config.attention_bias,
        **label_names(config.head.classes),
    }


def _image(config: ModelConfig) -> ImageConfig:
    if config.image is None:
        raise ValueError("a model of this family reads pictures.")
    return config.image


def entries(spelling: Spelling, config: ModelConfig) -> list[Entry]:
    """The name table."""
    width, stack, image = config.width, config.stack("encoder"), _image(config)
    embeddings, ours = f"{spelling.model_type}.embeddings", "encoder_embedding"
    projection = f"{embeddings}.patch_embeddings.projection"
    patch = (width, image.channels, image.patch_height, image.patch_width)
    positions = (image.tokens, width)
    table = [
        Entry(f"{projection}.weight", patch, (f"{ours}.patches.weight",)),
        Entry(f"{projection}.bias", (width,), (f"{ours}.patches.bias",)),
        Entry(f"{embeddings}.position_embeddings", (1, *positions), (f"{ours}.positions.weight",), Reshaped(positions)),
        *norm_entries(f"{spelling.model_type}.layernorm", "encoder.norm", width),
    ]
    for place, name in enumerate(spelling.first_tokens):
        slot = Slot(place, image.extra_tokens)
        token = Entry(f"{embeddings}.{name}", (1, 1, width), (f"{ours}.first_tokens",), Reshaped((width,)), slot=slot)
        table.append(token)
    sizes = {
        "feedforward.expand": (width, stack.feedforward_width),
        "feedforward.contract": (stack.feedforward_width, width),
    }
    for layer in range(stack.layers):
        for own, theirs in _BLOCK.items():
            names = f"{spelling.model_type}.encoder.layer.{layer}.{theirs}", f"encoder.blocks.{layer}.{own}"
            if own.endswith("norm"):
                table += norm_entries(*names, width)
            else:
                has_bias = config.attention_bias or own not in _INWARD
                table += linear_entries(names[0], (names[1],), *sizes.get(own, (width, width)), bias=has_bias)
    return table + _head_entries(spelling, config)


def _head_entries(spelling: Spelling, config: ModelConfig) -> list[Entry]:
    names, classes = _class(spelling, config)[1], config.head.classes
    parameters = (("head.output.weight", "head.bias"), ("head.distilled.weight", "head.distilled.bias"))
    table = []
    for name, (weight, bias) in zip(names, parameters, strict=False):
        table += [
            Entry(f"{name}.weight", (classes, config.width), (weight,)),
            Entry(f"{name}.bias", (classes,), (bias,)),
        ]
    return table


def _canonical(spelling: Spelling, name: str) -> str:
    if name.startswith(("embeddings.", "encoder.", "layers.", "layernorm.", "pooler.")):
        name = f"{spelling.model_type}.{name}"
    if ".layers." in name:
        for held, saved in _IN_MEMORY.items():
            name = name.replace(held, saved)
    return name


FAMILIES = tuple(
    Family(
        model_types=(spelling.model_type,),
        read_config=partial(read_config, spelling),
        write_config=partial(write_config, spelling),
        entries=partial(entries, spelling),
        canonical=partial(_canonical, spelling),
    )
    for spelling in (VIT, DEIT)
)
