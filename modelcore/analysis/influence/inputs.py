"""A request as the arguments of a forward pass, for readings that run the model again."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.analysis.trace import as_batch, read_sequences, token_types
from modelcore.models.readable import Readable
from modelcore.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Inputs:
    """What `model.layerwise(*sequences, **types)` takes."""

    sequences: list[Tensor]
    types: dict[str, Tensor]


def inputs_of(model: Readable, request: TraceRequest, tokenizer: Tokenizer | None) -> Inputs:
    """Of an encoder–decoder without a target the model writes one first, as in its trace.

    Raises: RequestError where the request and the model do not fit.
    """
    sequences: list[Tensor] = []
    types: dict[str, Tensor] = {}
    for read in read_sequences(model, request, tokenizer):
        sequences.append(as_batch(read, request, model))
        types |= token_types(read, model)
    return Inputs(sequences, types)
