"""Reading and writing checkpoints: one file a family, one strict reader."""
