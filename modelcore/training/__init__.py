"""Training as a generator of events, with the recipes of the zoo."""
