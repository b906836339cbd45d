"""The map of the page, for any number of images."""

import subprocess
import sys
from importlib.util import find_spec

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


@needs_umap
def test_umap_works_from_sixteen_images_on_without_any_warning_not_even_while_it_is_imported() -> None:
    script = (
        "import numpy as np, numba\nfrom coterie.report.flat_map import flat_map\n"
        "import warnings; warnings.simplefilter('error')\n"
        "rows = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32)\n"
        "assert np.isfinite(flat_map(rows, method='umap')).all()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_map_is_named() -> None:
    with pytest.raises(ConfigError, match="expected auto, pca or umap"):
        flat_map(np.zeros((3, 2)), method="sphere")
