"""A model that writes is watched: its rows are those of the finished text, and a branch is a text like any other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from modelcore.analysis.request import RequestError, TraceRequest
from modelcore.analysis.trace import NextTokens, SiteTraced, TokensRead, trace
from modelcore.analysis.writing import BeamsGrown, Written, write, write_beams
from modelcore.config import AttentionSite, ModelConfig
from modelcore.generation.beams import BeamSearch
from modelcore.generation.error import GenerationError
from modelcore.generation.row_watch import FULL, MOST_COLUMNS, PromptRows, RowWatch, cell_for
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import Step
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.build import Transformer
from tests.modelcore.small_decoders import DECODERS, PLAIN, STACK, build_peaked, draw_ids

MAP_ERROR = 2e-5  # absolute, float32 read from 16 bits

SHAPES: dict[str, ModelConfig] = {
    "gpt2": DECODERS["learned"],
    "llama with a sliding window": replace(
        DECODERS["windows"], decoder=replace(DECODERS["windows"].decoder, key_heads=2)
    ),
    "sinks": DECODERS["windows with sinks"],
    "encoder-decoder": replace(PLAIN, position_encoding="t5", encoder=replace(STACK, layers=2, heads=2), start_token=3),
}


def request(model: Transformer, written: list[int] | None = None) -> TraceRequest:
    """Nine tokens to go on from, or to read, and what was written after them."""
    ids = draw_ids(9)[0].tolist()
    if model.config.architecture == "encoder-decoder":
        return TraceRequest(ids=ids, target_ids=None if written is None else [3, *written])
    return TraceRequest(ids=ids + (written or []))


def written(model: Transformer, asked: TraceRequest, tokens: int) -> list[Step]:
    return [one.step for one in write(model, asked, Sampling(max_tokens=tokens)) if isinstance(one, Written)]


def rows_by_site(told: Written) -> dict[AttentionSite, Tensor]:
    """(H, K) of each site."""
    values, found, start = torch.from_numpy(told.rows.values_N.astype("float32") / FULL), {}, 0
    for site, heads, keys in told.rows.sites:
        columns = -(-keys // told.rows.cell)
        found[site] = values[start : start + heads * columns].view(heads, columns)
        start += heads * columns
    assert start == len(values)
    return found


def forward_maps(model: Transformer, asked: TraceRequest) -> dict[AttentionSite, Tensor]:
    """(H, Q, K) of the decoder's sites, from one pass over the finished text."""
    maps: list[AttentionMap] = []
    texts = [asked.ids] if asked.target_ids is None else [asked.ids, asked.target_ids]
    with torch.inference_mode():
        model(*(torch.tensor([ids]) for ids in texts), tap=maps.append)
    return {map_.site: map_.tile()[0] for map_ in maps if map_.site.stack == "decoder"}


@pytest.mark.parametrize("name", SHAPES)
def test_rows_seen_while_writing_are_those_of_one_pass_over_the_finished_text(name: str) -> None:
    model = build_peaked(SHAPES[name])
    told = list(write(model, request(model), Sampling(max_tokens=12)))
    steps = [one for one in told if isinstance(one, Written)]
    assert len(steps) == 12
    whole = forward_maps(model, request(model, [one.step.id for one in steps]))
    for one in steps:
        rows = rows_by_site(one)
        assert rows.keys() == whole.keys()
        for site, row_HK in rows.items():
            expected = whole[site][:, one.step.place - 1, : row_HK.shape[1]]
            assert (row_HK - expected).abs().max() <= MAP_ERROR
            assert not whole[site][:, one.step.place - 1, row_HK.shape[1] :].any()
    for prompt in (one for one in told if isinstance(one, PromptRows)):
        values = torch.from_numpy(prompt.values_HRC.astype("float32") / FULL)
        expected = whole[prompt.site][:, : prompt.rows, : prompt.keys]
        assert prompt.cell == 1 and (values - expected).abs().max() <= MAP_ERROR


