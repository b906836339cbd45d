"""Sums and rows shared by processes: with one they are what they were, and two train what one trains."""

import numpy as np
import pytest
import torch

from coterie.training.processes import (
    cluster_sums,
    gather_rows,
    n_processes,
    share_first,
    share_mean,
    sum_over_processes,
)
from training.two_processes import train
from two import Saved, start_two


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Saved, Saved]:
    """What each of two processes that trained together left behind."""
    return start_two("training.two_processes", tmp_path_factory.mktemp("two"))


def test_two_processes_train_what_one_trains(both: tuple[Saved, Saved]) -> None:
    alone = train(0, 1)
    for name, value in alone.items():
        np.testing.assert_allclose(both[0][name], value.detach().numpy(), rtol=0, atol=2e-6, err_msg=name)


def test_both_processes_end_with_the_same_twin_and_the_same_queues(both: tuple[Saved, Saved]) -> None:
    first, second = both
    shared = [name for name in first if not name.startswith("uneven") and " before " not in name]
    assert [name for name in shared if not np.array_equal(first[name], second[name])] == []
    assert {"keys", "ids", "clusters", "twin net.0.weight", "own 1.running_mean", "ema start"} <= set(shared)


def test_running_statistics_of_the_twin_are_the_mean_over_the_processes(both: tuple[Saved, Saved]) -> None:
    for name in ("running_mean", "running_var"):
        parts = {mode: [saved[f"{mode} before 1.{name}"] for saved in both] for mode in ("own", "copy", "ema")}
        assert not np.array_equal(*parts["own"])
        for mode in ("own", "copy"):
            np.testing.assert_allclose(both[0][f"{mode} 1.{name}"], np.mean(parts[mode], axis=0), atol=1e-6)
        start = 0.0 if name == "running_mean" else 1.0
        np.testing.assert_allclose(
            both[0][f"ema 1.{name}"], 0.5 * start + 0.5 * np.mean(parts["ema"], axis=0), atol=1e-6
        )


def test_rows_come_in_the_order_of_the_ranks_and_gradients_return_to_their_own(both: tuple[Saved, Saved]) -> None:
    for saved in both:
        np.testing.assert_array_equal(saved["uneven"], [[0, 1], [10, 11], [12, 13]])
    # both processes add the same loss, whose gradient counts the numbers of the gathered rows
    np.testing.assert_array_equal(both[0]["uneven gradient"], 2 * np.array([[0, 1]]))
    np.testing.assert_array_equal(both[1]["uneven gradient"], 2 * np.array([[2, 3], [4, 5]]))


def test_one_process_gets_back_what_it_gave() -> None:
    x = torch.rand(3, 2)
    assert n_processes() == 1
    assert gather_rows(x) is x
    assert sum_over_processes(x) is x
    before = x.clone()
    share_first([x])
    share_mean([x])
    assert torch.equal(x, before)


@pytest.mark.parametrize("b", [1, 7])
def test_cluster_sums_are_those_of_a_loop_whatever_the_order_of_the_batch(b: int) -> None:
    generator = torch.Generator().manual_seed(b)
    shares = torch.rand(b, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    features = torch.randn(b, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    sums, counts = cluster_sums(shares, features)
    for j in range(4):
        expected = sum(shares[i, j] * features[i] for i in range(b))
        torch.testing.assert_close(sums[j], expected)
        torch.testing.assert_close(counts[j], shares[:, j].sum())
    order = torch.randperm(b, generator=generator)
    torch.testing.assert_close(cluster_sums(shares[order], features[order])[0], sums)
    assert torch.autograd.gradcheck(cluster_sums, (shares, features))


def test_cluster_sums_stay_in_single_precision_under_autocast() -> None:
    shares, features = torch.rand(300, 2), torch.rand(300, 3)
    with torch.autocast("cpu", torch.bfloat16):
        sums, counts = cluster_sums(shares, features.bfloat16())
    assert sums.dtype == counts.dtype == torch.float32
    torch.testing.assert_close(counts, shares.sum(0))
    torch.testing.assert_close(sums, shares.T @ features.bfloat16().float())
