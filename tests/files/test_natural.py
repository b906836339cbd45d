"""Names in the order in which people count."""

import random

import pytest

from coterie.files.natural import natural


@pytest.mark.parametrize(
    "ordered",
    [
        ["9", "10", "cat", "dog"],
        ["s1", "s2", "s10", "s10²", "t1"],
        ["1 a", "2", "02 b", "10 c"],
        ["007", "07", "7"],
        ["", "0", "a", "a1b2", "a1b10"],
    ],
)
def test_names_are_sorted_by_the_numbers_in_them(ordered: list[str]) -> None:
    for seed in range(5):
        shuffled = random.Random(seed).sample(ordered, len(ordered))
        assert sorted(shuffled, key=natural) == ordered
