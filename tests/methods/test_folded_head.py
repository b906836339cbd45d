"""A head as arrays says what the head says."""

import numpy as np
import pytest
import torch
from torch import nn

from coterie.methods.folded_head import FoldedHead, fold
from coterie.nets.batch_statistics import write_statistics
from coterie.nets.label_network import LabelNetwork


def trained(*, relu_last: bool) -> nn.Sequential:
    """A head whose every number differs from where it started."""
    torch.manual_seed(0)
    head = LabelNetwork((1, 8, 8), "conv3-4 conv1-5 mean", relu_last=relu_last).head
    for weight in head.parameters():
        weight.data += 0.3 * torch.randn_like(weight)
    write_statistics(head, torch.randn(4, 50, 5))
    return head


@pytest.mark.parametrize("relu_last", [False, True])
def test_the_shares_of_a_folded_head_are_the_softmax_of_the_network(relu_last: bool) -> None:
    head, x = trained(relu_last=relu_last), torch.randn(20, 5)
    folded = fold(head)
    assert folded.rectified == (True, relu_last)
    with torch.no_grad():
        np.testing.assert_allclose(folded.shares(x.numpy()), head(x).softmax(1), rtol=1e-4, atol=1e-6)


def test_a_folded_head_comes_back_from_its_tensors() -> None:
    folded = fold(trained(relu_last=True)).only(np.array([3, 0, 4]))
    x = np.random.default_rng(0).normal(size=(6, 5))
    back = FoldedHead.from_tensors({**folded.tensors(), "labels": np.zeros(3)})
    np.testing.assert_array_equal(back.shares(x), folded.shares(x))
    assert all(array.flags.c_contiguous for array in folded.tensors().values())


def test_columns_are_left_out_and_put_in_order() -> None:
    folded, x = fold(trained(relu_last=False)), np.random.default_rng(0).normal(size=(6, 5))
    whole, some = folded.shares(x), folded.only(np.array([2, 1])).shares(x)
    np.testing.assert_allclose(some, whole[:, [2, 1]] / whole[:, [2, 1]].sum(axis=1, keepdims=True))


def test_a_layer_that_cannot_be_folded_is_named() -> None:
    with pytest.raises(TypeError, match="a Tanh cannot be folded"):
        fold(nn.Sequential(nn.Linear(3, 3), nn.Tanh()))
