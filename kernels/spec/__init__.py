"""What the attention kernels take and return, and what the fields of AttentionSpec mean."""

from kernels.spec.attention import Attended, AttentionSpec, Pooled, Summary

__all__ = ["Attended", "AttentionSpec", "Pooled", "Summary"]
