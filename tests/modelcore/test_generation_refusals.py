"""What cannot be written, and the sentence that says why."""

from __future__ import annotations

import pytest
import torch

from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.generation.error import GenerationError
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from modelcore.models.build import build
from tests.modelcore.small_decoders import DECODERS, build_peaked

STACK = StackConfig(layers=1, heads=2, feedforward_width=8)
SMALL = {"vocabulary": 300, "positions": 20, "width": 8}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ({"prompt": []}, "empty_prompt", "The prompt is empty"),
        ({"prompt": [1] * 65}, "prompt_too_long", "The prompt has 65 tokens; the model reads at most 64"),
        ({"prompt": [1] * 64}, "no_room", "The prompt fills all 64 positions"),
        ({"prompt": [1, 61]}, "id_out_of_range", "Token id 61 in the prompt is outside .* 0 to 60"),
        ({"prompt": [1], "source": [1]}, "source", "reads no source"),
        ({"prompt": [1], "sampling": Sampling(stop_tokens=(61,))}, "id_out_of_range", "Token id 61 in stop_tokens"),
        ({"prompt": [1], "sampling": Sampling(stop_strings=("a",))}, "no_tokenizer", "Stop strings need a tokenizer"),
    ],
)
def test_prompt_that_cannot_be_gone_on_from_is_refused(arguments, code, said):
    with pytest.raises(GenerationError, match=said) as refused:
        next(generate(build_peaked(DECODERS["learned"]), **arguments))
    assert refused.value.code == code


def test_encoder_writes_nothing():
    for head in (HeadConfig(), HeadConfig("hidden")):
        encoder = build(ModelConfig(**SMALL, encoder=STACK, head=head))
        with pytest.raises(GenerationError, match="writes nothing"):
            next(generate(encoder, [1]))


def test_encoder_decoder_needs_a_source():
    model = build(ModelConfig(**SMALL, encoder=STACK, decoder=STACK, start_token=3))
    with pytest.raises(GenerationError, match="writes from a source; give one"):
        next(generate(model, []))
    with pytest.raises(GenerationError, match="The source has 21 tokens; the model reads at most 20"):
        next(generate(model, [], source=[1] * 21))


def test_scores_that_are_not_finite_are_told():
    broken = build_peaked(DECODERS["learned"])
    with torch.no_grad():
        broken.decoder_embedding.positions.weight[2 + 4] = torch.nan
    steps = generate(broken, [1, 2, 3])
    assert next(steps).place == 3
    assert next(steps).place == 4
    with pytest.raises(GenerationError, match="the token at place 5 are not finite"):
        next(steps)
