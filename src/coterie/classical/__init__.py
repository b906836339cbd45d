"""Methods that need no training. ``CLASSICAL`` names them: ours, and the rivals of the papers' tables."""

from coterie.classical.average_linkage import AverageLinkage
from coterie.classical.cuts import NormalizedCuts
from coterie.classical.factors import LocalityNMF
from coterie.classical.kmeans import KMeans
from coterie.classical.landmarks import LandmarkSpectral
from coterie.classical.linkage import GraphDegreeLinkage
from coterie.classical.neighbor_spectral import NeighborSpectral
from coterie.classical.nmf import PlainNMF
from coterie.classical.path_integral import PathIntegral
from coterie.classical.spectral import SelfTuningSpectral, SpectralNJW
from coterie.classical.ward import Ward
from coterie.classical.zeta import ZetaFunction
from coterie.clusterer import Clusterer

CLASSICAL: dict[str, type[Clusterer]] = {
    "gdl": GraphDegreeLinkage,
    "kmeans": KMeans,
    "sc-njw": SpectralNJW,
    "sc-st": SelfTuningSpectral,
    "sc-ls": LandmarkSpectral,
    "n-cuts": NormalizedCuts,
    "ac-link": AverageLinkage,
    "ac-zell": ZetaFunction,
    "ac-pic": PathIntegral,
    "nmf-lp": LocalityNMF,
    "sc": NeighborSpectral,
    "ac-ward": Ward,
    "nmf": PlainNMF,
}
