"""Shares: a view of a run behind a link, with all that is needed to draw it when nothing else is left."""
