"""Reading with a cache, token by token or in chunks, is reading the whole text at once, whatever attention is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modelcore.generation.reader import CachedReader, open_reader
from modelcore.layers.attention_map import AttentionMap
from modelcore.layers.cache import Cache
from tests.modelcore.small_decoders import DECODERS, ROTARY, build_peaked, draw_ids, windowed

MAP_ERROR = 2e-5  # absolute, float32
LOGIT_ERROR = 1e-4  # of the largest logit, float32


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("chunks", [(3, *(1,) * 20), (2, 9, 12)], ids=["tokens", "chunks"])
def test_bit_by_bit_equals_all_at_once(name, chunks):
    model, ids = build_peaked(DECODERS[name]), draw_ids(23)
    taken: list[AttentionMap] = []
    reader = open_reader(model, tap=taken.append)
    assert isinstance(reader, CachedReader)
    read = 0
    for chunk in chunks:
        taken.clear()
        with torch.inference_mode():
            logits = reader.read(ids[:, read : read + chunk])
            read += chunk
            whole: list[AttentionMap] = []
            expected = model(ids[:, :read], tap=whole.append)[:, -1]
        assert (logits - expected).abs().max() <= LOGIT_ERROR * expected.abs().max()
        for map_, whole_map in zip(taken, whole, strict=True):
            _assert_same_rows(map_, whole_map)


def _assert_same_rows(map_: AttentionMap, whole: AttentionMap) -> None:
    rows = range(whole.queries - map_.queries, whole.queries)
    expected = whole.tile(rows)
    assert (map_.tile() - expected[..., map_.first_key :]).abs().max() <= MAP_ERROR
    assert not expected[..., : map_.first_key].any()


# Padding would shift blocks, and lengthen the text where angles depend on its length.
PADDED = [
    name
    for name, config in DECODERS.items()
    if all(pattern.block == 1 for pattern in config.decoder.patterns) and not config.rotary.depends_on_length
]


@pytest.mark.parametrize("name", PADDED)
def test_left_padded_batches_equal_single_runs(name):
    model, ids, starts, cache = build_peaked(DECODERS[name]), draw_ids(18), torch.tensor([0, 6]), Cache()
    padded = torch.cat([ids, torch.cat([torch.full((1, 6), 60), ids[:, :12]], dim=1)])
    with torch.inference_mode():
        together = model(padded[:, :15], starts_B=starts, cache=cache)
        rest = [model(padded[:, i : i + 1], starts_B=starts, cache=cache) for i in range(15, 18)]
        together = torch.cat([together, *rest], dim=1)
        for row, text in enumerate((ids, ids[:, :12])):
            expected = model(text)[0]
            assert (together[row, starts[row] :] - expected).abs().max() <= LOGIT_ERROR * expected.abs().max()


def test_windows_cache_stays_small():
    model = build_peaked(replace(ROTARY, decoder=windowed(5, 6, 7)))
    reader = CachedReader(model)
    sizes = []
    with torch.inference_mode():
        for token in draw_ids(300)[0]:
            reader.read(token.view(1, 1))
            kept = reader._cache._read.values()
            sizes.append(sum(k.untyped_storage().nbytes() for values in kept for k in (values._k, values._v)))
    assert max(sizes[10:]) == sizes[10]
    assert sizes[-1] <= 2 * (5 + 6 + 7) * 32 * 4
