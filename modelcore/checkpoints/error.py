"""The refusal of a checkpoint."""


class CheckpointError(ValueError):
    """A checkpoint that is refused; the message is one plain sentence for the person who brought it."""
