"""What changed between two runs, against transformers' own maps and SciPy's distance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from modelcore.analysis import difference
from modelcore.analysis.difference import LEAST_AWAKE, HeadChanges, SharedKeys, head_changes, read_difference
from modelcore.analysis.partners import NOBODY, Partners, find_partners
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.layers.attention_map import AttentionMap
from tests.modelcore.shrunk import save_gpt2, save_marian

Truth = npt.NDArray[np.float64]

# A word replaced, two put in, one left out.
TEXT_A = [5, 9, 31, 7, 7, 12, 40, 41, 8, 22, 63, 5, 9, 14]
TEXT_B = [5, 9, 32, 7, 7, 12, 2, 3, 40, 41, 8, 63, 5, 9, 14]
TARGET_A, TARGET_B = [70, 11, 12, 13, 14, 15], [70, 11, 12, 20, 21, 14, 15]


@dataclass(frozen=True)
class Read:
    """One run: our maps by site, and transformers' of its first sample, [heads, rows, keys]."""

    maps: dict[str, AttentionMap]
    truth: dict[str, Truth]


def read_gpt2(folder: Path, ids: list[int]) -> Read:
    outside = save_gpt2(folder)
    maps: list[AttentionMap] = []
    with torch.inference_mode():
        open_checkpoint(folder).load()(torch.tensor([ids]), tap=maps.append)
        told = outside(torch.tensor([ids]), output_attentions=True).attentions
    return _read(maps, {f"decoder.self.{layer}": map_ for layer, map_ in enumerate(told)})


def read_marian(folder: Path, source: list[int], target: list[int]) -> Read:
    outside = save_marian(folder)
    maps: list[AttentionMap] = []
    ids, target_ids = torch.tensor([source]), torch.tensor([target])
    with torch.inference_mode():
        open_checkpoint(folder).load()(ids, target_ids, tap=maps.append)
        told = outside(ids, decoder_input_ids=target_ids, output_attentions=True)
    named = {"encoder.self": told.encoder_attentions, "decoder.self": told.decoder_attentions}
    named["decoder.cross"] = told.cross_attentions
    return _read(maps, {f"{kind}.{layer}": map_ for kind, all_ in named.items() for layer, map_ in enumerate(all_)})


def _read(maps: list[AttentionMap], truth: dict[str, torch.Tensor]) -> Read:
    return Read({str(map_.site): map_ for map_ in maps}, {site: m[0].double().numpy() for site, m in truth.items()})


def expected_distances(a: Truth, b: Truth, rows: Partners, keys: Partners, sinks: set[int]) -> Truth:
    """Row by row with SciPy, [heads, pairs of rows]; NaN where a row rests in both."""
    places = [(place, partner) for place, partner in keys.pairs if place not in sinks]
    told = np.full((len(a), len(rows.pairs)), np.nan)
    for head in range(len(a)):
        for at, (row_a, row_b) in enumerate(rows.pairs):
            p = np.array([a[head, row_a, place] for place, _ in places])
            q = np.array([b[head, row_b, partner] for _, partner in places])
            if min(p.sum(), q.sum()) > 0 and max(p.sum(), q.sum()) >= LEAST_AWAKE:
                told[head, at] = jensenshannon(p, q, base=2)
    return told


def changes(a: AttentionMap, b: AttentionMap, rows: Partners, keys: Partners, most: int | None = None) -> HeadChanges:
    nothing_special = (torch.zeros(a.keys, dtype=torch.bool), torch.zeros(b.keys, dtype=torch.bool))
    return head_changes(a, b, rows, SharedKeys.of(a, b, keys, *nothing_special), most)


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Read, Read]:
    folder = tmp_path_factory.mktemp("gpt2")
    return read_gpt2(folder, TEXT_A), read_gpt2(folder, TEXT_B)


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> tuple[Read, Read]:
    folder = tmp_path_factory.mktemp("marian")
    return read_marian(folder, TEXT_A, TARGET_A), read_marian(folder, TEXT_B, TARGET_B)


