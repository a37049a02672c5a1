"""How flux densities vary: indices, blocks, structure, periods and patterns."""
