"""Which cross-attention head looks at the words that a target's characters come from."""

# B batch, H heads, Q target tokens, K source tokens

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modelcore.config import AttentionSite
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.tokenizer import Encoding

# Characters of the target, and the characters of the source that they come from.
Origins = Sequence[tuple[range, range]]


@dataclass(frozen=True)
class AlignmentScore:
    """The mean attention of a head to the words that the next character comes from; between 0 and 1."""

    site: AttentionSite
    head: int
    score: float


@torch.inference_mode()
def score_alignment(
    model: EncoderDecoder, samples: Sequence[tuple[Encoding, Encoding, Origins]]
) -> list[AlignmentScore]:
    """Scores every cross-attention head on sources, targets as written (without start token), and origins."""
    sums: dict[AttentionSite, torch.Tensor] = {}
    rows = 0
    for source, target, origins in samples:
        wanted_QK = _origin_mask(source, target, origins)
        maps: list[AttentionMap] = []
        read = [model.config.start_token, *target.ids[:-1]]
        model(torch.tensor([source.ids]), torch.tensor([read]), tap=maps.append)
        rows += int(wanted_QK.any(dim=1).sum())
        for map_ in maps:
            if map_.site.kind == "cross":
                mass_H = (map_.tile()[0] * wanted_QK).sum(dim=(1, 2))
                sums[map_.site] = sums.get(map_.site, 0) + mass_H
    return [
        AlignmentScore(site, head, mass / rows)
        for site, mass_H in sums.items()
        for head, mass in enumerate(mass_H.tolist())
    ]


def _origin_mask(source: Encoding, target: Encoding, origins: Origins) -> torch.Tensor:
    """Row i is the position that writes target token i; true at the source tokens that it comes from."""
    mask_QK = torch.zeros(len(target), len(source), dtype=torch.bool)
    for written, words in origins:
        for row, (start, end) in enumerate(target.offsets):
            if written.start <= start < end <= written.stop:
                for col, (first, last) in enumerate(source.offsets):
                    # A token carries the space before its word, so it may begin one character early.
                    mask_QK[row, col] = words.start <= first + 1 and last <= words.stop and first < last
    return mask_QK
