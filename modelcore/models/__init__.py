"""Whole Transformers, assembled from layers by configuration."""
