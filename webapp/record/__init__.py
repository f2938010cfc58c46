"""The recorder: what workers tell becomes rows; what was lost is queued again."""