@pytest.mark.parametrize("name", SHAPES)
def test_going_back_and_on_with_the_same_tokens_writes_the_same_text(name: str) -> None:
    model = build_peaked(SHAPES[name])
    steps = written(model, request(model), 9)
    text = [step.id for step in steps]
    again = written(model, request(model, text[:5]), 4)
    assert [step.id for step in again] == text[5:]
    assert [step.place for step in again] == [step.place for step in steps[5:]]
    assert [step.probability for step in again] == pytest.approx([step.probability for step in steps[5:]], abs=1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_branch_writes_what_the_model_gives_for_its_text(name: str) -> None:
    """Back at the fifth token with the second likeliest in its place; all are the likeliest of one whole pass."""
    model = build_peaked(SHAPES[name])
    steps = written(model, request(model), 6)
    other = next(one.id for one in steps[5].alternatives if one.id != steps[5].id)
    prompt = [*(step.id for step in steps[:5]), other]
    text = [*prompt, *(step.id for step in written(model, request(model, prompt), 6))]
    *_, following = (one for one in trace(model, request(model, text)) if isinstance(one, NextTokens))
    assert following.ids[-7:-1, 0].tolist() == text[-6:]


def test_first_token_comes_before_any_map_of_the_prompt_and_the_trace_last() -> None:
    model = build_peaked(SHAPES["gpt2"])
    told = list(write(model, request(model), Sampling(max_tokens=3)))
    kinds = [type(one) for one in told]
    layers = model.config.decoder.layers
    assert kinds[:2] == [TokensRead, Written]
    assert kinds[2:] == [PromptRows] * layers + [Written] * 2 + [TokensRead] + [SiteTraced] * layers + [NextTokens]
    prompt, finished = (one for one in told if isinstance(one, TokensRead))
    assert (prompt.origin, finished.origin) == ("given", "generated")
    assert len(finished.encoding) == len(prompt.encoding) + 3


def test_rows_of_a_long_text_are_pooled_so_that_no_step_grows_large() -> None:
    model = build_peaked(replace(DECODERS["rotary"], positions=1200))
    longest = 300 + 2
    asked = TraceRequest(ids=[7 * i % 61 for i in range(300)])
    steps = [one for one in write(model, asked, Sampling(max_tokens=2)) if isinstance(one, Written)]
    assert steps[0].rows.cell == cell_for(longest, MOST_COLUMNS) == 2
    whole = forward_maps(model, TraceRequest(ids=[*asked.ids, *(one.step.id for one in steps)]))  # type: ignore[misc]
    for site, row_HK in rows_by_site(steps[1]).items():
        row = whole[site][:, 300, :301]
        expected = torch.nn.functional.pad(row, (0, 1)).unflatten(-1, (-1, 2)).amax(-1)
        assert (row_HK - expected).abs().max() <= MAP_ERROR


@pytest.mark.parametrize("name", ["grouped queries", "windows", "sinks", "alibi", "softcaps"])
def test_row_of_a_token_read_alone_is_the_tile_that_it_stands_for(name: str) -> None:
    model, maps, watch = build_peaked(DECODERS[name]), [], RowWatch(12)
    with torch.inference_mode():
        model(draw_ids(12), tap=maps.append)
        for map_ in maps:
            keys = range(max(0, 12 - (map_.spec.window or 12)), 12)
            q_BHQD, lse_BHQ, k_BGKD = map_.q_BHQD[:, :, -1:], map_.lse_BHQ[:, :, -1:], map_.k_BGKD[:, :, keys.start :]
            watch(replace(map_, q_BHQD=q_BHQD, lse_BHQ=lse_BHQ, k_BGKD=k_BGKD, first_key=keys.start))
        found = torch.from_numpy(watch.handed_over().values_N / FULL).view(len(maps), -1, 12)
        for row_HK, map_ in zip(found, maps, strict=True):
            assert (row_HK - map_.tile(range(11, 12))[0, :, 0]).abs().max() <= MAP_ERROR


def test_beams_end_with_the_trace_of_the_best_text() -> None:
    model = build_peaked(SHAPES["gpt2"])
    told = list(write_beams(model, request(model), BeamSearch(3, max_tokens=4)))
    growths = [one for one in told if isinstance(one, BeamsGrown)]
    best = growths[-1].found[0]
    assert not growths[-1].kept and all(one.kept for one in growths[:-1])
    finished = [one for one in told if isinstance(one, TokensRead)][-1]
    assert finished.encoding.ids == [*draw_ids(9)[0].tolist(), *best.ids]


def test_prompt_without_room_to_write_is_refused_before_anything_is_read() -> None:
    model = build_peaked(SHAPES["gpt2"])
    full = TraceRequest(ids=[1] * model.config.longest)
    with pytest.raises(GenerationError, match="fills all"):
        next(write(model, full, Sampling(max_tokens=2)))
    with pytest.raises(RequestError, match="at most"):
        next(write(model, TraceRequest(ids=[1] * (model.config.longest + 1)), Sampling(max_tokens=2)))
