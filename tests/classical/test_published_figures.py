"""The published accuracy of graph degree linkage on pixels, reached on the real images (skipped where they are not).

Zhang's gacluster: local scale, mean image removed, unit rows, K_s = 20, plain stop at ten clusters, no vote. The 70,000
images of MNIST (.964 / .910 at K_s = 100) take longer and are measured in benchmarks/.
"""

from pathlib import Path

import numpy as np
import pytest

from coterie.classical import GraphDegreeLinkage
from coterie.metrics import accuracy, nmi

WITHIN = 0.005


@pytest.mark.parametrize(
    ("name", "published_accuracy", "published_nmi"), [("mnist", 0.933, 0.864), ("usps_11k", 0.922, 0.860)]
)
def test_the_plain_linkage_of_pixels_reaches_the_published_figures(
    name: str, published_accuracy: float, published_nmi: float, shared_data: Path
) -> None:
    with np.load(shared_data / f"{name}.npz", allow_pickle=False) as data:
        images, classes = data["images"], data["labels"]
        if name == "mnist":
            test_rows = data["split"] == 1
            images, classes = images[test_rows], classes[test_rows]
    pixels = images.reshape(len(images), -1) / np.float32(255)
    pixels -= pixels.mean(axis=0)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    model = GraphDegreeLinkage(10, n_neighbors=20, n_components=None, stop="plain", refine=0).fit(pixels)
    assert model.n_clusters_ == 10
    assert accuracy(classes, model.labels_) == pytest.approx(published_accuracy, abs=WITHIN)
    assert nmi(classes, model.labels_) == pytest.approx(published_nmi, abs=WITHIN)
