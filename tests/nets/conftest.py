"""What the tests of networks share: seeds."""

import pytest
import torch


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Weights and images that a test draws are the same in every run."""
    torch.manual_seed(0)
