"""coterie groups unlabelled images.

    import coterie

    model = coterie.GraphDegreeLinkage(n_clusters=10).fit("photos/")
    model.labels_, model.confidence_  # one of each per image, in the order of model.store_.names
    model.save("model")
    coterie.load("model").predict("more-photos/")

The names below are imported when they are first used, so that ``import coterie`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "GraphDegreeLinkage": "coterie.classical.linkage",
    "KMeans": "coterie.classical.kmeans",
    "JULE": "coterie.methods.jule",
    "Clusterer": "coterie.clusterer",
    "CLASSICAL": "coterie.classical",
    "METHODS": "coterie.methods",
    "ImageStore": "coterie.images.store",
    "open_images": "coterie.images.store",
    "load": "coterie.loading",
}
__all__ = [
    "CLASSICAL",
    "JULE",
    "METHODS",
    "Clusterer",
    "GraphDegreeLinkage",
    "ImageStore",
    "KMeans",
    "__version__",
    "load",
    "open_images",
]

if TYPE_CHECKING:
    from coterie.classical import CLASSICAL
    from coterie.classical.kmeans import KMeans
    from coterie.classical.linkage import GraphDegreeLinkage
    from coterie.clusterer import Clusterer
    from coterie.images.store import ImageStore, open_images
    from coterie.loading import load
    from coterie.methods import METHODS
    from coterie.methods.jule import JULE


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'coterie' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
