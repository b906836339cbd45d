"""Deep methods, one file each. ``METHODS`` names them; JULE will be the first."""

from coterie.clusterer import Clusterer

METHODS: dict[str, type[Clusterer]] = {}
