"""Headlight for many people: what stands around its processes on one or on many machines."""
