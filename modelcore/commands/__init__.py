"""The verbs of `python -m modelcore`, one file each: its options, and what it does with them."""
