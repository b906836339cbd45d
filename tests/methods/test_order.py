"""The order that brings members of a cluster into the same batch (jule.md B4.6)."""

from itertools import groupby

import pytest
import torch

from coterie.methods.order import cluster_order


def ordered(labels: torch.Tensor, seed: int = 0, group: int = 5) -> list[int]:
    return cluster_order(labels, group)(len(labels), generator=torch.Generator().manual_seed(seed)).tolist()


def labels_of(sizes: list[int], seed: int = 0) -> torch.Tensor:
    """Clusters of these sizes, their members all over the place."""
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]


@pytest.mark.parametrize("sizes", [[1], [7], [1, 1, 1], [4] * 50, [300, 1, 6, 5], [5, 10, 15]])
def test_every_image_comes_once(sizes: list[int]) -> None:
    for seed in range(3):
        assert sorted(ordered(labels_of(sizes), seed)) == list(range(sum(sizes)))


def test_clusters_up_to_the_size_of_a_group_stand_together() -> None:
    labels = labels_of([1, 2, 3, 4, 5] * 20)
    runs = [label for label, _ in groupby(labels[i].item() for i in ordered(labels))]
    assert len(runs) == len(set(runs)) == 100


def test_larger_clusters_come_in_groups_of_five_and_a_rest_that_are_apart() -> None:
    labels = labels_of([12, 11] + [1] * 2000)
    lengths: dict[int, list[int]] = {0: [], 1: []}
    for label, members in groupby(labels[i].item() for i in ordered(labels)):
        if label in lengths:
            lengths[int(label)].append(len(list(members)))
    assert {label: sorted(found) for label, found in lengths.items()} == {0: [2, 5, 5], 1: [1, 5, 5]}


def test_the_size_of_a_group_can_be_chosen() -> None:
    labels = labels_of([6, 6] + [1] * 500)
    lengths = [
        len(list(run)) for label, run in groupby(labels[i].item() for i in ordered(labels, group=3)) if label < 2
    ]
    assert lengths == [3, 3, 3, 3]


def test_the_same_generator_gives_the_same_order_and_another_gives_another() -> None:
    labels = labels_of([4] * 50)
    assert ordered(labels, 3) == ordered(labels, 3)
    assert ordered(labels, 3) != ordered(labels, 4)


def test_who_stands_with_whom_and_where_changes_from_epoch_to_epoch() -> None:
    labels, generator = torch.zeros(20, dtype=torch.int64), torch.Generator().manual_seed(0)
    order = cluster_order(labels)
    epochs = [order(20, generator=generator) for _ in range(200)]
    together = sum(bool((epoch.argsort() // 5)[0] == (epoch.argsort() // 5)[1]) for epoch in epochs)
    assert 15 < together < 75  # 4 / 19 of 200 expected: 42
    first = torch.stack([epoch[0] for epoch in epochs]).bincount(minlength=20)
    assert first.min() > 0


def test_a_batch_holds_pairs_of_a_cluster_where_a_random_order_has_hardly_any() -> None:
    labels = labels_of([4] * 1000)

    def pairs(order: list[int]) -> float:
        batches = labels[torch.tensor(order)].reshape(40, 100)
        same = (batches[:, :, None] == batches[:, None, :]).triu(1)
        return same.sum().item() / len(batches)

    assert pairs(torch.randperm(4000, generator=torch.Generator().manual_seed(0)).tolist()) < 6  # B4.6: 3.7
    assert pairs(ordered(labels)) > 130  # 150 less those that a border between batches cuts


def test_labels_need_not_be_consecutive() -> None:
    labels = torch.tensor([900, 7, 900, 7, 7, 31])
    runs = [label for label, _ in groupby(labels[i].item() for i in ordered(labels))]
    assert sorted(runs) == [7, 31, 900]
