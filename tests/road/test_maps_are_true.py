"""What the API gives is what the weights say: compared with transformers, eager, which shares no code with us."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel, MarianMTModel

from kernels.cpu.matmul import FLOAT32_ERROR
from tests.running import HOUSE, RunningSite
from workers.protocol.events import Probabilities, Site

ZOO = HOUSE / "modelcore" / "zoo"
TEXTS = [
    "In the beginning God created the heaven and the earth. And the earth was without form, and void.",
    "a",
    "🙂🏽‍🚀 e\u0301 — שלום",
    "And it came to pass. " * 20,
]
AGREE = 2e-5


def maps(site: RunningSite, told: dict[str, Any]) -> Iterator[tuple[str, int, np.ndarray]]:
    for place in told["sites"]:
        for head in range(place["heads"]):
            url = f"/api/v1/runs/{told['id']}/maps/{place['site']}/{head}"
            answer = site.http.get(url, headers={"accept": "application/x-npy"})
            assert answer.status_code == 200, answer.text
            weights = np.load(io.BytesIO(answer.content), allow_pickle=False)
            assert weights.dtype == np.float32 and weights.shape == (place["queries"], place["keys"])
            yield place["site"], head, weights


def ids(told: dict[str, Any], sequence: str) -> torch.Tensor:
    return torch.tensor([[token["id"] for token in told["tokens"] if token["sequence"] == sequence]])


def decoder_maps(folder: Path, told: dict[str, Any]) -> tuple[dict[str, Any], torch.Tensor]:
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        out = model(ids(told, "decoder"), output_attentions=True)
    return {f"decoder.self.{layer}": one[0].numpy() for layer, one in enumerate(out.attentions)}, out.logits[0]


@pytest.mark.parametrize("text", TEXTS, ids=["verse", "one letter", "many scripts", "long"])
def test_decoder_maps_agree_with_transformers(site: RunningSite, text: str) -> None:
    told = site.traced("prose", text)
    expected, _ = decoder_maps(ZOO / "prose", told)
    seen = set()
    for place, head, weights in maps(site, told):
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-4)
        np.testing.assert_allclose(weights, expected[place][head], atol=AGREE)
        seen.add((place, head))
    assert len(seen) == sum(len(one) for one in expected.values())


def test_encoder_decoder_maps_agree_with_transformers(site: RunningSite) -> None:
    told = site.traced("numbers", "the fourteenth of july seventeen eighty-nine")
    model = MarianMTModel.from_pretrained(ZOO / "numbers", attn_implementation="eager").eval()
    with torch.no_grad():
        out = model(input_ids=ids(told, "encoder"), decoder_input_ids=ids(told, "decoder"), output_attentions=True)
    expected = {
        f"{stack}.{layer}": one[0].numpy()
        for stack, attentions in (
            ("encoder.self", out.encoder_attentions),
            ("decoder.self", out.decoder_attentions),
            ("decoder.cross", out.cross_attentions),
        )
        for layer, one in enumerate(attentions)
    }
    assert {place["site"] for place in told["sites"]} == set(expected)
    for place, head, weights in maps(site, told):
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-4)
        np.testing.assert_allclose(weights, expected[place][head], atol=AGREE)


def test_encoder_decoder_writes_the_date(site: RunningSite) -> None:
    told = site.traced("numbers", "the fourteenth of july seventeen eighty-nine")
    written = "".join(t["text"] for t in told["tokens"] if t["sequence"] == "decoder" and not t["special"])
    assert written.replace("·", "").strip() == "1789-07-14"


def test_next_tokens_are_the_models(site: RunningSite) -> None:
    told = site.traced("prose", TEXTS[0])
    _, logits = decoder_maps(ZOO / "prose", told)
    for position in (0, 5, -1):
        expected = logits[position].softmax(-1).topk(10)
        answer = site.http.get(f"/api/v1/runs/{told['id']}/probabilities", params={"position": position, "top": 10})
        given = answer.json()["tokens"]
        np.testing.assert_allclose([one["probability"] for one in given], expected.values, rtol=1e-3, atol=1e-6)
        assert given[0]["id"] == int(expected.indices[0])


def test_overviews_on_the_socket_are_the_maps(site: RunningSite) -> None:
    told = site.traced("prose", TEXTS[0])
    expected, _ = decoder_maps(ZOO / "prose", told)
    for event, arrays in site.frames(told["id"]):
        if isinstance(event, Site):
            assert event.cell == 1
            bytes_HRC, scale_H = np.asarray(arrays["overview"]), np.asarray(arrays["scale"])
            given = scale_H[:, None, None] * (bytes_HRC / 255.0) ** 2
            # Half a step of the square-root scale, at the largest weight.
            np.testing.assert_allclose(given, expected[event.site], atol=1 / 255 + 1e-5)
        if isinstance(event, Probabilities):
            assert np.all(np.diff(np.asarray(arrays["probabilities"]), axis=1) <= 0)


def test_rectangle_is_a_part_of_the_map(site: RunningSite) -> None:
    told = site.traced("prose", TEXTS[3])
    url = f"/api/v1/runs/{told['id']}/maps/decoder.self.1/3"
    whole = np.asarray(site.http.get(url).json()["weights"])
    part = site.http.get(url, params={"rows": "7:31", "cols": "2:19"}).json()
    # The products of a part and of the whole are summed in different orders.
    np.testing.assert_allclose(part["weights"], whole[7:31, 2:19], atol=FLOAT32_ERROR)
    pooled = np.asarray(site.http.get(url, params={"cell": 8}).json()["weights"])
    np.testing.assert_allclose(pooled[1, 0], whole[8:16, 0:8].max(), atol=FLOAT32_ERROR)


def test_offsets_point_at_the_token_in_the_text(site: RunningSite) -> None:
    text = TEXTS[2]
    told = site.traced("prose", text)
    covered = {place for token in told["tokens"] for place in range(token["start"], token["end"])}
    assert covered == set(range(len(text)))
    for token in told["tokens"]:
        piece = text[token["start"] : token["end"]]
        if piece.isascii() and piece.strip():
            assert token["text"].strip("· ⏎") == piece.strip()
