"""The order of names that hold numbers."""

import re


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key to sort names by, with the numbers in them by their value, as people count: 9 before 10, s2 before s10, and
    numbers before words. Names that differ in leading zeros alone have an order too.
    """
    parts = re.split(r"([0-9]+)", name)  # every second part is a number; others may hold a ², which is a digit too
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)], name
