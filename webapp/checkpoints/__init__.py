"""The model library: which checkpoints there are, and what each of them is."""
