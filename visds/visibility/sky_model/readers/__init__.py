"""Sky models out of the files that other programs write."""
