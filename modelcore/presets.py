"""Configurations that the field knows by name, and small ones of each kind to train on a laptop.

A preset has the shape of its namesake, and no weights. Whatever it is called, a model is built from the
fields alone.
"""

from __future__ import annotations

from dataclasses import replace

from modelcore.config import Experts, HeadConfig, ImageConfig, ModelConfig, Rotary, StackConfig

UNTIED = HeadConfig(tied=False)


def preset(name: str) -> ModelConfig:
    """The configuration of this name. Raises: ValueError with a sentence that lists the names."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name[:60]!r}; choose from {', '.join(PRESETS)}.")
    return PRESETS[name]


def _paper(width: int, heads: int, feedforward_width: int, dropout: float) -> ModelConfig:
    """Source: Vaswani et al. 2017 (arXiv 1706.03762), 3 and table 3; 5.1 for the shared vocabulary of about 37,000.

    No position bounds its sinusoids; ours stop at 1,024.
    """
    stack = StackConfig(6, heads, feedforward_width)
    return ModelConfig(
        vocabulary=37_000,
        positions=1024,
        width=width,
        encoder=stack,
        decoder=stack,
        embedding_scale=width**0.5,
        position_encoding="sinusoidal",
        norm_placement="post",
        final_norm=False,
        activation="relu",
        dropout=dropout,
        start_token=0,
        end_token=1,
        pad_token=0,
    )


def _gpt2(layers: int, heads: int, width: int) -> ModelConfig:
    """Source: Radford et al. 2019, table 2, and the released models' hparams.json."""
    return ModelConfig(
        vocabulary=50_257,
        positions=1024,
        width=width,
        decoder=StackConfig(layers, heads, 4 * width),
        dropout=0.1,
        end_token=50_256,
    )


def _bert(layers: int, heads: int, width: int) -> ModelConfig:
    """With the head that guesses masked tokens. Source: Devlin et al. 2018 (arXiv 1810.04805), 3, and its code."""
    return ModelConfig(
        vocabulary=30_522,
        positions=512,
        width=width,
        encoder=StackConfig(layers, heads, 4 * width),
        head=HeadConfig(bias=True, transform=True, transform_activation="gelu", transform_norm=True),
        embedding_norm=True,
        token_types=2,
        norm_placement="post",
        norm_epsilon=1e-12,
        final_norm=False,
        activation="gelu",
        dropout=0.1,
        pad_token=0,
    )


def _t5(layers: int, heads: int, width: int, feedforward_width: int) -> ModelConfig:
    """Scores are not divided by √64. Source: Raffel et al. 2019 (arXiv 1910.10683), 2.1 and 3.7, and its gin files."""
    stack = StackConfig(layers, heads, feedforward_width, head_width=64)
    return ModelConfig(
        vocabulary=32_128,
        positions=512,
        width=width,
        encoder=stack,
        decoder=stack,
        head=HeadConfig(scale=width**-0.5),
        position_encoding="t5",
        attention_scale=1.0,
        attention_bias=False,
        attention_output_bias=False,
        norm="rms",
        norm_epsilon=1e-6,
        activation="relu",
        feedforward_bias=False,
        dropout=0.1,
        start_token=0,
        end_token=1,
        pad_token=0,
    )


def _llama(vocabulary: int, positions: int, width: int, stack: StackConfig, rotary_base: float) -> ModelConfig:
    """Source: Touvron et al. 2023 (arXiv 2302.13971), 2.2: RMSNorm before, SwiGLU, rotary positions, no biases."""
    return ModelConfig(
        vocabulary=vocabulary,
        positions=positions,
        width=width,
        decoder=stack,
        head=UNTIED,
        position_encoding="rotary",
        rotary=Rotary(rotary_base),
        attention_bias=False,
        attention_output_bias=False,
        norm="rms",
        activation="silu",
        gated=True,
        feedforward_bias=False,
    )


def _vit(layers: int, heads: int, width: int, image: ImageConfig, classes: int) -> ModelConfig:
    """Source: Dosovitskiy et al. 2020 (arXiv 2010.11929), 3.1 and table 1."""
    return ModelConfig(
        vocabulary=0,
        positions=image.tokens,
        width=width,
        encoder=StackConfig(layers, heads, 4 * width),
        image=image,
        head=HeadConfig("classes", classes, tied=False, bias=True),
        norm_epsilon=1e-6,
        activation="gelu",
    )


# Llama 2: Touvron et al. 2023 (arXiv 2307.09288), 2.2. Llama 3: arXiv 2407.21783, table 3; the first release reads
# 8,192 tokens. Mixtral: Jiang et al. 2024 (arXiv 2401.04088), table 1.
_LLAMA_2_7B = StackConfig(32, 32, 11_008)
_LLAMA_3_8B = StackConfig(32, 32, 14_336, key_heads=8)
_MIXTRAL_8X7B = replace(_LLAMA_3_8B, experts=Experts(8, active=2))

# The tiny ones: their vocabulary holds the 256 bytes and as many merges, hence any text.
_TINY_STACK = StackConfig(2, 4, 256)
_TINY_VOCABULARY = 512

PRESETS: dict[str, ModelConfig] = {
    "base": _paper(512, heads=8, feedforward_width=2048, dropout=0.1),
    "big": _paper(1024, heads=16, feedforward_width=4096, dropout=0.3),
    "gpt2": _gpt2(12, 12, 768),
    "gpt2-medium": _gpt2(24, 16, 1024),
    "gpt2-large": _gpt2(36, 20, 1280),
    "gpt2-xl": _gpt2(48, 25, 1600),
    "bert-base": _bert(12, 12, 768),
    "bert-large": _bert(24, 16, 1024),
    "t5-small": _t5(6, 8, 512, 2048),
    "t5-base": _t5(12, 12, 768, 3072),
    "llama-2-7b": _llama(32_000, 4096, 4096, _LLAMA_2_7B, rotary_base=10_000.0),
    "llama-3-8b": _llama(128_256, 8192, 4096, _LLAMA_3_8B, rotary_base=500_000.0),
    "mixtral-8x7b": _llama(32_000, 32_768, 4096, _MIXTRAL_8X7B, rotary_base=1_000_000.0),
    "vit-b-16": _vit(12, 12, 768, ImageConfig(224, 224, 16, 16), classes=1000),
    "tiny-decoder": replace(
        _gpt2(3, 4, 96), vocabulary=_TINY_VOCABULARY, positions=256, dropout=0.0, end_token=_TINY_VOCABULARY - 1
    ),
    "tiny-encoder": replace(
        _bert(3, 4, 96), vocabulary=_TINY_VOCABULARY, positions=256, norm_placement="pre", final_norm=True, dropout=0.0
    ),
    "tiny-encoder-decoder": replace(
        _paper(64, heads=4, feedforward_width=256, dropout=0.0),
        vocabulary=_TINY_VOCABULARY,
        positions=256,
        encoder=_TINY_STACK,
        decoder=_TINY_STACK,
    ),
    "tiny-vision": _vit(3, 4, 96, ImageConfig(32, 32, 4, 4), classes=10),
    "tiny-mixture": _llama(
        _TINY_VOCABULARY, 256, 64, StackConfig(2, 4, 128, key_heads=2, experts=Experts(4)), rotary_base=10_000.0
    ),
}
