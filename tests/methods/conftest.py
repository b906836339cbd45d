"""What the tests of methods share: one thread, so that a child process gives the same bits as this one, and seeds."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Networks and images that a test draws are the same in every run."""
    torch.manual_seed(0)
