"""Any other architecture of transformers, shown through its attention interface. Opens in `open.open_adapted`."""
