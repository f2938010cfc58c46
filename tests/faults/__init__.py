"""Harm done to a running site, and whether it kept what it had promised."""
