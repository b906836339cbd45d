"""The contract that every clusterer keeps."""

from pathlib import Path

import numpy as np
import pytest

from coterie import GraphDegreeLinkage
from coterie.errors import ConfigError


def test_more_clusters_than_images_are_refused_before_any_features_are_computed(
    stores: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed(*args: object) -> None:
        raise AssertionError("features were computed")

    monkeypatch.setenv("COTERIE_CACHE", str(stores))
    monkeypatch.setattr("coterie.clusterer.make_extractor", computed)
    with pytest.raises(ConfigError, match="n_clusters is 61, but there are only n_samples=60 images"):
        GraphDegreeLinkage(61).fit(photos)


def test_more_clusters_than_rows_are_refused() -> None:
    with pytest.raises(ConfigError, match="ask for at most 4 clusters"):
        GraphDegreeLinkage(5).fit(np.eye(4))
