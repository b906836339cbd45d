"""Methods that need no training. ``CLASSICAL`` names them."""

from coterie.classical.kmeans import KMeans
from coterie.classical.linkage import GraphDegreeLinkage

CLASSICAL = {"gdl": GraphDegreeLinkage, "kmeans": KMeans}
