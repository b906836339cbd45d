"""The page of a run, built from its folder alone."""

from coterie.report.page import write_page

__all__ = ["write_page"]
