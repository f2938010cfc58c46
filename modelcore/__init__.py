"""The Transformer: layers, checkpoints, tokenizers, training and the analysis of its attention heads."""