@pytest.mark.parametrize("chunk_values", [difference.CHUNK_VALUES, 200])
def test_distances_are_those_of_scipy_on_maps_of_transformers(
    gpt2: tuple[Read, Read], chunk_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(difference, "CHUNK_VALUES", chunk_values)
    a, b = gpt2
    partners = find_partners(TEXT_A, TEXT_B)
    for site in a.maps:
        expected = expected_distances(a.truth[site], b.truth[site], partners, partners, sinks={0})
        found = changes(a.maps[site], b.maps[site], partners, partners)
        np.testing.assert_allclose(found.distance_H, np.nanmean(expected, axis=1), atol=1e-4)
        assert np.nanmean(expected) > 0.05, "the runs must differ for this to say anything"


def test_cross_attention_is_aligned_by_target_and_source(marian: tuple[Read, Read]) -> None:
    a, b = marian
    by_sequence = {"encoder": find_partners(TEXT_A, TEXT_B), "decoder": find_partners(TARGET_A, TARGET_B)}
    for site, map_ in a.maps.items():
        rows = by_sequence[map_.site.stack]
        keys = by_sequence["encoder" if map_.site.kind == "cross" else map_.site.stack]
        sinks = set() if map_.site.kind == "cross" else {0}
        expected = expected_distances(a.truth[site], b.truth[site], rows, keys, sinks)
        found = changes(map_, b.maps[site], rows, keys)
        np.testing.assert_allclose(found.distance_H, np.nanmean(expected, axis=1), atol=1e-4)


def test_most_changed_rows_come_first_with_the_key_they_look_at(gpt2: tuple[Read, Read]) -> None:
    a, b = gpt2
    partners, site = find_partners(TEXT_A, TEXT_B), "decoder.self.2"
    expected = expected_distances(a.truth[site], b.truth[site], partners, partners, sinks={0})
    found = changes(a.maps[site], b.maps[site], partners, partners)
    shared = [pair for pair in partners.pairs if pair[0] != 0]
    for head in range(len(expected)):
        order = np.argsort(-np.nan_to_num(expected[head], nan=-1), kind="stable")[: difference.CHANGED_ROWS]
        rows = [partners.pairs[at] for at in order]
        assert found.row_HS[head].tolist() == [row for row, _ in rows]
        np.testing.assert_allclose(found.distance_HS[head], expected[head, order], atol=1e-4)
        for at, (row_a, row_b) in enumerate(rows):
            key_a, _ = max(shared, key=lambda pair: a.truth[site][head, row_a, pair[0]])
            _, key_b = max(shared, key=lambda pair: b.truth[site][head, row_b, pair[1]])
            assert (found.key_a_HS[head, at], found.key_b_HS[head, at]) == (key_a, key_b)
            assert found.weight_a_HS[head, at] == pytest.approx(a.truth[site][head, row_a, key_a], abs=1e-4)
            assert found.weight_b_HS[head, at] == pytest.approx(b.truth[site][head, row_b, key_b], abs=1e-4)


def test_run_does_not_differ_from_itself(gpt2: tuple[Read, Read]) -> None:
    a, _ = gpt2
    itself = find_partners(TEXT_A, TEXT_A)
    for map_ in a.maps.values():
        assert (changes(map_, map_, itself, itself).distance_H == 0).all()
        assert (read_difference(map_, map_, 0, range(3, 9), range(14), itself, itself) == 0).all()


def test_sink_is_left_out_and_the_rest_scaled_to_one(gpt2: tuple[Read, Read]) -> None:
    """With the first token in, or without scaling, distances are others."""
    a, b = gpt2
    partners, site = find_partners(TEXT_A, TEXT_B), "decoder.self.1"
    found = changes(a.maps[site], b.maps[site], partners, partners).distance_H
    with_sink = expected_distances(a.truth[site], b.truth[site], partners, partners, sinks=set())
    assert np.abs(found - np.nanmean(with_sink, axis=1)).min() > 1e-3


def test_special_tokens_are_sinks_of_either_run(gpt2: tuple[Read, Read]) -> None:
    a, b = gpt2
    partners, site = find_partners(TEXT_A, TEXT_B), "decoder.self.1"
    special_a, special_b = torch.zeros(len(TEXT_A), dtype=torch.bool), torch.zeros(len(TEXT_B), dtype=torch.bool)
    special_a[3] = special_b[8] = True  # 8 of the second text is the partner of 6 of the first
    keys = SharedKeys.of(a.maps[site], b.maps[site], partners, special_a, special_b)
    found = head_changes(a.maps[site], b.maps[site], partners, keys)
    expected = expected_distances(a.truth[site], b.truth[site], partners, partners, sinks={0, 3, 6})
    np.testing.assert_allclose(found.distance_H, np.nanmean(expected, axis=1), atol=1e-4)


def test_difference_is_the_second_less_the_first_at_aligned_places(marian: tuple[Read, Read]) -> None:
    a, b = marian
    rows, keys = find_partners(TARGET_A, TARGET_B), find_partners(TEXT_A, TEXT_B)
    site, head, row_range, col_range = "decoder.cross.1", 1, range(1, 6), range(2, 13)
    found = read_difference(a.maps[site], b.maps[site], head, row_range, col_range, rows, keys)
    for at, row in enumerate(row_range):
        for place, col in enumerate(col_range):
            partner = (rows.of_N[row], keys.of_N[col])
            if NOBODY in partner:
                assert np.isnan(found[at, place])
            else:
                expected = b.truth[site][head][partner] - a.truth[site][head, row, col]
                assert found[at, place] == pytest.approx(expected, abs=1e-4)
    assert np.isnan(found).any() and (found > 0.01).any() and (found < -0.01).any()


@pytest.mark.parametrize("chunk_values", [difference.CHUNK_VALUES, 8])
def test_pooled_difference_is_the_furthest_from_zero(
    gpt2: tuple[Read, Read], chunk_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = (read.maps["decoder.self.1"] for read in gpt2)
    partners, side = find_partners(TEXT_A, TEXT_B), range(len(TEXT_A))
    exact = read_difference(a, b, 2, side, side, partners, partners)
    monkeypatch.setattr(difference, "CHUNK_VALUES", chunk_values)
    pooled = read_difference(a, b, 2, side, side, partners, partners, cell=4)
    assert pooled.shape == (4, 4)
    for row in range(4):
        for col in range(4):
            block = exact[4 * row : 4 * row + 4, 4 * col : 4 * col + 4].ravel()
            known = block[~np.isnan(block)]
            assert pooled[row, col] == pytest.approx(known[np.abs(known).argmax()], abs=1e-6)


def test_hand_made_pairs_that_cross_are_read_at_their_places(gpt2: tuple[Read, Read]) -> None:
    a, b = (read.maps["decoder.self.0"] for read in gpt2)
    crossing = find_partners(TEXT_A, TEXT_B, [(2, 12), (12, 2)])
    found = read_difference(a, b, 0, range(14), range(14), crossing, crossing)
    truth_a, truth_b = (read.truth["decoder.self.0"][0] for read in gpt2)
    assert found[12, 12] == pytest.approx(truth_b[2, 2] - truth_a[12, 12], abs=1e-4)
    assert found[2, 1] == pytest.approx(truth_b[12, 1] - truth_a[2, 1], abs=1e-4)


def test_long_texts_are_read_in_part_and_say_so(gpt2: tuple[Read, Read]) -> None:
    a, b = (read.maps["decoder.self.0"] for read in gpt2)
    partners = find_partners(TEXT_A, TEXT_B)
    weights_a_row = a.heads * (a.keys + b.keys)
    found = changes(a, b, partners, partners, most=9 * weights_a_row)
    assert 0 < found.rows_read <= 9 < len(partners.pairs)
    assert changes(a, b, partners, partners, most=weights_a_row).rows_read == 1
    assert changes(a, b, partners, partners, most=100 * weights_a_row).rows_read == len(partners.pairs)


def test_nothing_shared_is_told_as_nothing(gpt2: tuple[Read, Read]) -> None:
    a, b = (read.maps["decoder.self.0"] for read in gpt2)
    nobody = Partners(np.full(len(TEXT_A), NOBODY))
    found = changes(a, b, nobody, nobody)
    assert np.isnan(found.distance_H).all() and found.row_HS.shape == (a.heads, 0)
    assert np.isnan(read_difference(a, b, 0, range(3), range(3), nobody, nobody)).all()
