"""Attention, and exact readings of its map, without ever forming the map.

Callers need two modules: `kernels.spec` says which attention, `kernels.dispatch` runs it.
"""
