"""What others must know of an adapted model, with the names that `ModelConfig` has for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from modelcore.adapters.mask import WHOLE_LIMIT_ELEMENTS
from modelcore.config import AttentionSite, ImageConfig, Output
from modelcore.config.model import POSITION_LIMIT, Architecture


@dataclass(frozen=True)
class AdaptedConfig:
    """The shape of an adapted model, as far as it is seen from outside (a `ModelShape`).

    positions    how long a text may be by config.json
    longest      what can be read and shown: less where maps can only be kept whole
    shown_sites  in the order of the forward pass
    """

    architecture: Architecture
    vocabulary: int
    positions: int
    longest: int
    width: int
    output: Output
    shown_sites: tuple[AttentionSite, ...]
    token_types: int | None = 0
    image: ImageConfig | None = None
    start_token: int | None = None
    end_token: int | None = None
    pad_token: int | None = None

    def sites(self) -> list[AttentionSite]:
        """All sites that are shown."""
        return list(self.shown_sites)


def longest_text(positions: int | None, heads_kept_whole: int) -> int:
    """The most tokens that fit into the positions, and into what may be kept of a site that is kept whole."""
    longest = POSITION_LIMIT if positions is None else positions
    return min(longest, int((WHOLE_LIMIT_ELEMENTS // heads_kept_whole) ** 0.5)) if heads_kept_whole else longest


def size(config: Any, *names: str) -> int | None:
    """The first of these attributes of transformers' configuration that is a positive whole number."""
    for name in names:
        value = getattr(config, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def token_types(config: Any, inputs: Collection[str]) -> int | None:
    """How many kinds of text a model with these inputs tells apart; None where it does, but does not say how many."""
    if "token_type_ids" not in inputs:
        return 0
    kinds = getattr(config, "type_vocab_size", None)
    return kinds if isinstance(kinds, int) else None


def tokens(config: Any, vocabulary: int) -> dict[str, int | None]:
    """start_token, end_token and pad_token; of a list the first, and none outside the vocabulary."""

    def token(*names: str) -> int | None:
        for name in names:
            value = getattr(config, name, None)
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, int) and 0 <= value < vocabulary:
                return value
        return None

    return {
        "start_token": token("decoder_start_token_id", "bos_token_id"),
        "end_token": token("eos_token_id"),
        "pad_token": token("pad_token_id"),
    }


def image(config: Any) -> ImageConfig | None:
    """The picture that a vision model reads, its extra tokens not counted; None where it has no plain patches."""
    pictured, patch = _sides(getattr(config, "image_size", None)), _sides(getattr(config, "patch_size", None))
    if pictured is None or patch is None or pictured[0] < patch[0] or pictured[1] < patch[1]:
        return None
    return ImageConfig(*pictured, *patch, channels=size(config, "num_channels") or 3, extra_tokens=0)


def _sides(value: Any) -> tuple[int, int] | None:
    """Height and width of a square's side, of a pair, or of an object with both."""
    if isinstance(value, Mapping):
        value = [value.get("height"), value.get("width")]
    sides = [value, value] if isinstance(value, int) else list(value) if isinstance(value, (list, tuple)) else []
    return (sides[0], sides[1]) if len(sides) == 2 and all(isinstance(s, int) and s > 0 for s in sides) else None
