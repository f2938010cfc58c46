"""What queries and keys make of each other before softcap, in chunks: dot products, or Bahdanau's sums of tanh.

`forward` gives `factor` times the products of a chunk, `backward` adds what their gradient means for q, for k
and for the learned table, in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from kernels.cpu.pairs import Pairs
from kernels.cpu.relative_keys import RelativeKeys
from kernels.cpu.scores import CHUNK_SCORES, gemm
from kernels.spec import AttentionSpec

# H query heads, Q queries, K keys, D head width
# N pairs of batch and key/value head, G key/value heads, R query heads of each


class DotProducts:
    """q.k, and with relative keys q.(k + r)."""

    def __init__(self, relative: RelativeKeys | None) -> None:
        self.relative = relative
        self.scratch: Tensor | None = None

    def forward(
        self, q_NRQD: Tensor, k_NKD: Tensor, factor: float, rows: range, runs: list[range], pairs: slice
    ) -> Tensor:
        """Each call's products take the place of the last one's: memory that is in the cache already."""
        q_NRQD = q_NRQD * factor
        size = q_NRQD.shape[:3].numel() * k_NKD.shape[1]
        if self.scratch is None or self.scratch.numel() < size:
            self.scratch = q_NRQD.new_empty(size)
        products = gemm(q_NRQD.flatten(1, 2), k_NKD, self.scratch).view(*q_NRQD.shape[:3], -1)
        if self.relative is not None:
            self.relative.add(products, q_NRQD, rows, runs, pairs)
        return products

    def backward(
        self,
        d_products_NRQK: Tensor,
        q_NRQD: Tensor,
        k_NKD: Tensor,
        d_q_NRQD: Tensor,
        d_k_NKD: Tensor,
        rows: range,
        cols: range,
        pairs: slice,
    ) -> None:
        if self.relative is not None:
            self.relative.backward(d_products_NRQK, q_NRQD, d_q_NRQD, rows, cols, pairs)
        d_products = d_products_NRQK.flatten(1, 2)
        d_q_NRQD += (d_products @ k_NKD).view_as(q_NRQD)
        d_k_NKD.baddbmm_(d_products.transpose(1, 2), q_NRQD.flatten(1, 2))

    def gradients(self) -> dict[str, Tensor]:
        return {} if self.relative is None else {"relative_keys": self.relative.of_table()}


class AdditiveProducts:
    """sum_d a[d] tanh(q[d] + k[d]): D numbers a pair, made in blocks and summed at once.

    Source: Bahdanau et al. 2014 (arXiv 1409.0473), A.1.2.
    """

    def __init__(self, spec: AttentionSpec, pairs: Pairs, dtype: torch.dtype) -> None:
        assert spec.additive is not None
        self.pairs, self.dtype = pairs, spec.additive.dtype
        self.vectors_HD = spec.additive.detach().to(dtype)

    def forward(
        self, q_NRQD: Tensor, k_NKD: Tensor, factor: float, rows: range, runs: list[range], pairs: slice
    ) -> Tensor:
        vectors_NRD = self.pairs.of_head(self.vectors_HD, pairs) * factor
        products = q_NRQD.new_empty(*q_NRQD.shape[:3], k_NKD.shape[1])
        for queries, keys in _blocks(q_NRQD, k_NKD):
            hidden_NRQKD = _hidden(q_NRQD[:, :, queries], k_NKD[:, keys])
            products[:, :, queries, keys] = (hidden_NRQKD.flatten(2, 3) @ vectors_NRD[..., None]).view(
                hidden_NRQKD.shape[:4]
            )
        return products

    def backward(
        self,
        d_products_NRQK: Tensor,
        q_NRQD: Tensor,
        k_NKD: Tensor,
        d_q_NRQD: Tensor,
        d_k_NKD: Tensor,
        rows: range,
        cols: range,
        pairs: slice,
    ) -> None:
        vectors_NRD = self.pairs.of_head(self.vectors_HD, pairs)
        heads_N = self.pairs.key_head_N[pairs]
        for queries, keys in _blocks(q_NRQD, k_NKD):
            d_products = d_products_NRQK[:, :, queries, keys]
            hidden_NRQKD = _hidden(q_NRQD[:, :, queries], k_NKD[:, keys])
            d_vectors_NRD = (d_products.flatten(2)[:, :, None] @ hidden_NRQKD.flatten(2, 3)).squeeze(2)
            self.d_vectors_GRD.index_add_(0, heads_N, d_vectors_NRD)
            slope = hidden_NRQKD.square_().neg_().add_(1)
            d_sums = slope.mul_(vectors_NRD[:, :, None, None]).mul_(d_products[..., None])
            d_q_NRQD[:, :, queries] += d_sums.sum(3)
            d_k_NKD[:, keys] += d_sums.sum((1, 2))

    def gradients(self) -> dict[str, Tensor]:
        return {"additive": self.d_vectors_GRD.flatten(0, 1).to(self.dtype)}

    @cached_property
    def d_vectors_GRD(self) -> Tensor:
        return self.vectors_HD.new_zeros(*self.pairs.shape, self.vectors_HD.shape[1])


def _hidden(q_NRQD: Tensor, k_NKD: Tensor) -> Tensor:
    """The hidden layer of the network that scores a pair, [N, R, Q, K, D]."""
    return (q_NRQD[:, :, :, None] + k_NKD[:, None, None]).tanh_()


def _blocks(q_NRQD: Tensor, k_NKD: Tensor) -> Iterator[tuple[slice, slice]]:
    """Queries and keys whose hidden layers fill no more than a chunk of scores does: all keys where they may."""
    pairs, shared, queries, width = q_NRQD.shape
    keys = k_NKD.shape[1]
    wide = min(max(CHUNK_SCORES // (pairs * shared * width), 1), keys)
    high = max(CHUNK_SCORES // (pairs * shared * width * wide), 1)
    for top in range(0, queries, high):
        for left in range(0, keys, wide):
            yield slice(top, top + high), slice(left, left + wide)
