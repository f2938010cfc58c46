"""What is done to the logits of the next token before one is drawn; a token that is left out gets -inf.

Each filter takes and returns logits, float32 (..., V), and changes nothing in place. A row keeps at least one token.
"""

# V vocabulary, N tokens of the text so far

from __future__ import annotations

import math

import torch
from torch import Tensor

# How many of the likeliest tokens are looked at before all of them are.
LIKELIEST = 1024


def penalise_repetition(logits_V: Tensor, ids_N: Tensor, penalty: float) -> Tensor:
    """Lowers the score of every token that stands in the text already; a penalty of 1 changes nothing.

    Source: Keskar et al. 2019 (CTRL, arXiv 1909.05858), 4.1. A negative score is multiplied, not divided, so
        that it falls as well; the paper's formula raises it.
    """
    scores = logits_V.gather(-1, ids_N)
    return logits_V.scatter(-1, ids_N, torch.where(scores < 0, scores * penalty, scores / penalty))


def ban(logits_V: Tensor, banned_T: Tensor) -> Tensor:
    """Leaves out the tokens with these ids."""
    return logits_V.index_fill(-1, banned_T, -torch.inf)


def sharpen(logits_V: Tensor, temperature: float) -> Tensor:
    """Divides by the temperature: below 1 the likely become likelier, above it all become more alike.

    Source: Ackley et al. 1985, A learning algorithm for Boltzmann machines.
    """
    return logits_V / temperature


def keep_top_k(logits_V: Tensor, k: int) -> Tensor:
    """The k likeliest tokens, and those as likely as the last of them. Source: Fan et al. 2018 (arXiv 1805.04833)."""
    least = logits_V.topk(min(k, logits_V.shape[-1])).values[..., -1:]
    return logits_V.masked_fill(logits_V < least, -torch.inf)


def keep_top_p(logits_V: Tensor, p: float) -> Tensor:
    """The smallest set of likeliest tokens whose probabilities sum to p or more, and those as likely as the last.

    Cost: sorts the likeliest few; the whole vocabulary only where those do not sum to p.
    Source: Holtzman et al. 2019 (arXiv 1904.09751), 3.1.
    """
    log_total = logits_V.logsumexp(-1, keepdim=True)
    vocabulary = logits_V.shape[-1]
    for count in (min(LIKELIEST, vocabulary), vocabulary):
        falling = logits_V.topk(count).values
        probabilities = (falling - log_total).exp()
        before = probabilities.cumsum(-1) - probabilities
        if (before[..., -1] >= p).all():
            break
    least = falling.masked_fill(before >= p, torch.inf).amin(-1, keepdim=True)
    return logits_V.masked_fill(logits_V < least, -torch.inf)


def keep_min_p(logits_V: Tensor, p: float) -> Tensor:
    """The tokens that are at least p times as likely as the best. Source: Nguyen et al. 2024 (arXiv 2407.01082)."""
    return logits_V.masked_fill(logits_V < logits_V.amax(-1, keepdim=True) + math.log(p), -torch.inf)
