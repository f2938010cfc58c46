"""The residual stream of the stack that speaks: kept while the model reads, and stored so that it can be read again.

FILE    a safetensors file: `x` (L, N, W) and `ids` (N), and in its metadata `sequence`
"""

# L what entered the stack, and its layers; B batch, N tokens, W model width

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.analysis.trace import as_batch, read_sequences, token_types
from modelcore.checkpoints.writer import with_temporary
from modelcore.config import StackName
from modelcore.models.readable import Readable
from modelcore.models.stack import run_through
from modelcore.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Stream:
    """The residual stream as it enters the stack, and after each layer.

    Shapes: x (L, N, W); `ids` are the N tokens of the sequence, or the places of a picture.
    """

    sequence: StackName
    ids: list[int]
    x_LNW: Tensor


@torch.inference_mode()
def read_stream(model: Readable, request: TraceRequest, tokenizer: Tokenizer | None = None) -> Stream:
    """Runs the model and keeps the stream of the stack that speaks: the decoder's, where there is one.

    Memory: L x N x W of the model's dtype. Raises: RequestError as `trace` does; CheckpointError if transformers runs
        the model.
    """
    reads = list(read_sequences(model, request, tokenizer))
    inputs = [as_batch(read, request, model) for read in reads]
    types = {name: value for read in reads for name, value in token_types(read, model).items()}
    speaks = reads[-1]
    layers: list[Tensor] = []

    def keep(stack: StackName, _: int, x_BNW: Tensor) -> None:
        if stack == speaks.sequence:
            layers.append(x_BNW[0])

    run_through(model.layerwise(*inputs, stream_tap=keep, **types))
    return Stream(speaks.sequence, list(speaks.encoding.ids), torch.stack(layers))


def save_stream(path: Path, stream: Stream) -> None:
    """The file appears whole or not at all. Raises: OSError, as when the disk is full."""
    tensors = {"x": stream.x_LNW.cpu().contiguous(), "ids": torch.tensor(stream.ids)}
    metadata: dict[str, str] = {"sequence": stream.sequence}
    with_temporary(path, lambda file: save_file(tensors, file, metadata=metadata))


def open_stream(path: Path) -> Stream:
    """The stream, mapped from its file: what is not looked at is not read. Raises: FileNotFoundError."""
    with safe_open(path, framework="pt") as file:
        sequence = cast("StackName", file.metadata()["sequence"])
        return Stream(sequence, file.get_tensor("ids").tolist(), file.get_tensor("x"))
