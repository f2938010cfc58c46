"""The models that are resident on this worker's device: load, keep, evict by bytes."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from modelcore.opening import Openable, open_any
from workers.protocol.jobs import Source

RESIDENT_BYTES = 2 << 30


@dataclass(frozen=True)
class Resident:
    """A loaded model with what is needed to use it; `size_bytes` counts its weights."""

    checkpoint: Openable
    model: Any
    size_bytes: int


class Engine:
    """Keeps the models used last, up to `limit_bytes` of weights; the one in use is always kept."""

    def __init__(self, device: str, limit_bytes: int = RESIDENT_BYTES) -> None:
        self.device = device
        self.dtype = torch.float32
        self._limit_bytes = limit_bytes
        self._residents: OrderedDict[Source, Resident] = OrderedDict()
        self._loading: Source | None = None

    def states(self) -> dict[str, str]:
        """By the model's id: "ready" where it is resident, "loading" where it is about to be. For other threads too."""
        loading = self._loading
        states = {source.model: "ready" for source in [*self._residents]}
        return states if loading is None else {loading.model: "loading", **states}

    def model(self, source: Source) -> tuple[Resident, float]:
        """The model and how many seconds it took to have it (0.0 when it was resident).

        Raises: CheckpointError when the files cannot be read truly.
        """
        if source in self._residents:
            self._residents.move_to_end(source)
            return self._residents[source], 0.0
        began = time.perf_counter()
        self._loading = source
        try:
            checkpoint = open_any(Path(source.path), limited=source.limited)
            model = checkpoint.load(device=self.device, dtype=self.dtype)
        finally:
            self._loading = None
        size_bytes = sum(weight.nbytes for weight in model.parameters())
        self._evict(self._limit_bytes - size_bytes)
        self._residents[source] = Resident(checkpoint, model, size_bytes)
        return self._residents[source], time.perf_counter() - began

    def _evict(self, room_bytes: int) -> None:
        while self._residents and sum(resident.size_bytes for resident in self._residents.values()) > room_bytes:
            self._residents.popitem(last=False)
