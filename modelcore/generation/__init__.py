"""Writing with a model: token by token, drawn or likeliest, or with several beams at once."""
