"""Several networks, each from a seed of its own, whose embeddings are grouped side by side."""

import logging
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import coterie
from coterie.errors import TrainingStopped
from coterie.images.store import open_images
from coterie.methods.jule import JULE, NEXT_SEED
from methods.patterns import FAST, K, patterns
from oracles.plain_graphs import partition

pytestmark = pytest.mark.filterwarnings("ignore::coterie.errors.CoterieWarning")
IMAGES, CLASSES = patterns()


def jule(**settings: Any) -> JULE:
    return JULE(**{"n_clusters": K, **FAST, "epochs": 2, "n_runs": 2, **settings})


@pytest.fixture(scope="module")
def two() -> JULE:
    """Only to be looked at."""
    return jule().fit(IMAGES)


@pytest.mark.parametrize(("n", "networks"), [(2, 5), (999, 5), (1000, 1), (70_000, 1)])
def test_small_sets_are_learned_by_five_networks_when_nobody_said(n: int, networks: int) -> None:
    assert jule(n_runs="auto")._n_runs(n) == networks
    assert jule(n_runs=3)._n_runs(n) == 3


def test_each_network_is_one_that_its_seed_alone_gives(two: JULE) -> None:
    assert two.embedding_.shape == (len(IMAGES), 320)
    for member in (0, 1):
        alone = jule(n_runs=1, random_state=NEXT_SEED * member).fit(IMAGES)
        np.testing.assert_allclose(
            two.embedding_[:, 160 * member : 160 * (member + 1)], alone.embedding_ / np.sqrt(2), atol=1e-6
        )
        if not member:
            assert (two.answers_["sf"].labels == alone.answers_["sf"].labels).all()
            assert [shot.title for shot in two.snapshots_] == [shot.title for shot in alone.snapshots_]
            assert all(
                (a.positions == b.positions).all() for a, b in zip(two.snapshots_, alone.snapshots_, strict=True)
            )
    np.testing.assert_allclose(np.linalg.norm(two.embedding_, axis=1), 1, atol=1e-5)


def test_they_agree_on_the_groups_and_their_records_follow_each_other(two: JULE) -> None:
    assert partition(two.labels_) == partition(CLASSES)
    networks = [record["network"] for record in two.training_]
    assert networks == sorted(networks)
    epochs = [record["epoch"] for record in two.training_]
    half = len(epochs) // 2
    assert epochs[:half] == epochs[half:] == list(range(1, half + 1))


def test_new_images_go_through_all_networks_and_a_saved_model_has_them(two: JULE, tmp_path: Path) -> None:
    np.testing.assert_allclose(two.transform(IMAGES), two.embedding_, atol=1e-5)
    assert (two.predict(IMAGES) == two.labels_).mean() > 0.98
    two.save(tmp_path / "model")
    loaded = coterie.load(tmp_path / "model")
    assert (loaded.transform(IMAGES[:9]) == two.transform(IMAGES[:9])).all()
    assert (loaded.predict_proba(IMAGES) == two.predict_proba(IMAGES)).all()


def test_the_blocks_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "coterie.methods.jule"):
        jule(epochs=1, rounds=0).fit(IMAGES)
    assert caplog.text.count("blocks P") == 1


@pytest.mark.parametrize("stop", [2, 7, 14, 17])
def test_a_stop_in_any_network_resumes_to_the_same_bits(
    stop: int, two: JULE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, done = JULE._loss, 0

    def spy(self: JULE, *given: Any) -> Any:
        nonlocal done
        done += 1
        if done == stop:
            signal.raise_signal(signal.SIGTERM)
        return loss(self, *given)

    monkeypatch.setattr(JULE, "_loss", spy)
    with pytest.raises(TrainingStopped):
        jule(run_folder=tmp_path).fit(IMAGES)
    again = jule(run_folder=tmp_path).fit(IMAGES)
    assert done == 3 * len(two.training_)
    assert (again.embedding_ == two.embedding_).all()
    assert [record["loss"] for record in again.training_] == [record["loss"] for record in two.training_]


def test_more_networks_can_follow_a_training_that_is_done(
    two: JULE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = jule(n_runs=1, run_folder=tmp_path).fit(IMAGES)
    trained: list[int] = []
    learn = JULE._learn
    monkeypatch.setattr(
        JULE, "_learn", lambda self, run, *rest: (trained.append(run.random.seed), learn(self, run, *rest))[1]
    )
    both = jule(run_folder=tmp_path).fit(open_images(IMAGES))
    assert set(trained) == {NEXT_SEED}
    assert (both.embedding_ == two.embedding_).all()
    assert (both.answers_["sf"].labels == first.answers_["sf"].labels).all()
