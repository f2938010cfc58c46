"""What can be seen of each attention site of a native model, in words."""

from __future__ import annotations

from typing import Any

from modelcore.config import AttentionSite, ModelConfig, Pattern


def site_support(config: ModelConfig) -> list[dict[str, Any]]:
    """One entry a site: its address, heads, key heads, which keys a query sees, and how its map is had."""
    support = []
    for site in config.sites():
        stack = config.stack(site.stack)
        support.append(
            {
                "site": str(site),
                "heads": stack.heads,
                "key_heads": stack.key_head_count,
                "sees": _sees(config, site),
                "support": "native: exact at any length, can be edited",
            }
        )
    return support


def _sees(config: ModelConfig, site: AttentionSite) -> str:
    if site.kind == "cross":
        return "every key of the encoder"
    causal = site.stack == "decoder"
    pattern = config.stack(site.stack).pattern(site.layer)
    told = _told(pattern, causal)
    if not told:
        return "the keys up to its own" if causal else "every key"
    return " and ".join(told) + (", none after its own" if causal and not pattern.prefix else "")


def _told(pattern: Pattern, causal: bool) -> list[str]:
    unit = "tokens" if pattern.block == 1 else f"blocks of {pattern.block} tokens"
    told = []
    if pattern.window is not None:
        told.append(f"the last {pattern.window:,} {unit}" if causal else f"{pattern.window:,} {unit} to either side")
    if pattern.stride is not None:
        told.append(f"every {pattern.stride}th of the {unit}")
    if pattern.random_blocks:
        told.append(f"{pattern.random_blocks} random {unit}")
    if pattern.global_tokens:
        told.append(f"the first {pattern.global_tokens} tokens, which see everything")
    if pattern.prefix:
        told.append(f"the whole prefix of {pattern.prefix} tokens")
    return told
