"""What the tests of training share: one thread, so that a child process gives the same bits as this one."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from training.toy import train


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def straight() -> Any:
    """The toy training without a stop and without a folder."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    result = train(None)
    torch.set_num_threads(before)
    return result
