"""Numbers as the page writes them."""

from typing import Any


def number_text(value: Any) -> str:
    """Three digits after the point, a whole number with its thousands; a dash for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
