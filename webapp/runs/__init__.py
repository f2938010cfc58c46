"""Runs: what was asked of a model, by whom, and how far it is. Nothing numerical."""
