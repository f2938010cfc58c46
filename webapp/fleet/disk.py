"""When a disk counts as nearly full."""

FREE_SHARE, FREE_BYTES = 0.05, 5_000_000_000


def is_low(free_bytes: int, total_bytes: int) -> bool:
    """Below 5 % of it and below 5 GB: a small disk is not low from the start."""
    return free_bytes < min(FREE_BYTES, FREE_SHARE * total_bytes)
