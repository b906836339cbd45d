"""Arrays in, arrays out: neighbour graphs, affinities and the exact linkage on them."""
