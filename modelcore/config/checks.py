"""What no model can have: refused where a configuration is made, by a sentence that names the field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

from modelcore.config.choices import Activation, NormKind, NormPlacement, Output, PositionEncoding, ScoreFunction
from modelcore.config.rotary import LongScaling, Rotary

if TYPE_CHECKING:
    from modelcore.config.model import ImageConfig, ModelConfig
    from modelcore.config.stack import StackConfig


def check_model(config: ModelConfig) -> None:
    """Raises: ValueError naming the field whose value no model can have, or that would be left unheard."""
    if config.encoder is None and config.decoder is None:
        raise ValueError("a model needs an encoder, a decoder, or both.")
    for name in ("positions", "width") + (() if config.image else ("vocabulary",)):
        require_whole(name, getattr(config, name))
    _check_choices(config)
    _check_numbers(config)
    for stack_name, stack in config.stacks.items():
        _check_stack(config, stack_name, stack)
    _check_tokens(config)
    _check_scores(config)
    _check_blocks(config)
    _check_head(config)
    if config.image is not None:
        _check_image(config, config.image)


def require_whole(name: str, value: Any, least: int = 1) -> None:
    """Raises: ValueError unless the value is a whole number of at least so much."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}.")


def _check_choices(config: ModelConfig) -> None:
    """A name that no layer knows would pass for another one."""
    _require_choice("position_encoding", config.position_encoding, get_args(PositionEncoding))
    _require_choice("score", config.score, get_args(ScoreFunction))
    _require_choice("qk_norm", config.qk_norm, (None, "head", "projection"))
    _require_choice("norm", config.norm, get_args(NormKind))
    _require_choice("norm_placement", config.norm_placement, get_args(NormPlacement))
    _require_choice("activation", config.activation, get_args(Activation))
    _require_choice("embedding_projection", config.embedding_projection, ("tokens", "sum"))
    _require_choice("head.output", config.head.output, get_args(Output))
    _require_choice("head.transform_activation", config.head.transform_activation, (None, *get_args(Activation)))


