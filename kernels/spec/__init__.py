"""What the attention kernels take and return, and what the fields of AttentionSpec mean."""

from kernels.spec.attention import Attended, AttentionSpec, LogScale, Pooled, Summary, TopKeys

__all__ = ["Attended", "AttentionSpec", "LogScale", "Pooled", "Summary", "TopKeys"]
