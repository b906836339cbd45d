"""The page of a run, built from its folder alone."""
