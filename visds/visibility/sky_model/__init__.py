"""Sky models: read, predicted, subtracted."""
