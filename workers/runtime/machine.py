"""What a plan's estimate asks of the machine that trains: how fast it multiplies, its memory, its disk."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch

# A product of a batch of 1,024 tokens with a layer of width 256, for so long: enough to tell, too short to wait for.
ROWS, WIDTH = 1024, 256
MEASURED_S = 0.1


def describe_machine(device: str, data: Path) -> dict[str, Any]:
    """Measured once, when the trainer starts; what else runs then is part of it. Takes a fifth of a second."""
    return {
        "flops_per_s": product_rate(device),
        "memory_bytes": memory_bytes(device),
        "disk_free_bytes": shutil.disk_usage(data).free,
    }


def product_rate(device: str) -> float:
    """FLOPs a second of float32 products."""
    x, w = torch.randn(ROWS, WIDTH, device=device), torch.randn(WIDTH, WIDTH, device=device)
    products = 0
    for is_counted in (False, True):
        began, products = time.perf_counter(), 0
        while time.perf_counter() - began < (MEASURED_S if is_counted else MEASURED_S / 4):
            y = x @ w
            products += 1
            if device == "cuda":
                torch.cuda.synchronize()
        took = time.perf_counter() - began
    del y
    return 2.0 * ROWS * WIDTH * WIDTH * products / took


def memory_bytes(device: str) -> int:
    """Of the device; of a CPU the machine's, or what its control group allows."""
    if device == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        allowed = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return whole
    return min(whole, int(allowed)) if allowed.isdigit() else whole
