"""coterie groups unlabelled images."""

__version__ = "0.1.0"
