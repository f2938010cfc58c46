"""People: who they are, and what belongs to them."""
