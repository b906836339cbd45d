"""What tests of several rooms share: the folder of real image sets, which is no part of the project."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder ``shared/data`` beside the checkout; the test is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real image sets (shared/data beside the checkout) are not on this machine")
    return SHARED_DATA
