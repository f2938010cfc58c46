"""What attention does in one run of a model: maps, overviews, measures, captures."""
