"""An embedding at a moment of a training, in three principal components (jule.md D4)."""

import numpy as np
import pytest

from coterie.methods.snapshots import MOST, Snapshot, plain, snapshot


def test_a_snapshot_holds_principal_components_of_evenly_spaced_images() -> None:
    rng = np.random.default_rng(0)
    embedding = (rng.normal(size=(2 * MOST + 1, 8)) * [1, 9, 1, 1, 5, 1, 3, 1]).astype(np.float32)
    labels = np.arange(len(embedding)) % 7
    shot = snapshot("title", embedding, labels)
    assert len(shot.positions) == len(shot.labels) <= MOST
    assert (shot.labels == labels[::3]).all()
    np.testing.assert_allclose(shot.positions.std(axis=0), [9, 5, 3], rtol=0.1)
    assert shot.n_clusters == 7
    assert Snapshot(**plain(shot)) is not shot
    assert Snapshot(**plain(shot)).title == "title"


@pytest.mark.parametrize("shape", [(2, 2304), (2, 160), (3, 2304), (5, 2)])
def test_a_snapshot_of_few_images_or_numbers_has_three_positions_all_the_same(shape: tuple[int, int]) -> None:
    embedding = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    shot = snapshot("few", embedding, np.zeros(shape[0], np.int64))
    assert shot.positions.shape == (shape[0], 3)
    assert np.isfinite(shot.positions).all()
    spread = np.linalg.norm(shot.positions[0] - shot.positions[1])
    assert spread == pytest.approx(np.linalg.norm(embedding[0] - embedding[1]), rel=1e-3) or shape[0] > 3
