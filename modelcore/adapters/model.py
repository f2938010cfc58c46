"""A model of transformers behind the surface of our own: inputs in, result out, and a tap for each site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from modelcore.adapters.config import AdaptedConfig
from modelcore.adapters.interface import Pass, Planned, taking_place
from modelcore.adapters.materialised import handed_out, materialised_map
from modelcore.adapters.place import may_be
from modelcore.adapters.plan import paths_of
from modelcore.checkpoints.error import CheckpointError
from modelcore.config.model import Architecture
from modelcore.layers.attention_map import Tap
from modelcore.layers.context import Instruments
from modelcore.layers.edits import Edits
from modelcore.models.stack import Layerwise

# What the forward method of transformers' models calls our inputs.
INPUT_NAMES: dict[Architecture, tuple[str, ...]] = {
    "decoder": ("input_ids",),
    "encoder": ("input_ids",),
    "encoder-decoder": ("input_ids", "decoder_input_ids"),
    "vision": ("pixel_values",),
}

# What a model returns, the most worked out first.
RESULTS = ("logits", "prediction_logits", "last_hidden_state", "pooler_output")


class AdaptedModel:
    """An adapted model in eval mode. `plan` is None where maps are handed out whole instead of through the tap."""

    def __init__(self, model: Any, config: AdaptedConfig, plan: Sequence[Planned] | None) -> None:
        self.config = config
        self._model = model
        self._plan = plan
        self._paths = paths_of(model)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def parameters(self) -> Iterator[nn.Parameter]:
        return self._model.parameters()

    @torch.inference_mode()
    def __call__(
        self, *inputs: Tensor, token_types_BN: Tensor | None = None, **instruments: Unpack[Instruments]
    ) -> Tensor:
        """Logits, or the last hidden states of a model without a head. Without a tap nothing is kept.

        Inputs: ids (1, N), of a pair of texts with their types; source and target ids; or pixels (1, C, H, W).
        Raises: CheckpointError if the model cannot read them, or not as it did when it was checked, or if its
            routing or its residual stream is asked for, which transformers does not tell.
        """
        tap, edits = instruments.get("tap"), instruments.get("edits")
        if instruments.get("stream_tap") is not None:
            raise CheckpointError("This model is run by transformers, which does not hand out its residual stream.")
        if instruments.get("routing_tap") is not None:
            raise CheckpointError("This model is run by transformers, which does not tell where it routes tokens.")
        named = dict(zip(INPUT_NAMES[self.config.architecture], inputs, strict=True))
        if token_types_BN is not None:
            named["token_type_ids"] = token_types_BN
        try:
            if self._plan is None:
                return self._handing_out(named, self._lengths(inputs), tap, edits)
            with taking_place(Pass(self._paths, self._plan, inputs[0].shape[0], self._lengths(inputs), tap, edits)):
                return result_of(self._model(**named))
        except (IndexError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"This model cannot read this input: {str(error)[:200]}.") from error

    def layerwise(
        self, *inputs: Tensor, token_types_BN: Tensor | None = None, **instruments: Unpack[Instruments]
    ) -> Layerwise[Tensor]:
        """As `__call__`; pauses once, after the last layer: between layers the pass is transformers' own."""
        result = self(*inputs, token_types_BN=token_types_BN, **instruments)
        yield self.config.sites()[-1].layer
        return result

    def _lengths(self, inputs: Sequence[Tensor]) -> list[int]:
        """How many tokens each sequence has; a picture has one for each patch, and some more."""
        return [self.config.longest] if self.config.image else [given.shape[1] for given in inputs]

    def _handing_out(
        self, named: dict[str, Tensor], lengths: Sequence[int], tap: Tap | None, edits: Edits | None
    ) -> Tensor:
        if edits:
            raise CheckpointError("This model computes its attention by itself, where it cannot be edited.")
        if tap is None:
            return result_of(self._model(**named))
        output = self._model(**named, output_attentions=True)
        maps = handed_out(output, self.config.sites()[0].stack)
        if [site for site, _ in maps] != self.config.sites():
            raise CheckpointError("This model handed out other maps than when its checkpoint was checked.")
        for site, map_BHQK in maps:
            queries, keys = map_BHQK.shape[2:]
            if not may_be(site, queries, keys, lengths):
                raise CheckpointError(
                    f"At {site} this model handed out {queries} × {keys} numbers, which are no map of this input."
                )
            tap(materialised_map(site, map_BHQK))
        return result_of(output)


def result_of(output: Any) -> Tensor:
    """What a forward pass of transformers came to. Raises: CheckpointError if it is nothing that we know."""
    for name in RESULTS:
        result = getattr(output, name, None)
        if isinstance(result, Tensor):
            return result
    raise CheckpointError(f"This model returns {type(output).__name__}, in which nothing is known to be its result.")
