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
from modelcore.adapters.stream import blocks_of, handing_out, in_place_of
from modelcore.checkpoints.error import CheckpointError
from modelcore.config import StackName
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

# Enough to see that the stream is the one that the head reads.
FEW_ROWS = 4

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
            routing is asked for, which transformers does not tell.
        """
        tap, edits, stream_tap = instruments.get("tap"), instruments.get("edits"), instruments.get("stream_tap")
        if instruments.get("routing_tap") is not None:
            raise CheckpointError("This model is run by transformers, which does not tell where it routes tokens.")
        if instruments.get("outlet_tap") is not None:
            raise CheckpointError(
                "This model is run by transformers, which does not tell what its heads hand on; rollout and flow need "
                "no more than its maps."
            )
        named = dict(zip(INPUT_NAMES[self.config.architecture], inputs, strict=True))
        if token_types_BN is not None:
            named["token_type_ids"] = token_types_BN
        try:
            if stream_tap is not None:
                blocks, layers = self._blocks(), list[Tensor]()
                with handing_out(blocks, layers.append):
                    result = self(*inputs, token_types_BN=token_types_BN, tap=tap, edits=edits)
                self._require_same(layers[-1][0], result)
                for depth, x_1NW in enumerate(layers):
                    stream_tap(self._speaking_stack, depth, x_1NW)
                return result
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

    @torch.inference_mode()
    def unembed(self, x_RW: Tensor) -> Tensor:
        """What the model says where its last block leaves this stream: scores (R, V), or (1, classes).

        Cost: a pass over as many tokens, which are made up: the model's own way out of its blocks is not apart from it.
        Raises: CheckpointError if the blocks of the stack that speaks stand in no list.
        """
        config = self.config
        last = self._blocks()[-1]
        if config.image is not None:
            image = config.image
            inputs = [torch.zeros(1, image.channels, image.height, image.width, device=self.device, dtype=x_RW.dtype)]
        else:
            made_up = torch.zeros(1, len(x_RW), dtype=torch.long, device=self.device)
            inputs = [made_up[:, :1], made_up] if config.architecture == "encoder-decoder" else [made_up]
        with in_place_of(last, x_RW[None]):
            return self(*inputs).flatten(0, -2)

    def _require_same(self, x_NW: Tensor, result: Tensor) -> None:
        """Raises: CheckpointError where the last block's stream says something else than the model said."""
        rows = len(x_NW) if self.config.image else min(len(x_NW), FEW_ROWS)
        said, first = self.unembed(x_NW[:rows]), result.flatten(0, -2)[:rows]
        if said.shape != first.shape or not torch.allclose(said, first, rtol=0, atol=1e-4 * float(first.abs().max())):
            raise CheckpointError("The head of this model reads more than its last block leaves; no lens can be shown.")

    def _blocks(self) -> list[nn.Module]:
        if self._plan is None:
            raise CheckpointError("This model computes its attention by itself, and hands out no stream.")
        return blocks_of(self._model, self._plan, self._speaking_stack)

    @property
    def _speaking_stack(self) -> StackName:
        return "encoder" if self.config.architecture in ("encoder", "vision") else "decoder"

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
