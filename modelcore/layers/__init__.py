"""The parts of a Transformer block, each a small module."""
