"""Data sets by name, protocols, published numbers and the runners that compare methods."""
