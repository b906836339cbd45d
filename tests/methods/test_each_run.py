"""A setting is shared by the runs of a training, or several numbers are dealt to them in turn."""

from typing import Any

import pytest

from coterie.errors import ConfigError
from coterie.methods.each_run import dealt, numbers_of


@pytest.mark.parametrize(
    ("value", "numbers"),
    [(3, [3]), (0.5, [0.5]), ("3", [3]), ("1, 10", [1, 10]), ([4, 8], [4, 8]), ((2.5,), [2.5])],
)
def test_one_number_or_several_are_read(value: Any, numbers: list[float]) -> None:
    assert numbers_of("eta", value) == numbers


@pytest.mark.parametrize("value", ["", "many", "1,,2", None, [], ["x"]])
def test_anything_else_is_refused_with_an_example(value: Any) -> None:
    with pytest.raises(ConfigError, match=r'^eta is .*; expected a number, or several such as "1,10", one for a run'):
        numbers_of("eta", value)


def test_after_the_last_number_comes_the_first_again() -> None:
    assert dealt([1, 10], 5) == [1, 10, 1, 10, 1]
    assert dealt([1, 10, 100], 2) == [1, 10]
