"""What the device tells of itself: memory, how busy it is, how warm, what it draws.

A GPU is asked through its driver's library (NVML), which comes with the driver; of a CPU the system knows memory and
how much of it this process used.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch

from workers.protocol.fleet import Gauges
from workers.runtime.machine import memory_bytes

NVML_TEMPERATURE_GPU = 0
"""Source: nvml.h, nvmlTemperatureSensors_t."""


class Meter:
    """Reads the gauges of one device; a share of time is that since it was last read."""

    def __init__(self, device: str, data: Path) -> None:
        self._device, self._data = device, data
        self._total_bytes = memory_bytes(device)
        self._nvml = Nvml.of_first_device() if device == "cuda" else None
        self._read_at, self._used_s = time.monotonic(), _cpu_s()

    def read(self) -> Gauges:
        disk = shutil.disk_usage(self._data)
        space: dict[str, Any] = {"disk_free_bytes": disk.free, "disk_total_bytes": disk.total}
        if self._device == "cuda":
            told: dict[str, Any] = self._nvml.read() if self._nvml else {}
            return Gauges(self._total_bytes, free_bytes(self._device), **told, **space)
        now, used_s = time.monotonic(), _cpu_s()
        share = (used_s - self._used_s) / max(1e-6, now - self._read_at) / (os.cpu_count() or 1)
        self._read_at, self._used_s = now, used_s
        return Gauges(self._total_bytes, free_bytes(self._device), min(1.0, max(0.0, share)), **space)


class Nvml:
    """One device of the driver's library. What it does not tell is None; a driver without it gives no meter at all."""

    def __init__(self, library: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        self._library, self._handle = library, handle

    @classmethod
    def of_first_device(cls) -> Nvml | None:
        """Of the device that torch calls 0, found by its UUID: CUDA_VISIBLE_DEVICES counts otherwise than NVML."""
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
            if library.nvmlInit_v2() != 0:
                return None
            handle = ctypes.c_void_p()
            uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}".encode()
            if library.nvmlDeviceGetHandleByUUID(uuid, ctypes.byref(handle)) != 0:
                return None
        except (OSError, AttributeError):
            return None
        return cls(library, handle)

    def read(self) -> dict[str, float]:
        """Source: NVML API reference, "Device Queries". Power comes in milliwatts."""
        told: dict[str, float] = {}
        rates = (ctypes.c_uint * 2)()  # nvmlUtilization_t: of the device, of its memory; per cent.
        if self._library.nvmlDeviceGetUtilizationRates(self._handle, rates) == 0:
            told["utilisation"] = rates[0] / 100
        value = ctypes.c_uint()
        if self._library.nvmlDeviceGetTemperature(self._handle, NVML_TEMPERATURE_GPU, ctypes.byref(value)) == 0:
            told["temperature_c"] = float(value.value)
        if self._library.nvmlDeviceGetPowerUsage(self._handle, ctypes.byref(value)) == 0:
            told["power_w"] = value.value / 1000
        return told


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system


def free_bytes(device: str) -> int:
    """What a model could have on this device; of a CPU without swapping, and within its control group."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = 1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])
    except (OSError, StopIteration):  # A system without it: what nobody has touched yet.
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    try:
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        allowed = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        return min(free, max(0, int(allowed) - used)) if allowed.isdigit() else free
    except (OSError, ValueError):
        return free
