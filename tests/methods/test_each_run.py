"""A setting is shared by the runs of a training, or several numbers are dealt to them in turn."""

from typing import Any

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.methods.each_run import check_each, dealt, numbers_of


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        (3, [3]), (0.5, [0.5]), ("3", [3]), ("1, 10", [1, 10]), ([4, 8], [4, 8]), ((2.5,), [2.5]),
        (np.int64(4), [4]), (np.float32(0.5), [0.5]), (np.array([1, 2]), [1, 2]),
    ],
)  # fmt: skip
def test_one_number_or_several_are_read(value: Any, numbers: list[float]) -> None:
    found = numbers_of("eta", value)
    assert found == numbers
    assert all(isinstance(number, int) for number in found if number == int(number))


@pytest.mark.parametrize("value", ["", "many", "1,,2", None, [], ["x"], True])
def test_anything_else_is_refused_with_an_example(value: Any) -> None:
    with pytest.raises(ConfigError, match=r'^eta is .*; expected a number, or several such as "1,10", one for a run'):
        numbers_of("eta", value)


@pytest.mark.parametrize(
    ("value", "whole", "sentence"),
    [
        (float("nan"), False, "eta is nan; expected a finite number of at least 0"),
        ("1,inf", False, "eta is inf; expected a finite number of at least 0"),
        ("1,-2", False, "eta is -2; expected a finite number of at least 0"),
        ("1,1.5", True, "eta is 1.5; expected a whole number of at least 0"),
        ("1,2,3", False, "eta is '1,2,3', 3 numbers for 2 runs; give more n_runs or fewer"),
    ],
)
def test_numbers_outside_the_range_and_more_of_them_than_runs_are_refused(
    value: Any, whole: bool, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{sentence}"):
        check_each("eta", value, 2, whole=whole)


def test_after_the_last_number_comes_the_first_again() -> None:
    assert dealt([1, 10], 5) == [1, 10, 1, 10, 1]
    assert dealt([1, 10, 100], 2) == [1, 10]
