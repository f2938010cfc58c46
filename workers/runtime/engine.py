"""The models that are resident on this worker's device: load, keep, evict by bytes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from modelcore.opening import Openable, open_any
from workers.protocol.fleet import Pace
from workers.protocol.jobs import Source
from workers.runtime.gauges import free_bytes

RESIDENT_BYTES = 2 << 30
LOADING_ROOM = 1.1
"""Of a model's weights while they are read: the largest tensor is held twice."""


@dataclass(frozen=True)
class Resident:
    """A loaded model with what is needed to use it; `size_bytes` counts its weights."""

    checkpoint: Openable
    model: Any
    size_bytes: int


class DoesNotFitError(MemoryError):
    """A model that this device has no room for, though everything else were let go. Units: bytes."""

    def __init__(self, needed: int, allowed: int) -> None:
        super().__init__(f"a model of {needed:,} bytes, where {allowed:,} are free")
        self.needed, self.allowed = needed, allowed


class Engine:
    """Keeps the models used last, up to `limit_bytes` of weights; the one in use and pinned ones are always kept.

    One thread asks for models; any thread may read what is there, and evict.
    """

    def __init__(
        self,
        device: str,
        limit_bytes: int = RESIDENT_BYTES,
        dtype: torch.dtype = torch.float32,
        room: Callable[[str], int] = free_bytes,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.limit_bytes = limit_bytes
        self.pace = Pace()
        self.pinned: Collection[str] = ()
        self.changed: Callable[[], None] = lambda: None
        """Called when a model came or went."""
        self._room = room
        self._lock = threading.Lock()
        self._residents: OrderedDict[Source, Resident] = OrderedDict()
        self._loading: Source | None = None

    def states(self) -> dict[str, str]:
        """By the model's id: "ready" where it is resident, "loading" where it is about to be. For other threads too."""
        loading = self._loading
        states = {source.model: "ready" for source in [*self._residents]}
        return states if loading is None else {loading.model: "loading", **states}

    def sizes_bytes(self) -> dict[str, int]:
        """Of the resident models, by id, the one used last at the end."""
        with self._lock:
            return {source.model: resident.size_bytes for source, resident in self._residents.items()}

    def model(self, source: Source) -> tuple[Resident, float]:
        """The model and how many seconds it took to have it (0.0 when it was resident).

        Raises: CheckpointError when the files cannot be read truly; DoesNotFitError.
        """
        with self._lock:
            if source in self._residents:
                self._residents.move_to_end(source)
                return self._residents[source], 0.0
        began = time.perf_counter()
        self._loading = source
        self.changed()
        try:
            resident = self._load(source)
        finally:
            self._loading = None
        took_s = time.perf_counter() - began
        self.pace.loaded(resident.size_bytes, took_s)
        self._make_room(resident.size_bytes)
        with self._lock:
            self._residents[source] = resident
        self.changed()
        return resident, took_s

    def evict(self, model: str | None = None) -> int:
        """Lets go of a model, or of all, by hand; returns how many went. One that is in use goes when its run ends."""
        with self._lock:
            gone = [source for source in self._residents if model in (None, source.model)]
            for source in gone:
                del self._residents[source]
        self._give_back()
        if gone:
            self.changed()
        return len(gone)

    def let_go_of_idle(self, in_use: Collection[Source]) -> None:
        """Lets go of every model that is neither in use nor pinned, and gives free memory back to the device."""
        with self._lock:
            idle = [source for source in self._residents if source not in in_use and source.model not in self.pinned]
            for source in idle:
                del self._residents[source]
        self._give_back()
        if idle:
            self.changed()

    def _load(self, source: Source) -> Resident:
        checkpoint = open_any(Path(source.path), limited=source.limited)
        needed = int(checkpoint.parameters * self.dtype.itemsize * LOADING_ROOM)
        self._make_room(needed)
        allowed = self._room(self.device)
        if needed > allowed:
            self._make_room(self.limit_bytes)
            allowed = self._room(self.device)
        if needed > allowed:
            raise DoesNotFitError(needed, allowed)
        model = checkpoint.load(device=self.device, dtype=self.dtype)
        return Resident(checkpoint, model, sum(weight.nbytes for weight in model.parameters()))

    def _make_room(self, size_bytes: int) -> None:
        """Evicts those used longest ago until a model of this size fits too, or only pinned ones are left."""
        with self._lock:
            held = sum(resident.size_bytes for resident in self._residents.values())
            for source in [*self._residents]:
                if held + size_bytes <= self.limit_bytes:
                    break
                if source.model not in self.pinned:
                    held -= self._residents.pop(source).size_bytes
        self._give_back()

    def _give_back(self) -> None:
        if self.device == "cuda":
            torch.cuda.empty_cache()