def _require_choice(name: str, value: Any, allowed: Iterable[Any]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; choose from {', '.join(map(str, allowed))}.")


def _check_numbers(config: ModelConfig) -> None:
    numbers = {name: getattr(config, name) for name in ("norm_epsilon", "attention_scale", "softcap", "clip_qkv")}
    for name, value in (numbers | {"head.softcap": config.head.softcap}).items():
        if value is not None and not value > 0:
            raise ValueError(f"{name} is {value!r}; it must be positive.")
    for name in ("token_types", "position_offset"):
        require_whole(name, getattr(config, name), least=0)
    if config.embedding_width is not None:
        require_whole("embedding_width", config.embedding_width)
    if not 0 <= config.dropout < 1:
        raise ValueError(f"dropout is {config.dropout!r}; it is a share, of at least 0 and below 1.")


def _check_stack(config: ModelConfig, stack_name: str, stack: StackConfig) -> None:
    for name in ("layers", "heads", "feedforward_width"):
        require_whole(f"{stack_name}.{name}", getattr(stack, name))
    if stack.head_width is None and config.width % stack.heads:
        raise ValueError(
            f"width {config.width} does not divide by the {stack_name}'s {stack.heads} heads; "
            "choose a width that is a multiple of the heads, or give head_width."
        )
    if stack.head_width is not None:
        require_whole(f"{stack_name}.head_width", stack.head_width)
    require_whole(f"{stack_name}.key_heads", stack.key_head_count)
    if stack.heads % stack.key_head_count:
        raise ValueError(
            f"the {stack_name}'s {stack.heads} heads cannot share {stack.key_head_count} key heads evenly; "
            "choose a divisor of the heads."
        )
    if len(stack.patterns) not in (0, 1, stack.layers):
        raise ValueError(
            f"the {stack_name} has {len(stack.patterns)} patterns for {stack.layers} layers; "
            "give one for each layer, one for all, or none."
        )
    if stack_name == "encoder" and any(pattern.prefix for pattern in stack.patterns):
        raise ValueError("pattern.prefix is for decoders; in an encoder, global_tokens are seen by all.")
    if stack.experts is not None and config.feedforward_bias:
        raise ValueError(f"the {stack_name}'s experts have no biases; set feedforward_bias to False.")
    if config.position_encoding == "rotary":
        for rotary in (config.rotary, config.window_rotary or config.rotary):
            _check_rotary(rotary, stack_name, config.head_width(stack))


def _check_rotary(rotary: Rotary, stack_name: str, head_width: int) -> None:
    turned = rotary.width or head_width
    if turned % 2 or turned > head_width:
        raise ValueError(
            f"rotary positions turn {turned} of the {stack_name}'s head width "
            f"{head_width}; the number must be even, and no larger."
        )
    factor = getattr(rotary.scaling, "factor", 1.0)
    if not factor > 0:
        raise ValueError(f"rotary.scaling.factor is {factor!r}; it must be positive.")
    if isinstance(rotary.scaling, LongScaling):
        for name in ("short_factors", "long_factors"):
            count = len(getattr(rotary.scaling, name))
            if count != turned // 2:
                raise ValueError(f"rotary.scaling.{name} has {count} factors; {turned // 2} pairs are turned.")


def _check_tokens(config: ModelConfig) -> None:
    for name in ("start_token", "end_token", "pad_token"):
        token = getattr(config, name)
        if token is not None and not 0 <= token < config.vocabulary:
            raise ValueError(f"{name} {token} lies outside the vocabulary of {config.vocabulary} tokens.")
    if config.encoder is not None and config.decoder is not None and config.start_token is None:
        raise ValueError("an encoder-decoder needs a start_token, the first token its decoder reads.")


def _check_scores(config: ModelConfig) -> None:
    if config.score != "scaled_dot" and (config.attention_scale is not None or config.scale_by_layer):
        named = "scale_by_layer" if config.attention_scale is None else "attention_scale"
        raise ValueError(f"{named} is for the score 'scaled_dot'; the score is {config.score!r}.")
    if config.position_encoding == "relative_keys":
        require_whole("relative_distance", config.relative_distance)
        if config.score == "additive":
            raise ValueError("relative_keys are part of a dot product; the score 'additive' has none.")
    if config.position_encoding == "t5":
        require_whole("t5_buckets", config.t5_buckets, least=4)
        require_whole("t5_max_distance", config.t5_max_distance, least=config.t5_buckets // 2 + 1)


def _check_blocks(config: ModelConfig) -> None:
    if config.parallel and config.norm_placement != "pre":
        raise ValueError(f"parallel blocks are pre-norm; norm_placement is {config.norm_placement!r}.")
    if config.parallel and config.encoder is not None and config.decoder is not None:
        raise ValueError("parallel blocks have no cross-attention; leave out the encoder or the decoder.")
    if config.shared_norm and not config.parallel:
        raise ValueError("shared_norm is for parallel blocks, whose two sublayers read the same x.")


def _check_head(config: ModelConfig) -> None:
    head = config.head
    if head.output in ("classes", "token_classes"):
        require_whole("head.classes", head.classes)
    if head.output == "vocabulary" and head.tied and config.token_width != config.width and not head.transform:
        raise ValueError(
            f"head.tied needs hidden states of the tokens' width {config.token_width}, not {config.width}; "
            "set head.transform, which leads there."
        )
    if head.distilled and head.output != "classes":
        raise ValueError(f"head.distilled is a second classifier; head.output is {head.output!r}.")
    for name in ("transform", "transform_activation", "transform_norm", "bias"):
        if head.output == "hidden" and getattr(head, name):
            raise ValueError(
                f"head.{name} is for scores; head.output is 'hidden', which leaves the states as they are."
            )


def _check_image(config: ModelConfig, image: ImageConfig) -> None:
    if config.encoder is None or config.decoder is not None:
        raise ValueError("a model that reads images is an encoder.")
    if config.head.output == "vocabulary":
        raise ValueError(
            "head.output is 'vocabulary', and a model that reads images has none; choose classes or hidden."
        )
    if config.position_encoding != "learned":
        raise ValueError(f"patches have learned positions; position_encoding is {config.position_encoding!r}.")
    if config.head.distilled and image.extra_tokens < 2:
        raise ValueError("head.distilled reads the second of image.extra_tokens; there must be at least 2.")
    for name in ("embedding_width", "embedding_norm", "token_types"):
        if getattr(config, name):
            raise ValueError(f"{name} is for tokens, and a model that reads images has none.")
