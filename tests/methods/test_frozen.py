"""What frozen statistics and the spread say, through a run."""

import numpy as np
import pytest
import torch

from coterie.images.store import ImageStore, open_images
from coterie.methods.frozen import batch_spread, even, freeze, rows_by_batch
from coterie.methods.runs import embed
from coterie.nets.label_network import LabelNetwork
from coterie.training.run import Run
from methods.patterns import patterns

IMAGES, CLASSES = patterns(each=20, noise=60)


@pytest.fixture
def store() -> ImageStore:
    return open_images(IMAGES)


@pytest.fixture
def network() -> LabelNetwork:
    torch.manual_seed(0)
    return LabelNetwork((1, 12, 12), "conv3-6 max2 conv3-8 conv1-3 mean")


@pytest.mark.parametrize(
    ("n", "chunk", "size"), [(60_000, 1000, 1000), (1001, 1000, 501), (999, 1000, 999), (19_500, 1000, 975), (2, 9, 2)]
)
def test_chunks_are_as_even_as_they_can_be(n: int, chunk: int, size: int) -> None:
    assert even(n, chunk) == size


def test_rows_come_back_in_the_order_of_the_images(store: ImageStore, network: LabelNetwork) -> None:
    with Run(device="cpu") as run:
        one = rows_by_batch(run, network, store, chunk=60)
        expected = network(torch.from_numpy(np.asarray(store.images)).float() / 255).detach().numpy()
        np.testing.assert_allclose(one, expected, atol=1e-5)
        first, again, other = (rows_by_batch(run, network, store, 20, seed) for seed in (0, 0, 1))
        assert np.array_equal(first, again)
        assert not np.allclose(first, other, atol=1e-3)


def test_some_rows_are_those_of_all(store: ImageStore) -> None:
    with Run(device="cpu") as run:
        every = embed(run, torch.nn.Flatten(), store)
        assert np.array_equal(embed(run, torch.nn.Flatten(), store, 7, rows=slice(1, 40, 3)), every[1:40:3])


def test_the_spread_counts_the_labels_that_change_with_the_partition(store: ImageStore, network: LabelNetwork) -> None:
    with Run(device="cpu") as run:
        labels = np.array([rows_by_batch(run, network, store, 10, seed).argmax(axis=1) for seed in range(3)])
        expected = np.mean([len(set(column)) > 1 for column in labels.T])
        assert expected > 0
        assert batch_spread(run, network, store, 10) == pytest.approx(expected)
        assert batch_spread(run, network, store, 100) == 0  # one chunk has one partition


def test_answers_by_frozen_statistics_do_not_depend_on_order_or_company(
    store: ImageStore, network: LabelNetwork
) -> None:
    order = np.random.default_rng(0).permutation(len(IMAGES))
    with Run(device="cpu") as run:
        freeze(run, network, store, 20)
        rows = embed(run, network, store)
        np.testing.assert_allclose(embed(run, network, open_images(IMAGES[order])), rows[order], atol=1e-5)
        np.testing.assert_allclose(embed(run, network, open_images(IMAGES[7:9])), rows[7:9], atol=1e-5)
        assert batch_spread(run, network, store, 10) == 0


def test_freezing_takes_no_random_number_from_the_run(store: ImageStore, network: LabelNetwork) -> None:
    with Run(device="cpu") as run:
        before = [run.random.order.get_state(), run.random.device.get_state(), torch.get_rng_state()]
        batch_spread(run, network, store, 20)
        freeze(run, network, store, 20)
        after = [run.random.order.get_state(), run.random.device.get_state(), torch.get_rng_state()]
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
