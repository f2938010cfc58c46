"""What the attention kernels take and return, and what the fields of AttentionSpec mean."""

from kernels.spec.attention import NEAR, Attended, AttentionSpec, LogScale, Pooled, Summary, TopKeys

__all__ = ["NEAR", "Attended", "AttentionSpec", "LogScale", "Pooled", "Summary", "TopKeys"]
