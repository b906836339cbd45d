"""The map of the page, for any number of images."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.report.flat_map import flat_map

needs_umap = pytest.mark.skipif(find_spec("umap") is None, reason="UMAP (the extra map) is not installed")


@needs_umap
@pytest.mark.parametrize("n", [2, 3, 15])
def test_few_images_get_the_pca_map_when_umap_is_asked_for(n: int) -> None:
    embedding = np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32)
    assert np.array_equal(flat_map(embedding, method="umap"), flat_map(embedding, method="pca"))


@pytest.mark.parametrize("shape", [(1, 3), (2, 2), (5, 1)])
def test_the_pca_map_has_two_columns_whatever_the_shape(shape: tuple[int, int]) -> None:
    flat = flat_map(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), method="pca")
    assert (flat.shape, flat.dtype) == ((shape[0], 2), np.float32)


def test_what_umap_warns_of_while_it_is_imported_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "umap.py").write_text(
        "import warnings\nimport numpy as np\n"
        "warnings.warn('Tensorflow not installed', ImportWarning, stacklevel=2)\n"
        "class UMAP:\n"
        "    def __init__(self, **options): pass\n"
        "    def fit_transform(self, rows): return np.ones((len(rows), 2))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "umap", raising=False)
    try:
        assert flat_map(np.eye(16), method="umap").tolist() == [[1, 1]] * 16
    finally:
        sys.modules.pop("umap", None)


def test_an_unknown_map_is_named() -> None:
    with pytest.raises(ConfigError, match="expected auto, pca or umap"):
        flat_map(np.zeros((3, 2)), method="sphere")
